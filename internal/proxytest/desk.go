package proxytest

import (
	"log/slog"
	"net/http/httptest"
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// Host is the host of the API that a [Desk] guards, the one of the snippets.
const Host = "api.example.com"

// Desk is one API of two operations, and a token that may do one of them.
type Desk struct {
	Verifier *verify.Verifier
	Doors    string // host:port
	Token    verifytest.Token
	Allowed  string // path that the token may GET
	Refused  string // path that it may not, for want of the scope "secrets.list"
}

// NewDesk runs a verifier and its doors until the test ends.
func NewDesk(t testing.TB) *Desk {
	t.Helper()
	return NewDeskBefore(t, "")
}

// NewDeskBefore is NewDesk with an upstream (host:port) in the catalogue, for the gateway.
func NewDeskBefore(t testing.TB, upstream string) *Desk {
	t.Helper()
	if upstream != "" {
		upstream = "http://" + upstream
	}
	a := verifytest.NewAuthority()
	a.Account(api.AccountFacts{Account: 7})
	a.Publish(decide.Catalogue{APIs: []decide.API{{
		Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID, Hosts: []string{Host}, Upstream: upstream,
		Versions: []decide.Version{{
			Name: "3", State: "current",
			Scopes: []decide.ScopeWords{
				{Name: "jobs.list", Category: "Jobs", Label: "List Jobs"},
				{Name: "secrets.list", Category: "Secrets", Label: "List Secrets"},
			},
			Routes: []decide.Route{
				{Method: "GET", Template: "/Jobs", Needs: [][]string{{"jobs.list"}}},
				{Method: "GET", Template: "/Secrets", Needs: [][]string{{"secrets.list"}}},
			},
		}},
	}}})
	tok := verifytest.Mint(t, token.Access, 7, api.Pin{API: "agency", Version: "3", Scopes: []string{"jobs.list"}})
	a.Put(tok.Grant)
	base := "/Agencies/" + tok.SID
	v := a.Start(t, verify.Config{Console: "https://desk.example.com"})
	return &Desk{
		Verifier: v, Doors: ServeDoors(t, v),
		Token: tok, Allowed: base + "/Jobs", Refused: base + "/Secrets",
	}
}

// ServeDoors puts the doors of a verifier on a listener as the product has it.
func ServeDoors(t testing.TB, v *verify.Verifier) (address string) {
	t.Helper()
	handler, err := doors.New(doors.Config{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = httpx.NewServer(handler, httpx.Limits{}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
