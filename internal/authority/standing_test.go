package authority_test

import (
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

// The session was resolved, or the verifier asked, a moment before the act. What ended in between must not
// be used once more (SECURITY.md, class 26).
func TestRightsThatEndedSinceTheRequestBeganAreNotUsed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	attempt := func(by authority.Actor, name string) error {
		_, err := w.CreateToken(ctx, by, agency, wants(name, harmless...), authority.Once{})
		return err
	}
	if err := attempt(w.specialist, "While a specialist"); err != nil {
		t.Fatal(err)
	}
	analyst := api.RoleAnalyst
	if _, err := w.EditMember(ctx, w.admin, agency, w.specialist.Person, api.MemberEdit{Role: &analyst}); err != nil {
		t.Fatal(err)
	}
	refused(t, attempt(w.specialist, "With a role that was"), api.CodeForbidden)

	if err := w.RemoveMember(ctx, w.admin, agency, w.trusted.Person); err != nil {
		t.Fatal(err)
	}
	refused(t, attempt(w.trusted, "After leaving"), api.CodeForbidden)

	robot := w.create(w.admin, agency, api.TokenCreate{Name: "Robot", API: authority.ZeroAPI, Scopes: []string{"tokens.create-token"}}).Token
	by := authority.Actor{Token: robot.SID, Name: robot.Name, Account: agency, Role: api.RoleAdministrator}
	if err := attempt(by, "By a live token"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DisableToken(ctx, w.admin, agency, robot.SID, ""); err != nil {
		t.Fatal(err)
	}
	refused(t, attempt(by, "By a disabled token"), api.CodeForbidden)

	if _, err := w.SuspendAccount(ctx, w.operator, agency, "unpaid"); err != nil {
		t.Fatal(err)
	}
	refused(t, attempt(w.admin, "In a suspended account"), api.CodeForbidden)
}

// A token registers nobody who could make a stronger one (SECURITY.md, class 32), and is shown no secret
// that outlives it.
func TestATokenMakesNothingStrongerThanItself(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	long := w.create(w.admin, agency, api.TokenCreate{Name: "Long", API: "agency", NeverExpires: true, Scopes: harmless, Reach: api.ReachNone}).Token
	made := w.create(w.admin, agency, api.TokenCreate{Name: "Robot", API: authority.ZeroAPI, Scopes: []string{"tokens.create-token"}}).Token
	by := authority.Actor{Token: made.SID, Name: made.Name, Account: agency, Role: api.RoleAdministrator, Until: w.now().Add(1e9).UnixMicro()}

	_, err := w.InviteMember(ctx, by, agency, api.MemberInvite{Email: "new@example.com", Role: api.RoleAdministrator})
	refused(t, err, api.CodeForbidden)
	admin := api.RoleAdministrator
	_, err = w.EditMember(ctx, by, agency, w.analyst.Person, api.MemberEdit{Role: &admin})
	refused(t, err, api.CodeForbidden)
	if _, err := w.InviteMember(ctx, by, agency, api.MemberInvite{Email: "new@example.com", Role: api.RoleAnalyst}); err != nil {
		t.Error(err)
	}

	_, err = w.ResetToken(ctx, by, agency, long.SID, 0)
	refused(t, err, api.CodeForbidden)
}
