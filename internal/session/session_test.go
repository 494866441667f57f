package session

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

var discard = slog.New(slog.DiscardHandler)

const sessionCookie = "__Host-counterfoil"

func TestSignInSaysWhoItIs(t *testing.T) {
	d := newDesk(t)
	d.ada()
	d.account(200, "South")
	d.member(200, "ada", true)
	b := d.browser("192.0.2.1")
	s := b.mustSignIn()
	if diff := cmp.Diff(Person{ID: "ada", Email: "ada@example.com", Name: "Name of ada"}, s.Person); diff != "" {
		t.Error(diff)
	}
	if m, ok := s.Current(); !ok || m.Account != 100 || m.Role != api.RoleAdministrator || len(s.Memberships) != 2 {
		t.Errorf("current %+v of %+v", m, s.Memberships)
	}
	if len(s.CSRF) != 43 || !s.FormOK(s.CSRF) || s.FormOK("") || s.FormOK(s.CSRF[1:]) {
		t.Errorf("the form's token is %q", s.CSRF)
	}
	if !s.Recent(d.now().Add(4*time.Minute), 5*time.Minute) || s.Recent(d.now().Add(5*time.Minute), 5*time.Minute) || (Session{}).Recent(d.now(), time.Hour) {
		t.Error("the time of the last factor is not kept")
	}
	if !cmp.Equal(s.Factors, []string{"password"}) || s.Address != "192.0.2.1" || s.Agent != "Browser/1.0" {
		t.Errorf("%+v", s)
	}
	e := d.last()
	if e.Action != audit.SignIn || e.Actor.Person != "ada" || e.Account != 100 || e.Address != "192.0.2.1" || e.Agent != "Browser/1.0" || len(e.RequestID) != 26 || e.Outcome != audit.Done {
		t.Errorf("%+v", e)
	}
	if err := d.people.Choose(context.Background(), s, 200); err != nil {
		t.Fatal(err)
	}
	if s = b.mustResolve(); s.Account != 200 {
		t.Errorf("account %d after choosing 200", s.Account)
	}
	for _, foreign := range []int64{300, 0, -1} {
		if err := d.people.Choose(context.Background(), s, foreign); code(err) != api.CodeNotFound {
			t.Errorf("chose account %d: %v", foreign, err)
		}
	}
}

