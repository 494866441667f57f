package console

import (
	"errors"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

func (c *Console) members(v *visit) error { return c.drawMembers(v, "", "", nil) }

func (c *Console) drawMembers(v *visit, email string, role view.Role, errs view.Errors) error {
	if v.by.Role != api.RoleAdministrator {
		return api.Forbidden("Only an Account Administrator manages members.")
	}
	list, err := c.authority.Members(v.r.Context(), v.by, v.account)
	if err != nil {
		return err
	}
	p := view.MembersPage{Frame: v.frame(), Email: email, Role: role, Errors: errs}
	for _, m := range list {
		p.Members = append(p.Members, v.memberRow(m, administrators(list)))
	}
	return v.draw(statusOf(errs), view.Members(p))
}

func administrators(list []api.Member) int {
	n := 0
	for _, m := range list {
		if m.Role == api.RoleAdministrator && m.Active() {
			n++
		}
	}
	return n
}

func (v *visit) memberRow(m api.Member, administrators int) view.Member {
	row := view.Member{
		ID: m.Person, Person: view.Person{ID: m.Person, Name: m.Name, Email: m.Email}, Role: view.Role(m.Role),
		Sensitive: m.AllowSensitive, Since: m.Invited, Invited: m.Joined == nil, You: m.Person == v.by.Person,
		Last: m.Role == api.RoleAdministrator && m.Active() && administrators == 1,
	}
	if m.Joined != nil {
		row.Since = *m.Joined
	}
	return row
}

func (c *Console) memberInvite(v *visit) error {
	email, role := strings.TrimSpace(v.form.Get("email")), api.Role(v.form.Get("role"))
	_, err := c.authority.InviteMember(v.r.Context(), v.by, v.account, api.MemberInvite{Email: email, Role: role})
	if errs, ok := conflictOr(err, "email"); ok {
		return c.drawMembers(v, email, view.Role(role), errs)
	} else if err != nil {
		return err
	}
	return v.redirect(said(view.PathMembers, "invited"))
}

// conflictOr turns refused fields, and a conflict, into words beside a field.
func conflictOr(err error, field string) (view.Errors, bool) {
	var refused *api.Error
	if errors.As(err, &refused) && refused.Code == api.CodeConflict {
		return view.Errors{{Field: field, Message: refused.Detail}}, true
	}
	return fieldErrors(err, nil)
}

func (c *Console) memberEdit(v *visit) error {
	role, sensitive := api.Role(v.form.Get("role")), v.form.Get("sensitive") == "yes"
	in := api.MemberEdit{AllowSensitive: &sensitive}
	if role != "" {
		in.Role = &role
	}
	if _, err := c.authority.EditMember(v.r.Context(), v.by, v.account, v.r.PathValue("person"), in); err != nil {
		return err
	}
	return v.redirect(said(view.PathMembers, "member"))
}

// memberReinvite sends an invitation once more, with a new link.
func (c *Console) memberReinvite(v *visit) error {
	if err := c.authority.Reinvite(v.r.Context(), v.by, v.account, v.r.PathValue("person")); err != nil {
		return err
	}
	return v.redirect(said(view.PathMembers, "invited"))
}

// contactTokens are the tokens that a leaving member would strand, those of the management API included.
func (c *Console) contactTokens(v *visit, person string) ([]api.Token, error) {
	ordinary, err := c.contactOf(v, person, authority.TokenQuery{Limit: 200})
	if err != nil {
		return nil, err
	}
	zero, err := c.contactOf(v, person, authority.TokenQuery{Limit: 200, Zero: true})
	return append(ordinary, zero...), err
}

func (c *Console) contactOf(v *visit, person string, q authority.TokenQuery) ([]api.Token, error) {
	var out []api.Token
	for {
		page, err := c.authority.Tokens(v.r.Context(), v.by, v.account, q)
		if err != nil {
			return nil, err
		}
		for _, t := range page.Items {
			if t.PrimaryContact != nil && t.PrimaryContact.Person == person {
				out = append(out, t)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return out, nil
		}
	}
}

func (c *Console) memberRemovePage(v *visit) error { return c.drawRemove(v, nil) }

// leaving is the member who is about to be removed, and those who stay. Whoever may not remove them, and
// an account that would be left without an administrator, is told before anything is handed over.
func (c *Console) leaving(v *visit) (view.Member, []view.Person, error) {
	if v.by.Role != api.RoleAdministrator {
		return view.Member{}, nil, api.Forbidden("Only an Account Administrator manages members.")
	}
	list, err := c.authority.Members(v.r.Context(), v.by, v.account)
	if err != nil {
		return view.Member{}, nil, err
	}
	var leaves view.Member
	var others []view.Person
	for _, m := range list {
		switch {
		case m.Person == v.r.PathValue("person"):
			leaves = v.memberRow(m, administrators(list))
		case m.Active():
			others = append(others, view.Person{ID: m.Person, Name: m.Name, Email: m.Email})
		}
	}
	switch {
	case leaves.ID == "":
		return leaves, nil, api.NotFound("member")
	case leaves.Last:
		return leaves, nil, api.Conflict("This is the account's last Account Administrator. Make another member one first.")
	}
	return leaves, others, nil
}

func (c *Console) drawRemove(v *visit, errs view.Errors) error {
	p := view.MemberRemovePage{Frame: v.frame(), Errors: errs}
	var err error
	if p.Member, p.Others, err = c.leaving(v); err != nil {
		return err
	}
	tokens, err := c.contactTokens(v, p.Member.ID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		p.Tokens = append(p.Tokens, v.card(t, api.Offer{}))
	}
	p.Member.Contacts = len(tokens)
	return v.draw(statusOf(errs), view.MemberRemove(p))
}

// memberRemove hands the member's tokens to another contact first, so that none is left with nobody to
// tell.
func (c *Console) memberRemove(v *visit) error {
	person, heir := v.r.PathValue("person"), v.form.Get("contact")
	if _, _, err := c.leaving(v); err != nil {
		return err
	}
	tokens, err := c.contactTokens(v, person)
	if err != nil {
		return err
	}
	if len(tokens) > 0 && heir == "" {
		return c.drawRemove(v, view.Errors{{Field: "contact", Message: "Choose the member who is told about these tokens from now on."}})
	}
	if heir == person {
		return c.drawRemove(v, view.Errors{{Field: "contact", Message: "Choose a member who stays."}})
	}
	for _, t := range tokens {
		_, err := c.authority.EditToken(v.r.Context(), v.by, v.account, t.SID, api.TokenEdit{PrimaryContact: &heir, Revision: t.Revision})
		if errs, ok := fieldErrors(err, map[string]string{"primary_contact": "contact"}); ok {
			return c.drawRemove(v, errs)
		} else if err != nil {
			return err
		}
	}
	if err := c.authority.RemoveMember(v.r.Context(), v.by, v.account, person); err != nil {
		return err
	}
	return v.redirect(said(view.PathMembers, "removed"))
}
