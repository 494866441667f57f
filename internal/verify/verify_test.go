package verify_test

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

const host = "api.example.com"

// catalogue is an agency API with two versions and a brand API nested in it.
func catalogue() decide.Catalogue {
	words := func(names ...string) []decide.ScopeWords {
		out := make([]decide.ScopeWords, 0, len(names))
		for _, name := range names {
			out = append(out, decide.ScopeWords{Name: name, Category: "Jobs", Label: "Do " + name})
		}
		return out
	}
	routes := []decide.Route{
		{Method: "GET", Template: "/Jobs", Needs: [][]string{{"jobs.list"}}},
		{Method: "POST", Template: "/Jobs", Needs: [][]string{{"jobs.create"}}},
		{Method: "GET", Template: "/Jobs/{Id}", Needs: [][]string{{"jobs.get"}}, Strict: true},
		{Method: "GET", Template: "/Ping", Public: true},
	}
	return decide.Catalogue{APIs: []decide.API{
		{
			Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID, Hosts: []string{host},
			Header: "IR-Version", Query: "IrVersion",
			Passthrough: []decide.Passthrough{{Prefix: "/Agencies/{AccountSID}/Advertisers/{AdvertiserId}", Brand: "AdvertiserId", API: "brand"}},
			Versions: []decide.Version{
				{Name: "2", State: "deprecated", Scopes: words("jobs.create", "jobs.list"), Routes: routes[:2]},
				{Name: "3", State: "current", Scopes: words("jobs.create", "jobs.get", "jobs.list"), Routes: routes},
			},
		},
		{
			Name: "brand", Title: "Brand API", Base: "/Advertisers/{AccountSID}", Bind: decide.BindSID, Hosts: []string{host},
			Versions: []decide.Version{{
				Name: "14", State: "current", Scopes: words("ads.list"),
				Routes: []decide.Route{{Method: "GET", Template: "/Ads", Needs: [][]string{{"ads.list"}}}},
			}},
		},
	}}
}

func pin(api_, version string, scopes ...string) api.Pin {
	return api.Pin{API: api_, Version: version, Scopes: scopes}
}

// desk is an authority with the catalogue and agency 7, which manages brands 12 and 13.
func desk() *verifytest.Authority {
	a := verifytest.NewAuthority()
	a.Publish(catalogue())
	a.Account(api.AccountFacts{Account: 7, Manages: []int64{12, 13}})
	a.Account(api.AccountFacts{Account: 8})
	return a
}

func request(tok verifytest.Token, method, target string) *verify.Request {
	return &verify.Request{
		Method: method, Target: strings.ReplaceAll(target, "{SID}", tok.SID), Host: host,
		Header: http.Header{"Authorization": {"Bearer " + tok.AuthToken}},
		Client: netip.MustParseAddr("192.0.2.7"), Agent: "curl/8.5", ID: "r1", Accept: verify.AccessTokens,
	}
}

func ask(v *verify.Verifier, r *verify.Request) *verify.Decision {
	d := new(verify.Decision)
	v.Verify(r, d)
	return d
}

func want(t *testing.T, d *verify.Decision, code api.Code) {
	t.Helper()
	if d.Code != code || d.Allowed != (code == "") {
		t.Errorf("code %q, allowed %v; want %q", d.Code, d.Allowed, code)
	}
}

func TestTheRightTokenPassesWithItsIdentity(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	for name, value := range map[string]string{
		"Bearer": "Bearer " + tok.AuthToken,
		"bEaReR": "bEaReR " + tok.AuthToken,
		"Basic":  "Basic " + base64.StdEncoding.EncodeToString([]byte(tok.SID+":"+tok.AuthToken)),
	} {
		r := request(tok, "GET", "/Agencies/{SID}/Jobs")
		r.Header["Authorization"] = []string{value}
		d := ask(v, r)
		want(t, d, "")
		if diff := cmp.Diff(verify.Identity{"7", tok.SID, "agency", "3", "jobs.list", "", "r1"}, d.Identity()); diff != "" {
			t.Errorf("%s: identity (-want +got):\n%s", name, diff)
		}
	}
}

