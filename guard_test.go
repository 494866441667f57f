package counterfoil_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil"
	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/examples/catalogue"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/rest"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// desk is an authority with the sample catalogue, one agency, and a node credential.
type desk struct {
	t         *testing.T
	url       string
	authority *authority.Authority
	node      counterfoil.Secret
	contact   string
}

var operator = authority.Actor{Name: "Olga Operator", Operator: true, Role: api.RoleAdministrator}

const agency = 1001

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t}
	ctx := context.Background()
	dir := t.TempDir()
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "desk.db"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.LoadOrCreate(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	d.url = "http://" + server.Listener.Addr().String()
	log := slog.New(slog.DiscardHandler)
	if d.authority, err = authority.Open(ctx, authority.Config{DB: db, BaseURL: d.url, Key: key, ExpiryDefault: 365, Zero: rest.Document(), Log: log}); err != nil {
		t.Fatal(err)
	}
	verifier, err := verify.New(verify.Config{Source: d.authority.Feed("beside"), Node: "beside"})
	if err != nil {
		t.Fatal(err)
	}
	var digest token.Digest
	if d.node, _, digest, err = token.DefaultPrefix.Mint(token.Node, rand.Reader); err != nil {
		t.Fatal(err)
	}
	ending := make(chan struct{})
	server.Config.Handler = httpx.Wrap(rest.New(rest.Config{
		Authority: d.authority, Verifier: verifier, Nodes: []rest.Node{{Name: "guard", Digest: digest}}, Ending: ending, Log: log,
	}), httpx.Config{Log: log, MaxBody: -1})
	server.Start()
	t.Cleanup(func() {
		close(ending)
		server.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	documents, err := authority.DocumentsFrom(catalogue.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.authority.PublishCatalogue(ctx, operator, api.CatalogUpload{Documents: documents}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.authority.CreateAccount(ctx, operator, api.AccountCreate{ID: agency, Kind: api.KindAgency, Name: "Northwind Agency"}); err != nil {
		t.Fatal(err)
	}
	ada, err := d.authority.InviteMember(ctx, operator, agency, api.MemberInvite{Email: "ada@northwind.example", Name: "Ada Northwind", Role: api.RoleAdministrator})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UnixMicro()
	if _, err := db.Act(ctx, func(tx *store.Tx) error {
		_, err := tx.JoinMember(ctx, store.JoinMemberParams{Account: agency, Person: ada.Person, At: &at})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	d.contact = ada.Person
	return d
}

// issue makes a token that may list advertisers.
func (d *desk) issue(name string) authority.Issued {
	d.t.Helper()
	made, err := d.authority.CreateToken(d.t.Context(), operator, agency, api.TokenCreate{
		Name: name, API: "agency", Version: "3", Scopes: []string{"advertisers.list-advertisers"}, PrimaryContact: d.contact,
	}, authority.Once{})
	if err != nil {
		d.t.Fatal(err)
	}
	return made
}

// open guards a handler that says who called.
func (d *desk) open() (url string, guard *counterfoil.Guard) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	guard, err := counterfoil.Open(ctx, counterfoil.Config{Authority: d.url, NodeCredential: counterfoil.NewSecret(d.node.Reveal() + "\n")})
	if err != nil {
		d.t.Fatal(err)
	}
	server := httptest.NewServer(guard.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, ok := counterfoil.CallerFrom(r.Context())
		if !ok {
			d.t.Error("a request without a caller")
		}
		if err := json.NewEncoder(w).Encode(caller); err != nil {
			d.t.Error(err)
		}
	})))
	d.t.Cleanup(func() {
		server.Close()
		if err := guard.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return server.URL, guard
}

func call(t *testing.T, url, sid, authToken string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/Agencies/"+sid+"/Advertisers", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "api.example.com"
	r.SetBasicAuth(sid, authToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// TestAGuardFollowsItsAuthority: what the desk makes passes, and what it deletes does not, on the next
// request, since an act answers once the connected verifiers have confirmed it.
func TestAGuardFollowsItsAuthority(t *testing.T) {
	d := newDesk(t)
	before := d.issue("before")
	url, guard := d.open()
	after := d.issue("after")
	for _, made := range []authority.Issued{before, after} {
		status, body := call(t, url, made.Token.SID, made.Secret.Reveal())
		var caller counterfoil.Caller
		if err := json.Unmarshal([]byte(body), &caller); err != nil || status != 200 {
			t.Fatalf("%s: %d %s", made.Token.Name, status, body)
		}
		if caller.Account != agency || caller.SID != made.Token.SID || caller.API != "agency" || caller.Version != "3" || caller.Scope != "advertisers.list-advertisers" || len(caller.RequestID) != 26 {
			t.Errorf("%+v", caller)
		}
	}
	if status, body := call(t, url, before.Token.SID, after.Secret.Reveal()); status != 401 || !strings.Contains(body, `"invalid_token"`) {
		t.Errorf("another's secret: %d %s", status, body)
	}
	if _, err := d.authority.DeleteToken(t.Context(), operator, agency, before.Token.SID, ""); err != nil {
		t.Fatal(err)
	}
	if status, body := call(t, url, before.Token.SID, before.Secret.Reveal()); status != 401 {
		t.Errorf("a deleted token: %d %s", status, body)
	}
	if !guard.Ready() {
		t.Error("the guard is not ready")
	}
}

func TestAGuardIsNotOpenedHalf(t *testing.T) {
	d := newDesk(t)
	stranger, _, _, err := token.DefaultPrefix.Mint(token.Node, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]counterfoil.Config{
		"nothing":                {},
		"no credential":          {Authority: d.url},
		"no authority":           {NodeCredential: d.node},
		"in the clear":           {Authority: "http://desk.example.com", NodeCredential: d.node},
		"everybody is a proxy":   {Authority: d.url, NodeCredential: d.node, Proxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
		"no proxy at all":        {Authority: d.url, NodeCredential: d.node, Proxies: []netip.Prefix{{}}},
		"a negative limit":       {Authority: d.url, NodeCredential: d.node, MaxStale: -1},
		"an unlisted credential": {Authority: d.url, NodeCredential: stranger},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		guard, err := counterfoil.Open(ctx, c)
		cancel()
		if err == nil || guard != nil {
			t.Errorf("%s: opened", name)
		}
		if text := fmt.Sprintf("%v %+v", err, c); strings.Contains(text, d.node.Reveal()) {
			t.Errorf("%s: the credential is shown: %s", name, text)
		}
	}
}

// TestWhoEmbedsTheGuardGetsNoMore: no SQL driver, no parser of OpenAPI or YAML, no gRPC, no templates.
func TestWhoEmbedsTheGuardGetsNoMore(t *testing.T) {
	list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(list))
	if len(all) < 50 {
		t.Fatalf("only %d packages were listed", len(all))
	}
	for _, path := range all {
		first, _, _ := strings.Cut(path, "/")
		if strings.Contains(first, ".") && !strings.HasPrefix(path, module) {
			t.Errorf("it gets %s", path)
		}
		for _, unwanted := range []string{"database/sql", "html/template", "text/template", "net/smtp", "flag"} {
			if path == unwanted {
				t.Errorf("it gets %s", path)
			}
		}
	}
}
