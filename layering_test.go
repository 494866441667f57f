package counterfoil_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "counterfoil.dev/counterfoil"

// everything stands in the table for a package that wires the others.
const everything = "*"

// mayImport is the house: every package with the packages of ours that it may import. A package that
// is not here fails; a new one adds its line with one sentence of reason in the same commit.
var mayImport = map[string]string{
	".":   "api internal/doors internal/verify internal/decide internal/token internal/scope",
	"api": "",

	"cmd/counterfoil": everything,

	"internal/token": "",
	"internal/scope": "",
	"internal/audit": "",
	"internal/seal":  "",

	"internal/decide":  "internal/scope",
	"internal/catalog": "internal/decide internal/scope",
	"internal/advise":  "internal/decide internal/scope",

	"internal/store":           "internal/token internal/scope internal/audit",
	"internal/store/storetest": "internal/store internal/token internal/scope internal/audit",
	"internal/authority":       "api internal/store internal/catalog internal/decide internal/advise internal/seal internal/token internal/scope internal/audit",
	"internal/session":         "api internal/store internal/seal internal/audit internal/httpx",
	"internal/notice":          "api internal/store internal/seal",

	"internal/verify": "api internal/decide internal/token internal/scope",
	// A verifier on an authority in memory: doors and gateway are tested on the real thing, which
	// internal/authority cannot give them since the data plane never reaches it.
	"internal/verify/verifytest": "api internal/decide internal/token internal/verify",
	// Real proxies with the snippets of examples/proxies, for the tests of doors and of the operator's probe.
	"internal/proxytest":  "api internal/decide internal/doors internal/httpx internal/token internal/verify internal/verify/verifytest",
	"internal/doors":      "api internal/decide internal/verify internal/httpx",
	"internal/extauthz":   "api internal/decide internal/verify",
	"internal/gateway":    "api internal/decide internal/verify internal/httpx",
	"internal/limitredis": "internal/verify",

	// Tests alone, of every door at once: an oracle, attacks, timing and floods. No package below could import all doors.
	"internal/attack": "",

	// Floors and subjects measured in turn, for the benchmarks of the check.
	"internal/measure": "",

	"internal/httpx": "api",
	// The operator's self-test of a proxy: no verifier and no authority, since all it knows it sees from outside.
	"internal/probe": "api",

	"internal/ops":          "internal/httpx",
	"internal/rest":         "api internal/authority internal/verify internal/httpx internal/scope internal/token internal/audit",
	"internal/console":      "api internal/authority internal/session internal/httpx internal/scope internal/token internal/audit internal/advise internal/probe internal/console/view",
	"internal/console/view": "",

	// The sample APIs stand for somebody else's program, so they know nothing of ours.
	"docs":               "", // errors.md, which the console shows
	"examples/agencyapi": "",
	"examples/catalogue": "",
}

// The data plane never reaches the control plane, not even through others: who embeds the middleware
// gets no SQL driver, OpenAPI parser, template or gRPC, and no bug of the desk is in the verifier.
var (
	dataPlane    = []string{".", "internal/decide", "internal/verify", "internal/doors", "internal/extauthz", "internal/gateway"}
	controlPlane = []string{
		"internal/store", "internal/authority", "internal/catalog", "internal/advise", "internal/rest",
		"internal/console", "internal/session", "internal/notice", "database/sql", "html/template", "text/template",
	}
)

// stdOnly use the standard library alone (and decide, besides, scope).
var stdOnly = []string{"internal/token", "internal/scope", "internal/audit", "internal/seal", "api", "internal/decide"}

// never are single imports that a package does without: a decision is a function of its arguments.
var never = map[string][]string{"internal/decide": {"net/http", "time"}}

// onlyIn says where a subject lives. A subject is a list of import paths, each with all below it.
var onlyIn = []struct {
	subject string
	imports []string
	in      []string
}{
	{"SQL", []string{
		"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx", "github.com/lib/pq", "github.com/mattn/go-sqlite3",
		"github.com/ncruces/go-sqlite3", "github.com/pressly/goose",
	}, []string{"internal/store", "internal/store/storetest"}},
	{"OpenAPI documents", []string{"github.com/pb33f", "github.com/getkin/kin-openapi", "github.com/go-openapi"}, []string{"internal/catalog"}},
	{"YAML", []string{"go.yaml.in", "gopkg.in/yaml.v2", "gopkg.in/yaml.v3", "github.com/goccy/go-yaml", "sigs.k8s.io/yaml"}, []string{"internal/catalog", "cmd/counterfoil"}},
	{"gRPC", []string{"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/envoyproxy"}, []string{"internal/extauthz"}},
	{"templ", []string{"github.com/a-h/templ"}, []string{"internal/console/view"}},
	{"SMTP", []string{"net/smtp", "github.com/wneessen/go-mail", "github.com/emersion/go-smtp"}, []string{"internal/notice"}},
	{"Redis", []string{"github.com/redis", "github.com/valkey-io", "github.com/gomodule/redigo"}, []string{"internal/limitredis"}},
	{"flags", []string{"flag", "github.com/spf13", "github.com/urfave/cli", "github.com/alecthomas/kong"}, []string{"cmd/counterfoil"}},
	{"the environment", []string{environment}, []string{"cmd/counterfoil"}},
}