func TestEveryReasonOfRefusal(t *testing.T) {
	a := desk()
	mint := func(change func(*api.Grant)) verifytest.Token {
		tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"), pin("brand", "14", "ads.list"))
		if change != nil {
			change(&tok.Grant)
		}
		a.Put(tok.Grant)
		return tok
	}
	now := api.Micros(time.Now().UnixMicro())
	good := mint(nil)
	deleted := mint(nil)
	a.Remove(deleted.SID)
	a.Account(api.AccountFacts{Account: 9, Suspended: true})
	other := verifytest.Mint(t, token.Access, 7)
	swapped := good
	swapped.AuthToken = other.AuthToken[:len("cfoil_")] + good.SID + other.AuthToken[len("cfoil_")+22:]
	zero := verifytest.Mint(t, token.Zero, 7, pin("agency", "3", "jobs.list"))
	a.Put(zero.Grant)
	v := a.Start(t, verify.Config{})

	const jobs = "/Agencies/{SID}/Jobs"
	cases := map[string]struct {
		tok            verifytest.Token
		method, target string
		code           api.Code
		status         int
	}{
		"dot segment":      {good, "GET", "/Agencies/{SID}/./Jobs", api.CodeMalformedRequest, 400},
		"no route":         {good, "GET", "/Agencies/{SID}/Nothing", api.CodeNoRoute, 404},
		"method":           {good, "DELETE", jobs, api.CodeMethodNotAllowed, 405},
		"scope":            {good, "POST", jobs, api.CodeInsufficientScope, 403},
		"other caller":     {good, "GET", "/Agencies/" + other.SID + "/Jobs", api.CodeWrongAccount, 403},
		"never issued":     {other, "GET", jobs, api.CodeUnknownToken, 401},
		"deleted":          {deleted, "GET", jobs, api.CodeUnknownToken, 401},
		"checksum":         {swapped, "GET", jobs, api.CodeBadChecksum, 401},
		"zero token":       {zero, "GET", jobs, api.CodeWrongSecret, 401},
		"disabled":         {mint(func(g *api.Grant) { g.State = api.StateDisabled }), "GET", jobs, api.CodeTokenDisabled, 403},
		"leaked":           {mint(func(g *api.Grant) { g.State = api.StateLeaked }), "GET", jobs, api.CodeTokenDisabled, 403},
		"on hold":          {mint(func(g *api.Grant) { g.State = api.StateOnHold }), "GET", jobs, api.CodeTokenOnHold, 403},
		"expired":          {mint(func(g *api.Grant) { g.Expires = now - 1 }), "GET", jobs, api.CodeTokenExpired, 401},
		"not yet":          {mint(func(g *api.Grant) { g.NotBefore = now + 3_600_000_000 }), "GET", jobs, api.CodeTokenNotYetValid, 401},
		"suspended":        {mint(func(g *api.Grant) { g.Account = 9 }), "GET", jobs, api.CodeAccountSuspended, 403},
		"unheard account":  {mint(func(g *api.Grant) { g.Account = 99 }), "GET", jobs, api.CodeAccountSuspended, 403},
		"unknown state":    {mint(func(g *api.Grant) { g.State = "lenient" }), "GET", jobs, api.CodeWrongSecret, 401},
		"three secrets":    {mint(func(g *api.Grant) { g.Secrets = append(g.Secrets, g.Secrets[0], g.Secrets[0]) }), "GET", jobs, api.CodeWrongSecret, 401},
		"no reach":         {mint(nil), "GET", "/Agencies/{SID}/Advertisers/12/Ads", api.CodeBrandOutOfReach, 403},
		"listed elsewhere": {mint(func(g *api.Grant) { g.Reach, g.Brands = api.ReachList, []int64{13} }), "GET", "/Agencies/{SID}/Advertisers/12/Ads", api.CodeBrandOutOfReach, 403},
		"not managed":      {mint(func(g *api.Grant) { g.Reach = api.ReachAll }), "GET", "/Agencies/{SID}/Advertisers/14/Ads", api.CodeBrandNotManaged, 403},
	}
	a.Settle(t, v)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := ask(v, request(c.tok, c.method, c.target))
			want(t, d, c.code)
			if got := d.Status(verify.Gateway); got != c.status {
				t.Errorf("gateway answers %d, want %d", got, c.status)
			}
			if d.Identity() != (verify.Identity{}) {
				t.Errorf("a refusal has an identity: %v", d.Identity())
			}
			if got := d.Status(verify.Nginx); got != 401 && got != 403 {
				t.Errorf("nginx is answered %d", got)
			}
			problem := v.Problem(d)
			if problem.Title == "" || problem.Detail == "" || problem.RequestID != "r1" {
				t.Errorf("a refusal without words or id: %+v", problem)
			}
		})
	}
}

