package doors_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

func itoa(n int) string { return strconv.Itoa(n) }

// serve puts the doors on a real listener of this machine.
func serve(t *testing.T, v *verify.Verifier) (address string) {
	t.Helper()
	handler, err := doors.New(doors.Config{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// world is a desk with one API and one token that may read its jobs.
func world(t *testing.T) (*verifytest.Authority, verifytest.Token) {
	t.Helper()
	a := verifytest.NewAuthority()
	a.Account(api.AccountFacts{Account: 7})
	scopes := []decide.ScopeWords{}
	long := strings.Repeat("ein sehr langer Name mit Umläuten äöü 𝄞 ", 3)
	needs := []string{}
	for i := range 40 {
		name := "long." + strconv.Itoa(i)
		scopes = append(scopes, decide.ScopeWords{Name: name, Category: "Läng", Label: long + name})
		needs = append(needs, name)
	}
	scopes = append(scopes, decide.ScopeWords{Name: "jobs.list", Category: "Jobs", Label: "List jobs"})
	a.Publish(decide.Catalogue{APIs: []decide.API{{
		Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID, Hosts: []string{"api.example.com"},
		Versions: []decide.Version{{Name: "3", State: "current", Scopes: scopes, Routes: []decide.Route{
			{Method: "GET", Template: "/Jobs", Needs: [][]string{{"jobs.list"}}},
			{Method: "GET", Template: "/Long", Needs: [][]string{needs}},
		}}},
	}}})
	tok := verifytest.Mint(t, token.Access, 7, api.Pin{API: "agency", Version: "3", Scopes: []string{"jobs.list"}})
	a.Put(tok.Grant)
	return a, tok
}

func question(path string, fields ...string) *http.Request {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr = "127.0.0.1:40000"
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func TestAllowCarriesEveryIdentityHeader(t *testing.T) {
	a, tok := world(t)
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	for path, names := range map[string][2]string{
		doors.AuthorizePath:      {"X-Forwarded-Method", "X-Forwarded-Uri"},
		doors.AuthorizeNginxPath: {"X-Original-Method", "X-Original-Uri"},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, question(path, names[0], "GET", names[1], "/Agencies/"+tok.SID+"/Jobs?q=1",
			"X-Forwarded-Host", "api.example.com:443", "Authorization", "Bearer "+tok.AuthToken))
		got := w.Result().Header
		id := got.Get(verify.RequestIDHeader)
		want := http.Header{
			verify.AccountHeader: {"7"}, verify.SIDHeader: {tok.SID}, verify.APIHeader: {"agency"}, verify.VersionHeader: {"3"},
			verify.ScopeHeader: {"jobs.list"}, verify.BrandHeader: {""}, verify.RequestIDHeader: {id},
		}
		if diff := cmp.Diff(want, got); diff != "" || w.Code != 200 || len(id) != 26 {
			t.Errorf("%s: %d (-want +got):\n%s", path, w.Code, diff)
		}
	}
}

// TestForwardedFieldsCountFromListedPeersAlone: SECURITY.md, class 10. The default list is this machine.
func TestForwardedFieldsCountFromListedPeersAlone(t *testing.T) {
	a, tok := world(t)
	v := a.Start(t, verify.Config{})
	fields := []string{
		"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/Agencies/" + tok.SID + "/Jobs", "X-Forwarded-Host", "api.example.com",
		"Authorization", "Bearer " + tok.AuthToken,
	}
	listed, err := httpx.ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		proxies httpx.Proxies
		peer    string
		status  int
	}{
		{nil, "127.0.0.1:1", 200},
		{nil, "[::1]:1", 200},
		{nil, "[::ffff:127.0.0.1]:1", 200},
		{nil, "10.1.1.1:1", 403},
		{nil, "@", 403},
		{listed, "10.1.1.1:1", 200},
		{listed, "127.0.0.1:1", 403},
		{httpx.Proxies{}, "127.0.0.1:1", 403},
	} {
		handler, err := doors.New(doors.Config{Verifier: v, Proxies: c.proxies})
		if err != nil {
			t.Fatal(err)
		}
		w, r := httptest.NewRecorder(), question(doors.AuthorizePath, fields...)
		r.RemoteAddr = c.peer
		handler.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("from %s, listed %v: %d, want %d", c.peer, c.proxies, w.Code, c.status)
		}
	}
}

// TestMissingForwardedFieldIsARefusal: never a fallback to the door's own path, method or host (class 11).
func TestMissingForwardedFieldIsARefusal(t *testing.T) {
	a, tok := world(t)
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	whole := [][2]string{
		{"X-Forwarded-Method", "GET"},
		{"X-Forwarded-Uri", "/Agencies/" + tok.SID + "/Jobs"},
		{"X-Forwarded-Host", "api.example.com"},
		{"Authorization", "Bearer " + tok.AuthToken},
	}
	ask := func(fields [][2]string, more ...string) int {
		r := question(doors.AuthorizePath, more...)
		r.Host = "api.example.com"
		for _, f := range fields {
			r.Header[f[0]] = append(r.Header[f[0]], f[1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	if got := ask(whole); got != 200 {
		t.Fatalf("the whole question: %d", got)
	}
	for i := range 3 {
		without := append(append([][2]string{}, whole[:i]...), whole[i+1:]...)
		if got := ask(without); got != 403 {
			t.Errorf("without %s: %d", whole[i][0], got)
		}
		if got := ask(append(without, [2]string{whole[i][0], ""})); got != 403 {
			t.Errorf("empty %s: %d", whole[i][0], got)
		}
		if got := ask(append(whole, whole[i])); got != 403 {
			t.Errorf("two %s: %d", whole[i][0], got)
		}
		for _, alias := range []string{strings.ReplaceAll(whole[i][0], "-", "_"), strings.ReplaceAll(whole[i][0], "-", "."), strings.ToLower(whole[i][0])} {
			if got := ask(append(without, [2]string{alias, whole[i][1]})); got != 403 {
				t.Errorf("%s: %d", alias, got)
			}
			if got := ask(append(whole, [2]string{alias, whole[i][1]})); got != 403 {
				t.Errorf("%s beside the field: %d", alias, got)
			}
		}
		if got := ask(whole, "Connection", "keep-alive, "+strings.ToLower(whole[i][0])); got != 403 {
			t.Errorf("Connection takes %s away: %d", whole[i][0], got)
		}
	}
	if got := ask(whole, "Connection", "authorization"); got != 401 {
		t.Errorf("Connection takes the credential away: %d", got)
	}
}

func TestNginxIsToldTheTrueStatusInOneLine(t *testing.T) {
	a, tok := world(t)
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{Console: "https://desk.example.com"})})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string][2]int{"/Nothing": {403, 404}, "/Jobs/": {403, 400}, "/Long": {403, 403}} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, question(doors.AuthorizeNginxPath, "X-Original-Method", "GET", "X-Original-Uri", "/Agencies/"+tok.SID+target,
			"X-Forwarded-Host", "api.example.com", "Authorization", "Bearer "+tok.AuthToken))
		line := w.Header().Get(doors.ProblemHeader)
		var problem api.Error
		if err := problem.UnmarshalJSON([]byte(line)); err != nil {
			t.Errorf("%s: %v in %q", target, err, line)
		}
		if w.Code != want[0] || w.Header().Get(doors.StatusHeader) != itoa(want[1]) || problem.Status != want[1] {
			t.Errorf("%s: %d, true status %s, in the line %d", target, w.Code, w.Header().Get(doors.StatusHeader), problem.Status)
		}
		if len(line) > 2048 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%s: a line of %d octets: %s", target, len(line), line)
		}
		if target == "/Long" && (problem.Code != api.CodeInsufficientScope || len(problem.Missing) == 0) {
			t.Errorf("too much was left out: %s", line)
		}
	}
}

// A 405 without the methods of the path is no proper answer (RFC 9110, section 15.5.6), and nginx can only
// say what it was told.
func TestNginxIsToldTheMethodsOfThePath(t *testing.T) {
	a, tok := world(t)
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]string{"DELETE": "GET, HEAD", "GET": ""} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, question(doors.AuthorizeNginxPath, "X-Original-Method", method, "X-Original-Uri", "/Agencies/"+tok.SID+"/Jobs",
			"X-Forwarded-Host", "api.example.com", "Authorization", "Bearer "+tok.AuthToken))
		if got := w.Header().Get("Allow"); got != want {
			t.Errorf("%s: %d, Allow %q, want %q", method, w.Code, got, want)
		}
	}
}

func TestOtherPathsAreNoDoor(t *testing.T) {
	a, _ := world(t)
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/authorize/", "/authorize/nginx/", "/healthz", "/authorize/other", "//authorize"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, question(path))
		if w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
