package verify_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// held is a token with limits, in force.
func held(t *testing.T, a *verifytest.Authority, account int64, l *api.Limits) verifytest.Token {
	t.Helper()
	tok := verifytest.Mint(t, token.Access, account, pin("agency", "3", "jobs.list", "jobs.create"))
	tok.Limits = l
	a.Put(tok.Grant)
	return tok
}

// noon is today's: a test that crosses a day says so.
func noon() time.Time {
	y, m, d := time.Now().UTC().Date()
	return time.Now().Add(time.Until(time.Date(y, m, d, 12, 0, 0, 0, time.UTC)))
}

// fields are the limit fields of a decision as a client reads them.
func fields(d *verify.Decision) map[string]string {
	h := http.Header{}
	d.SetLimits(h)
	out := map[string]string{}
	for name := range h {
		out[name] = h.Get(name)
	}
	return out
}

func TestATokensRateIsToldAndKept(t *testing.T) {
	a, c := desk(), &clock{start: noon()}
	tok := held(t, a, 7, &api.Limits{Rate: &api.Rate{Calls: 2, Per: "minute"}})
	free := held(t, a, 7, nil)
	v := a.Start(t, verify.Config{Now: c.now, Console: "https://desk.example"})
	r := request(tok, "GET", jobs)
	for i, want := range []map[string]string{
		{"Ratelimit-Limit": "2", "Ratelimit-Remaining": "1", "Ratelimit-Reset": "30"},
		{"Ratelimit-Limit": "2", "Ratelimit-Remaining": "0", "Ratelimit-Reset": "60"},
		{"Ratelimit-Limit": "2", "Ratelimit-Remaining": "0", "Ratelimit-Reset": "60", "Retry-After": "30"},
	} {
		d := ask(v, r)
		if diff := cmp.Diff(want, fields(d)); diff != "" || d.Allowed != (i < 2) {
			t.Errorf("call %d: %q\n%s", i, d.Code, diff)
		}
	}
	d := ask(v, r)
	want(t, d, api.CodeRateLimited)
	if d.Status(verify.Gateway) != 429 || d.Status(verify.ForwardAuth) != 429 || d.Status(verify.Nginx) != 403 {
		t.Errorf("%d, %d, %d", d.Status(verify.Gateway), d.Status(verify.ForwardAuth), d.Status(verify.Nginx))
	}
	problem := v.Problem(d)
	if !strings.Contains(problem.Detail, "2 calls a minute") || !strings.Contains(problem.Detail, "30 seconds") || !strings.HasSuffix(problem.Fix, tok.SID+"#limits") {
		t.Errorf("%+v", problem)
	}
	answer := httptest.NewRecorder()
	v.Refuse(answer, d, verify.ForwardAuth)
	if answer.Code != 429 || answer.Header().Get("Retry-After") != "30" || answer.Header().Get("RateLimit-Remaining") != "0" {
		t.Errorf("%d %v", answer.Code, answer.Header())
	}
	c.add(30 * time.Second)
	want(t, ask(v, r), "")
	other := ask(v, request(free, "GET", jobs))
	if want(t, other, ""); other.Limited() || len(fields(other)) != 0 {
		t.Errorf("a token without limits is told of some: %v", fields(other))
	}
}