func TestReachOpensManagedBrandsOnly(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3"), pin("brand", "14", "ads.list"))
	tok.Reach, tok.Brands = api.ReachList, []int64{12, 14}
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	d := ask(v, request(tok, "GET", "/Agencies/{SID}/Advertisers/12/Ads"))
	want(t, d, "")
	if diff := cmp.Diff(verify.Identity{"7", tok.SID, "brand", "14", "ads.list", "12", "r1"}, d.Identity()); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	// The link ends: the very next request is refused, without any change of the token.
	a.Account(api.AccountFacts{Account: 7, Manages: []int64{13}})
	a.Settle(t, v)
	want(t, ask(v, request(tok, "GET", "/Agencies/{SID}/Advertisers/12/Ads")), api.CodeBrandNotManaged)
}

// TestOneCredentialPerRequest: a request with two of anything is refused, whichever of them is good.
func TestOneCredentialPerRequest(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	bearer := "Bearer " + tok.AuthToken
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	other := verifytest.Mint(t, token.Access, 7)
	const jobs = "/Agencies/{SID}/Jobs"
	cases := map[string]struct {
		header http.Header
		target string
		code   api.Code
	}{
		"none":                  {http.Header{}, jobs, api.CodeNoCredential},
		"empty list":            {http.Header{"Authorization": {}}, jobs, api.CodeNoCredential},
		"query alone":           {http.Header{}, jobs + "?access_token=" + tok.AuthToken, api.CodeNoCredential},
		"api key alone":         {http.Header{"X-Api-Key": {tok.AuthToken}}, jobs, api.CodeNoCredential},
		"two fields":            {http.Header{"Authorization": {bearer, bearer}}, jobs, api.CodeMalformedCredential},
		"comma joined":          {http.Header{"Authorization": {bearer + ", " + bearer}}, jobs, api.CodeMalformedCredential},
		"query too":             {http.Header{"Authorization": {bearer}}, jobs + "?a=b&access_token=x", api.CodeMalformedCredential},
		"query escaped":         {http.Header{"Authorization": {bearer}}, jobs + "?%61ccess%5Ftoken=x", api.CodeMalformedCredential},
		"query dotted":          {http.Header{"Authorization": {bearer}}, jobs + "?access.token=x", api.CodeMalformedCredential},
		"query as list":         {http.Header{"Authorization": {bearer}}, jobs + "?access_token[]=x", api.CodeMalformedCredential},
		"query behind ;":        {http.Header{"Authorization": {bearer}}, jobs + "?a=b;access_token=x", api.CodeMalformedCredential},
		"query like it":         {http.Header{"Authorization": {bearer}}, jobs + "?access_tokens=x&my_access_token=y", ""},
		"two blanks":            {http.Header{"Authorization": {"Bearer  " + tok.AuthToken}}, jobs, api.CodeMalformedCredential},
		"tab":                   {http.Header{"Authorization": {"Bearer\t" + tok.AuthToken}}, jobs, api.CodeMalformedCredential},
		"text after":            {http.Header{"Authorization": {bearer + " x"}}, jobs, api.CodeMalformedCredential},
		"no scheme":             {http.Header{"Authorization": {tok.AuthToken}}, jobs, api.CodeMalformedCredential},
		"scheme alone":          {http.Header{"Authorization": {"Bearer "}}, jobs, api.CodeMalformedCredential},
		"empty":                 {http.Header{"Authorization": {""}}, jobs, api.CodeMalformedCredential},
		"other scheme":          {http.Header{"Authorization": {"Token " + tok.AuthToken}}, jobs, api.CodeMalformedCredential},
		"too long":              {http.Header{"Authorization": {bearer + strings.Repeat("a", 512)}}, jobs, api.CodeMalformedCredential},
		"basic, other user":     {http.Header{"Authorization": {basic(other.SID + ":" + tok.AuthToken)}}, jobs, api.CodeMalformedCredential},
		"basic, no user":        {http.Header{"Authorization": {basic(":" + tok.AuthToken)}}, jobs, api.CodeMalformedCredential},
		"basic, no password":    {http.Header{"Authorization": {basic(tok.SID + ":")}}, jobs, api.CodeMalformedCredential},
		"basic, no colon":       {http.Header{"Authorization": {basic(tok.SID)}}, jobs, api.CodeMalformedCredential},
		"basic, token as user":  {http.Header{"Authorization": {basic(tok.AuthToken + ":")}}, jobs, api.CodeMalformedCredential},
		"basic, two passwords":  {http.Header{"Authorization": {basic(tok.SID + ":" + tok.AuthToken + ":x")}}, jobs, api.CodeMalformedCredential},
		"basic, line end":       {http.Header{"Authorization": {basic(tok.SID + ":" + tok.AuthToken)[:20] + "\n" + basic(tok.SID + ":" + tok.AuthToken)[20:]}}, jobs, api.CodeMalformedCredential},
		"basic, half a padding": {http.Header{"Authorization": {strings.TrimSuffix(basic(tok.SID+":"+tok.AuthToken), "=") + "=="}}, jobs, api.CodeMalformedCredential},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request(tok, "GET", c.target)
			r.Header = c.header
			want(t, ask(v, r), c.code)
		})
	}
}

