package decide_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/decide"
)

// sound is a catalogue that compiles; every fault below is one change to it.
func sound() decide.Catalogue {
	return decide.Catalogue{APIs: []decide.API{
		{
			Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID,
			Hosts: []string{"api.example.com"}, Header: "IR-Version", Query: "IrVersion", Suffixes: []string{".json"},
			Passthrough: []decide.Passthrough{{Prefix: "/Agencies/{SID}/Advertisers/{Id}", Brand: "Id", API: "brand"}},
			Versions: []decide.Version{{
				Name: "3", State: "current",
				Scopes: []decide.ScopeWords{{Name: "actions.get"}, {Name: "jobs.get"}},
				Routes: []decide.Route{
					{Method: "GET", Template: "/Actions/{Id}", Needs: [][]string{{"actions.get"}}, Params: []decide.Param{{Name: "Id", Pattern: "[a-z]+"}}},
					{Method: "GET", Template: "/Jobs/{Id}", Needs: [][]string{{"jobs.get"}}},
					{Method: "GET", Template: "/PageLoad", Outside: true, Bind: decide.BindNone, Needs: [][]string{{"jobs.get"}}},
				},
			}},
		},
		{
			Name: "brand", Title: "Brand API", Base: "/Advertisers/{AccountSID}", Bind: decide.BindSID,
			Versions: []decide.Version{{Name: "14", State: "current", Scopes: []decide.ScopeWords{}, Routes: []decide.Route{}}},
		},
	}}
}

