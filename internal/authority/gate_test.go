package authority_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/authority"
)

// deeds has, for every action of the gate, a way to do it that succeeds for whoever may.
func (w *world) deeds() map[audit.Action]func(by authority.Actor) error {
	all := w.accountDeeds()
	maps.Copy(all, w.memberDeeds())
	maps.Copy(all, w.tokenDeeds())
	return all
}

func (w *world) accountDeeds() map[audit.Action]func(by authority.Actor) error {
	ctx, n := w.t.Context(), 0
	return map[audit.Action]func(by authority.Actor) error{
		audit.CreateAccount: func(by authority.Actor) error {
			n++
			_, err := w.CreateAccount(ctx, by, api.AccountCreate{ID: int64(100 + n), Kind: api.KindPartner, Name: "P"})
			return err
		},
		audit.EditAccount: func(by authority.Actor) error {
			now, err := w.Account(ctx, w.operator, agency)
			if err != nil {
				return err
			}
			_, err = w.EditAccount(ctx, by, agency, api.AccountEdit{Name: ptr("Brightline"), Revision: now.Revision})
			return err
		},
		audit.SuspendAccount: func(by authority.Actor) error {
			_, err := w.SuspendAccount(ctx, by, agency, "unpaid")
			if err == nil {
				_, err = w.ResumeAccount(ctx, w.operator, agency)
			}
			return err
		},
		audit.ResumeAccount: func(by authority.Actor) error {
			_, err := w.SuspendAccount(ctx, w.operator, agency, "unpaid")
			if err == nil {
				if _, err = w.ResumeAccount(ctx, by, agency); err != nil {
					_, again := w.ResumeAccount(ctx, w.operator, agency)
					err = errors.Join(err, again)
				}
			}
			return err
		},
		audit.CreateManagement: func(by authority.Actor) error {
			_, err := w.CreateManagement(ctx, by, api.ManagementCreate{Agency: agency, Brand: foreign})
			if err == nil {
				_, err = w.EndManagement(ctx, w.operator, agency, foreign)
			}
			return err
		},
		audit.EndManagement: func(by authority.Actor) error {
			_, err := w.EndManagement(ctx, by, agency, brandB)
			if err == nil {
				_, err = w.CreateManagement(ctx, w.operator, api.ManagementCreate{Agency: agency, Brand: brandB})
			}
			return err
		},
		audit.WithholdScope: func(by authority.Actor) error {
			return w.Withhold(ctx, by, agency, api.WithheldScope{API: "agency", Scope: "reports.make-report"})
		},
		audit.ReleaseScope: func(by authority.Actor) error {
			s := api.WithheldScope{API: "agency", Scope: "reports.make-report"}
			if err := w.Withhold(ctx, w.operator, agency, s); err != nil {
				return err
			}
			return w.Release(ctx, by, agency, s)
		},
		audit.PublishCatalogue: func(by authority.Actor) error {
			n++
			in := api.CatalogUpload{Documents: pack(w.t, edited(w.t, "title: Agency API", fmt.Sprint("title: Agency API ", n)))}
			if _, err := w.DiffCatalogue(ctx, by, in); err != nil {
				return err
			}
			_, err := w.PublishCatalogue(ctx, by, in)
			return err
		},
		audit.InviteOperator: func(by authority.Actor) error {
			n++
			return w.InviteOperator(ctx, by, fmt.Sprintf("op%d@platform.example", n))
		},
	}
}

func (w *world) memberDeeds() map[audit.Action]func(by authority.Actor) error {
	ctx, n := w.t.Context(), 0
	someone := func() string {
		n++
		return w.member(agency, fmt.Sprint("someone", n), api.RoleAnalyst, false).Person
	}
	return map[audit.Action]func(by authority.Actor) error{
		audit.InviteMember: func(by authority.Actor) error {
			n++
			m, err := w.InviteMember(ctx, by, agency, api.MemberInvite{Email: fmt.Sprintf("m%d@people.example", n), Name: "M", Role: api.RoleAnalyst})
			if err != nil {
				return err
			}
			return w.Reinvite(ctx, by, agency, m.Person)
		},
		audit.ChangeRole: func(by authority.Actor) error {
			_, err := w.EditMember(ctx, by, agency, someone(), api.MemberEdit{Role: ptr(api.RoleSpecialist)})
			return err
		},
		audit.ChangeAllowSensitive: func(by authority.Actor) error {
			_, err := w.EditMember(ctx, by, agency, someone(), api.MemberEdit{AllowSensitive: ptr(true)})
			return err
		},
		audit.RemoveMember: func(by authority.Actor) error { return w.RemoveMember(ctx, by, agency, someone()) },
	}
}

