package doors_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

func TestIntrospectionHoldsToTheCorpus(t *testing.T) {
	c := corpus(t)
	v := c.Desk(t, "").Start(t, verify.Config{})
	handler, err := doors.New(doors.Config{Verifier: v, Clients: verify.Clients{c.Client(t)}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	ran := 0
	for i := range c.Cases {
		one := &c.Cases[i]
		if !slices.Contains(one.Interfaces, "introspection") {
			continue
		}
		ran++
		answers := verifytest.Exchange(t, server.Listener.Addr().String(), c.Raw(t, one), http.MethodPost)
		if len(answers) != 1 {
			t.Errorf("%s: %d answers", one.ID, len(answers))
			continue
		}
		a := &answers[0]
		if !slices.Contains(one.Expected.Status, a.Status) || !one.Expected.Explains(a.Code()) && a.Status != 200 {
			t.Errorf("%s %s: %d %s", one.ID, one.Title, a.Status, a.Body)
		}
		var got map[string]any
		if err := json.Unmarshal(a.Body, &got); err != nil {
			t.Errorf("%s: %v", one.ID, err)
		}
		for name, want := range one.Expected.JSON {
			if diff := cmp.Diff(want, got[name]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", one.ID, name, diff)
			}
		}
		if one.Expected.JSONExact && len(got) != len(one.Expected.JSON) {
			t.Errorf("%s: the answer has more: %s", one.ID, a.Body)
		}
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the answer may be kept", one.ID)
		}
	}
	if ran < 6 {
		t.Errorf("only %d cases ran", ran)
	}
}

// client mints the credential of a resource server.
func client(t *testing.T, id string, apis ...string) (verify.Client, string) {
	t.Helper()
	secret, _, digest, err := token.DefaultPrefix.Mint(token.Introspection, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return verify.Client{ID: id, Digest: digest, APIs: apis}, secret.Reveal()
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// inquiry is a question of a resource server.
func inquiry(authorization, form string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, doors.IntrospectPath, strings.NewReader(form))
	r.RemoteAddr = "10.1.1.1:1" // its credential says who asks, not its address
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func answered(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestIntrospectionTellsWhatATokenOpens(t *testing.T) {
	a, tok := world(t)
	rs, secret := client(t, "jobs", "agency", "other")
	stranger, strange := client(t, "stranger", "brand")
	tok.Expires = api.Micros(time.Now().Add(time.Hour).UnixMicro())
	a.Put(tok.Grant)
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{}), Clients: verify.Clients{rs, stranger}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"active": true, "scope": "agency/jobs.list", "client_id": tok.SID, "token_type": "Bearer", "sub": "7",
		"aud": []any{"agency"}, "versions": map[string]any{"agency": "3"}, "exp": float64(int64(tok.Expires) / 1_000_000),
	}
	for _, authorization := range []string{basic("jobs", secret), "Bearer " + secret, "bearer " + secret} {
		w := answered(handler, inquiry(authorization, "token="+tok.AuthToken+"&token_type_hint=refresh_token"))
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%d (-want +got):\n%s", w.Code, diff)
		}
	}
	if w := answered(handler, inquiry("Bearer "+strange, "token="+tok.AuthToken)); w.Body.String() != "{\"active\":false}\n" {
		t.Errorf("another's token (SECURITY.md, class 35): %s", w.Body)
	}
}

// TestInactiveTokensHaveOneAnswer: status, headers and octets say no cause.
func TestInactiveTokensHaveOneAnswer(t *testing.T) {
	a, tok := world(t)
	rs, secret := client(t, "jobs", "agency")
	mint := func(kind token.Kind, change func(*verifytest.Token)) string {
		one := verifytest.Mint(t, kind, 7, tok.Pins...)
		change(&one)
		a.Put(one.Grant)
		return one.AuthToken
	}
	gone := verifytest.Mint(t, token.Access, 7, tok.Pins...)
	a.Put(gone.Grant)
	a.Remove(gone.SID)
	a.Account(api.AccountFacts{Account: 8, Suspended: true})
	now := time.Now()
	tokens := map[string]string{
		"unknown":       verifytest.Mint(t, token.Access, 7).AuthToken,
		"deleted":       gone.AuthToken,
		"disabled":      mint(token.Access, func(o *verifytest.Token) { o.State = api.StateDisabled }),
		"leaked":        mint(token.Access, func(o *verifytest.Token) { o.State = api.StateLeaked }),
		"expired":       mint(token.Access, func(o *verifytest.Token) { o.Expires = api.Micros(now.Add(-time.Second).UnixMicro()) }),
		"not yet":       mint(token.Access, func(o *verifytest.Token) { o.NotBefore = api.Micros(now.Add(time.Hour).UnixMicro()) }),
		"suspended":     mint(token.Access, func(o *verifytest.Token) { o.Account = 8 }),
		"no API":        mint(token.Access, func(o *verifytest.Token) { o.Pins = nil }),
		"API zero":      mint(token.Zero, func(*verifytest.Token) {}),
		"wrong secret":  mint(token.Access, func(o *verifytest.Token) { o.Secrets[0].Digest = rs.Digest.String() }),
		"of the client": secret,
		"bad checksum":  tok.AuthToken[:len(tok.AuthToken)-1] + "_",
		"no token":      "x",
		"long":          strings.Repeat("x", 7000),
		"a SID":         tok.SID,
		"a scheme":      "Bearer " + tok.AuthToken,
		"blank before":  "%20" + tok.AuthToken,
		"blank after":   tok.AuthToken + "%20",
		"a line end":    tok.AuthToken + "%0a",
	}
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{}), Clients: verify.Clients{rs}})
	if err != nil {
		t.Fatal(err)
	}
	var first *httptest.ResponseRecorder
	for name, authToken := range tokens {
		w := answered(handler, inquiry("Bearer "+secret, "token="+authToken))
		if w.Code != 200 || w.Body.String() != "{\"active\":false}\n" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if first == nil {
			first = w
		}
		if diff := cmp.Diff(first.Header(), w.Header()); diff != "" {
			t.Errorf("%s has other headers:\n%s", name, diff)
		}
	}
}

