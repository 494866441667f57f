package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/api"
)

const secret = "cfoilzero_0123456789012345678901abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"

func TestClientSendsItsTokenOnlyWhereNobodyListens(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://desk.example.com":      true,
		"https://desk.example.com/":     true,
		"https://desk.example.com:8443": true,
		"http://127.0.0.1:8080":         true,
		"http://[::1]:8080":             true,
		"http://localhost:8080":         true,
		"http://desk.example.com":       false,
		"http://127.0.0.1.example.com":  false,
		"ftp://desk.example.com":        false,
		"desk.example.com":              false,
		"":                              false,
		"https://me:pw@desk.example":    false,
		"https://desk.example/?a=b":     false,
		"https://desk.example/#a":       false,
	} {
		if _, err := api.NewClient(address, secret, nil); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, token := range []string{"", "a b", "a\r\nX: y", "é"} {
		if _, err := api.NewClient("https://desk.example.com", token, nil); err == nil || token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("%q: %v", token, err)
		}
	}
}

// The attack: a redirect hands the token to another machine.
func TestClientFollowsNoRedirect(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("called with %s", r.Header.Get("Authorization"))
	}))
	defer thief.Close()
	desk := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer desk.Close()
	c, err := api.NewClient(desk.URL, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateToken(context.Background(), api.TokenCreate{Name: "x"}, ""); err == nil {
		t.Error("a redirect is a success")
	}
}

func TestClientTellsTheDesksRefusalsFromAProxysWords(t *testing.T) {
	for name, c := range map[string]struct {
		status      int
		media, body string
		want        api.Code
	}{
		"ours":            {404, "application/problem+json", `{"type":"x","title":"Not found","status":200,"code":"not_found"}`, api.CodeNotFound},
		"with a charset":  {404, "application/problem+json; charset=utf-8", `{"code":"not_found"}`, api.CodeNotFound},
		"a proxy's page":  {502, "text/html", `<h1>Bad Gateway</h1>`, ""},
		"somebody's JSON": {404, "application/json", `{"code":"not_found"}`, ""},
		"no code":         {404, "application/problem+json", `{"title":"x"}`, ""},
		"no JSON":         {404, "application/problem+json", `x`, ""},
	} {
		desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.media)
			w.WriteHeader(c.status)
			if _, err := io.WriteString(w, c.body); err != nil {
				t.Error(err)
			}
		}))
		client, err := api.NewClient(desk.URL, secret, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Whoami(context.Background())
		var refusal *api.Error
		if errors.As(err, &refusal) != (c.want != "") || refusal != nil && (refusal.Code != c.want || refusal.Status != c.status) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "Bad Gateway</h1>") {
			t.Errorf("%s: %v", name, err)
		}
		desk.Close()
	}
}

func TestClientReadsNoEndlessAnswer(t *testing.T) {
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer desk.Close()
	client, err := api.NewClient(desk.URL, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Whoami(context.Background()); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v", err)
	}
}

func TestClientPrintsNoToken(t *testing.T) {
	client, err := api.NewClient("https://desk.example.com", secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, v := range []any{client, *client, struct{ c *api.Client }{client}, client.For(7)} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, secret) {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

func TestClientSpellsPathsAndParameters(t *testing.T) {
	var got string
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.RequestURI
		if _, err := io.WriteString(w, "{}"); err != nil {
			t.Error(err)
		}
	}))
	defer desk.Close()
	client, err := api.NewClient(desk.URL+"/", secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for want, call := range map[string]func() error{
		"GET /api/v1/tokens/..%2Faccounts%3Fx": func() error { _, err := client.GetToken(ctx, "../accounts?x"); return err },
		"GET /api/v1/tokens?account=7&limit=3&search=a%26b&zero=true": func() error {
			_, err := client.For(7).ListTokens(ctx, api.TokenFilter{Search: "a&b", Limit: 3, Zero: true})
			return err
		},
		"GET /api/v1/accounts/7": func() error { _, err := client.For(9).GetAccount(ctx, 7); return err },
		"PUT /api/v1/accounts/7/withheld/brand/block_storage:read": func() error {
			return client.WithholdScope(ctx, 7, api.WithheldScope{API: "brand", Scope: "block_storage:read"})
		},
		"DELETE /api/v1/tokens/S?why=no+longer": func() error { _, err := client.DeleteToken(ctx, "S", api.Why{Why: "no longer"}); return err },
	} {
		if err := call(); err != nil {
			t.Error(err)
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