func TestRenamingKeepsWhatHistorySaid(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	d.ada()
	b := d.browser("192.0.2.1")
	s := b.mustSignIn()
	if err := d.people.Rename(ctx, b.visitor(), s, "ada\u202e"); code(err) != api.CodeInvalid {
		t.Errorf("a name that turns the text around: %v", err)
	}
	for range 2 { // the second time nothing changes, and nothing is recorded
		if err := d.people.Rename(ctx, b.visitor(), s, "Ada Byron"); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.mustResolve().Person.Name; got != "Ada Byron" {
		t.Errorf("called %q", got)
	}
	events := d.events()
	if len(events) != 2 || events[0].Actor.Name != "Name of ada" {
		t.Fatalf("%+v", events)
	}
	if e := events[1]; e.Action != audit.RenamePerson || e.Details[0] != (audit.Detail{Field: "name", Before: "Name of ada", After: "Ada Byron"}) {
		t.Errorf("%+v", e)
	}
}

// The attack: a cookie planted before the sign-in is worth something after it (SECURITY.md, class 42).
func TestSignInBeginsANewSessionAndKillsTheOldOne(t *testing.T) {
	d := newDesk(t)
	d.ada()
	victim, thief := d.browser("192.0.2.1"), d.browser("192.0.2.2")
	victim.mustSignIn()
	planted := victim.cookies[sessionCookie]
	victim.mustSignIn()
	if victim.cookies[sessionCookie] == planted {
		t.Error("the session kept its id at sign-in")
	}
	thief.cookies[sessionCookie] = planted
	thief.signedOut("with the cookie from before the sign-in")

	fixed := d.browser("192.0.2.3")
	fixed.cookies[sessionCookie] = strings.Repeat("A", 43)
	fixed.mustSignIn()
	thief.cookies[sessionCookie] = strings.Repeat("A", 43)
	thief.signedOut("with an id of the thief's own making")
}

func TestCookiesAreOutOfReach(t *testing.T) {
	d := newDesk(t)
	d.ada()
	b := d.browser("192.0.2.1")
	ticket, err := d.people.SignIn(context.Background(), b.visitor(), "ada@example.com", good)
	if err != nil {
		t.Fatal(err)
	}
	check := func(p *People, prefix string, secure bool) {
		fresh := d.browser("192.0.2.2")
		answer := fresh.ask(func(w http.ResponseWriter, r *http.Request) {
			p.SetCookies(w, ticket)
			p.FormToken(w, r)
		})
		if n := len(answer.Cookies()); n != 3 {
			t.Errorf("%d cookies, want session, device and form", n)
		}
		for _, c := range answer.Cookies() {
			if !strings.HasPrefix(c.Name, prefix+"counterfoil") || c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("%s", c)
			}
		}
		gone := b.ask(func(w http.ResponseWriter, _ *http.Request) { p.DropCookies(w) }).Cookies()
		if len(gone) != 1 || gone[0].Name != prefix+"counterfoil" || gone[0].MaxAge >= 0 {
			t.Errorf("signing out sets %v", gone)
		}
	}
	check(d.people, "__Host-", true)
	for _, base := range []string{"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"} {
		plain, err := New(Config{DB: d.db, Key: d.people.key, BaseURL: base, CleanEmail: d.people.cleanEmail, CleanName: d.people.cleanName})
		if err != nil {
			t.Fatal(err)
		}
		check(plain, "", false)
	}
	for _, base := range []string{
		"", "desk.example", "http://desk.example", "http://192.0.2.1", "http://localhost.evil.example", "ftp://localhost", "https://",
		"https://desk.example/", "https://u@desk.example", "https://desk.example?x=1",
	} {
		if _, err := New(Config{DB: d.db, Key: d.people.key, BaseURL: base, CleanEmail: d.people.cleanEmail, CleanName: d.people.cleanName}); err == nil {
			t.Errorf("started with the base URL %q", base)
		}
	}
	if _, err := New(Config{DB: d.db, BaseURL: "https://desk.example"}); err == nil {
		t.Error("started half configured")
	}
}

// Two cookies of one name mean that somebody else set one of them.
func TestTwoSessionCookiesAreNone(t *testing.T) {
	d := newDesk(t)
	d.ada()
	b := d.browser("192.0.2.1")
	b.mustSignIn()
	var v Visitor
	b.ask(func(_ http.ResponseWriter, r *http.Request) {
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "other"})
		v = d.people.Visitor(r)
	})
	if _, err := d.people.Resolve(context.Background(), v); code(err) != api.CodeSignInRequired {
		t.Errorf("%v", err)
	}
}

func TestSessionsEndOnTheServer(t *testing.T) {
	d := newDesk(t)
	d.ada()
	idle := d.browser("192.0.2.1")
	idle.mustSignIn()
	d.pass(30*time.Minute - time.Second)
	idle.mustResolve()
	d.pass(30*time.Minute - time.Second)
	idle.mustResolve()
	d.pass(30*time.Minute + time.Second)
	idle.signedOut("30 minutes after the last request")

	busy := d.browser("192.0.2.2")
	busy.mustSignIn()
	for range 12*60/20 - 1 {
		d.pass(20 * time.Minute)
		busy.mustResolve()
	}
	d.pass(20*time.Minute - time.Second)
	busy.mustResolve()
	d.pass(time.Second)
	busy.signedOut("12 hours after the sign-in")
	d.pass(time.Second)

	if err := d.people.sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if left, err := d.db.Read().Sessions(context.Background(), "ada"); err != nil || len(left) != 0 {
		t.Errorf("%d ended sessions are kept: %v", len(left), err)
	}
}

