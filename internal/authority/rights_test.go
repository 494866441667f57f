package authority_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

// shown are the acts after which a person reads a secret, each on a token that opens these scopes. The
// name is to be new in each call.
func (w *world) shown(by authority.Actor, name string, in api.TokenCreate) map[string]func() (authority.Issued, error) {
	ctx := w.t.Context()
	in.Name = name + " made before"
	in.PrimaryContact = w.admin.Person
	made := w.create(w.operator, agency, in).Token.SID
	in.Name = name + " disabled before"
	disabled := w.create(w.operator, agency, in).Token.SID
	if _, err := w.DisableToken(ctx, w.operator, agency, disabled, ""); err != nil {
		w.t.Fatal(err)
	}
	return map[string]func() (authority.Issued, error){
		"create": func() (authority.Issued, error) {
			in.Name = name + " created"
			return w.CreateToken(ctx, by, agency, in, authority.Once{})
		},
		"duplicate": func() (authority.Issued, error) {
			return w.DuplicateToken(ctx, by, agency, made, api.TokenDuplicate{Name: name + " copied"}, authority.Once{})
		},
		"reset": func() (authority.Issued, error) { return w.ResetToken(ctx, by, agency, made, 0) },
		"enable with reset": func() (authority.Issued, error) {
			return w.EnableToken(ctx, by, agency, disabled, api.TokenEnable{Reset: true})
		},
	}
}

// Who is shown a secret must be allowed to give every scope that the token holds (SECURITY.md, class
// 33): a specialist who may not give a sensitive scope gets it neither by create nor around it.
func TestWhoIsShownASecretMayGiveEveryScope(t *testing.T) {
	w := newWorld(t)
	nested := wants("", "brand/bank.get-bank", "jobs.read")
	nested.Reach = api.ReachAll
	old := wants("", "keys.get-key")
	old.Version = "2"
	for n, c := range []struct {
		name string
		by   authority.Actor
		in   api.TokenCreate
		may  bool
	}{
		{"specialist, harmless", w.specialist, wants("", harmless...), true},
		{"specialist, no scope", w.specialist, wants(""), true},
		{"specialist, sensitive", w.specialist, wants("", sensitive...), false},
		{"specialist, sensitive of an older version", w.specialist, old, false},
		{"specialist, sensitive of a nested API", w.specialist, nested, false},
		{"trusted specialist, sensitive", w.trusted, wants("", sensitive...), true},
		{"trusted specialist, sensitive of a nested API", w.trusted, nested, true},
		{"administrator, sensitive", w.admin, wants("", sensitive...), true},
		{"operator, sensitive", w.operator, wants("", sensitive...), true},
		{"analyst, harmless", w.analyst, wants("", harmless...), false},
		{"an allowance without a role", authority.Actor{Person: "x", Account: agency, AllowSensitive: true}, wants("", harmless...), false},
		{"an analyst with an allowance", authority.Actor{Person: w.analyst.Person, Account: agency, Role: api.RoleAnalyst, AllowSensitive: true}, wants(""), false},
	} {
		for act, do := range w.shown(c.by, fmt.Sprint("T", n), c.in) {
			before := w.head()
			out, err := do()
			switch {
			case c.may && (err != nil || out.Secret.Reveal() == ""):
				t.Errorf("%s: %s: %v", c.name, act, err)
			case !c.may && (err == nil || out.Secret.Reveal() != ""):
				t.Errorf("%s: %s showed a secret", c.name, act)
			case !c.may:
				refusal(t, err)
				if w.head() != before {
					t.Errorf("%s: a refused %s took a position", c.name, act)
				}
			}
		}
	}
}