// environment is a made-up import for a use of the process's environment.
const environment = "os.Getenv"

var readsEnvironment = []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv"}

// testOnly are imported by tests and nobody else.
var testOnly = []string{"internal/store/storetest", "internal/verify/verifytest", "internal/proxytest", "internal/measure"}

// imports are what the packages of a tree import, tests left out: package to import path to one file
// that has it. Packages of ours are named by their folder, others by their import path.
type imports map[string]map[string]string

func TestImportsFollowTheTable(t *testing.T) {
	tree, err := readImports(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree["internal/token"]) == 0 || len(tree["api"]) == 0 {
		t.Fatal("the packages were not read")
	}
	for _, fault := range faults(tree) {
		t.Error(fault)
	}
}

// readImports parses every Go file of the module that is not a test. Folders with a go.mod of their
// own, and those that the go command does not look at, are passed over.
func readImports(root fs.FS) (imports, error) {
	tree := imports{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			base := path.Base(name)
			_, err := fs.Stat(root, path.Join(name, "go.mod"))
			if name != "." && (err == nil || base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if tree[dir] == nil {
			tree[dir] = map[string]string{}
		}
		for imported := range importsOf(file) {
			tree[dir][imported] = name
		}
		return nil
	})
	return tree, err
}

func importsOf(file *ast.File) map[string]bool {
	found := map[string]bool{}
	envNames := map[string]bool{}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser let it through
		}
		if imported == "os" || imported == "syscall" {
			local := imported
			if spec.Name != nil {
				local = spec.Name.Name
			}
			envNames[local] = true
			if local == "." {
				found[environment] = true // no telling what is used
			}
		}
		switch {
		case imported == module:
			imported = "."
		case strings.HasPrefix(imported, module+"/"):
			imported = strings.TrimPrefix(imported, module+"/")
		}
		found[imported] = true
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains(readsEnvironment, sel.Sel.Name) {
			if x, ok := sel.X.(*ast.Ident); ok && envNames[x.Name] {
				found[environment] = true
			}
		}
		return true
	})
	return found
}

// faults lists what breaks the rules of the house, in a fixed order.
func faults(tree imports) []string {
	var all []string
	fault := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, pkg := range slices.Sorted(maps.Keys(tree)) {
		allowed, known := mayImport[pkg]
		if !known {
			fault("%s: not in the import table; a new package adds its line and one sentence of reason", pkg)
		}
		for _, imported := range slices.Sorted(maps.Keys(tree[pkg])) {
			where := tree[pkg][imported]
			_, listed := mayImport[imported]
			if _, found := tree[imported]; found || listed {
				if known && allowed != everything && !slices.Contains(strings.Fields(allowed), imported) {
					fault("%s: %s may not import %s", where, pkg, imported)
				}
				if slices.Contains(testOnly, imported) && !slices.Contains(testOnly, pkg) {
					fault("%s: %s is for tests", where, imported)
				}
				continue
			}
			if slices.Contains(stdOnly, pkg) && !isStd(imported) {
				fault("%s: %s uses the standard library only, not %s", where, pkg, imported)
			}
			if slices.Contains(never[pkg], imported) {
				fault("%s: %s does without %s", where, pkg, imported)
			}
			for _, rule := range onlyIn {
				if below(imported, rule.imports) && !slices.Contains(rule.in, pkg) {
					fault("%s: %s lives in %s alone, and %s imports %s", where, rule.subject, strings.Join(rule.in, " and "), pkg, imported)
				}
			}
		}
	}
	for _, pkg := range dataPlane {
		for _, way := range reaches(tree, pkg) {
			fault("the data plane reaches the control plane: %s", strings.Join(way, " → "))
		}
	}
	return all
}

