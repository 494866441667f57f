package rest_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

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

// Accounts of the world.
const (
	agency = 1001
	brand  = 2001
	other  = 1002 // another agency, which nothing of the first may be told to
)

var operator = authority.Actor{Name: "Olga Operator", Operator: true, Role: api.RoleAdministrator}

// world is a desk with the sample catalogue, two agencies and a brand, over real HTTP.
type world struct {
	t         *testing.T
	url       string
	log       *lines
	db        *store.DB
	authority *authority.Authority
	nodes     map[string]token.Secret // credentials by name
	ending    chan struct{}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: &lines{}}
	ctx, stop := context.WithCancel(context.Background())
	dir := t.TempDir()
	var err error
	if w.db, err = store.Open(ctx, "sqlite:"+filepath.Join(dir, "desk.db")); err != nil {
		t.Fatal(err)
	}
	key, err := seal.LoadOrCreate(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := httptest.NewUnstartedServer(nil)
	w.url = "http://" + server.Listener.Addr().String()
	w.authority, err = authority.Open(ctx, authority.Config{
		DB: w.db, BaseURL: w.url, Key: key, ExpiryDefault: 365, Zero: rest.Document(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := verify.New(verify.Config{Source: w.authority.Feed("test"), Node: "test", Console: w.url, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- verifier.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); !verifier.Ready(); {
		select {
		case err := <-stopped:
			t.Fatalf("the verifier ended: %v", err)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the verifier never became ready")
		}
	}
	w.ending = make(chan struct{})
	handler := rest.New(rest.Config{Authority: w.authority, Verifier: verifier, Nodes: w.newNodes("one", "two"), Ending: w.ending, Log: log})
	server.Config.Handler = httpx.Wrap(handler, httpx.Config{Listener: "people", Log: log, MaxBody: -1})
	server.Start()
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-stopped; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	w.populate()
	return w
}

func (w *world) populate() {
	w.t.Helper()
	ctx := context.Background()
	documents, err := authority.DocumentsFrom(catalogue.FS)
	if err != nil {
		w.t.Fatal(err)
	}
	if diff, err := w.authority.PublishCatalogue(ctx, operator, api.CatalogUpload{Documents: documents}); err != nil {
		w.t.Fatalf("publishing the sample: %v (%+v)", err, diff.APIs)
	}
	for _, a := range []api.AccountCreate{
		{ID: agency, Kind: api.KindAgency, Name: "Northwind Agency"},
		{ID: other, Kind: api.KindAgency, Name: "Other Agency"},
		{ID: brand, Kind: api.KindBrand, Name: "Blue Brand"},
	} {
		if _, err := w.authority.CreateAccount(ctx, operator, a); err != nil {
			w.t.Fatal(err)
		}
		w.member(a.ID, "admin")
	}
	if _, err := w.authority.CreateManagement(ctx, operator, api.ManagementCreate{Agency: agency, Brand: brand}); err != nil {
		w.t.Fatal(err)
	}
}

// member adds somebody who has joined, and returns the person's id.
func (w *world) member(account int64, name string) string {
	w.t.Helper()
	ctx := context.Background()
	invited, err := w.authority.InviteMember(ctx, operator, account, api.MemberInvite{
		Email: name + "@" + (map[int64]string{agency: "northwind", other: "other", brand: "blue"})[account] + ".example", Name: "Ada " + name, Role: api.RoleAdministrator,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	at := time.Now().UnixMicro()
	if _, err := w.db.Act(ctx, func(tx *store.Tx) error {
		_, err := tx.JoinMember(ctx, store.JoinMemberParams{Account: account, Person: invited.Person, At: &at})
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return invited.Person
}

// zero is a client with an API-zero token of an account (0: the operator's) that holds these scopes.
func (w *world) zero(account int64, scopes ...string) *api.Client {
	w.t.Helper()
	return w.client(w.zeroToken(account, scopes...))
}

func (w *world) zeroToken(account int64, scopes ...string) (sid, secret string) {
	w.t.Helper()
	made, err := w.authority.CreateToken(context.Background(), operator, account, api.TokenCreate{
		Name: "zero " + time.Now().Format(time.RFC3339Nano), API: authority.ZeroAPI, Scopes: scopes, PrimaryContact: w.contact(account),
	}, authority.Once{})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Token.SID, made.Secret.Reveal()
}

// contact is the account's first member.
func (w *world) contact(account int64) string {
	w.t.Helper()
	if account == 0 {
		return ""
	}
	people, err := w.authority.Members(context.Background(), operator, account)
	if err != nil || len(people) == 0 {
		w.t.Fatalf("account %d has no members: %v", account, err)
	}
	return people[0].Person
}

func (w *world) client(_, secret string) *api.Client {
	w.t.Helper()
	c, err := api.NewClient(w.url, secret, &http.Client{Timeout: 20 * time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// every is all scopes that a token of the account may hold.
func (w *world) every(account int64) []string {
	w.t.Helper()
	offer, err := w.authority.Offer(context.Background(), operator, account)
	if err != nil {
		w.t.Fatal(err)
	}
	var scopes []string
	for _, a := range offer.APIs {
		if !a.Zero {
			continue
		}
		for _, c := range a.Versions[0].Categories {
			for _, s := range c.Scopes {
				if s.Allowed {
					scopes = append(scopes, s.Name)
				}
			}
		}
	}
	if len(scopes) == 0 {
		w.t.Fatal("the management API has no scopes")
	}
	return scopes
}
