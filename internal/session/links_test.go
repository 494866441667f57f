package session

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

func secretOf(t *testing.T, link, start string) string {
	t.Helper()
	secret, found := strings.CutPrefix(link, start+"?key=")
	if !found || len(secret) < 43 {
		t.Fatalf("the link is %q, want %s?key=…", link, start)
	}
	return secret
}

func TestTheFirstOperatorIsSetUpOnce(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	p := d.people
	b := d.browser("192.0.2.1")
	older, err := p.SetUpLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	link, err := p.SetUpLink(ctx)
	if err != nil || link == older {
		t.Fatal(link, err)
	}
	secret := secretOf(t, link, "https://desk.example/set-up")
	if err := p.SetUpOpen(ctx, b.visitor(), secret); err != nil {
		t.Fatal(err)
	}
	_, err = p.SetUp(ctx, b.visitor(), secret, " ", "nonsense", "short")
	for _, field := range []string{"name", "email", "password"} {
		if code(err) != api.CodeInvalid || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	ticket, err := p.SetUp(ctx, b.visitor(), secret, "Olga", "Olga@Example.com", good)
	if err != nil {
		t.Fatal(err)
	}
	b.keep(ticket)
	if s := b.mustResolve(); !s.Person.Operator || s.Person.Name != "Olga" || s.Account != 0 {
		t.Errorf("%+v", s)
	}
	if e := d.last(); e.Action != audit.SetUpOperator || e.Account != 0 || e.Actor.Name != "Olga" {
		t.Errorf("%+v", e)
	}
	for name, l := range map[string]string{"the same link": link, "an older one": older} {
		secret := secretOf(t, l, "https://desk.example/set-up")
		if _, err := p.SetUp(ctx, b.visitor(), secret, "Eve", "eve@example.com", good); code(err) != api.CodeNotFound {
			t.Errorf("%s made a second operator: %v", name, err)
		}
		if err := p.SetUpOpen(ctx, b.visitor(), secret); code(err) != api.CodeNotFound {
			t.Errorf("%s is still open: %v", name, err)
		}
	}
	if again, err := p.SetUpLink(ctx); err != nil || again != "" {
		t.Errorf("a start with an operator prints %q, %v", again, err)
	}
	if err := d.browser("192.0.2.2").signIn("olga@example.com", good); err != nil {
		t.Error(err)
	}
}

// The attack: one link, used at the same moment from two sides (SECURITY.md, class 28).
func TestALinkIsSpentOnce(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	d.ada()
	secret, err := d.people.SignInLink(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var won []Ticket
	var all sync.WaitGroup
	for i := range 16 {
		v := d.browser(fmt.Sprintf("192.0.2.%d", i)).visitor()
		all.Go(func() {
			ticket, err := d.people.SignInByLink(ctx, v, secret)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, ticket)
			case code(err) != api.CodeNotFound:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of 16 were signed in by one link", len(won))
	}
	b := d.browser("192.0.2.99")
	b.keep(won[0])
	if s := b.mustResolve(); s.Person.ID != "ada" || s.Factors[0] != "link" {
		t.Errorf("%+v", s)
	}
}

func TestLinksThatDoNotWork(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	d.ada()
	p := d.people
	link := func(purpose string, life time.Duration) (secret string) {
		person := "ada"
		d.act(func(ctx context.Context, tx *store.Tx) (err error) {
			secret, err = tx.MakeLink(ctx, purpose, &person, nil, d.now(), life)
			return err
		})
		return secret
	}
	replaced := link(store.LinkPassword, time.Hour)
	latest := link(store.LinkPassword, time.Hour)
	for name, secret := range map[string]string{
		"replaced by a newer one": replaced, "of another purpose": link(store.LinkSignIn, time.Hour), "never made": "X", "empty": "",
	} {
		v := d.browser("192.0.2.1").visitor()
		if err := p.PasswordLink(ctx, v, secret); code(err) != api.CodeNotFound {
			t.Errorf("%s: opened: %v", name, err)
		}
		if _, err := p.ResetPassword(ctx, v, secret, good2); code(err) != api.CodeNotFound {
			t.Errorf("%s: worked: %v", name, err)
		}
	}
	v := d.browser("192.0.2.2").visitor()
	if _, err := p.SignInByLink(ctx, v, latest); code(err) != api.CodeNotFound {
		t.Errorf("a password link signed in: %v", err)
	}
	d.pass(time.Hour - time.Microsecond)
	if err := p.PasswordLink(ctx, v, latest); err != nil {
		t.Errorf("before its end: %v", err)
	}
	d.pass(time.Microsecond)
	if _, err := p.ResetPassword(ctx, v, latest, good2); code(err) != api.CodeNotFound {
		t.Errorf("at its end: %v", err)
	}
	disabled := link(store.LinkPassword, time.Hour)
	d.act(func(ctx context.Context, tx *store.Tx) error {
		return tx.SetDisabled(ctx, store.SetDisabledParams{ID: "ada", At: ptr(int64(1))})
	})
	if _, err := p.ResetPassword(ctx, v, disabled, good2); code(err) != api.CodeNotFound {
		t.Errorf("a disabled person set a password: %v", err)
	}
	// Guessing at links is limited like guessing at passwords.
	guesser := d.browser("192.0.2.3").visitor()
	refused := false
	for range networkRules[0].attempts + 1 {
		refused = code(p.PasswordLink(ctx, guesser, "guess")) == api.CodeTooMany
	}
	if !refused {
		t.Error("a network guesses at links without end")
	}
}

// The answer to "forgot" is the same whoever exists; the mailbox tells the truth.
func TestForgottenPasswords(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	d := newDesk(t)
	d.ada()
	d.person("new", "invited@example.com", "")
	d.member(100, "new", false)
	b, elsewhere := d.browser("192.0.2.1"), d.browser("192.0.2.2")
	elsewhere.mustSignIn()
	for _, email := range []string{"ada@example.com", "nobody@example.com", "invited@example.com", "ADA@example.com"} {
		if err := d.people.ForgotPassword(ctx, b.visitor(), email); err != nil {
			t.Errorf("%s: %v", email, err)
		}
	}
	if err := d.people.ForgotPassword(ctx, b.visitor(), "nonsense"); code(err) != api.CodeInvalid {
		t.Errorf("%v", err)
	}
	stop()
	if err := d.people.Run(ctx); err != nil {
		t.Fatal(err)
	}
	mail := d.mail()
	if len(mail) != 2 || mail[0].To != "ada@example.com" || mail[0].Kind != store.MessagePassword || mail[0].Values["minutes"] != "30" {
		t.Fatalf("%+v", mail)
	}
	if e := d.last(); e.Action != audit.ForgetPassword || e.Actor.Kind != audit.ByNobody || e.Subject.ID != "ada" || e.Account != 100 {
		t.Errorf("%+v", e)
	}
	ctx = context.Background()
	var secrets []string
	for _, m := range mail {
		secrets = append(secrets, secretOf(t, m.Values["link"], "https://desk.example/password/reset"))
	}
	secret := secrets[0]
	if d.people.PasswordLink(ctx, b.visitor(), secret) != nil {
		secret = secrets[1] // the newer one made the older worthless
	}
	if _, err := d.people.ResetPassword(ctx, b.visitor(), secret, "too short"); code(err) != api.CodeInvalid {
		t.Fatalf("%v", err)
	}
	// Guessers use up the attempts at the address before and after; the owner gets in all the same.
	for i := range 10 {
		if err := d.browser(fmt.Sprintf("198.51.100.%d", i)).signIn("ada@example.com", "wrong and long enough"); err == nil {
			t.Fatal("signed in")
		}
	}
	ticket, err := d.people.ResetPassword(ctx, b.visitor(), secret, good2)
	if err != nil {
		t.Fatal(err)
	}
	b.keep(ticket)
	b.signedOut("a reset proves the mailbox, and is no sign-in")
	elsewhere.signedOut("the password was reset")
	if err := b.signIn("ada@example.com", good2); err != nil {
		t.Errorf("the owner is locked out after a reset: %v", err)
	}
	if err := b.signIn("ada@example.com", good); code(err) != api.CodeInvalid {
		t.Errorf("the old password: %v", err)
	}
	if _, err := d.people.ResetPassword(ctx, b.visitor(), secret, good); code(err) != api.CodeNotFound {
		t.Errorf("the link worked twice: %v", err)
	}
}

func TestNobodysMailboxIsFlooded(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	d := newDesk(t)
	d.ada()
	for i := range 40 {
		if err := d.people.ForgotPassword(ctx, d.browser(fmt.Sprintf("192.0.2.%d", i)).visitor(), "ada@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	one := d.browser("198.51.100.1").visitor()
	var err error
	for i := range forgotNetworkRules[0].attempts + 1 {
		err = d.people.ForgotPassword(ctx, one, fmt.Sprintf("p%d@example.com", i))
	}
	if code(err) != api.CodeTooMany {
		t.Errorf("one network asks without end: %v", err)
	}
	stop()
	if err := d.people.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(d.mail()); n != forgotAddressRules[0].attempts {
		t.Errorf("%d messages in an hour, want %d", n, forgotAddressRules[0].attempts)
	}
}

func TestChangingThePassword(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	d.ada()
	here, there := d.browser("192.0.2.1"), d.browser("192.0.2.2")
	here.mustSignIn()
	there.mustSignIn()
	old := here.cookies[sessionCookie]
	d.act(func(ctx context.Context, tx *store.Tx) error {
		person := "ada"
		_, err := tx.MakeLink(ctx, store.LinkPassword, &person, nil, d.now(), time.Hour)
		return err
	})
	for name, c := range map[string]struct{ current, password, field string }{
		"wrong current": {"wrong and long enough", good2, "current: "},
		"a short one":   {good, "short", "password: "},
		"one's own":     {good, "ada@example.com!", "password: "},
	} {
		if _, err := d.people.ChangePassword(ctx, here.visitor(), here.mustResolve(), c.current, c.password); code(err) != api.CodeInvalid || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
	there.mustResolve()
	ticket, err := d.people.ChangePassword(ctx, here.visitor(), here.mustResolve(), good, good2)
	if err != nil {
		t.Fatal(err)
	}
	here.keep(ticket)
	if s := here.mustResolve(); s.Account != 100 || here.cookies[sessionCookie] == old {
		t.Errorf("%+v", s)
	}
	there.signedOut("the password was changed")
	thief := d.browser("192.0.2.3")
	thief.cookies[sessionCookie] = old
	thief.signedOut("with the cookie from before the change")
	if e := d.last(); e.Action != audit.ChangePassword || e.Details[0].After != "2" {
		t.Errorf("%+v", e)
	}
	if rows, err := d.db.Read().Sessions(ctx, "ada"); err != nil || len(rows) != 1 {
		t.Errorf("%d sessions, %v", len(rows), err)
	}
	// Whoever finds an open browser does not guess on for ever.
	for range deviceRules[0].attempts {
		if _, err := d.people.ChangePassword(ctx, here.visitor(), here.mustResolve(), "wrong and long enough", good); err == nil {
			t.Fatal("changed")
		}
	}
	if _, err := d.people.ChangePassword(ctx, here.visitor(), here.mustResolve(), good2, good); code(err) != api.CodeTooMany {
		t.Errorf("%v", err)
	}
}

func (d *desk) invite(account int64, person string) (secret string) {
	d.Helper()
	d.member(account, person, false)
	d.act(func(ctx context.Context, tx *store.Tx) (err error) {
		secret, err = tx.MakeLink(ctx, store.LinkInvitation, &person, &account, d.now(), time.Hour)
		return err
	})
	return secret
}

func TestAcceptingAnInvitation(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	p := d.people
	d.account(100, "North")
	d.account(200, "South")
	d.account(300, "West")
	d.person("bob", "bob@example.com", "")
	d.member(200, "bob", false)
	secret := d.invite(100, "bob")
	b := d.browser("192.0.2.1")
	in, err := p.Invitation(ctx, b.visitor(), secret)
	if err != nil || in != (Invited{AccountID: 100, Account: "North", Role: api.RoleAdministrator, Email: "bob@example.com", Name: "Name of bob"}) {
		t.Fatalf("%+v, %v", in, err)
	}
	if _, err := p.AcceptInvitation(ctx, b.visitor(), secret, "", "short"); code(err) != api.CodeInvalid || !strings.Contains(err.Error(), "name: ") || !strings.Contains(err.Error(), "password: ") {
		t.Errorf("%v", err)
	}
	ticket, err := p.AcceptInvitation(ctx, b.visitor(), secret, "Bob", good)
	if err != nil {
		t.Fatal(err)
	}
	b.keep(ticket)
	s := b.mustResolve()
	if s.Person.Name != "Bob" || s.Account != 100 || len(s.Memberships) != 2 {
		t.Errorf("%+v", s)
	}
	joined := map[int64]bool{}
	for _, e := range d.events() {
		if e.Action == audit.JoinMember && e.Actor.Name == "Bob" {
			joined[e.Account] = true
		}
	}
	if !joined[100] || !joined[200] || len(joined) != 2 {
		t.Errorf("joins are recorded in %v", joined)
	}

	// Who is known joins with the password they have, and guessing it is limited.
	secret = d.invite(300, "bob")
	if in, err := p.Invitation(ctx, b.visitor(), secret); err != nil || !in.Known {
		t.Fatalf("%+v, %v", in, err)
	}
	other := d.browser("192.0.2.2")
	for range 10 {
		if _, err := p.AcceptInvitation(ctx, other.visitor(), secret, "", "wrong and long enough"); code(err) != api.CodeInvalid || !strings.Contains(err.Error(), "password: ") {
			t.Fatalf("%v", err)
		}
	}
	if _, err := p.AcceptInvitation(ctx, other.visitor(), secret, "", good); code(err) != api.CodeTooMany {
		t.Errorf("%v", err)
	}
	if ticket, err = p.AcceptInvitation(ctx, b.visitor(), secret, "Mallory", good); err != nil {
		t.Fatal(err)
	}
	b.keep(ticket)
	if s := b.mustResolve(); s.Account != 300 || len(s.Memberships) != 3 || s.Person.Name != "Bob" {
		t.Errorf("%+v", s)
	}
	if _, err := p.AcceptInvitation(ctx, b.visitor(), secret, "", good); code(err) != api.CodeNotFound {
		t.Errorf("accepted twice: %v", err)
	}
}

func TestAWithdrawnInvitationOpensNothing(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	d.account(100, "North")
	d.person("bob", "bob@example.com", "")
	secret := d.invite(100, "bob")
	v := d.browser("192.0.2.1").visitor()
	refused := func(why string) {
		t.Helper()
		if in, err := d.people.Invitation(ctx, v, secret); code(err) != api.CodeNotFound || in != (Invited{}) {
			t.Errorf("%s: %+v, %v", why, in, err)
		}
		if _, err := d.people.AcceptInvitation(ctx, v, secret, "Bob", good); code(err) != api.CodeNotFound {
			t.Errorf("%s: %v", why, err)
		}
	}
	d.act(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.SuspendAccount(ctx, store.SuspendAccountParams{ID: 100, At: ptr(int64(1)), Why: "x"})
		return err
	})
	refused("account suspended")
	d.act(func(ctx context.Context, tx *store.Tx) error { _, err := tx.ResumeAccount(ctx, 100); return err })
	if _, err := d.people.Invitation(ctx, v, secret); err != nil {
		t.Fatal(err)
	}
	d.act(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.RemoveMember(ctx, store.RemoveMemberParams{Account: 100, Person: "bob"})
		return err
	})
	refused("membership removed")
	if person, err := d.db.Read().Person(ctx, "bob"); err != nil || person.Password != nil {
		t.Errorf("a password was set all the same: %v", err)
	}
}