// Whoever has not the secret, or may not call at all, must not be able to use up what the token may call.
func TestNoAttemptWithoutTheRightSecretOrRightsTouchesALimit(t *testing.T) {
	a, c := desk(), &clock{start: noon()}
	a.Account(api.AccountFacts{Account: 7, Manages: []int64{12}, Limits: &api.AccountLimits{Rate: &api.Rate{Calls: 1, Per: "hour"}, Daily: 1}})
	tok := held(t, a, 7, &api.Limits{Rate: &api.Rate{Calls: 1, Per: "hour"}, Monthly: 1, Allow: []string{"192.0.2.0/24"}, Hosts: []string{host}})
	other := verifytest.Mint(t, token.Access, 7)
	v := a.Start(t, verify.Config{Now: c.now})
	secret := other.AuthToken[len("cfoil_")+22:]
	wrong := request(tok, "GET", jobs)
	wrong.Header["Authorization"] = []string{"Bearer cfoil_" + tok.SID + secret} // its checksum is that of another SID
	abroad := request(tok, "GET", jobs)
	abroad.Client = netip.MustParseAddr("198.51.100.1")
	for name, one := range map[string]struct {
		r    *verify.Request
		code api.Code
	}{
		"checksum":  {wrong, api.CodeBadChecksum},
		"secret":    {rightSum(t, tok), api.CodeWrongSecret},
		"no route":  {request(tok, "GET", "/Agencies/{SID}/Nothing"), api.CodeNoRoute},
		"scope":     {request(tok, "GET", jobs+"/1"), api.CodeInsufficientScope},
		"account":   {request(tok, "GET", "/Agencies/"+other.SID+"/Jobs"), api.CodeWrongAccount},
		"malformed": {request(tok, "GET", "/Agencies/{SID}/./Jobs"), api.CodeMalformedRequest},
		"address":   {abroad, api.CodeAddressNotAllowed},
	} {
		for range 5 {
			if d := ask(v, one.r); d.Code != one.code || len(fields(d)) != 0 {
				t.Errorf("%s: %q, %v", name, d.Code, fields(d))
			}
		}
	}
	r := request(tok, "GET", jobs)
	for range 2 { // an explanation uses nothing up
		if !v.Explain(mustSID(t, tok.SID), r).Allowed {
			t.Error("explaining was refused")
		}
	}
	want(t, ask(v, r), "")
	want(t, ask(v, r), api.CodeQuotaExceeded)
}

