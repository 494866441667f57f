package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
)

// desk is a real store with People in front of it, and a clock that the test moves.
type desk struct {
	*testing.T
	people *People
	db     *store.DB
	path   string
	mu     sync.Mutex
	at     time.Time
}

const (
	good  = "seven green umbrellas at noon"
	good2 = "eleven brass kettles by the sea"
)

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, at: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), path: filepath.Join(t.TempDir(), "desk.db")}
	var err error
	if d.db, err = store.Open(context.Background(), "sqlite:"+d.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.db.Close(); err != nil {
			t.Error(err)
		}
	})
	key, err := seal.LoadOrCreate(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	d.people, err = New(Config{
		DB: d.db, Key: key, BaseURL: "https://desk.example", CleanEmail: authority.CleanEmail, CleanName: authority.CleanName, Now: d.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *desk) pass(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = d.at.Add(t)
}

func (d *desk) act(f func(ctx context.Context, tx *store.Tx) error) {
	d.Helper()
	ctx := context.Background()
	if _, err := d.db.Act(ctx, func(tx *store.Tx) error { return f(ctx, tx) }); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) account(id int64, name string) {
	d.Helper()
	d.act(func(ctx context.Context, tx *store.Tx) error {
		return tx.AddAccount(ctx, store.AddAccountParams{ID: id, Kind: "agency", Name: name, NameKey: strings.ToLower(name), CreatedAt: d.now().UnixMicro()})
	})
}

// person makes somebody; without a password they are only invited.
func (d *desk) person(id, email, password string) {
	d.Helper()
	var encoded *string
	if password != "" {
		e, err := d.people.hasher.hash(context.Background(), password)
		if err != nil {
			d.Fatal(err)
		}
		encoded = &e
	}
	_, key, fault := authority.CleanEmail(email)
	if fault != "" {
		d.Fatal(fault)
	}
	d.act(func(ctx context.Context, tx *store.Tx) error {
		return tx.AddPerson(ctx, store.AddPersonParams{ID: id, Email: email, EmailKey: key, Name: "Name of " + id, Password: encoded, CreatedAt: d.now().UnixMicro()})
	})
}

func (d *desk) member(account int64, person string, joined bool) {
	d.Helper()
	at := d.now().UnixMicro()
	m := store.AddMemberParams{Account: account, Person: person, Role: string(api.RoleAdministrator), InvitedAt: at}
	if joined {
		m.JoinedAt = &at
	}
	d.act(func(ctx context.Context, tx *store.Tx) error { return tx.AddMember(ctx, m) })
}

// ada is a member of one account with a password.
func (d *desk) ada() {
	d.Helper()
	d.account(100, "North")
	d.person("ada", "ada@example.com", good)
	d.member(100, "ada", true)
}

// browser keeps cookies as a browser does.
type browser struct {
	d       *desk
	address string
	cookies map[string]string
}

func (d *desk) browser(address string) *browser {
	return &browser{d, address, map[string]string{}}
}

// ask sends a request with the cookies, through the listener's wrapping, and keeps what is set.
func (b *browser) ask(f func(w http.ResponseWriter, r *http.Request)) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "https://desk.example/", nil)
	r.RemoteAddr = b.address + ":4711"
	if strings.Contains(b.address, ":") {
		r.RemoteAddr = "[" + b.address + "]:4711"
	}
	r.Header.Set("User-Agent", "Browser/1.0")
	r.Header.Set("X-Forwarded-For", "203.0.113.77") // forged: it resets no limit
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	httpx.Wrap(http.HandlerFunc(f), httpx.Config{Log: discard}).ServeHTTP(w, r)
	answer := w.Result()
	for _, c := range answer.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return answer
}

func (b *browser) visitor() (v Visitor) {
	b.ask(func(_ http.ResponseWriter, r *http.Request) { v = b.d.people.Visitor(r) })
	return v
}

func (b *browser) keep(t Ticket) {
	b.ask(func(w http.ResponseWriter, _ *http.Request) { b.d.people.SetCookies(w, t) })
}

func (b *browser) signIn(email, password string) error {
	t, err := b.d.people.SignIn(context.Background(), b.visitor(), email, password)
	if err == nil {
		b.keep(t)
	}
	return err
}

func (b *browser) resolve() (Session, error) {
	return b.d.people.Resolve(context.Background(), b.visitor())
}

// mustSignIn signs Ada in.
func (b *browser) mustSignIn() Session {
	b.d.Helper()
	if err := b.signIn("ada@example.com", good); err != nil {
		b.d.Fatal(err)
	}
	return b.mustResolve()
}

func (b *browser) mustResolve() Session {
	b.d.Helper()
	s, err := b.resolve()
	if err != nil {
		b.d.Fatal(err)
	}
	return s
}

func (b *browser) signedOut(why string) {
	b.d.Helper()
	if s, err := b.resolve(); code(err) != api.CodeSignInRequired || s.Person.ID != "" || s.FormOK("") {
		b.d.Errorf("%s: still signed in as %q: %v", why, s.Person.ID, err)
	}
}

func code(err error) api.Code {
	var e *api.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// events reads the history and checks its chain.
func (d *desk) events() []audit.Event {
	d.Helper()
	rows, err := d.db.Read().EventsAfter(context.Background(), store.EventsAfterParams{N: 10_000})
	if err != nil {
		d.Fatal(err)
	}
	var events []audit.Event
	end, err := audit.Verify(audit.Checkpoint{}, func(yield func(audit.Stored, error) bool) {
		for _, r := range rows {
			if !yield(audit.Stored{Seq: r.Seq, Body: []byte(r.Body), Hash: r.Hash}, nil) {
				return
			}
		}
	})
	if err != nil {
		d.Fatal(err)
	}
	head, err := d.db.Read().Head(context.Background())
	if err != nil || head.Seq != end.Seq || audit.Hash(head.Hash) != end.Head {
		d.Fatalf("the head of the log is %d, the chain ends at %d (%v)", head.Seq, end.Seq, err)
	}
	for _, r := range rows {
		e, err := audit.Decode([]byte(r.Body))
		if err != nil {
			d.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func (d *desk) last() audit.Event {
	d.Helper()
	events := d.events()
	if len(events) == 0 {
		d.Fatal("nothing was recorded")
	}
	return events[len(events)-1]
}