func TestZeroTokensOpenWhereTheyAreAccepted(t *testing.T) {
	a := desk()
	access := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	zero := verifytest.Mint(t, token.Zero, 7, pin("agency", "3", "jobs.list"))
	a.Put(access.Grant)
	a.Put(zero.Grant)
	v := a.Start(t, verify.Config{})
	for _, c := range []struct {
		tok    verifytest.Token
		accept verify.Kinds
		code   api.Code
	}{
		{access, verify.AccessTokens, ""},
		{access, verify.ZeroTokens, api.CodeWrongSecret},
		{zero, verify.ZeroTokens, ""},
		{zero, verify.AccessTokens, api.CodeWrongSecret},
		{zero, verify.AccessTokens | verify.ZeroTokens, ""},
		{access, 0, api.CodeWrongSecret},
	} {
		r := request(c.tok, "GET", "/Agencies/{SID}/Jobs")
		r.Accept = c.accept
		want(t, ask(v, r), c.code)
		var d verify.Decision
		v.Identify(r, &d)
		want(t, &d, c.code)
	}
}

func TestRotationOverlapEndsOnItsOwn(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	old, _, oldDigest := tok, 0, tok.Secrets[0].Digest
	fresh := verifytest.Mint(t, token.Access, 7)
	clock := newClock()
	end := api.Micros(clock.now().Add(time.Hour).UnixMicro())
	// The new secret belongs to another SID in this fixture, so only the old one can be presented.
	tok.Secrets = []api.Secret{fresh.Secrets[0], {Digest: oldDigest, Until: end}}
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{Now: clock.now, MaxStale: 100 * time.Hour, Strict: 100 * time.Hour})
	want(t, ask(v, request(old, "GET", "/Agencies/{SID}/Jobs")), "")
	clock.add(time.Hour - time.Microsecond)
	want(t, ask(v, request(old, "GET", "/Agencies/{SID}/Jobs")), "")
	clock.add(time.Microsecond)
	want(t, ask(v, request(old, "GET", "/Agencies/{SID}/Jobs")), api.CodeWrongSecret)
}

