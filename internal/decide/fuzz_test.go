package decide_test

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/internal/decide"
)

// fuzzCatalogue has everything that widens what a path may be: parameters beside literals, text around
// parameters, further octets, escapes, crossing templates, a passthrough, routes outside the base.
const fuzzCatalogue = `
api agency /Agencies/{AccountSID} sid
  host api.example.com
  header IR-Version
  query IrVersion
  through /Agencies/{AccountSID}/Advertisers/{AdvertiserId} brand
  version 3 current
    GET /Actions = s.list
    POST /Actions = s.create
    GET /Actions/{Id} = s.get
    GET /Actions/export = s.export
    GET /Invoices = s.invoices
    GET /Skus/{Sku allow=:@+,$ percent} = s.sku
    GET /Skus/$batch = s.batch
    GET /Skus/{Id}:cancel = s.cancel
    GET /Files/{Name}.json = s.json
    GET /Files/{Name} = s.file
    GET /x/{a}/c = s.one
    GET /x/b/{d percent} = s.two
    GET /Advertisers/{AdvertiserId} = s.advertiser
    outside GET /PageLoad = s.load
api brand /Advertisers/{AccountSID} sid
  version 14 current
    GET /Jobs/{Id} = s.job
    GET /Jobs/all = s.jobs
`

func fuzzCaller(table *decide.Table) *decide.Caller {
	c := callerLine{pins: []pinLine{
		{"agency", "3", strings.Fields("s.list s.create s.get s.export s.invoices s.sku s.batch s.cancel s.json s.file s.one s.two s.advertiser s.load")},
		{"brand", "14", strings.Fields("s.job s.jobs")},
	}}.in(table)
	c.Account, c.SID, c.ReachAll, c.Managed = 7, "AAA", true, []int64{12}
	return c
}

