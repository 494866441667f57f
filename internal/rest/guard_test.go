package rest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/rest"
)

// accessToken makes an ordinary token of the agency.
func (w *world) accessToken(name string, scopes ...string) (sid, secret string) {
	w.t.Helper()
	made, err := w.authority.CreateToken(context.Background(), operator, agency, api.TokenCreate{
		Name: name, API: "agency", Scopes: scopes, PrimaryContact: w.contact(agency),
	}, authority.Once{})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Token.SID, made.Secret.Reveal()
}

// target fills an operation's path with ids that do not exist.
func target(path string) string {
	return strings.NewReplacer(
		"{sid}", "0000000000000000000000", "{person}", "NOBODY", "{id}", "999999", "{brand}", "999998",
		"{api}", "agency", "{scope}", "jobs.get-job",
	).Replace(path)
}

// Whoever adds an operation gets this test with it: nobody without its scope reaches it, whatever the
// credential (SECURITY.md, classes 31, 32 and 36).
func TestOperationsOpenToTheirScopeAlone(t *testing.T) {
	w := newWorld(t)
	_, access := w.accessToken("ordinary", "jobs.get-job")
	_, few := w.zeroToken(0, "self.whoami")
	for _, op := range operations(t) {
		path := target(op.Path)
		body := ""
		if op.RequestBody != nil {
			body = "{}"
		}
		itself := op.OperationID == "whoami" || op.OperationID == "explain-request"
		for name, c := range map[string]struct {
			secret string
			status int
			code   api.Code
		}{
			"no credential":           {"", http.StatusUnauthorized, api.CodeNoCredential},
			"an access token":         {access, http.StatusUnauthorized, api.CodeInvalidToken},
			"another scope":           {few, http.StatusForbidden, api.CodeInsufficientScope},
			"a made-up zero token":    {"cfoilzero_" + strings.Repeat("0", 71), http.StatusUnauthorized, api.CodeInvalidToken},
			"an access token's form":  {strings.Replace(few, "cfoilzero_", "cfoil_", 1), http.StatusUnauthorized, api.CodeInvalidToken},
			"a node credential":       {strings.Replace(few, "cfoilzero_", "cfoilnode_", 1), http.StatusUnauthorized, api.CodeInvalidToken},
			"a SID and no Auth Token": {few[len("cfoilzero_"):][:22], http.StatusUnauthorized, api.CodeInvalidToken},
		} {
			got := w.send(op.Method, path, c.secret, body)
			if itself && (name == "an access token" || name == "another scope") {
				if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden {
					t.Errorf("%s with %s: %d %s", op.OperationID, name, got.status, got.body)
				}
				continue
			}
			if got.status != c.status || got.problem().Code != c.code {
				t.Errorf("%s with %s: %d %s", op.OperationID, name, got.status, got.body)
			}
			if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Www-Authenticate") == "" {
				t.Errorf("%s with %s: %v", op.OperationID, name, got.header)
			}
			if p := got.problem(); p.RequestID == "" || p.RequestID != got.header.Get("X-Request-Id") {
				t.Errorf("%s with %s: request id %q, header %q", op.OperationID, name, p.RequestID, got.header.Get("X-Request-Id"))
			}
			if c.code == api.CodeInsufficientScope {
				if m := got.problem().Missing; len(m) != 1 || m[0].API != authority.ZeroAPI || m[0].Label != op.Summary || m[0].Category != op.Tags[0] {
					t.Errorf("%s: missing %+v", op.OperationID, m)
				}
			}
		}
	}
}

func TestBasicAndBearerAreTheSameToken(t *testing.T) {
	w := newWorld(t)
	sid, secret := w.zeroToken(agency, "tokens.list-tokens")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(sid+":"+secret))
	if got := w.send("GET", "/api/v1/tokens", "", "", "Authorization", basic); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
	foreign := "Basic " + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("0", 22)+":"+secret))
	if got := w.send("GET", "/api/v1/tokens", "", "", "Authorization", foreign); got.status != http.StatusUnauthorized {
		t.Errorf("another user name: %d %s", got.status, got.body)
	}
	if got := w.send("GET", "/api/v1/tokens?access_token="+secret, secret, ""); got.status != http.StatusUnauthorized {
		t.Errorf("a second credential in the query: %d %s", got.status, got.body)
	}
	if got := w.send("GET", "/api/v1/tokens", "", "", "Cookie", "__Host-counterfoil="+secret); got.status != http.StatusUnauthorized {
		t.Errorf("a cookie: %d %s", got.status, got.body)
	}
}