func (w *world) tokenDeeds() map[audit.Action]func(by authority.Actor) error {
	ctx, n := w.t.Context(), 0
	fresh := func() api.Token {
		n++
		return w.create(w.admin, agency, wants(fmt.Sprint("Fresh ", n), harmless...)).Token
	}
	disabled := func() api.Token {
		t := fresh()
		if _, err := w.DisableToken(ctx, w.admin, agency, t.SID, ""); err != nil {
			w.t.Fatal(err)
		}
		return t
	}
	return map[audit.Action]func(by authority.Actor) error{
		audit.CreateToken: func(by authority.Actor) error {
			n++
			in := wants(fmt.Sprint("New ", n), harmless...)
			in.PrimaryContact = w.admin.Person
			if _, err := w.BeginDraft(ctx, by, agency, []byte("{}")); err != nil {
				return err
			}
			_, err := w.CreateToken(ctx, by, agency, in, authority.Once{})
			return err
		},
		audit.DuplicateToken: func(by authority.Actor) error {
			n++
			_, err := w.DuplicateToken(ctx, by, agency, fresh().SID, api.TokenDuplicate{Name: fmt.Sprint("Copy ", n)}, authority.Once{})
			return err
		},
		audit.EditToken: func(by authority.Actor) error {
			t := fresh()
			edit := api.TokenEdit{Description: ptr("d"), Revision: t.Revision}
			if _, err := w.PreviewEdit(ctx, by, agency, t.SID, edit); err != nil {
				return err
			}
			_, err := w.EditToken(ctx, by, agency, t.SID, edit)
			return err
		},
		audit.ResetToken: func(by authority.Actor) error { _, err := w.ResetToken(ctx, by, agency, fresh().SID, 0); return err },
		audit.UpgradeToken: func(by authority.Actor) error {
			n++
			in := wants(fmt.Sprint("Old ", n), "jobs.get-job")
			in.Version = "2"
			_, err := w.UpgradeToken(ctx, by, agency, w.create(w.admin, agency, in).Token.SID, api.TokenUpgrade{})
			return err
		},
		audit.DisableToken: func(by authority.Actor) error { _, err := w.DisableToken(ctx, by, agency, fresh().SID, ""); return err },
		audit.EnableToken: func(by authority.Actor) error {
			_, err := w.EnableToken(ctx, by, agency, disabled().SID, api.TokenEnable{})
			return err
		},
		audit.DeleteToken: func(by authority.Actor) error { _, err := w.DeleteToken(ctx, by, agency, fresh().SID, ""); return err },
	}
}

// ofNoAccount are acts on the installation, or on an account that is still to come.
var ofNoAccount = map[audit.Action]bool{audit.InviteOperator: true, audit.PublishCatalogue: true, audit.CreateAccount: true}

// The role × action table (ASVS 8.1.1), done: whoever may, can; whoever may not is refused, the refusal
// is counted, and nothing has changed. Somebody of another account cannot tell that there is anything.
func TestEveryActionAsksForItsRole(t *testing.T) {
	w := newWorld(t)
	deeds := w.deeds()
	rank := map[string]int{"Operator": 1, "Account Administrator": 2, "Implementation Specialist": 3}
	people := []struct {
		name string
		by   authority.Actor
		rank int
	}{
		{"operator", w.operator, 1}, {"administrator", w.admin, 2}, {"specialist", w.specialist, 3}, {"analyst", w.analyst, 4},
	}
	for action, role := range authority.Gates() {
		do := deeds[action]
		if do == nil {
			t.Errorf("%s has no test", action)
			continue
		}
		for _, p := range people {
			err := do(p.by)
			if p.rank <= rank[role] {
				if err != nil {
					t.Errorf("%s by %s: %v", action, p.name, err)
				}
				continue
			}
			if ofNoAccount[action] { // there is nothing of the account in it: like another account's
				refused(t, err, api.CodeNotFound)
				continue
			}
			refused(t, err, api.CodeForbidden)
		}
		for name, by := range map[string]authority.Actor{
			"an administrator of another account": w.rivalAdmin, "nobody": {}, "a person without a role": {Person: "x", Account: agency},
			"an unknown role": {Person: "x", Account: agency, Role: "owner"}, "an administrator of no account": {Person: "x", Role: api.RoleAdministrator},
		} {
			if e := refused(t, do(by), api.CodeNotFound); e.Detail != "There is no such account here." {
				t.Errorf("%s by %s reads %q", action, name, e.Detail)
			}
		}
	}
}