// reaches gives, for each package of the control plane that pkg comes to, one way there.
func reaches(tree imports, pkg string) [][]string {
	var found [][]string
	seen := map[string]bool{pkg: true}
	for queue := [][]string{{pkg}}; len(queue) > 0; queue = queue[1:] {
		way := queue[0]
		for _, next := range slices.Sorted(maps.Keys(tree[way[len(way)-1]])) {
			if seen[next] {
				continue
			}
			seen[next] = true
			onward := append(slices.Clone(way), next)
			if below(next, controlPlane) {
				found = append(found, onward)
			}
			queue = append(queue, onward)
		}
	}
	return found
}

func below(imported string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return imported == root || strings.HasPrefix(imported, root+"/")
	})
}

// isStd: the standard library's paths have no dot in their first element. Ours were told apart before.
func isStd(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") || imported == environment
}

// Each case breaks one rule in a tree that is sound without it. A check that cannot fail is worth nothing.
func TestTheRulesCanBeBroken(t *testing.T) {
	source := func(pkg string, imported ...string) *fstest.MapFile {
		var text strings.Builder
		fmt.Fprintf(&text, "package %s\n", pkg)
		for _, i := range imported {
			fmt.Fprintf(&text, "import _ %q\n", i)
		}
		return &fstest.MapFile{Data: []byte(text.String())}
	}
	ours := func(pkg string) string { return module + "/" + pkg }
	code := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	base := fstest.MapFS{
		"guard.go":                        source("counterfoil", ours("api"), ours("internal/doors"), "net/http"),
		"api/errors.go":                   source("api", "net/http"),
		"cmd/counterfoil/main.go":         code("package main\nimport \"os\"\nimport _ \"flag\"\nimport _ \"" + ours("internal/console") + "\"\nvar _ = os.Getenv(\"X\")\n"),
		"internal/token/parse.go":         source("token", "crypto/sha256"),
		"internal/scope/set.go":           source("scope", "math/bits"),
		"internal/audit/event.go":         source("audit", "os"),
		"internal/decide/table.go":        source("decide", ours("internal/scope")),
		"internal/catalog/build.go":       source("catalog", ours("internal/decide"), "go.yaml.in/yaml/v3"),
		"internal/store/store.go":         source("store", "database/sql", "modernc.org/sqlite", ours("internal/audit")),
		"internal/store/storetest/all.go": source("storetest", ours("internal/store"), "database/sql"),
		"internal/verify/verify.go":       source("verify", ours("internal/decide"), ours("internal/token"), "time"),
		"internal/doors/forwardauth.go":   source("doors", ours("internal/verify"), ours("internal/httpx")),
		"internal/httpx/server.go":        source("httpx", ours("api"), "net/http"),
		"internal/session/session.go":     source("session", ours("internal/store"), "golang.org/x/crypto/argon2"),
		"internal/rest/routes.go":         source("rest", ours("internal/verify")),
		"internal/console/routes.go":      source("console", ours("internal/session"), ours("internal/console/view")),
		"internal/console/view/list.go":   source("view", "github.com/a-h/templ"),
		"internal/authority/act_test.go":  source("authority", ours("internal/store/storetest"), "database/sql"),
		"terraform/go.mod":                code("module elsewhere\n"),
		"terraform/provider.go":           source("main", "google.golang.org/grpc"),
		"internal/verify/testdata/bad.go": source("bad", "database/sql"),
	}
	check := func(t *testing.T, add fstest.MapFS) []string {
		t.Helper()
		tree := maps.Clone(base)
		maps.Copy(tree, add)
		read, err := readImports(tree)
		if err != nil {
			t.Fatal(err)
		}
		return faults(read)
	}
	if got := check(t, nil); len(got) != 0 {
		t.Fatalf("the sound tree has faults:\n%s", strings.Join(got, "\n"))
	}
	for name, c := range map[string]struct {
		file string
		text *fstest.MapFile
		want string
	}{
		"a package without a line":     {"internal/extra/x.go", source("extra"), "internal/extra: not in the import table"},
		"an import beyond the line":    {"internal/verify/x.go", source("verify", ours("internal/audit")), "internal/verify may not import internal/audit"},
		"the root package":             {"internal/doors/x.go", source("doors", module), "internal/doors may not import ."},
		"a surface of a surface":       {"internal/rest/x.go", source("rest", ours("internal/console")), "internal/rest may not import internal/console"},
		"a view that knows us":         {"internal/console/view/x.go", source("view", ours("api")), "internal/console/view may not import api"},
		"the store, two steps away":    {"internal/httpx/x.go", source("httpx", ours("internal/session")), ". → internal/doors → internal/httpx → internal/session"},
		"SQL in the data plane":        {"internal/verify/x.go", source("verify", "database/sql"), "reaches the control plane: internal/verify → database/sql"},
		"templates in the data plane":  {"internal/doors/x.go", source("doors", "html/template"), "internal/doors → html/template"},
		"a driver's package":           {"internal/authority/x.go", source("authority", "database/sql/driver"), "SQL lives in"},
		"pgx outside the store":        {"internal/authority/x.go", source("authority", "github.com/jackc/pgx/v5"), "SQL lives in"},
		"a library in token":           {"internal/token/x.go", source("token", "golang.org/x/text/unicode/norm"), "internal/token uses the standard library only"},
		"a library in decide":          {"internal/decide/x.go", source("decide", "golang.org/x/net/idna"), "internal/decide uses the standard library only"},
		"a clock in decide":            {"internal/decide/x.go", source("decide", "time"), "internal/decide does without time"},
		"HTTP in decide":               {"internal/decide/x.go", source("decide", "net/http"), "internal/decide does without net/http"},
		"OpenAPI outside the catalog":  {"internal/authority/x.go", source("authority", "github.com/pb33f/libopenapi/datamodel"), "OpenAPI documents lives in"},
		"YAML outside the catalog":     {"internal/authority/x.go", source("authority", "go.yaml.in/yaml/v3"), "YAML lives in"},
		"gRPC outside extauthz":        {"internal/doors/x.go", source("doors", "google.golang.org/grpc/codes"), "gRPC lives in"},
		"templ outside the view":       {"internal/console/x.go", source("console", "github.com/a-h/templ"), "templ lives in"},
		"SMTP outside notice":          {"internal/session/x.go", source("session", "net/smtp"), "SMTP lives in"},
		"Redis outside limitredis":     {"internal/verify/x.go", source("verify", "github.com/redis/go-redis/v9"), "Redis lives in"},
		"flags outside cmd":            {"internal/gateway/x.go", source("gateway", "flag"), "flags lives in"},
		"the environment outside cmd":  {"internal/gateway/x.go", code("package gateway\nimport sys \"os\"\nfunc f() { _, _ = sys.LookupEnv(\"X\") }\n"), "the environment lives in"},
		"the environment, unnamed":     {"internal/gateway/x.go", code("package gateway\nimport . \"os\"\nvar _ = Getenv(\"X\")\n"), "the environment lives in"},
		"storetest outside a test":     {"internal/authority/x.go", source("authority", ours("internal/store/storetest")), "internal/store/storetest is for tests"},
		"storetest even in the wiring": {"cmd/counterfoil/x.go", source("main", ours("internal/store/storetest")), "internal/store/storetest is for tests"},
	} {
		got := check(t, fstest.MapFS{c.file: c.text})
		if !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, c.want) }) {
			t.Errorf("%s: want a fault with %q, got %q", name, c.want, got)
		}
	}
}

