package decide_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/internal/decide"
)

// attackCorpus is a collection of requests that try to make a verifier allow what a token does not grant.
// It is kept beside the checkout, and not everybody has it.
type attackCorpus struct {
	Tokens map[string]struct {
		SID             string              `yaml:"sid"`
		Scopes          []string            `yaml:"scopes"`
		Versions        []int               `yaml:"versions"`
		ScopesByVersion map[string][]string `yaml:"scopes_by_version"`
		Like            string              `yaml:"like"`
	} `yaml:"tokens"`
	Catalogue struct {
		Routes []struct {
			ID       string `yaml:"id"`
			Method   string `yaml:"method"`
			Path     string `yaml:"path"`
			Scope    string `yaml:"scope"`
			Versions []int  `yaml:"versions"`
		} `yaml:"routes"`
	} `yaml:"catalogue"`
	Cases []attackCase `yaml:"cases"`
}

type attackCase struct {
	ID     string `yaml:"id"`
	Title  string `yaml:"title"`
	Token  string `yaml:"token"`
	RawB64 string `yaml:"raw_b64_template"`
	Parsed *struct {
		Method  string      `yaml:"method"`
		Target  string      `yaml:"target"`
		Host    string      `yaml:"host"`
		Headers [][2]string `yaml:"headers"`
	} `yaml:"parsed"`
	Expected struct {
		Decision string   `yaml:"decision"`
		Route    string   `yaml:"route"`
		Version  string   `yaml:"version"`
		Status   []int    `yaml:"status"`
		Reasons  []string `yaml:"reason_any"`
	} `yaml:"expected"`
	DangerousIf []string `yaml:"dangerous_if_backend"`
}

const (
	corpusSIDA = "aB3dEfGhIjKlMnOpQrStUv"
	corpusSIDB = "zY3xWvUtSrQpOnMlKjIhGf"
)