func TestARefusedActChangesNothing(t *testing.T) {
	w := newWorld(t)
	deeds := w.deeds()
	token := w.create(w.admin, agency, wants("Kept", harmless...)).Token
	ctx := t.Context()
	before, events := w.token(token.SID), w.head()
	for _, err := range []error{
		deeds[audit.CreateToken](w.analyst), deeds[audit.CreateAccount](w.admin), deeds[audit.InviteMember](w.specialist),
		func() error { _, err := w.ResetToken(ctx, w.analyst, agency, token.SID, 0); return err }(),
		func() error { _, err := w.DeleteToken(ctx, w.analyst, agency, token.SID, ""); return err }(),
		func() error { _, err := w.DisableToken(ctx, w.rivalAdmin, agency, token.SID, ""); return err }(),
		func() error { _, err := w.DisableToken(ctx, w.rivalAdmin, rival, token.SID, ""); return err }(),
	} {
		if err == nil {
			t.Error("passed")
		}
	}
	if after := w.token(token.SID); after.Revision != before.Revision || after.State != before.State || w.head() != events {
		t.Errorf("the token was %+v and is %+v", before, after)
	}
}

// SECURITY.md, class 35: what belongs to another account and what does not exist answer alike, octet for
// octet, whatever is asked.
func TestForeignAndUnknownTokensAreNotToldApart(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	theirs := w.create(w.rivalAdmin, rival, wants("Theirs", "jobs.get-job")).Token
	deleted := w.create(w.admin, agency, wants("Gone", "jobs.get-job")).Token
	if _, err := w.DeleteToken(ctx, w.admin, agency, deleted.SID, ""); err != nil {
		t.Fatal(err)
	}
	bySID := map[string]func(sid string) error{
		"read": func(sid string) error { _, err := w.Token(ctx, w.admin, agency, sid); return err },
		"edit": func(sid string) error { _, err := w.EditToken(ctx, w.admin, agency, sid, api.TokenEdit{}); return err },
		"preview": func(sid string) error {
			_, err := w.PreviewEdit(ctx, w.admin, agency, sid, api.TokenEdit{})
			return err
		},
		"reset":   func(sid string) error { _, err := w.ResetToken(ctx, w.admin, agency, sid, 0); return err },
		"disable": func(sid string) error { _, err := w.DisableToken(ctx, w.admin, agency, sid, ""); return err },
		"enable": func(sid string) error {
			_, err := w.EnableToken(ctx, w.admin, agency, sid, api.TokenEnable{})
			return err
		},
		"delete": func(sid string) error { _, err := w.DeleteToken(ctx, w.admin, agency, sid, ""); return err },
		"upgrade": func(sid string) error {
			_, err := w.UpgradeToken(ctx, w.admin, agency, sid, api.TokenUpgrade{})
			return err
		},
		"plan":  func(sid string) error { _, err := w.PlanUpgrade(ctx, w.admin, agency, sid, "", ""); return err },
		"since": func(sid string) error { _, err := w.SecretSince(ctx, w.admin, agency, sid); return err },
		"duplicate": func(sid string) error {
			_, err := w.DuplicateToken(ctx, w.admin, agency, sid, api.TokenDuplicate{Name: "X"}, authority.Once{})
			return err
		},
	}
	for name, ask := range bySID {
		nothing := refused(t, ask("0000000000000000000000"), api.CodeNotFound)
		for what, sid := range map[string]string{"foreign": theirs.SID, "deleted": deleted.SID, "no SID": "' OR 1=1 --", "empty": ""} {
			if e := refused(t, ask(sid), api.CodeNotFound); e.Error() != nothing.Error() {
				t.Errorf("%s of %s token: %v; of an unknown one: %v", name, what, e, nothing)
			}
		}
	}
}