func TestEndedTokensEndAtTheNextCall(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	for name, end := range map[string]func(sid string) error{
		"disabled": func(sid string) error {
			_, err := w.authority.DisableToken(ctx, operator, agency, sid, "")
			return err
		},
		"deleted": func(sid string) error {
			_, err := w.authority.DeleteToken(ctx, operator, agency, sid, "")
			return err
		},
		"reset": func(sid string) error {
			_, err := w.authority.ResetToken(ctx, operator, agency, sid, 0)
			return err
		},
		"scope taken": func(sid string) error {
			now, err := w.authority.Token(ctx, operator, agency, sid)
			if err != nil {
				return err
			}
			_, err = w.authority.EditToken(ctx, operator, agency, sid, api.TokenEdit{Scopes: &[]string{"self.whoami"}, Revision: now.Revision})
			return err
		},
	} {
		sid, secret := w.zeroToken(agency, "tokens.list-tokens")
		if got := w.send("GET", "/api/v1/tokens", secret, ""); got.status != http.StatusOK {
			t.Fatalf("before: %d %s", got.status, got.body)
		}
		if err := end(sid); err != nil {
			t.Fatal(err)
		}
		if got := w.send("GET", "/api/v1/tokens", secret, ""); got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if name == "scope taken" {
			continue
		}
		if got := w.send("GET", "/api/v1/whoami", secret, ""); got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
			t.Errorf("%s, whoami: %d %s", name, got.status, got.body)
		}
	}
}

func TestTargetsAreReadOneWay(t *testing.T) {
	w := newWorld(t)
	_, secret := w.zeroToken(0, w.every(0)...)
	for _, target := range []string{
		"/api/v1//tokens", "/api/v1/./tokens", "/api/v1/x/../tokens", "/api/v1/tokens/", "/api/v1/%74okens", "/api/v1/tokens;x=1",
		"/api/v1/%77hoami", "/api/v1/whoami/", "/api/v1/nothing", "/api/v1", "/api/v1/", "/api/v1/openapi.json/", "/api/v1/openapi.yaml",
		"/api/v1/openapi-3.0.json", "/api/v1/schemas/Token.json", "/api/v1/docs",
	} {
		got := w.send("GET", target, secret, "")
		if got.status != http.StatusNotFound && got.status != http.StatusBadRequest || got.problem().Code == "" {
			t.Errorf("%s: %d %v %s", target, got.status, got.header, got.body)
		}
	}
	for _, method := range []string{"OPTIONS", "PUT", "TRACE", "LOCK"} {
		got := w.send(method, "/api/v1/tokens", secret, "")
		if got.status != http.StatusMethodNotAllowed && got.status != http.StatusBadRequest || got.problem().Code == "" || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v %s", method, got.status, got.header, got.body)
		}
		if method == "OPTIONS" && got.header.Get("Allow") == "" {
			t.Errorf("%s names no methods: %v", method, got.header)
		}
	}
	if got := w.send("HEAD", "/api/v1/tokens", secret, ""); got.status != http.StatusOK || got.body != "" {
		t.Errorf("HEAD: %d %s", got.status, got.body)
	}
	if got := w.send("GET", "/api/v1/tokens", secret, "", "X-HTTP-Method-Override", "DELETE"); got.status == http.StatusOK {
		t.Errorf("a method override passed: %d", got.status)
	}
	if got := w.send("GET", "/api/v1/tokens", secret, "", "Host", "elsewhere.example"); got.status != http.StatusOK {
		t.Errorf("net/http sends its own Host: %d", got.status)
	}
}

func TestDocumentNeedsNoCredential(t *testing.T) {
	w := newWorld(t)
	got := w.send("GET", "/api/v1/openapi.json", "", "")
	if got.status != http.StatusOK || got.body != string(rest.Document()) || got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := w.send("HEAD", "/api/v1/openapi.json", "", ""); got.status != http.StatusOK {
		t.Errorf("HEAD: %d", got.status)
	}
	if got := w.send("POST", "/api/v1/openapi.json", "", "{}"); got.status != http.StatusUnauthorized {
		t.Errorf("POST: %d", got.status)
	}
}