func TestIntrospectionRefusesWhoeverMayNotAsk(t *testing.T) {
	a, tok := world(t)
	rs, secret := client(t, "jobs", "agency")
	other, otherSecret := client(t, "other", "agency")
	_, unlisted := client(t, "jobs", "agency")
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{}), Clients: verify.Clients{rs, other}})
	if err != nil {
		t.Fatal(err)
	}
	good := "token=" + tok.AuthToken
	for name, c := range map[string]struct {
		change func(*http.Request)
		r      *http.Request
		status int
		code   api.Code
	}{
		"nobody":                {r: inquiry("", good), status: 401, code: api.CodeNoCredential},
		"a token":               {r: inquiry("Bearer "+tok.AuthToken, good), status: 401, code: api.CodeInvalidToken},
		"a token as password":   {r: inquiry(basic("jobs", tok.AuthToken), good), status: 401, code: api.CodeInvalidToken},
		"an unlisted secret":    {r: inquiry(basic("jobs", unlisted), good), status: 401, code: api.CodeInvalidToken},
		"another's secret":      {r: inquiry(basic("jobs", otherSecret), good), status: 401, code: api.CodeInvalidToken},
		"an unknown id":         {r: inquiry(basic("nobody", secret), good), status: 401, code: api.CodeInvalidToken},
		"no id":                 {r: inquiry(basic("", secret), good), status: 401, code: api.CodeInvalidToken},
		"another scheme":        {r: inquiry("Digest "+secret, good), status: 401, code: api.CodeInvalidToken},
		"two credentials":       {r: inquiry("Bearer "+secret, good), change: func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+secret) }, status: 401, code: api.CodeInvalidToken},
		"GET":                   {r: inquiry("Bearer "+secret, good), change: func(r *http.Request) { r.Method = http.MethodGet }, status: 405, code: api.CodeMethodNotAllowed},
		"HEAD":                  {r: inquiry("Bearer "+secret, good), change: func(r *http.Request) { r.Method = http.MethodHead }, status: 405, code: api.CodeMethodNotAllowed},
		"a query":               {r: inquiry("Bearer "+secret, good), change: func(r *http.Request) { r.RequestURI += "?" + good }, status: 400, code: api.CodeMalformedRequest},
		"no token":              {r: inquiry("Bearer "+secret, ""), status: 400, code: api.CodeMalformedRequest},
		"an empty token":        {r: inquiry("Bearer "+secret, "token="), status: 400, code: api.CodeMalformedRequest},
		"two tokens":            {r: inquiry("Bearer "+secret, good+"&"+good), status: 400, code: api.CodeMalformedRequest},
		"two tokens by escapes": {r: inquiry("Bearer "+secret, good+"&%74oken=x"), status: 400, code: api.CodeMalformedRequest},
		"two hints":             {r: inquiry("Bearer "+secret, good+"&token_type_hint=a&token_type_hint=b"), status: 400, code: api.CodeMalformedRequest},
		"semicolons":            {r: inquiry("Bearer "+secret, good+";token=x"), status: 400, code: api.CodeMalformedRequest},
		"JSON":                  {r: inquiry("Bearer "+secret, good), change: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, status: 400, code: api.CodeMalformedRequest},
		"no type":               {r: inquiry("Bearer "+secret, good), change: func(r *http.Request) { r.Header.Del("Content-Type") }, status: 400, code: api.CodeMalformedRequest},
		"too long":              {r: inquiry("Bearer "+secret, "token="+strings.Repeat("x", 9000)), status: 413, code: api.CodeBodyTooLarge},
	} {
		if c.change != nil {
			c.change(c.r)
		}
		w := answered(handler, c.r)
		var problem api.Error
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != c.status || problem.Code != c.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if (w.Code == 401) != (len(w.Header()["Www-Authenticate"]) == 2) || strings.Contains(w.Body.String(), tok.AuthToken) {
			t.Errorf("%s: %v %s", name, w.Header(), w.Body)
		}
	}
}