// rightSum is a well-formed credential of the token's SID with a secret of another drawing.
func rightSum(t *testing.T, tok verifytest.Token) *verify.Request {
	t.Helper()
	secret, _, err := token.DefaultPrefix.MintFor(token.Access, mustSID(t, tok.SID), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := request(tok, "GET", jobs)
	r.Header["Authorization"] = []string{"Bearer " + secret.Reveal()}
	return r
}

func mustSID(t *testing.T, text string) token.SID {
	t.Helper()
	sid, err := token.ParseSID(text)
	if err != nil {
		t.Fatal(err)
	}
	return sid
}

func TestAddressesAndHosts(t *testing.T) {
	a := desk()
	lists := &api.Limits{Allow: []string{"192.0.2.0/24", "2001:db8::/32", "203.0.113.9"}, Deny: []string{"192.0.2.128/25", "2001:db8:bad::/48"}}
	tok := held(t, a, 7, lists)
	denied := held(t, a, 7, &api.Limits{Deny: []string{"192.0.2.7"}})
	hosted := held(t, a, 7, &api.Limits{Hosts: []string{"other.example.com"}})
	v := a.Start(t, verify.Config{})
	for _, c := range []struct {
		tok    verifytest.Token
		client string
		code   api.Code
	}{
		{tok, "192.0.2.7", ""},
		{tok, "::ffff:192.0.2.7", ""}, // the same address in other clothes
		{tok, "192.0.2.200", api.CodeAddressNotAllowed},
		{tok, "::ffff:192.0.2.200", api.CodeAddressNotAllowed},
		{tok, "203.0.113.9", ""},
		{tok, "203.0.113.10", api.CodeAddressNotAllowed},
		{tok, "2001:db8::1", ""},
		{tok, "2001:db8::1%eth0", ""},
		{tok, "2001:db8:bad::1", api.CodeAddressNotAllowed},
		{tok, "2001:db9::1", api.CodeAddressNotAllowed},
		{tok, "", api.CodeAddressNotAllowed}, // nobody knows from where: refused
		{denied, "192.0.2.7", api.CodeAddressNotAllowed},
		{denied, "192.0.2.8", ""},
		{denied, "", api.CodeAddressNotAllowed},
		{hosted, "192.0.2.7", api.CodeHostNotAllowed},
	} {
		r := request(c.tok, "GET", jobs)
		r.Client = netip.Addr{}
		if c.client != "" {
			r.Client = netip.MustParseAddr(c.client)
		}
		d := ask(v, r)
		if want(t, d, c.code); d.Code != "" {
			problem := v.Problem(d)
			if problem.Detail == "" || problem.Status != 403 || c.code == api.CodeAddressNotAllowed && c.client != "" && !strings.Contains(problem.Detail, strings.TrimPrefix(c.client, "::ffff:")) {
				t.Errorf("%s: %+v", c.client, problem)
			}
		}
	}
	// A list that is edited holds for what is open already.
	r := request(tok, "GET", jobs)
	d := ask(v, r)
	if !v.Again(d, r) {
		t.Error("refused again")
	}
	tok.Limits = &api.Limits{Allow: []string{"10.0.0.0/8"}}
	a.Put(tok.Grant)
	a.Settle(t, v)
	if v.Again(d, r) {
		t.Error("an open connection outlives the list")
	}
}

func TestLimitsThatCannotBeReadRefuseTheToken(t *testing.T) {
	a := desk()
	for _, l := range []*api.Limits{
		{Allow: []string{"everywhere"}},
		{Deny: []string{"10.0.0.0/99"}},
		{Rate: &api.Rate{Calls: 10, Per: "fortnight"}},
		{Rate: &api.Rate{Per: "second"}},
		{Rate: &api.Rate{Calls: 1, Per: "hour", Burst: 11}},
	} {
		tok := held(t, a, 7, l)
		v := a.Start(t, verify.Config{})
		want(t, ask(v, request(tok, "GET", jobs)), api.CodeWrongSecret)
	}
	tok := held(t, a, 8, nil)
	a.Account(api.AccountFacts{Account: 8, Limits: &api.AccountLimits{Rate: &api.Rate{Calls: -1, Per: "second"}}})
	want(t, ask(a.Start(t, verify.Config{}), request(tok, "GET", jobs)), api.CodeAccountSuspended)
}

// The account's rate and quota hold its tokens together, and a token that is refused for its own leaves
// the account's alone.
func TestTokenAndAccountAreBothHeld(t *testing.T) {
	a, c := desk(), &clock{start: noon()}
	a.Account(api.AccountFacts{Account: 7, Limits: &api.AccountLimits{Rate: &api.Rate{Calls: 4, Per: "hour"}}})
	a.Account(api.AccountFacts{Account: 8, Limits: &api.AccountLimits{Daily: 4}})
	for account, code := range map[int64]api.Code{7: api.CodeRateLimited, 8: api.CodeQuotaExceeded} {
		own := &api.Limits{Rate: &api.Rate{Calls: 1, Per: "hour"}}
		if account == 8 {
			own = &api.Limits{Daily: 1}
		}
		narrow, wide := held(t, a, account, own), held(t, a, account, nil)
		v := a.Start(t, verify.Config{Now: c.now})
		one := request(narrow, "GET", jobs)
		want(t, ask(v, one), "")
		for range 10 {
			want(t, ask(v, one), code)
		}
		r := request(wide, "GET", jobs)
		for left := range 3 {
			d := ask(v, r)
			if want(t, d, ""); fields(d)["Ratelimit-Remaining"] != string(rune('2'-left)) {
				t.Errorf("account %d, call %d: %v", account, left, fields(d))
			}
		}
		d := ask(v, r)
		want(t, d, code)
		if problem := v.Problem(d); !strings.Contains(problem.Detail, "together") || problem.Fix != "" {
			t.Errorf("%+v", problem)
		}
	}
}

// A scope's limit is each token's own, and calls of other scopes do not count.
func TestScopesAreHeldForEachToken(t *testing.T) {
	a, c := desk(), &clock{start: noon()}
	catalogue := catalogue()
	for i := range catalogue.APIs[0].Versions {
		words := catalogue.APIs[0].Versions[i].Scopes
		for j := range words {
			switch words[j].Name {
			case "jobs.list":
				words[j].Limit = &decide.Rate{Calls: 2, Seconds: 60}
			case "jobs.create":
				words[j].Limit = &decide.Rate{Calls: 1, Seconds: 3600}
			}
		}
	}
	a.Publish(catalogue)
	one, two := held(t, a, 7, nil), held(t, a, 7, nil)
	v := a.Start(t, verify.Config{Now: c.now})
	list, create := request(one, "GET", jobs), request(one, "POST", jobs)
	for _, step := range []struct {
		r    *verify.Request
		code api.Code
	}{
		{list, ""},
		{create, ""},
		{create, api.CodeRateLimited},
		{list, ""},
		{list, api.CodeRateLimited},
		{request(two, "GET", jobs), ""},
		{request(two, "POST", jobs), ""},
	} {
		want(t, ask(v, step.r), step.code)
	}
	if problem := v.Problem(ask(v, create)); !strings.Contains(problem.Detail, "“Jobs → Do jobs.create”") || !strings.Contains(problem.Detail, "1/hour") {
		t.Errorf("%+v", problem)
	}
}

// What the authority has counted holds over a restart; what was counted here since is on top, a total that
// was heard twice or late is not, and another day begins anew.
func TestQuotasGoOnFromTheAuthoritysTotals(t *testing.T) {
	a, c := desk(), &clock{start: noon()}
	tok := held(t, a, 7, &api.Limits{Daily: 5, Monthly: 8})
	day := api.QuotaDay(c.now())
	use := func(calls int64) api.QuotaUse {
		return api.QuotaUse{SID: tok.SID, Day: day, DayCalls: calls, Month: day / 100, MonthCalls: calls}
	}
	a.Use(use(2))
	v := a.Start(t, verify.Config{Now: c.now, MaxStale: 48 * time.Hour})
	r := request(tok, "GET", jobs)
	d := ask(v, r)
	if diff := cmp.Diff(map[string]string{"Ratelimit-Limit": "5", "Ratelimit-Remaining": "2", "Ratelimit-Reset": fields(d)["Ratelimit-Reset"]}, fields(d)); diff != "" {
		t.Error(diff)
	}
	a.Use(use(2), use(3), use(1)) // the call that was just made is in the 3
	a.Account(api.AccountFacts{Account: 8})
	a.Settle(t, v)
	if d = ask(v, r); fields(d)["Ratelimit-Remaining"] != "1" {
		t.Errorf("after totals that say nothing new: %v", fields(d))
	}
	a.Use(use(5)) // another verifier let one pass
	a.Account(api.AccountFacts{Account: 8})
	a.Settle(t, v)
	d = ask(v, r)
	want(t, d, api.CodeQuotaExceeded)
	if problem := v.Problem(d); !strings.Contains(problem.Detail, "5 calls of the token for this day") || fields(d)["Retry-After"] == "" {
		t.Errorf("%+v %v", problem, fields(d))
	}
	again := a.Start(t, verify.Config{Now: c.now, Node: "after a restart"})
	want(t, ask(again, r), api.CodeQuotaExceeded)

	a.Use(api.QuotaUse{SID: tok.SID, Day: api.QuotaDay(c.now().Add(24 * time.Hour)), DayCalls: 5, Month: 999912, MonthCalls: 9}) // a clock that is ahead
	a.Account(api.AccountFacts{Account: 8})
	a.Settle(t, v)
	c.add(24 * time.Hour)
	if api.QuotaMonth(c.now()) != day/100 {
		return // the month ended too
	}
	for range 3 {
		want(t, ask(v, r), "") // 5 + 3 of the month
	}
	d = ask(v, r)
	want(t, d, api.CodeQuotaExceeded)
	if problem := v.Problem(d); !strings.Contains(problem.Detail, "8 calls of the token for this month") {
		t.Errorf("%+v", problem)
	}
}

func TestExactlyTheQuotaPassesAtOnce(t *testing.T) {
	a := desk()
	tok := held(t, a, 7, &api.Limits{Monthly: 500, Rate: &api.Rate{Calls: 300, Per: "hour", Burst: 300}})
	quota := held(t, a, 7, &api.Limits{Monthly: 500})
	v := a.Start(t, verify.Config{})
	for _, c := range []struct {
		tok  verifytest.Token
		want int64
	}{{tok, 300}, {quota, 500}} {
		var passed atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				d := new(verify.Decision)
				r := request(c.tok, "GET", jobs)
				for range 100 {
					if v.Verify(r, d); d.Allowed {
						passed.Add(1)
					}
				}
			})
		}
		all.Wait()
		if got := passed.Load(); got != c.want {
			t.Errorf("%d passed, want %d", got, c.want)
		}
	}
}

func TestHoldingLimitsAllocatesNothing(t *testing.T) {
	a := desk()
	a.Account(api.AccountFacts{Account: 7, Limits: &api.AccountLimits{Rate: &api.Rate{Calls: 1_000_000, Per: "second"}, Daily: 1 << 40}})
	tok := held(t, a, 7, &api.Limits{
		Rate: &api.Rate{Calls: 1_000_000, Per: "second"}, Daily: 1 << 40, Monthly: 1 << 40,
		Allow: []string{"10.0.0.0/8", "192.0.2.0/24"}, Deny: []string{"192.0.2.9"}, Hosts: []string{host},
	})
	v := a.Start(t, verify.Config{})
	r, d := request(tok, "GET", jobs), new(verify.Decision)
	for range 10 {
		v.Verify(r, d)
		want(t, d, "")
	}
	if n := testing.AllocsPerRun(1000, func() { v.Verify(r, d) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