// What the operator withholds from an account nobody gives there: not an administrator, in no version,
// and a token that holds it already keeps it but shows its secret to nobody.
func TestAWithheldScopeIsGivenByNobody(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	held := w.create(w.admin, agency, wants("Holds it", harmless...)).Token
	if err := w.Withhold(ctx, w.operator, agency, api.WithheldScope{API: "agency", Scope: "jobs.get-job"}); err != nil {
		t.Fatal(err)
	}
	for _, by := range []authority.Actor{w.admin, w.trusted, w.specialist, w.operator} {
		for _, version := range []string{"2", "3", "4"} {
			in := wants("New", "jobs.get-job")
			in.Version, in.PrimaryContact = version, w.admin.Person
			_, err := w.CreateToken(ctx, by, agency, in, authority.Once{})
			if e := refused(t, err, api.CodeInvalid, "scopes"); !strings.Contains(e.Error(), "Withheld") {
				t.Errorf("reads %v", e)
			}
		}
		_, err := w.ResetToken(ctx, by, agency, held.SID, 0)
		refused(t, err, api.CodeForbidden)
		_, err = w.DuplicateToken(ctx, by, agency, held.SID, api.TokenDuplicate{Name: "Copy"}, authority.Once{})
		refused(t, err, api.CodeForbidden)
	}
	if got := w.token(held.SID); len(got.Pins[0].Scopes) != 2 || len(w.digests(held.SID)) != 1 {
		t.Errorf("the token lost something: %+v", got)
	}
	in := wants("Theirs", "jobs.get-job")
	if _, err := w.CreateToken(ctx, w.rivalAdmin, rival, in, authority.Once{}); err != nil {
		t.Errorf("another account: %v", err)
	}
	if err := w.Release(ctx, w.operator, agency, api.WithheldScope{API: "agency", Scope: "jobs.get-job"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ResetToken(ctx, w.specialist, agency, held.SID, 0); err != nil {
		t.Errorf("after its release: %v", err)
	}
	refused(t, w.Withhold(ctx, w.operator, agency, api.WithheldScope{API: "agency", Scope: "no.such"}), api.CodeInvalid, "scope")
	refused(t, w.Release(ctx, w.operator, agency, api.WithheldScope{API: "agency", Scope: "jobs.get-job"}), api.CodeNotFound)
}

// The wizard's boxes and the act agree: every box that is offered can be given, every grey one is refused.
func TestTheOfferIsWhatCanBeGiven(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.Withhold(ctx, w.operator, agency, api.WithheldScope{API: "brand", Scope: "ads.read"}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, by := range []authority.Actor{w.admin, w.trusted, w.specialist, w.analyst} {
		offer, err := w.Offer(ctx, by, agency)
		if err != nil {
			t.Fatal(err)
		}
		boxes := 0
		for _, a := range offer.APIs {
			for _, v := range a.Versions {
				for _, c := range v.Categories {
					for _, s := range c.Scopes {
						boxes++
						n++
						in := api.TokenCreate{Name: fmt.Sprint("Box ", n), API: a.Name, Version: v.Name, Scopes: []string{s.Name}}
						if a.Nested {
							in.API, in.Version, in.Reach, in.BrandVersion, in.Scopes = "agency", "3", api.ReachAll, v.Name, []string{a.Name + "/" + s.Name}
						}
						_, err := w.CreateToken(ctx, by, agency, in, authority.Once{})
						if (err == nil) != s.Allowed || s.Allowed != (s.Reason == "") {
							t.Errorf("%s: %s %s %s is offered %v (%s), and giving it answers %v", by.Name, a.Name, v.Name, s.Name, s.Allowed, s.Reason, err)
						}
					}
				}
			}
		}
		if boxes < 10 {
			t.Errorf("%s sees %d boxes", by.Name, boxes)
		}
	}
	offer, err := w.Offer(ctx, w.admin, agency)
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, v := range offer.APIs[slices.IndexFunc(offer.APIs, func(a api.OfferAPI) bool { return a.Name == "agency" })].Versions {
		versions = append(versions, fmt.Sprint(v.Name, " ", v.State, " ", v.Latest))
	}
	if diff := cmp.Diff([]string{"3 current true", "4 preview false", "2 deprecated false"}, versions); diff != "" {
		t.Errorf("versions, the retired one left out:\n%s", diff)
	}
	var brands []int64
	for _, b := range offer.Brands {
		brands = append(brands, b.ID)
	}
	if diff := cmp.Diff([]int64{brandA, brandB}, brands); diff != "" {
		t.Error(diff)
	}
	if len(offer.Contacts) != 4 {
		t.Errorf("contacts %v", offer.Contacts)
	}
}

// The management API's tokens: for administrators and the operator, never for the operator's own scopes
// in an account, and never made or shown by a token (SECURITY.md, class 32).
func TestTokensOfTheManagementAPI(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	zero := func(by authority.Actor, account int64, name string, scopes ...string) (authority.Issued, error) {
		return w.CreateToken(ctx, by, account, api.TokenCreate{Name: name, API: authority.ZeroAPI, Scopes: scopes}, authority.Once{})
	}
	made, err := zero(w.admin, agency, "Robot", "tokens.create-token", "tokens.list-tokens")
	if err != nil || !made.Token.Zero || !strings.Contains(made.Secret.Reveal(), "_") {
		t.Fatalf("%+v, %v", made.Token, err)
	}
	own, err := zero(w.operator, 0, "Operator's robot", "accounts.list-accounts", "tokens.list-tokens")
	if err != nil || own.Token.Account != 0 {
		t.Fatal(err)
	}
	ordinary := w.create(w.admin, agency, wants("Ordinary", harmless...))
	if prefix := func(i authority.Issued) string { p, _, _ := strings.Cut(i.Secret.Reveal(), "_"); return p }; prefix(made) == prefix(ordinary) {
		t.Error("both kinds of credentials have one prefix")
	}
	for name, err := range map[string]error{
		"a specialist": func() error { _, err := zero(w.trusted, agency, "A", "tokens.list-tokens"); return err }(),
		"an account with the operator's scopes": func() error {
			_, err := zero(w.admin, agency, "B", "accounts.list-accounts")
			return err
		}(),
		"with reach": func() error {
			_, err := w.CreateToken(ctx, w.admin, agency, api.TokenCreate{Name: "C", API: authority.ZeroAPI, Reach: api.ReachAll}, authority.Once{})
			return err
		}(),
		"with an agency scope": func() error { _, err := zero(w.admin, agency, "D", "agency/jobs.read"); return err }(),
	} {
		if err == nil {
			t.Errorf("%s: passed", name)
		}
	}
	// Those who may not make them do not see them either.
	_, err = w.Token(ctx, w.trusted, agency, made.Token.SID)
	refused(t, err, api.CodeNotFound)
	_, err = w.Tokens(ctx, w.trusted, agency, authority.TokenQuery{Zero: true})
	refused(t, err, api.CodeForbidden)
	page, err := w.Tokens(ctx, w.admin, agency, authority.TokenQuery{})
	if err != nil || len(page.Items) != 1 || page.Items[0].Zero {
		t.Errorf("the list of ordinary tokens: %v, %v", page.Items, err)
	}

	robot := authority.Actor{Token: made.Token.SID, Name: "Robot", Account: agency, Role: api.RoleAdministrator}
	_, err = zero(robot, agency, "E", "tokens.list-tokens")
	refused(t, err, api.CodeInvalid, "scopes")
	_, err = w.ResetToken(ctx, robot, agency, made.Token.SID, 0)
	refused(t, err, api.CodeForbidden)
	_, err = w.DuplicateToken(ctx, robot, agency, made.Token.SID, api.TokenDuplicate{Name: "F"}, authority.Once{})
	refused(t, err, api.CodeForbidden)
	_, err = w.CreateToken(ctx, robot, rival, wants("G"), authority.Once{})
	refused(t, err, api.CodeNotFound)

	mine := w.create(robot, agency, wants("By robot", harmless...))
	if mine.Token.CreatedBy != "Robot" || mine.Token.PrimaryContact == nil || mine.Token.PrimaryContact.Person != w.admin.Person {
		t.Errorf("%+v", mine.Token)
	}
	self, err := w.Self(ctx, made.Token.SID)
	if err != nil || !self.Zero || self.Account != agency {
		t.Errorf("%+v, %v", self, err)
	}
}

func TestATokenMintsNoneThatOutlivesIt(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	until := w.now().Add(48 * time.Hour)
	made := w.create(w.admin, agency, api.TokenCreate{Name: "Robot", API: authority.ZeroAPI, Scopes: []string{"tokens.create-token"}})
	robot := authority.Actor{Token: made.Token.SID, Name: "Robot", Account: agency, Role: api.RoleAdministrator, Until: until.UnixMicro()}

	in := wants("As long as the robot")
	if got := w.create(robot, agency, in).Token; got.Expires == nil || !got.Expires.Equal(until) {
		t.Errorf("ends %v, want %v", got.Expires, until)
	}
	in = wants("Shorter")
	in.Expires = ptr(w.now().Add(time.Hour))
	short := w.create(robot, agency, in).Token
	for _, in := range []api.TokenCreate{
		{Name: "Longer", Expires: ptr(until.Add(time.Microsecond))}, {Name: "Endless", NeverExpires: true},
	} {
		_, err := w.CreateToken(ctx, robot, agency, in, authority.Once{})
		refused(t, err, api.CodeInvalid, "expires")
	}
	_, err := w.EditToken(ctx, robot, agency, short.SID, api.TokenEdit{NeverExpires: ptr(true), Revision: short.Revision})
	refused(t, err, api.CodeInvalid, "expires")
	copied, err := w.DuplicateToken(ctx, robot, agency, short.SID, api.TokenDuplicate{Name: "Copy"}, authority.Once{})
	if err != nil || copied.Token.Expires == nil || copied.Token.Expires.After(until) {
		t.Errorf("the copy ends %v: %v", copied.Token.Expires, err)
	}
	// Nor is it shown the secret of one that does: a reset would hand out what a create may not.
	endless := w.create(w.admin, agency, wants("Endless of somebody", harmless...)).Token
	secrets := w.digests(endless.SID)
	_, err = w.ResetToken(ctx, robot, agency, endless.SID, 0)
	refused(t, err, api.CodeForbidden)
	if _, err := w.DisableToken(ctx, robot, agency, endless.SID, ""); err != nil {
		t.Fatal(err)
	}
	_, err = w.EnableToken(ctx, robot, agency, endless.SID, api.TokenEnable{Reset: true})
	refused(t, err, api.CodeForbidden)
	if !slices.Equal(secrets, w.digests(endless.SID)) {
		t.Error("its secret changed")
	}
	if _, err := w.ResetToken(ctx, robot, agency, short.SID, 0); err != nil {
		t.Errorf("a reset of one that ends before it: %v", err)
	}
}