// The table is the design's, and what was added since. Where the design lies beside the checkout, every
// line that it has is compared.
func TestTheTableIsTheDesigns(t *testing.T) {
	design, err := os.ReadFile(filepath.Join("..", "shared", "DESIGN.md"))
	if err != nil {
		t.Skip("the design is not beside the checkout")
	}
	full := map[string]string{"api": "api", "view": "internal/console/view", "storetest": "internal/store/storetest"}
	for pkg := range mayImport {
		if rest, ok := strings.CutPrefix(pkg, "internal/"); ok && !strings.Contains(rest, "/") {
			full[rest] = pkg
		}
	}
	got := map[string][]string{}
	row := regexp.MustCompile(`^[│ ]*[├└]── (\w+)(?:/|\.go) .*  (.+)$`)
	for line := range strings.Lines(string(design)) {
		m := row.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		pkg := full[m[1]]
		if m[1] == "guard" {
			pkg = "."
		}
		if pkg == "" {
			continue
		}
		got[pkg] = []string{}
		for _, word := range strings.Fields(strings.TrimSuffix(m[2], " (tests only)")) {
			if full[word] != "" {
				got[pkg] = append(got[pkg], full[word])
			}
		}
		slices.Sort(got[pkg])
	}
	want := map[string][]string{}
	for pkg, allowed := range mayImport {
		if _, found := got[pkg]; found {
			want[pkg] = []string{}
			for _, imported := range strings.Fields(allowed) {
				if _, designed := got[imported]; designed || imported == "internal/advise" { // what was added since has its reason in the table
					want[pkg] = append(want[pkg], imported)
				}
			}
			slices.Sort(want[pkg])
		}
	}
	if len(got) < 20 {
		t.Fatalf("only %d lines of the design's table were read", len(got))
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("the design (-) and the table (+):\n%s", diff)
	}
}