// backends are what careless servers do to a path before they route (SECURITY.md, section 2.1).
var backends = map[string]func(string) string{
	"decodes":            decodeOnce,
	"decodes twice":      func(p string) string { return decodeOnce(decodeOnce(p)) },
	"removes dots":       func(p string) string { return path.Clean(p) },
	"decodes and cleans": func(p string) string { return path.Clean(decodeOnce(p)) },
	"merges slashes":     func(p string) string { return regexp.MustCompile(`/+`).ReplaceAllString(p, "/") },
	"strips a slash":     func(p string) string { return strings.TrimSuffix(p, "/") },
	"turns backslashes":  func(p string) string { return path.Clean(strings.ReplaceAll(decodeOnce(p), `\`, "/")) },
	"strips semicolons":  func(p string) string { return regexp.MustCompile(`;[^/]*`).ReplaceAllString(decodeOnce(p), "") },
	"cuts fragments":     func(p string) string { before, _, _ := strings.Cut(decodeOnce(p), "#"); return before },
	"cuts queries":       func(p string) string { before, _, _ := strings.Cut(decodeOnce(p), "?"); return before },
	"cuts at NUL":        func(p string) string { before, _, _ := strings.Cut(decodeOnce(p), "\x00"); return before },
	"folds case":         strings.ToLower,
	"decodes and folds":  func(p string) string { return strings.ToLower(decodeOnce(p)) },
	"cuts a format": func(p string) string {
		if ext := path.Ext(p); ext != "" && !strings.HasSuffix(p, "/"+ext) {
			return strings.TrimSuffix(p, ext)
		}
		return p
	},
}

func decodeOnce(p string) string {
	if decoded, err := url.PathUnescape(p); err == nil {
		return decoded
	}
	return p
}

// resolve is such a server's router: it knows the documents, and no character rule. It returns the
// operations that it might run.
func resolve(c *decide.Catalogue, method, p string, fold bool) []string {
	var out []string
	route := func(prefix string, r *decide.Route) {
		full := prefix + r.Template
		if r.Outside {
			full = r.Template
		}
		shape := full
		if fold {
			shape = strings.ToLower(full)
		}
		if r.Method == method && shapeMatches(shape, strings.Split(strings.TrimPrefix(p, "/"), "/")) {
			out = append(out, full)
		}
	}
	for i := range c.APIs {
		a := &c.APIs[i]
		for j := range a.Versions[0].Routes {
			r := &a.Versions[0].Routes[j]
			route(a.Base, r)
			if a.Name == "brand" {
				route("/Agencies/{AccountSID}/Advertisers/{AdvertiserId}", r)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(out), func(t string) bool {
		return slices.ContainsFunc(out, func(o string) bool {
			return strings.Count(o, "/") == strings.Count(t, "/") && moreSpecific(o, t)
		})
	})
}

// FuzzMatch: nothing panics, judging is repeatable, and what is allowed is in canonical spelling and is to
// no careless server an operation that was not judged.
func FuzzMatch(f *testing.F) {
	catalogue := parseCatalogue(f, fuzzCatalogue)
	table := compile(f, catalogue)
	caller := fuzzCaller(table)
	for _, target := range []string{
		"/Agencies/AAA/Actions", "/Agencies/AAA/Actions/..%2fInvoices", "/Agencies/AAA/Actions/EXPORT",
		"/Agencies/AAA/Skus/a:b@%C3%A9", "/Agencies/AAA/Skus/%24batch", "/Agencies/AAA/Files/a.json?x=1&IrVersion=3",
		"/Agencies/AAA/Advertisers/12/Jobs/all", "/Agencies/AAA/Advertisers/12", "/PageLoad", "/Agencies/AAA/x/b/c",
		"http://api.example.com/Agencies/AAA/Actions", "//Agencies/AAA/Actions", "/Agencies/AAA/Actions/.", "*",
		"/Agencies/AAA/Actions?_method=POST", "/Agencies/AAA/Actions/a.b", "/Agencies/AAA/Files/x.JSON",
	} {
		f.Add("GET", target, "api.example.com", "IR-Version", "3")
	}
	f.Add("POST", "/Agencies/AAA/Actions", "API.example.com:443", "X_HTTP.Method", "GET")
	f.Fuzz(func(t *testing.T, method, target, host, field, value string) {
		r := &decide.Request{Method: method, Target: target, Host: host, Fields: []decide.Field{{Name: field, Values: []string{value}}}}
		reason, m, v := ask(table, r, caller)
		if again, _, _ := ask(table, r, caller); again != reason {
			t.Fatalf("%v, then %v", reason, again)
		}
		if reason != decide.Allow {
			return
		}
		p := m.Path()
		if !canonical.MatchString(p) || !strings.Contains(target, p) {
			t.Fatalf("allowed %q", p)
		}
		if known := resolve(&catalogue, strings.Replace(method, "HEAD", "GET", 1), p, false); !slices.Contains(known, strings.TrimPrefix(v.Operation, v.Route.Method+" ")) {
			t.Fatalf("%q was judged as %s; the documents say %v", p, v.Operation, known)
		}
		checkBackends(t, &catalogue, v.Route.Method, p)
	})
}

// checkBackends runs every careless server over an allowed path: it may find nothing, or what was judged.
func checkBackends(t *testing.T, c *decide.Catalogue, method, p string) {
	t.Helper()
	judged := resolve(c, method, p, false)
	for name, mangle := range backends {
		if name == "cuts a format" && slices.ContainsFunc(judged, func(o string) bool { return strings.HasSuffix(o, ".json") }) {
			continue // a server that cuts it cannot be one whose documents tell it apart
		}
		fold := strings.Contains(name, "fold")
		for _, operation := range resolve(c, method, mangle(p), fold) {
			if !slices.Contains(judged, operation) {
				t.Errorf("a server that %s runs %s for %q, which was judged as %v", name, operation, p, judged)
			}
		}
	}
}

// canonical is the one spelling of a path, written down a second time.
var canonical = regexp.MustCompile(`^(/([A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+)+$`)

// FuzzCanonicalPath: a path that is allowed by the widest of parameters has no second spelling in it.
func FuzzCanonicalPath(f *testing.F) {
	table := compile(f, parseCatalogue(f, `
		api wide - none
		  version 1 current
		    GET /{a allow=!$&'()*+,=:@ percent} = s.x
		    GET /{a allow=!$&'()*+,=:@ percent}/{b allow=!$&'()*+,=:@ percent} = s.x`))
	caller := callerLine{pins: []pinLine{{"wide", "1", []string{"s.x"}}}}.in(table)
	for _, p := range []string{"/a", "/a/b", "/%C3%A9", "/%2e", "/..", "/a%2Fb", "/%25", "/a;b", "/%EF%BC%8F", "/a//b", "/a/", "/%c0%ae"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if strings.Contains(p, "?") {
			return
		}
		reason, m, _ := ask(table, &decide.Request{Method: "GET", Target: p}, caller)
		if reason != decide.Allow {
			return
		}
		if m.Path() != p && !strings.HasPrefix(p, "http") {
			t.Fatalf("%q was read as %q", p, m.Path())
		}
		p = m.Path()
		if !canonical.MatchString(p) {
			t.Fatalf("allowed %q", p)
		}
		decoded, err := url.PathUnescape(p)
		if err != nil {
			t.Fatalf("allowed %q, which does not decode: %v", p, err)
		}
		if again := decodeOnce(decoded); again != decoded {
			t.Errorf("%q decodes to %q and again to %q", p, decoded, again)
		}
		if path.Clean(decoded) != decoded || strings.ContainsAny(decoded, "\\;?#\x00\n\r\x7f") || strings.Count(decoded, "/") != strings.Count(p, "/") {
			t.Errorf("%q decodes to %q", p, decoded)
		}
		for _, escape := range regexp.MustCompile(`%..`).FindAllString(p, -1) {
			if plain := decodeOnce(escape); regexp.MustCompile(`^[A-Za-z0-9._~-]$`).MatchString(plain) {
				t.Errorf("%q hides %s in %s", p, plain, escape)
			}
		}
	})
}

// FuzzParseCatalogue: what is read has the spelling that it is written in, and compiling never panics.
func FuzzParseCatalogue(f *testing.F) {
	c := sound()
	text, _ := c.Canonical()
	f.Add(text)
	f.Add([]byte(`{"apis":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := decide.ParseCatalogue(text)
		if err != nil {
			return
		}
		if again, _ := c.Canonical(); string(again) != string(text) {
			t.Fatalf("read %q, wrote %q", text, again)
		}
		table, err := decide.Compile(c, nil)
		if (err == nil) != (table != nil) {
			t.Fatalf("a table and an error: %v", err)
		}
	})
}