func TestPublicRoutePassesWithoutACredentialNeverWithABadOne(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	r := request(tok, "GET", "/Agencies/{SID}/Ping")
	want(t, ask(v, r), "")
	r.Header = http.Header{}
	d := ask(v, r)
	want(t, d, "")
	if d.Known || d.SID != "" || d.Account != 0 {
		t.Errorf("nobody has an identity: %+v", d.Identity())
	}
	r.Header = http.Header{"Authorization": {"Bearer x"}}
	want(t, ask(v, r), api.CodeMalformedCredential)
	want(t, ask(v, request(verifytest.Mint(t, token.Access, 7), "GET", "/Agencies/{SID}/Ping")), api.CodeUnknownToken)
}

func TestRefusalNamesTheBoxAndLinksToIt(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{Console: "https://desk.example.com/"})
	d := ask(v, request(tok, "POST", "/Agencies/{SID}/Jobs"))
	want := &api.Error{
		Code: api.CodeInsufficientScope, Status: 403, Title: "A scope is missing",
		Detail:    "This call needs the box “Jobs → Do jobs.create” of Agency API, version 3, which is not ticked on the token.",
		Missing:   []api.MissingScope{{API: "agency", Version: "3", Scope: "jobs.create", Category: "Jobs", Label: "Do jobs.create"}},
		Fix:       "https://desk.example.com/settings/technical/platform-rest-web-services/" + tok.SID + "?tick=agency/jobs.create#scopes",
		RequestID: "r1",
	}
	if diff := cmp.Diff(want, v.Problem(d)); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
	if got, want := v.Challenge(d), `Bearer realm="counterfoil", error="insufficient_scope", scope="jobs.create"`; got != want {
		t.Errorf("challenge %q, want %q", got, want)
	}
	r := request(tok, "GET", "/Agencies/{SID}/Jobs")
	r.Header = nil
	if got, want := v.Challenge(ask(v, r)), `Bearer realm="counterfoil"`; got != want {
		t.Errorf("challenge without a credential %q, want %q", got, want)
	}
}

func TestExplainJudgesWithoutASecret(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	sid, err := token.ParseSID(tok.SID)
	if err != nil {
		t.Fatal(err)
	}
	r := request(tok, "GET", "/Agencies/{SID}/Jobs")
	r.Header = nil
	want(t, v.Explain(sid, r), "")
	r.Method = "POST"
	want(t, v.Explain(sid, r), api.CodeInsufficientScope)
	tok.State = api.StateDisabled
	a.Put(tok.Grant)
	a.Settle(t, v)
	want(t, v.Explain(sid, r), api.CodeTokenDisabled)
	if got := v.Status().Decisions[""]; got != 0 {
		t.Errorf("explaining was counted %d times", got)
	}
}

func TestAllowingAllocatesNothing(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"), pin("brand", "14", "ads.list"))
	tok.Reach = api.ReachAll
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	d := new(verify.Decision)
	basic := request(tok, "GET", "/Agencies/{SID}/Jobs")
	basic.Header["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(tok.SID+":"+tok.AuthToken))}
	for name, r := range map[string]*verify.Request{
		"bearer": request(tok, "GET", "/Agencies/{SID}/Jobs"),
		"basic":  basic,
		"brand":  request(tok, "GET", "/Agencies/{SID}/Advertisers/12/Ads"),
	} {
		v.Verify(r, d) // the first call of a second makes room to count it
		want(t, d, "")
		if n := testing.AllocsPerRun(1000, func() { v.Verify(r, d) }); n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