// The attack: a token makes a stronger one, or one that outlives it (SECURITY.md, class 33).
func TestTokensNeverMintBeyondThemselves(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	end := time.Now().Add(48 * time.Hour)
	made, err := w.authority.CreateToken(ctx, operator, agency, api.TokenCreate{
		Name: "short-lived", API: authority.ZeroAPI, Scopes: w.every(agency), Expires: &end, PrimaryContact: w.contact(agency),
	}, authority.Once{})
	if err != nil {
		t.Fatal(err)
	}
	c := w.client("", made.Secret.Reveal())

	got, err := c.CreateToken(ctx, api.TokenCreate{Name: "child", Scopes: []string{"jobs.get-job"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got.Token.Expires == nil || got.Token.Expires.After(end) {
		t.Errorf("the child lives until %v, its maker until %v", got.Token.Expires, end)
	}
	later := end.Add(time.Hour)
	for name, in := range map[string]api.TokenCreate{
		"outlives its maker":     {Name: "a", Scopes: []string{"jobs.get-job"}, Expires: &later},
		"never ends":             {Name: "b", Scopes: []string{"jobs.get-job"}, NeverExpires: true},
		"opens this API":         {Name: "c", API: authority.ZeroAPI, Scopes: []string{"self.whoami"}},
		"opens the operator's":   {Name: "d", API: authority.ZeroAPI, Scopes: []string{"accounts.list-accounts"}},
		"names this API's scope": {Name: "e", Scopes: []string{authority.ZeroAPI + "/self.whoami"}},
	} {
		if got, err := c.CreateToken(ctx, in, ""); err == nil {
			t.Errorf("a token that %s was made: %+v", name, got.Token)
		}
	}
	now, err := c.GetToken(ctx, made.Token.SID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ResetToken(ctx, made.Token.SID, api.TokenReset{}); err == nil {
		t.Error("a token was shown a new secret of the management API")
	}
	if _, err := c.DuplicateToken(ctx, made.Token.SID, api.TokenDuplicate{Name: "twin"}, ""); err == nil {
		t.Error("a token duplicated itself")
	}
	if _, err := c.EditToken(ctx, made.Token.SID, api.TokenEdit{Expires: &later, Revision: now.Revision}); err == nil {
		t.Error("a token prolonged itself")
	}
	if _, err := c.EditToken(ctx, made.Token.SID, api.TokenEdit{NeverExpires: new(bool), Scopes: &[]string{"self.whoami", "accounts.list-accounts"}, Revision: now.Revision}); err == nil {
		t.Error("a token gave itself the operator's scopes")
	}
}

// The attack: many catalogues at once fill the memory (SECURITY.md, class 44b). While one is under way, and
// not at its end, another is refused.
func TestOneCatalogueIsReadAtATime(t *testing.T) {
	w := newWorld(t)
	_, secret := w.zeroToken(0, w.every(0)...)
	slow, feed := io.Pipe()
	first := make(chan int, 1)
	go func() { first <- w.upload(secret, slow) }()
	// More than the sockets between them hold: once it is written, the first is being read.
	if _, err := feed.Write(bytes.Repeat([]byte(" "), 16<<20)); err != nil {
		t.Fatal(err)
	}
	second := w.send("POST", "/api/v1/catalog/diff", secret, `{"documents":""}`)
	if second.status != http.StatusTooManyRequests || second.problem().Code != api.CodeTooMany {
		t.Errorf("a catalogue beside another was answered %d %s", second.status, second.body)
	}
	if _, err := feed.Write([]byte(`""}`)); err != nil {
		t.Fatal(err)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-first; got != http.StatusUnprocessableEntity {
		t.Errorf("the one that had the place was answered %d", got)
	}
	if got := w.send("POST", "/api/v1/catalog/diff", secret, `{"documents":""}`); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the place was not given back: %d %s", got.status, got.body)
	}
}

// upload sends a catalogue whose body goes on as rest does, and returns the status.
func (w *world) upload(secret string, rest *io.PipeReader) int {
	defer rest.Close()
	r, err := http.NewRequest("POST", w.url+"/api/v1/catalog/diff", io.MultiReader(strings.NewReader(`{"documents":`), rest))
	if err != nil {
		w.t.Error(err)
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Transport{}).RoundTrip(r)
	if err != nil {
		w.t.Error(err)
		return 0
	}
	if err := answer.Body.Close(); err != nil {
		w.t.Error(err)
	}
	return answer.StatusCode
}