func TestWhoIsDisabledIsOutAtOnceInEveryBrowser(t *testing.T) {
	for name, c := range map[string]struct {
		end, mend func(ctx context.Context, tx *store.Tx) error
	}{
		"person disabled": {
			func(ctx context.Context, tx *store.Tx) error {
				return tx.SetDisabled(ctx, store.SetDisabledParams{ID: "ada", At: ptr(int64(1))})
			},
			func(ctx context.Context, tx *store.Tx) error {
				return tx.SetDisabled(ctx, store.SetDisabledParams{ID: "ada"})
			},
		},
		"last account suspended": {
			func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.SuspendAccount(ctx, store.SuspendAccountParams{ID: 100, At: ptr(int64(1)), Why: "x"})
				return err
			},
			func(ctx context.Context, tx *store.Tx) error { _, err := tx.ResumeAccount(ctx, 100); return err },
		},
		"removed from the last account": {
			func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.RemoveMember(ctx, store.RemoveMemberParams{Account: 100, Person: "ada"})
				return err
			}, nil,
		},
	} {
		d := newDesk(t)
		d.ada()
		one, two := d.browser("192.0.2.1"), d.browser("192.0.2.2")
		one.mustSignIn()
		two.mustSignIn()
		d.act(c.end)
		one.signedOut(name)
		two.signedOut(name)
		if err := d.browser("192.0.2.3").signIn("ada@example.com", good); code(err) != api.CodeInvalid && code(err) != api.CodeForbidden {
			t.Errorf("%s: signed in again: %v", name, err)
		}
		if c.mend != nil {
			d.act(c.mend)
			one.mustResolve() // and so it was that, and nothing else
		}
	}
}

func TestASuspendedAccountIsNeverTheCurrentOne(t *testing.T) {
	d := newDesk(t)
	d.ada()
	d.account(200, "South")
	d.member(200, "ada", true)
	b := d.browser("192.0.2.1")
	b.mustSignIn()
	d.act(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.SuspendAccount(ctx, store.SuspendAccountParams{ID: 100, At: ptr(int64(1)), Why: "x"})
		return err
	})
	s := b.mustResolve()
	if s.Account != 200 {
		t.Errorf("current account %d", s.Account)
	}
	if err := d.people.Choose(context.Background(), s, 100); code(err) != api.CodeNotFound {
		t.Errorf("chose the suspended account: %v", err)
	}
}

func TestSigningOut(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	d.ada()
	d.person("eve", "eve@example.com", good2)
	d.member(100, "eve", true)
	one, two, three, eve := d.browser("192.0.2.1"), d.browser("192.0.2.2"), d.browser("192.0.2.3"), d.browser("192.0.2.4")
	for _, b := range []*browser{one, two, three} {
		b.mustSignIn()
		d.pass(time.Second)
	}
	if err := eve.signIn("eve@example.com", good2); err != nil {
		t.Fatal(err)
	}
	places, err := d.people.Sessions(ctx, one.mustResolve())
	if err != nil || len(places) != 3 || places[0].Address != "192.0.2.3" || places[0].This || !places[2].This || places[2].Agent != "Browser/1.0" {
		t.Fatalf("%+v, %v", places, err)
	}
	// Another person's session cannot be ended, nor told apart from none.
	for _, id := range []string{places[0].ID, strings.Repeat("0", 64), "", "x"} {
		if err := d.people.EndSession(ctx, eve.visitor(), eve.mustResolve(), id); code(err) != api.CodeNotFound {
			t.Errorf("ended %q: %v", id, err)
		}
	}
	three.mustResolve()
	if err := d.people.EndSession(ctx, one.visitor(), one.mustResolve(), places[0].ID); err != nil {
		t.Fatal(err)
	}
	three.signedOut("ended from another browser")

	s := one.mustResolve()
	for range 2 { // the second time is no error
		if err := d.people.SignOut(ctx, one.visitor(), s); err != nil {
			t.Fatal(err)
		}
	}
	one.signedOut("signed out")
	two.mustResolve()
	one.mustSignIn()
	if err := d.people.SignOutEverywhere(ctx, two.visitor(), two.mustResolve()); err != nil {
		t.Fatal(err)
	}
	one.signedOut("signed out everywhere")
	two.signedOut("signed out everywhere")
	eve.mustResolve()
	if e := d.last(); e.Action != audit.SignOutEverywhere || e.Details[0].After != "2" {
		t.Errorf("%+v", e)
	}
}

func TestAPersonHoldsTwentySessions(t *testing.T) {
	d := newDesk(t)
	d.ada()
	first, last := d.browser("192.0.2.1"), d.browser("192.0.2.2")
	first.mustSignIn()
	var person store.Person
	var err error
	if person, err = d.db.Read().Person(context.Background(), "ada"); err != nil {
		t.Fatal(err)
	}
	for range maxSessions - 1 {
		d.pass(time.Second)
		d.act(func(ctx context.Context, tx *store.Tx) error {
			_, err := d.people.begin(ctx, tx, Visitor{}, person, 100, factorPassword)
			return err
		})
	}
	first.mustResolve()
	d.pass(time.Second)
	last.mustSignIn()
	first.signedOut("pushed out by the 21st")
	last.mustResolve()
	if rows, err := d.db.Read().Sessions(context.Background(), "ada"); err != nil || len(rows) != maxSessions {
		t.Errorf("%d sessions, %v", len(rows), err)
	}
}