func TestIntrospectionIsNotThereUnlessSomebodyMayAsk(t *testing.T) {
	a, tok := world(t)
	_, secret := client(t, "jobs", "agency")
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	if w := answered(handler, inquiry("Bearer "+secret, "token="+tok.AuthToken)); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestAVerifierThatKnowsNothingSaysSo: inactive would be a statement about the token.
func TestAVerifierThatKnowsNothingSaysSo(t *testing.T) {
	a, tok := world(t)
	rs, secret := client(t, "jobs", "agency")
	v, err := verify.New(verify.Config{Source: a, Node: "never run"})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := doors.New(doors.Config{Verifier: v, Clients: verify.Clients{rs}})
	if err != nil {
		t.Fatal(err)
	}
	w := answered(handler, inquiry("Bearer "+secret, "token="+tok.AuthToken))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestIntrospectionIsAUse: a token that is only ever asked about must not look unused.
func TestIntrospectionIsAUse(t *testing.T) {
	a, tok := world(t)
	rs, secret := client(t, "jobs", "agency")
	handler, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{}), Clients: verify.Clients{rs}})
	if err != nil {
		t.Fatal(err)
	}
	if w := answered(handler, inquiry("Bearer "+secret, "token="+tok.AuthToken)); w.Code != 200 {
		t.Fatal(w.Code)
	}
	if err := a.Await(t.Context(), func() bool { return len(a.Batches()) > 0 }); err != nil {
		t.Fatal(err)
	}
	if use := a.Batches()[0].Uses[0]; use.SID != tok.SID || use.Calls != 1 || use.Agent != "introspection by jobs" {
		t.Errorf("reported %+v", use)
	}
}
