package verify_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

func TestFieldsOfTheConnectionAreNoPartOfARequest(t *testing.T) {
	h := http.Header{
		"Connection": {"keep-alive, authorization", " x-b ,Upgrade"}, "Keep-Alive": {"1"}, "Proxy-Authorization": {"x"}, "Transfer-Encoding": {"chunked"},
		"Authorization": {"Bearer x"}, "X-B": {"1"}, "X-C": {"1"}, "Upgrade": {"websocket"}, "Te": {"trailers"}, "Trailer": {"X"},
	}
	verify.EndToEnd(h)
	if diff := cmp.Diff(http.Header{"X-C": {"1"}, "Upgrade": {"websocket"}, "Te": {"trailers"}}, h); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

func TestAliasesAreWhatACarelessServerReads(t *testing.T) {
	for key, alias := range map[string]bool{
		"X-Forwarded-Uri": false, "X_forwarded_uri": true, "X.forwarded.uri": true, "x-forwarded-uri": true, "X-Forwarded_Uri": true,
		"X-Forwarded-Ur": false, "X-Forwarded-Urix": false, "X-Forwarded+Uri": false,
	} {
		if got := verify.Aliased(http.Header{key: {"/"}}, "X-Forwarded-Uri"); got != alias {
			t.Errorf("%s: %v", key, got)
		}
	}
	h := http.Header{"X-Counterfoil-Account": {"1"}, "X_counterfoil_account": {"1"}, "X.Counterfoil.New": {"1"}, "X-Counterfoi": {"1"}, "Xx-Counterfoil-A": {"1"}}
	verify.DropIdentity(h)
	if diff := cmp.Diff(http.Header{"X-Counterfoi": {"1"}, "Xx-Counterfoil-A": {"1"}}, h); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

// TestWhatNetHTTPLetsPassIsRefused: SECURITY.md, 2.6, rows of HTTP/2.
func TestWhatNetHTTPLetsPassIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		ok     bool
	}{
		"plain":          {http.Header{"User-Agent": {"a"}}, true},
		"100-continue":   {http.Header{"Expect": {"100-Continue"}}, true},
		"other":          {http.Header{"Expect": {"200-ok"}}, false},
		"two":            {http.Header{"Expect": {"100-continue", "100-continue"}}, false},
		"other host":     {http.Header{"Host": {"evil.test"}}, false},
		"two hosts":      {http.Header{"Host": {"example.com", "example.com"}}, false},
		"same host":      {http.Header{"Host": {"Example.com"}}, true},
		"host announced": {http.Header{"Host": {"evil.test"}, "Connection": {"host"}}, true}, // removed before anybody looks
	} {
		in := httptest.NewRequest("GET", "/a?b", nil)
		in.Header = c.header
		r := verify.Request{ID: "x", Accept: verify.ZeroTokens}
		if got := r.Take(in); got != c.ok {
			t.Errorf("%s: %v", name, got)
		}
		if c.ok && len(in.Header["Host"]) > 0 {
			t.Errorf("%s: the host is left to be forwarded twice", name)
		}
		if r.Method != "GET" || r.Target != "/a?b" || r.Host != "example.com" || r.ID != "x" || r.Accept != verify.ZeroTokens {
			t.Errorf("%s: taken as %+v", name, r)
		}
	}
}

// TestRefusalNeverSaysMoreThanTheCallerMayKnow: a caller without the right secret gets one answer, whatever
// is true of the token (SECURITY.md, class 27), and no answer holds a secret.
func TestRefusalNeverSaysMoreThanTheCallerMayKnow(t *testing.T) {
	a := desk()
	good := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(good.Grant)
	off := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	off.State = api.StateDisabled
	a.Put(off.Grant)
	v := a.Start(t, verify.Config{Console: "https://desk.example.com"})
	forged := func(tok verifytest.Token) verifytest.Token {
		sid, err := token.ParseSID(tok.SID)
		if err != nil {
			t.Fatal(err)
		}
		secret, _, err := token.DefaultPrefix.MintFor(token.Access, sid, zeroes{})
		if err != nil {
			t.Fatal(err)
		}
		tok.AuthToken = secret.Reveal()
		return tok
	}
	answer := func(tok verifytest.Token) string {
		w := httptest.NewRecorder()
		d := ask(v, request(tok, "GET", jobs))
		v.Refuse(w, d, verify.Gateway)
		if strings.Contains(w.Body.String(), tok.AuthToken[len("cfoil_")+22:]) {
			t.Errorf("the answer holds the secret: %s", w.Body)
		}
		return w.Result().Status + w.Header().Get("Www-Authenticate") + w.Body.String()
	}
	cut := good
	cut.AuthToken = cut.AuthToken[:len(cut.AuthToken)-1]
	badSum := forged(good)
	badSum.AuthToken = badSum.AuthToken[:len(badSum.AuthToken)-6] + "000000"
	want := answer(verifytest.Mint(t, token.Access, 7))
	for name, tok := range map[string]verifytest.Token{
		"wrong secret": forged(good), "wrong secret of a disabled token": forged(off), "cut": cut, "bad checksum": badSum,
	} {
		if got := answer(tok); got != want {
			t.Errorf("%s:\n%s\nunknown token:\n%s", name, got, want)
		}
	}
	if got := answer(off); got == want || strings.Contains(got, "invalid_token") {
		t.Errorf("whoever has the secret is not told that the token is disabled: %s", got)
	}
}

// zeroes is no randomness at all: a secret that nobody was given.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestEveryRefusalTeaches: every code has a title, words, and a status that suits its surface.
func TestEveryRefusalTeaches(t *testing.T) {
	v := desk().Start(t, verify.Config{})
	seen := make(map[string]api.Code)
	for _, code := range []api.Code{
		api.CodeMalformedRequest, api.CodeNoCredential, api.CodeInvalidToken, api.CodeTokenExpired, api.CodeTokenDisabled, api.CodeTokenOnHold,
		api.CodeAccountSuspended, api.CodeNoRoute, api.CodeMethodNotAllowed, api.CodeVersionNotAllowed, api.CodeVersionRetired,
		api.CodeInsufficientScope, api.CodeBrandNotManaged, api.CodeBrandOutOfReach, api.CodeHostNotAllowed, api.CodeBodyTooLarge, api.CodeStale,
		api.CodeInternal,
	} {
		d := new(verify.Decision)
		v.Reject(&verify.Request{ID: "r"}, d, code, "")
		p := v.Problem(d)
		if p.Code != code || p.Title == "" || p.Title == "Refused" || p.Detail == "" {
			t.Errorf("%s has no words of its own: %+v", code, p)
		}
		if other, taken := seen[p.Title]; taken {
			t.Errorf("%s and %s read alike", code, other)
		}
		seen[p.Title] = code
		gateway, forward, nginx := d.Status(verify.Gateway), d.Status(verify.ForwardAuth), d.Status(verify.Nginx)
		if gateway < 400 || nginx != 401 && nginx != 403 || forward != nginx && forward != 429 && forward != 503 {
			t.Errorf("%s: %d at the gateway, %d for forward-auth, %d for nginx", code, gateway, forward, nginx)
		}
	}
	if got := v.Status().Decisions[api.CodeStale]; got != 1 {
		t.Errorf("a refusal of a door is counted %d times", got)
	}
}