func TestCompileRefusesWhatCouldBeReadInTwoWays(t *testing.T) {
	type agency = decide.API
	route := func(a *agency) *decide.Route { return &a.Versions[0].Routes[0] }
	for name, c := range map[string]struct {
		spoil func(c *decide.Catalogue, a *agency)
		want  string
	}{
		"api name":           {func(_ *decide.Catalogue, a *agency) { a.Name = "a/b" }, `API "a/b": the name is not`},
		"api twice":          {func(c *decide.Catalogue, _ *agency) { c.APIs[1].Name = "agency" }, "API agency: is there twice"},
		"base slash":         {func(_ *decide.Catalogue, a *agency) { a.Base = "Agencies/{SID}" }, "base Agencies/{SID} does not begin with a slash"},
		"base binds nobody":  {func(_ *decide.Catalogue, a *agency) { a.Base = "/Agencies" }, "binds to the caller (sid), so its base"},
		"base binds two":     {func(_ *decide.Catalogue, a *agency) { a.Base = "/{A}/{B}" }, "binds to the caller (sid), so its base"},
		"base binds part":    {func(_ *decide.Catalogue, a *agency) { a.Base = "/Agencies/x{SID}" }, "binds to the caller (sid), so its base"},
		"bind none":          {func(_ *decide.Catalogue, a *agency) { a.Bind = decide.BindNone }, "binds to nobody, so its base can have no parameter"},
		"bind forgotten":     {func(_ *decide.Catalogue, a *agency) { a.Bind = "" }, `bind "" is not`},
		"host case":          {func(_ *decide.Catalogue, a *agency) { a.Hosts[0] = "API.example.com" }, "is not in lower case"},
		"host port":          {func(_ *decide.Catalogue, a *agency) { a.Hosts[0] = "api.example.com:443" }, "has a port"},
		"host path":          {func(_ *decide.Catalogue, a *agency) { a.Hosts[0] = "api.example.com/x" }, "is not a host"},
		"host dot":           {func(_ *decide.Catalogue, a *agency) { a.Hosts[0] = "api.example.com." }, "is not a host"},
		"field":              {func(_ *decide.Catalogue, a *agency) { a.Header = "IR Version" }, "is not a field name"},
		"field of a method":  {func(_ *decide.Catalogue, a *agency) { a.Header = "X_http-method" }, "or is one that replaces the method"},
		"field is both":      {func(_ *decide.Catalogue, a *agency) { a.MethodHeader = "IR_Version" }, "or is one that replaces the method"},
		"method field":       {func(_ *decide.Catalogue, a *agency) { a.MethodHeader = "a:b" }, "is not a field name"},
		"parameter":          {func(_ *decide.Catalogue, a *agency) { a.Query = "a&b" }, "version parameter"},
		"parameter _method":  {func(_ *decide.Catalogue, a *agency) { a.Query = "_Method" }, "version parameter"},
		"suffix":             {func(_ *decide.Catalogue, a *agency) { a.Suffixes = []string{"json"} }, `suffix "json"`},
		"suffix slash":       {func(_ *decide.Catalogue, a *agency) { a.Suffixes = []string{"./x"} }, `suffix "./x"`},
		"suffix empty":       {func(_ *decide.Catalogue, a *agency) { a.Suffixes = []string{"."} }, `suffix "."`},
		"through nothing":    {func(_ *decide.Catalogue, a *agency) { a.Passthrough[0].API = "other" }, `nests API "other"`},
		"through itself":     {func(_ *decide.Catalogue, a *agency) { a.Passthrough[0].API = "agency" }, `nests API "agency"`},
		"through elsewhere":  {func(_ *decide.Catalogue, a *agency) { a.Passthrough[0].Prefix = "/Other/{SID}/{Id}" }, "does not extend the base"},
		"through the base":   {func(_ *decide.Catalogue, a *agency) { a.Passthrough[0].Prefix = "/Agencies/{Id}" }, "does not extend the base"},
		"through no brand":   {func(_ *decide.Catalogue, a *agency) { a.Passthrough[0].Brand = "Other" }, "does not end in the brand parameter {Other}"},
		"through a slash":    {func(_ *decide.Catalogue, a *agency) { a.Passthrough[0].Prefix += "/" }, "the prefix ends in a slash"},
		"through twice":      {func(_ *decide.Catalogue, a *agency) { a.Passthrough = append(a.Passthrough, a.Passthrough[0]) }, "a path can be under two passthroughs"},
		"version name":       {func(_ *decide.Catalogue, a *agency) { a.Versions[0].Name = "3 " }, "the version's name is not"},
		"version twice":      {func(_ *decide.Catalogue, a *agency) { a.Versions = append(a.Versions, a.Versions[0]) }, "version 3: is there twice"},
		"state":              {func(_ *decide.Catalogue, a *agency) { a.Versions[0].State = "" }, `state "" is not`},
		"scope name":         {func(_ *decide.Catalogue, a *agency) { a.Versions[0].Scopes[0].Name = "a b" }, "scope name"},
		"scope twice":        {func(_ *decide.Catalogue, a *agency) { a.Versions[0].Scopes[1].Name = "actions.get" }, "scope actions.get is there twice"},
		"method":             {func(_ *decide.Catalogue, a *agency) { route(a).Method = "get" }, "no such method is judged"},
		"trace":              {func(_ *decide.Catalogue, a *agency) { route(a).Method = "TRACE" }, "no such method is judged"},
		"template slash":     {func(_ *decide.Catalogue, a *agency) { route(a).Template = "Actions/{Id}" }, "does not begin with a slash"},
		"template end":       {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/Actions/{Id}/" }, "ends in a slash"},
		"template empty":     {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/Actions//{Id}" }, "is empty or a dot segment"},
		"template dots":      {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/../{Id}" }, "is empty or a dot segment"},
		"template two":       {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/{Id}-{Other}" }, "more than one parameter"},
		"template open":      {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/{Id" }, "does not close"},
		"template close":     {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/Id}" }, "closes a parameter"},
		"template nameless":  {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/{}" }, "without a proper name"},
		"template octet":     {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/a b/{Id}" }, "which no request may have"},
		"template escape":    {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/a%20b/{Id}" }, "which no request may have"},
		"template semicolon": {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/{Id};x" }, "which no request may have"},
		"template long":      {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/{Id}/" + strings.Repeat("a", 129) }, "longer than 128"},
		"template deep":      {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/{Id}" + strings.Repeat("/a", 32) }, "more than 32 segments"},
		"template too deep":  {func(_ *decide.Catalogue, a *agency) { route(a).Template = "/{Id}" + strings.Repeat("/a", 30) }, "more than 32 segments with its base"},
		"template twice":     {func(_ *decide.Catalogue, a *agency) { route(a).Template, route(a).Params = "/Jobs/{Other}", nil }, "API agency, version 3, GET /Jobs/{Id}: GET /Jobs/{Other} has the same shape"},
		"own bind":           {func(_ *decide.Catalogue, a *agency) { route(a).Bind = decide.BindNone }, "binds by itself"},
		"outside bind":       {func(_ *decide.Catalogue, a *agency) { a.Versions[0].Routes[2].Bind = "" }, "must say bind none"},
		"outside inside":     {func(_ *decide.Catalogue, a *agency) { a.Versions[0].Routes[2].Template = "/{a}/{b}/c" }, "said to be outside the base"},
		"unknown scope":      {func(_ *decide.Catalogue, a *agency) { route(a).Needs[0][0] = "other" }, `asks for scope "other"`},
		"empty alternative":  {func(_ *decide.Catalogue, a *agency) { route(a).Needs = append(route(a).Needs, nil) }, "asks for no scope"},
		"unknown param":      {func(_ *decide.Catalogue, a *agency) { route(a).Params[0].Name = "Other" }, "parameter Other is not in the template"},
		"allow slash":        {func(_ *decide.Catalogue, a *agency) { route(a).Params[0].Allow = "/" }, "allows '/'"},
		"allow semicolon":    {func(_ *decide.Catalogue, a *agency) { route(a).Params[0].Allow = ":;" }, "allows ';'"},
		"allow percent":      {func(_ *decide.Catalogue, a *agency) { route(a).Params[0].Allow = "%" }, "allows '%'"},
		"pattern":            {func(_ *decide.Catalogue, a *agency) { route(a).Params[0].Pattern = "(?=a)" }, "a pattern that RE2 does not take"},
		"pattern escapes":    {func(_ *decide.Catalogue, a *agency) { route(a).Params[0].Pattern = "a)|(b" }, "a pattern that RE2 does not take"},
		"pattern long":       {func(_ *decide.Catalogue, a *agency) { route(a).Params[0].Pattern = strings.Repeat("a", 257) }, "a pattern of more than 256 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			catalogue := sound()
			c.spoil(&catalogue, &catalogue.APIs[0])
			table, err := decide.Compile(&catalogue, nil)
			if err == nil || table != nil {
				t.Fatalf("compiled; want %q", c.want)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestCompileTellsAllFaultsAtOnce(t *testing.T) {
	c := sound()
	c.APIs[0].Versions[0].Routes[0].Method = "get"
	c.APIs[1].Versions[0].State = "new"
	_, err := decide.Compile(&c, nil)
	want := `compiling a catalogue: API brand, version 14: state "new" is not preview, current, supported, deprecated or retired` + "\n" +
		"API agency, version 3, get /Actions/{Id}: no such method is judged"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for range 200 {
		c.APIs[0].Versions[0].Routes = append(c.APIs[0].Versions[0].Routes, decide.Route{Method: "BREW"})
	}
	_, err = decide.Compile(&c, nil)
	if n := strings.Count(err.Error(), "\n"); n != 100 || !strings.HasSuffix(err.Error(), "\nand more") {
		t.Errorf("%d lines of faults", n+1)
	}
}

// TestPublishKeepsBits is what lets a verifier keep a million grants through a publish.
func TestPublishKeepsBits(t *testing.T) {
	first := sound()
	before := compile(t, first)
	agency := before.VersionID("agency", "3")
	held := before.ScopeSet(agency, []string{"jobs.get"})
	if agency == 0 || held.Len() != 1 {
		t.Fatalf("version %d, scopes %v", agency, held)
	}

	second := sound()
	v := &second.APIs[0].Versions[0]
	v.Scopes = append([]decide.ScopeWords{{Name: "aaa.new"}}, v.Scopes[1]) // actions.get is gone
	v.Routes = append(v.Routes[1:2:2], decide.Route{Method: "PUT", Template: "/New", Needs: [][]string{{"aaa.new"}}})
	newer := v.Name
	second.APIs[0].Versions = append([]decide.Version{{Name: "2", State: "supported"}}, second.APIs[0].Versions...)
	after, err := decide.Compile(&second, before)
	if err != nil {
		t.Fatal(err)
	}
	if id := after.VersionID("agency", newer); id != agency {
		t.Errorf("version 3 was %d and is %d", agency, id)
	}
	for _, name := range []string{"jobs.get", "actions.get"} {
		if x, y := before.ScopeSet(agency, []string{name}), after.ScopeSet(agency, []string{name}); x.Key() != y.Key() {
			t.Errorf("%s was %v and is %v", name, x, y)
		}
	}
	if fresh := after.ScopeSet(agency, []string{"aaa.new"}); fresh.Len() != 1 || held.Covers(fresh) {
		t.Errorf("aaa.new is %v", fresh)
	}
	if old := before.ScopeSet(agency, []string{"aaa.new"}); old.Len() != 0 {
		t.Errorf("the older table changed: %v", old)
	}

	caller := &decide.Caller{SID: "AAA", Pins: []decide.Pin{{Version: agency, Scopes: held}}}
	for _, target := range []string{"/Agencies/AAA/Jobs/1", "/Agencies/AAA/Jobs/1.json"} {
		r := &decide.Request{Method: "GET", Target: target, Host: "api.example.com"}
		if reason, _, _ := ask(after, r, caller); reason != decide.Allow {
			t.Errorf("%s after the publish: %v", target, reason)
		}
	}
	put := &decide.Request{Method: "PUT", Target: "/Agencies/AAA/New", Host: "api.example.com"}
	if reason, _, _ := ask(after, put, caller); reason != decide.InsufficientScope {
		t.Errorf("the new scope: %v", reason)
	}

	third := sound()
	third.APIs[0].Versions[0].Name = "4"
	last, err := decide.Compile(&third, after)
	if err != nil {
		t.Fatal(err)
	}
	r := &decide.Request{Method: "GET", Target: "/Agencies/AAA/Jobs/1", Host: "api.example.com"}
	if reason, _, v := ask(last, r, caller); reason != decide.VersionRetired || v.Version != "3" {
		t.Errorf("a version that is gone: %v %+v", reason, v)
	}
}

func TestForeignTableDecidesNothing(t *testing.T) {
	a, b := compile(t, sound()), compile(t, sound())
	r := &decide.Request{Method: "GET", Target: "/Agencies/AAA/Jobs/1", Host: "api.example.com"}
	id := a.VersionID("agency", "3")
	caller := &decide.Caller{SID: "AAA", Pins: []decide.Pin{{Version: id, Scopes: a.ScopeSet(id, []string{"jobs.get"})}}}
	var m decide.Match
	var v decide.Verdict
	if reason := a.Match(r, &m); reason != decide.Allow {
		t.Fatal(reason)
	}
	if reason := a.Decide(&m, caller, &v); reason != decide.Allow {
		t.Fatal(reason)
	}
	if reason := b.Decide(&m, caller, &v); reason != decide.Undecided {
		t.Errorf("another table says %v", reason)
	}
	if reason := a.Match(&decide.Request{Method: "GET", Target: "/x", Host: "api.example.com"}, &m); reason != decide.NoRoute {
		t.Fatal(reason)
	}
	if reason := a.Decide(&m, caller, &v); reason != decide.Undecided || m.API() != nil || m.Public() {
		t.Errorf("after a request without a route: %v, %v", reason, m.API())
	}
	var zero decide.Match
	if reason := a.Decide(&zero, caller, &v); reason != decide.Undecided || zero.Bind() != "" || zero.Bound() != "" {
		t.Errorf("a Match that matched nothing: %v", reason)
	}
	if n := a.ScopeSet(0, []string{"jobs.get"}).Len() + a.ScopeSet(99, []string{"jobs.get"}).Len() + a.ScopeSet(-1, nil).Len(); n != 0 {
		t.Error("a version that is none has scopes")
	}
}

func TestMatchTellsHowARequestReads(t *testing.T) {
	c := sound()
	c.APIs[0].MethodHeader = "X-HTTP-Method-Override"
	c.APIs[0].Versions[0].Routes[0].Method = "DELETE"
	table := compile(t, c)
	var m decide.Match
	reason := table.Match(&decide.Request{
		Method: "POST", Target: "/Agencies/AAA/Actions/ab?x=1&IrVersion=3", Host: "api.example.com",
		Fields: []decide.Field{{Name: "X-HTTP-METHOD-OVERRIDE", Values: []string{"DELETE"}}, {Name: "ir-version", Values: []string{"3"}}},
	}, &m)
	got := []string{reason.String(), m.API().Name, string(m.Bind()), m.Bound(), m.Method(), m.Path(), m.Named(), m.Methods()}
	want := []string{"allow", "agency", "sid", "AAA", "DELETE", "/Agencies/AAA/Actions/ab", "3", "DELETE"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	reason = table.Match(&decide.Request{Method: "GET", Target: "/Agencies/AAA/..", Host: "api.example.com"}, &m)
	got = []string{reason.String(), string(m.Bind()), m.Bound(), m.Method(), m.Path(), m.Named(), m.Methods()}
	want = []string{"malformed_request", "", "", "", "", "", ""}
	if diff := cmp.Diff(want, got); diff != "" || m.API() != nil {
		t.Errorf("what is left of the request before (-want +got):\n%s", diff)
	}
	if a := table.API("agency"); a == nil || a.Name != "agency" || table.API("other") != nil {
		t.Errorf("API: %v", a)
	}
	if !decide.KnownMethod("PATCH") || decide.KnownMethod("TRACE") || decide.KnownMethod("patch") || decide.KnownMethod("") {
		t.Error("KnownMethod")
	}
}

func TestTargetHasALimit(t *testing.T) {
	table := compile(t, sound())
	const start = "/Agencies/AAA/Jobs/1?"
	for size, want := range map[int]decide.Reason{8 << 10: decide.Allow, 8<<10 + 1: decide.MalformedRequest} {
		r := &decide.Request{Method: "GET", Target: start + strings.Repeat("a", size-len(start)), Host: "api.example.com"}
		var m decide.Match
		if got := table.Match(r, &m); got != want {
			t.Errorf("a target of %d bytes: %v, want %v", size, got, want)
		}
	}
}

func TestReasonsAreCodes(t *testing.T) {
	seen := map[string]bool{}
	for r := decide.Undecided; r <= decide.BrandOutOfReach; r++ {
		code := r.String()
		if code == "" || seen[code] || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("reason %d has code %q", r, code)
		}
		seen[code] = true
	}
	if got := decide.Reason(200).String(); got != "undecided_200" {
		t.Errorf("an unknown reason reads %q", got)
	}
}

func TestCanonicalHasOneSpelling(t *testing.T) {
	c := sound()
	text, hash := c.Canonical()
	parsed, err := decide.ParseCatalogue(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, *parsed); diff != "" {
		t.Errorf("what was read is not what was written (-want +got):\n%s", diff)
	}
	again, hashAgain := parsed.Canonical()
	if string(again) != string(text) || hashAgain != hash || len(hash) != 64 {
		t.Errorf("a second spelling:\n%s\n%s", text, again)
	}

	shuffled := sound()
	shuffled.APIs[0], shuffled.APIs[1] = shuffled.APIs[1], shuffled.APIs[0]
	v := &shuffled.APIs[1].Versions[0]
	v.Scopes[0], v.Scopes[1] = v.Scopes[1], v.Scopes[0]
	v.Routes[0], v.Routes[2] = v.Routes[2], v.Routes[0]
	shuffled.APIs[0].Versions[0].Routes = nil
	if text2, hash2 := shuffled.Canonical(); hash2 != hash {
		t.Errorf("the order of what has none changes the name:\n%s\n%s", text, text2)
	}
	if v.Scopes[0].Name != "jobs.get" {
		t.Error("Canonical changed its catalogue")
	}

	var loose any
	if err := json.Unmarshal(text, &loose); err != nil {
		t.Fatal(err)
	}
	spaced, err := json.MarshalIndent(loose, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"spaced":        string(spaced),
		"followed":      string(text) + "{}",
		"newline":       string(text) + "\n",
		"newer field":   strings.Replace(string(text), `{"apis":`, `{"quota":1,"apis":`, 1),
		"newer rule":    strings.Replace(string(text), `"method":"GET"`, `"mfa":true,"method":"GET"`, 1),
		"field twice":   strings.Replace(string(text), `"name":"agency"`, `"name":"x","name":"agency"`, 1),
		"other case":    strings.Replace(string(text), `"base"`, `"Base"`, 1),
		"cut":           string(text[:len(text)-1]),
		"empty":         "",
		"null":          "null",
		"another shape": "[]",
	} {
		if _, err := decide.ParseCatalogue([]byte(bad)); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
}