func TestForeignAndUnknownAccountsAreNotToldApart(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	theirs := w.create(w.rivalAdmin, rival, wants("Theirs", "jobs.get-job")).Token
	byAccount := map[string]func(account int64) error{
		"account": func(id int64) error { _, err := w.Account(ctx, w.admin, id); return err },
		"tokens":  func(id int64) error { _, err := w.Tokens(ctx, w.admin, id, authority.TokenQuery{}); return err },
		"token":   func(id int64) error { _, err := w.Token(ctx, w.admin, id, theirs.SID); return err },
		"members": func(id int64) error { _, err := w.Members(ctx, w.admin, id); return err },
		"offer":   func(id int64) error { _, err := w.Offer(ctx, w.admin, id); return err },
		"links":   func(id int64) error { _, err := w.Managements(ctx, w.admin, id); return err },
		"history": func(id int64) error { _, err := w.History(ctx, w.admin, id, authority.HistoryQuery{}); return err },
		"export": func(id int64) error {
			return w.ExportHistory(ctx, w.admin, id, authority.HistoryQuery{}, "csv", io.Discard)
		},
		"callers": func(id int64) error { _, err := w.Callers(ctx, w.admin, id, "agency", "3", 3); return err },
		"name":    func(id int64) error { return w.NameFree(ctx, w.admin, id, "Theirs", "") },
		"draft":   func(id int64) error { _, err := w.Draft(ctx, w.admin, id, "x"); return err },
		"create": func(id int64) error {
			_, err := w.CreateToken(ctx, w.admin, id, wants("X"), authority.Once{})
			return err
		},
		"invite": func(id int64) error {
			_, err := w.InviteMember(ctx, w.admin, id, api.MemberInvite{Email: "x@y.example", Name: "x", Role: api.RoleAnalyst})
			return err
		},
		"remove":    func(id int64) error { return w.RemoveMember(ctx, w.admin, id, w.rivalAdmin.Person) },
		"operators": func(id int64) error { _, err := w.Operators(ctx, w.admin); return err },
	}
	for name, ask := range byAccount {
		there, nowhere, zero := refused(t, ask(rival), api.CodeNotFound), refused(t, ask(unknown), api.CodeNotFound), refused(t, ask(0), api.CodeNotFound)
		if there.Error() != nowhere.Error() || zero.Error() != nowhere.Error() {
			t.Errorf("%s of a foreign account: %v; of an unknown one: %v; of the operator's: %v", name, there, nowhere, zero)
		}
	}
}

// The own account is asked, with ids of another one's people, drafts and names.
func TestForeignAndUnknownPeopleAndDraftsAreNotToldApart(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.create(w.rivalAdmin, rival, wants("Theirs", "jobs.get-job"))
	d, err := w.BeginDraft(ctx, w.rivalAdmin, rival, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_, foreignDraft := w.Draft(ctx, w.admin, agency, d.ID)
	_, noDraft := w.Draft(ctx, w.admin, agency, "nothing")
	foreignMember, noMember := w.RemoveMember(ctx, w.admin, agency, w.rivalAdmin.Person), w.RemoveMember(ctx, w.admin, agency, "nobody")
	for _, pair := range [][2]error{{foreignDraft, noDraft}, {foreignMember, noMember}} {
		if a, b := refused(t, pair[0], api.CodeNotFound), refused(t, pair[1], api.CodeNotFound); a.Error() != b.Error() {
			t.Errorf("%v and %v", a, b)
		}
	}
	// Another account's names are free here, and its tokens are in no list.
	if err := w.NameFree(ctx, w.admin, agency, "Theirs", ""); err != nil {
		t.Error(err)
	}
	page, err := w.Tokens(ctx, w.admin, agency, authority.TokenQuery{})
	if err != nil || page.Total != 0 {
		t.Errorf("the list has %d tokens: %v", page.Total, err)
	}
	accounts, err := w.Accounts(ctx, w.admin, authority.AccountQuery{})
	if err != nil || len(accounts.Items) != 1 || accounts.Items[0].ID != agency {
		t.Errorf("accounts %v: %v", accounts, err)
	}
}

func TestAnAnalystReadsAndDoesNothingElse(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	token := w.create(w.admin, agency, wants("Seen", harmless...)).Token
	if got, err := w.Token(ctx, w.analyst, agency, token.SID); err != nil || got.Name != "Seen" {
		t.Error(err)
	}
	for _, err := range []error{
		func() error { _, err := w.Members(ctx, w.analyst, agency); return err }(),
		func() error { _, err := w.History(ctx, w.analyst, agency, authority.HistoryQuery{}); return err }(),
		func() error { _, err := w.PlanUpgrade(ctx, w.analyst, agency, token.SID, "", "4"); return err }(),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	offer, err := w.Offer(ctx, w.analyst, agency)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range offer.APIs {
		for _, v := range a.Versions {
			for _, c := range v.Categories {
				for _, s := range c.Scopes {
					if s.Allowed || s.Reason == "" {
						t.Errorf("an analyst may give %s", s.Name)
					}
				}
			}
		}
	}
}