func readCorpus(t testing.TB) attackCorpus {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, "..", "shared", "corpus.yaml"))
	if os.IsNotExist(err) {
		t.Skip("the attack corpus is not beside the checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	var c attackCorpus
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// catalogue is the corpus's own one: any SID of the account names it, and a request may name a version.
func (c *attackCorpus) catalogue(t testing.TB) decide.Catalogue {
	t.Helper()
	a := decide.API{
		Name: "agency", Base: "/Agencies/{AccountSID}", Bind: decide.BindAnySID, Hosts: []string{"api.example.com"},
		Header: "Api-Version", Query: "ApiVersion", Override: true,
	}
	for _, v := range []struct{ name, state string }{{"14", "retired"}, {"15", "deprecated"}, {"16", "current"}} {
		version := decide.Version{Name: v.name, State: v.state}
		for _, r := range c.Catalogue.Routes {
			if n, err := strconv.Atoi(v.name); err != nil || n != 14 && !slices.Contains(r.Versions, n) {
				continue
			}
			addScope(&version, r.Scope)
			version.Routes = append(version.Routes, decide.Route{
				Method: r.Method, Template: strings.TrimPrefix(r.Path, "/Agencies/{sid}"), Needs: [][]string{{r.Scope}},
				Params: corpusParams(r.Path),
			})
		}
		a.Versions = append(a.Versions, version)
	}
	return decide.Catalogue{APIs: []decide.API{a}}
}

func corpusParams(path string) []decide.Param {
	if !strings.Contains(path, "{id}") {
		return nil
	}
	return []decide.Param{{Name: "id", Pattern: "^[A-Za-z0-9_-]{1,64}$"}}
}

func (c *attackCorpus) caller(t testing.TB, table *decide.Table, name, target string) *decide.Caller {
	t.Helper()
	spec, known := c.Tokens[name]
	if spec.Like != "" {
		spec = c.Tokens[spec.Like]
	}
	if !known {
		t.Fatalf("no token %q", name)
	}
	caller := &decide.Caller{Account: 1, SID: "0wnSid0fTheT0ken"}
	segments := strings.Split(target, "/")
	at := slices.Index(segments, "Agencies") + 1
	caller.Named = at < len(segments) && segments[at] == corpusSIDA && spec.SID == "A"
	byVersion := spec.ScopesByVersion
	if byVersion == nil {
		byVersion = map[string][]string{}
		for _, v := range spec.Versions {
			byVersion[strconv.Itoa(v)] = spec.Scopes
		}
	}
	for _, version := range []string{"16", "15"} {
		if scopes, ok := byVersion[version]; ok {
			id := table.VersionID("agency", version)
			caller.Pins = append(caller.Pins, decide.Pin{Version: id, Scopes: table.ScopeSet(id, scopes)})
		}
	}
	return caller
}

var corpusNames = strings.NewReplacer(
	"${SID_A}", corpusSIDA, "${SID_B}", corpusSIDB, "${SID_A_LOWER}", strings.ToLower(corpusSIDA),
	"${SID_A_UPPER}", strings.ToUpper(corpusSIDA), "${SID_A_PREFIX}", corpusSIDA[:len(corpusSIDA)-1],
	"${SID_A_PCT1}", "%61"+corpusSIDA[1:], "${SID_B_PCT1}", "%7A"+corpusSIDB[1:],
	"${API_HOST}", "api.example.com", "${API_HOST_UPPER}", "API.EXAMPLE.COM",
	"${VERSION_HEADER}", "Api-Version", "${VERSION_HEADER_UNDERSCORE}", "Api_Version",
	"${REPEAT:A:4096}", strings.Repeat("A", 4096), "${REPEAT:A:8192}", strings.Repeat("A", 8192),
)

// request builds the request of a case; nil if it cannot be expressed as one.
func (c *attackCase) request(t testing.TB) *decide.Request {
	t.Helper()
	if c.Parsed == nil {
		raw, err := base64.StdEncoding.DecodeString(c.RawB64)
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(corpusNames.Replace(string(raw)), "\r\n")
		words := strings.Split(line, " ")
		if len(words) != 3 {
			return nil
		}
		return &decide.Request{Method: words[0], Target: words[1], Host: "api.example.com"}
	}
	header := http.Header{}
	for _, field := range c.Parsed.Headers {
		if name := corpusNames.Replace(field[0]); name != "Authorization" {
			header.Add(name, corpusNames.Replace(field[1]))
		}
	}
	return &decide.Request{
		Method: c.Parsed.Method, Target: corpusNames.Replace(c.Parsed.Target),
		Host: corpusNames.Replace(c.Parsed.Host), Fields: fieldsOf(header),
	}
}

// judged are the groups of the corpus that this package alone decides.
var judged = []string{"BASE", "PATH", "SHAPE", "TARGET", "METHOD", "VERSION", "TENANT"}

// statuses are the answers of a gateway (DESIGN.md, section 3).
var statuses = map[decide.Reason]int{
	decide.MalformedRequest: 400, decide.HostNotAllowed: 403, decide.NoRoute: 404, decide.MethodNotAllowed: 405,
	decide.WrongAccount: 403, decide.VersionNotAllowed: 403, decide.VersionRetired: 403, decide.InsufficientScope: 403,
}

func TestNoAttackOfTheCorpusOpensAnything(t *testing.T) {
	corpus := readCorpus(t)
	catalogue := corpus.catalogue(t)
	table := compile(t, catalogue)
	ran := 0
	for i := range corpus.Cases {
		c := &corpus.Cases[i]
		group, _, _ := strings.Cut(c.ID, "-")
		if !slices.Contains(judged, group) || c.Token == "none" {
			continue
		}
		r := c.request(t)
		if r == nil {
			continue
		}
		if strings.Contains(r.Target+r.Host, "${") {
			t.Errorf("%s: a placeholder is left in %q", c.ID, r.Target)
		}
		ran++
		reason, _, v := ask(table, r, corpus.caller(t, table, c.Token, r.Target))
		allowed := reason == decide.Allow
		switch c.Expected.Decision {
		case "allow":
			if !allowed {
				t.Errorf("%s %s: %v, want allow", c.ID, c.Title, reason)
			}
		case "deny":
			if allowed || !slices.Contains(c.Expected.Status, statuses[reason]) {
				t.Errorf("%s %s: %v (%d), want a refusal with one of %v", c.ID, c.Title, reason, statuses[reason], c.Expected.Status)
			}
		case "either":
		default:
			t.Errorf("%s: decision %q", c.ID, c.Expected.Decision)
		}
		if allowed {
			corpus.checkRoute(t, c, v)
		}
	}
	if ran < 80 {
		t.Errorf("only %d cases ran", ran)
	}
}

func (c *attackCorpus) checkRoute(t *testing.T, a *attackCase, v *decide.Verdict) {
	t.Helper()
	if a.Expected.Version != "" && v.Version != a.Expected.Version {
		t.Errorf("%s: judged in version %s, want %s", a.ID, v.Version, a.Expected.Version)
	}
	for _, r := range c.Catalogue.Routes {
		if r.ID == a.Expected.Route {
			if want := r.Method + " " + strings.ReplaceAll(r.Path, "{sid}", "{AccountSID}"); v.Operation != want {
				t.Errorf("%s: judged as %s, want %s", a.ID, v.Operation, want)
			}
			return
		}
	}
	t.Errorf("%s: allowed as %s, want %q", a.ID, v.Operation, a.Expected.Route)
}