func TestFormsOfStrangersCarryAToken(t *testing.T) {
	d := newDesk(t)
	b, other := d.browser("192.0.2.1"), d.browser("192.0.2.2")
	var token, again, foreign string
	b.ask(func(w http.ResponseWriter, r *http.Request) { token = d.people.FormToken(w, r) })
	b.ask(func(w http.ResponseWriter, r *http.Request) { again = d.people.FormToken(w, r) })
	other.ask(func(w http.ResponseWriter, r *http.Request) { foreign = d.people.FormToken(w, r) })
	if token != again || token == foreign || token == b.cookies["__Host-counterfoil-form"] {
		t.Errorf("%q, %q, %q", token, again, foreign)
	}
	for name, c := range map[string]struct {
		b    *browser
		sent string
		want bool
	}{
		"its own":          {b, token, true},
		"another's":        {b, foreign, false},
		"none":             {b, "", false},
		"without a cookie": {d.browser("192.0.2.3"), token, false},
		"no cookie, none":  {d.browser("192.0.2.3"), "", false},
	} {
		c.b.ask(func(_ http.ResponseWriter, r *http.Request) {
			if got := d.people.FormOK(r, c.sent); got != c.want {
				t.Errorf("%s: %v", name, got)
			}
		})
	}
}

// After a whole life of a session and links, neither the database nor anything printed holds a secret
// (SECURITY.md, class 43).
func TestNoSecretIsKeptOrPrinted(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	d.ada()
	b := d.browser("192.0.2.1")
	b.mustSignIn()
	link, err := d.people.SignInLink(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	setUp, err := d.people.SetUpLink(ctx)
	if err != nil || setUp == "" {
		t.Fatal(setUp, err)
	}
	if err := d.people.sendPasswordLink(ctx, forgotten{b.visitor(), "ada@example.com"}); err != nil {
		t.Fatal(err)
	}
	_, setUpSecret, _ := strings.Cut(setUp, "?key=")
	secrets := []string{b.cookies[sessionCookie], link, setUpSecret, d.mail()[0].Values["link"], good}
	dump := d.dump()
	v := b.visitor()
	var out strings.Builder
	for _, x := range []any{v, v.ticket, &v, struct{ t Ticket }{v.ticket}, []Ticket{v.ticket}} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", x, x, x, x, x, x)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", x)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", x)
	}
	if j, err := json.Marshal(v.ticket); err == nil {
		t.Errorf("a ticket was marshalled as %s", j)
	}
	for i, s := range secrets {
		if len(s) < 20 {
			t.Fatalf("secret %d is %q: the test looks for nothing", i, s)
		}
		if strings.Contains(dump, s) {
			t.Errorf("the database holds secret %d", i)
		}
		if strings.Contains(out.String(), s) || strings.Contains(out.String(), fmt.Sprintf("%x", s)) {
			t.Errorf("secret %d was printed", i)
		}
	}
	if !strings.Contains(dump, "ada@example.com") || !strings.Contains(out.String(), dots) {
		t.Error("the dump or the print is empty")
	}
}

// dump is every octet of the database's files.
func (d *desk) dump() string {
	d.Helper()
	var all strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		f, err := os.Open(d.path + suffix)
		if err != nil {
			d.Fatal(err)
		}
		if _, err := io.Copy(&all, f); err != nil {
			d.Fatal(err)
		}
		if err := f.Close(); err != nil {
			d.Fatal(err)
		}
	}
	return all.String()
}

// mail opens what waits in the outbox.
func (d *desk) mail() []store.Message {
	d.Helper()
	rows, err := d.db.Read().DueOutbox(context.Background(), store.DueOutboxParams{Now: d.now().UnixMicro(), N: 100})
	if err != nil {
		d.Fatal(err)
	}
	var messages []store.Message
	for _, r := range rows {
		m, err := store.OpenMessage(r, d.people.key.Open)
		if err != nil {
			d.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages
}
