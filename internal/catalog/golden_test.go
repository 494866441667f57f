package catalog

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/decide"
)

var update = flag.Bool("update", false, "write what Build says into testdata/*.txtar")

// archive is a text archive: a comment, then files between lines "-- name --".
type archive struct {
	comment string
	names   []string
	files   map[string]string
}

func parseArchive(data string) archive {
	a := archive{files: map[string]string{}}
	name, text := "", ""
	store := func() {
		if name == "" {
			a.comment = text
			return
		}
		a.names = append(a.names, name)
		a.files[name] = text
	}
	for line := range strings.Lines(data) {
		trimmed := strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(trimmed, "-- "); ok && strings.HasSuffix(rest, " --") {
			store()
			name, text = strings.TrimSuffix(rest, " --"), ""
			continue
		}
		text += line
	}
	store()
	return a
}

func (a archive) String() string {
	var b strings.Builder
	b.WriteString(a.comment)
	for _, n := range a.names {
		fmt.Fprintf(&b, "-- %s --\n%s", n, a.files[n])
	}
	return b.String()
}

func (a archive) fs() fstest.MapFS {
	out := fstest.MapFS{}
	for _, n := range a.names {
		if n != "want" {
			out[n] = &fstest.MapFile{Data: []byte(a.files[n])}
		}
	}
	return out
}

// options are lines of the comment: "confirm: …" and "now: YYYY-MM-DD".
func (a archive) options(t *testing.T) Options {
	t.Helper()
	out := Options{Now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	for line := range strings.Lines(a.comment) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "confirm: "); ok {
			out.Confirmed = append(out.Confirmed, rest)
		}
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "now: "); ok {
			now, err := time.Parse(civil, rest)
			if err != nil {
				t.Fatal(err)
			}
			out.Now = now
		}
	}
	return out
}

// TestEveryRuleHasAGoldenPair runs testdata/*.txtar: the files are a catalogue and its documents, want
// is everything that Load and Build make of them, in words.
func TestEveryRuleHasAGoldenPair(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden pairs: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			a := parseArchive(string(data))
			got := inWords(t, a)
			if *update {
				if !slices.Contains(a.names, "want") {
					a.names = append(a.names, "want")
				}
				a.files["want"] = got
				if err := os.WriteFile(name, []byte(a.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(a.files["want"], got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func inWords(t *testing.T, a archive) string {
	t.Helper()
	src, loaded, err := Load(a.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	res, built := Build(src, a.options(t))
	if again, problems := Build(src, a.options(t)); !cmp.Equal(res, again) || !cmp.Equal(built, problems) {
		t.Errorf("a second build of one source differs:\n%s%s", cmp.Diff(res, again), cmp.Diff(built, problems))
	}
	var b strings.Builder
	for _, p := range SortProblems(append(loaded, built...)) {
		fmt.Fprintln(&b, p)
	}
	if HasFatal(loaded) || HasFatal(built) {
		fmt.Fprintln(&b, "(not published)")
		return b.String()
	}
	for i, api := range res.Catalogue.APIs {
		head := strings.TrimSpace(fmt.Sprintf("api %s base=%s bind=%s", api.Name, api.Base, api.Bind))
		for _, x := range []struct {
			name string
			on   bool
		}{{"override", api.Override}, {"method-in-body", api.MethodInBody}, {"forward-credential", api.ForwardCredential}} {
			if x.on {
				head += " " + x.name
			}
		}
		if api.Header+api.Query+api.MethodHeader+strings.Join(api.Suffixes, "") != "" {
			head += fmt.Sprintf(" header=%s query=%s method-header=%s suffixes=%v", api.Header, api.Query, api.MethodHeader, api.Suffixes)
		}
		fmt.Fprintf(&b, "%s hosts=%v\n", head, api.Hosts)
		for j, v := range api.Versions {
			versionInWords(&b, v, res.APIs[i].Versions[j])
		}
	}
	for _, c := range res.Counts {
		fmt.Fprintf(&b, "count %s %s: %d read, %d published, %d nested\n", c.API, c.Version, c.Operations, c.Published, c.Nested)
	}
	return b.String()
}

func versionInWords(b *strings.Builder, v decide.Version, seen Version) {
	fmt.Fprintf(b, "version %s %s", v.Name, v.State)
	for _, d := range []struct{ name, date string }{{"released", seen.Released}, {"deprecated", seen.Deprecated}, {"sunset", seen.Sunset}} {
		if d.date != "" {
			fmt.Fprintf(b, " %s=%s", d.name, d.date)
		}
	}
	fmt.Fprintln(b)
	for _, c := range seen.Categories {
		fmt.Fprintf(b, "  category %s (%s)\n", c.Name, c.Slug)
		for _, s := range c.Scopes {
			fmt.Fprintf(b, "    %s %q %s", s.Name, s.Label, s.Access)
			if s.Sensitive != "" {
				fmt.Fprintf(b, " sensitive=%q", s.Sensitive)
			}
			if s.Limit != "" {
				fmt.Fprintf(b, " limit=%q", s.Limit)
			}
			if len(s.Needs) > 0 {
				fmt.Fprintf(b, " needs=%v", s.Needs)
			}
			if s.Hidden {
				fmt.Fprint(b, " hidden")
			}
			if s.Description != "" && s.Description != s.Label {
				fmt.Fprintf(b, " description=%q", s.Description)
			}
			fmt.Fprintln(b)
		}
	}
	for _, r := range v.Routes {
		fmt.Fprintf(b, "  %s\n", routeInWords(r))
	}
	for _, o := range seen.Operations {
		for _, n := range o.Nested {
			fmt.Fprintf(b, "  nested in %s: %s %s\n", n.API, o.Method, n.Path)
		}
		if o.Method == "POST" {
			for _, r := range v.Routes {
				asks := requirement{sets: o.Scopes, public: o.Public}.String()
				if r.Method == o.Method && r.Template == o.Template && asks != (requirement{sets: r.Needs, public: r.Public}).String() {
					fmt.Fprintf(b, "  people see: %s %s → %s\n", o.Method, o.Path, asks)
				}
			}
		}
		if len(o.BodyBrands) > 0 {
			fmt.Fprintf(b, "  body names brands: %s %s %v\n", o.Method, o.Path, o.BodyBrands)
		}
	}
}

func routeInWords(r decide.Route) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Method, none(r.Template))
	if r.Outside {
		fmt.Fprintf(&b, " outside bind=%s", r.Bind)
	}
	if r.Strict {
		b.WriteString(" strict")
	}
	if r.Upgrade {
		b.WriteString(" upgrade")
	}
	for _, p := range r.Params {
		fmt.Fprintf(&b, " {%s", p.Name)
		if p.Integer {
			b.WriteString(" integer")
		}
		if p.Allow != "" {
			fmt.Fprintf(&b, " allow=%s", p.Allow)
		}
		if p.Percent {
			b.WriteString(" percent")
		}
		if p.Enum != nil {
			fmt.Fprintf(&b, " enum=%v", p.Enum)
		}
		if p.Pattern != "" {
			fmt.Fprintf(&b, " pattern=%s", p.Pattern)
		}
		b.WriteString("}")
	}
	fmt.Fprintf(&b, " → %s", requirement{sets: r.Needs, public: r.Public})
	return b.String()
}
