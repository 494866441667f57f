package authority

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// invitationLife is how long an invitation's link is good.
const invitationLife = 7 * 24 * time.Hour

// Members lists an account's members by name.
func (a *Authority) Members(ctx context.Context, by Actor, account int64) ([]api.Member, error) {
	if err := by.mustSee(account); err != nil {
		return nil, err
	}
	rows, err := a.db.Read().Members(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("listing members: %w", err)
	}
	out := make([]api.Member, 0, len(rows))
	for _, r := range rows {
		out = append(out, memberOf(store.MemberRow(r)))
	}
	slices.SortStableFunc(out, func(x, y api.Member) int { return strings.Compare(fold(x.Name), fold(y.Name)) })
	return out, nil
}

// memberOf is a member as the account may see them. Until they accept, the account knows the address that
// it invited and nothing else: the name, and whether the person is disabled, are other accounts' to know
// (SECURITY.md, class 41a).
func memberOf(r store.MemberRow) api.Member {
	m := api.Member{
		Person: r.Person, Name: r.Name, Email: r.Email, Role: api.Role(r.Role), AllowSensitive: r.AllowSensitive == 1,
		Invited: when(r.InvitedAt), Joined: whenever(r.JoinedAt), Disabled: r.DisabledAt != nil,
	}
	if m.Joined == nil {
		m.Email = oneSpelling(m.Email)
		m.Name, m.Disabled = firstRunes(m.Email, MaxName), false
	}
	return m
}

// mayMake keeps a token from making somebody who may do more than it: an administrator makes tokens of the
// management API (SECURITY.md, class 32).
func (by Actor) mayMake(r api.Role) error {
	if r == api.RoleAdministrator && by.Token != "" && !by.Operator {
		return api.Forbidden("A token cannot make an Account Administrator. A person who is one can.")
	}
	return nil
}

func validRole(r api.Role) bool {
	return r == api.RoleAdministrator || r == api.RoleSpecialist || r == api.RoleAnalyst
}

// InviteMember asks a person into an account by e-mail. The answer is the same whether or not the
// address belongs to somebody who is known in another account (SECURITY.md, class 41a).
func (a *Authority) InviteMember(ctx context.Context, by Actor, account int64, in api.MemberInvite) (api.Member, error) {
	var bad faults
	email, key, fault := CleanEmail(in.Email)
	if fault != "" {
		bad.add("email", fault)
	}
	if in.Name == "" {
		in.Name = firstRunes(email, MaxName) // until the person accepts and says their name
	}
	name, fault := CleanName(in.Name)
	if fault != "" {
		bad.add("name", fault)
	}
	if !validRole(in.Role) {
		bad.add("role", "must be administrator, specialist or analyst")
	}
	if err := bad.err(); err != nil {
		return api.Member{}, err
	}
	if err := by.mayMake(in.Role); err != nil {
		return api.Member{}, err
	}
	var person string
	_, err := a.act(ctx, by, audit.InviteMember, account, func(tx *store.Tx) error {
		acct, err := tx.Account(ctx, account)
		if acct, err = read("account", acct, err); err != nil {
			return err
		}
		if person, err = a.personFor(ctx, tx, email, key, name); err != nil {
			return err
		}
		err = tx.AddMember(ctx, store.AddMemberParams{
			Account: account, Person: person, Role: string(in.Role), AllowSensitive: bit(in.AllowSensitive), InvitedAt: a.now().UnixMicro(),
		})
		if a.db.Conflict(err) {
			return memberAlready()
		} else if err != nil {
			return fmt.Errorf("adding a member: %w", err)
		}
		if err := a.sendInvitation(ctx, tx, by, account, acct.Name, person, email, name); err != nil {
			return err
		}
		tx.Record(a.event(by, audit.InviteMember, account, personSubject(person, email),
			audit.Detail{Field: "role", After: in.Role.Words()}), nil)
		return nil
	})
	if err != nil {
		return api.Member{}, err
	}
	m, err := a.member(ctx, account, person)
	m.Name, m.Email = name, email // as they were written here
	return m, err
}

// Reinvite sends a new link to a member who has not accepted yet; the older one is worthless.
func (a *Authority) Reinvite(ctx context.Context, by Actor, account int64, person string) error {
	_, err := a.act(ctx, by, audit.InviteMember, account, func(tx *store.Tx) error {
		m, err := tx.Member(ctx, store.MemberParams{Account: account, Person: person})
		if m, err = read("member", m, err); err != nil {
			return err
		}
		if m.JoinedAt != nil {
			return api.Conflict("This member has accepted already.")
		}
		acct, err := tx.Account(ctx, account)
		if err != nil {
			return fmt.Errorf("reading an account: %w", err)
		}
		if err := a.sendInvitation(ctx, tx, by, account, acct.Name, person, m.Email, m.Name); err != nil {
			return err
		}
		tx.Record(a.event(by, audit.InviteMember, account, personSubject(person, memberOf(m).Email), audit.Detail{Field: "invitation", After: "sent again"}), nil)
		return nil
	})
	return err
}

func memberAlready() error {
	return api.Conflict("This address is a member of the account already, or invited, or cannot be one.")
}

// personFor finds the person of an address, or makes one without a password.
func (a *Authority) personFor(ctx context.Context, tx *store.Tx, email, key, name string) (string, error) {
	known, err := tx.PersonByEmail(ctx, key)
	if known, err = store.One(known, err); err == nil {
		if known.Operator == 1 { // an operator belongs to no account, and who is one is not for accounts to know
			return "", memberAlready()
		}
		return known.ID, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("looking an address up: %w", err)
	}
	id := newID()
	if err := tx.AddPerson(ctx, store.AddPersonParams{
		ID: id, Email: email, EmailKey: key, Name: name, CreatedAt: a.now().UnixMicro(),
	}); err != nil {
		return "", fmt.Errorf("adding a person: %w", err)
	}
	return id, nil
}

func (a *Authority) sendInvitation(ctx context.Context, tx *store.Tx, by Actor, account int64, accountName, person, email, name string) error {
	secret, err := tx.MakeLink(ctx, store.LinkInvitation, &person, &account, a.now(), invitationLife)
	if err != nil {
		return err
	}
	return tx.Send(ctx, a.key.Seal, store.Message{
		Kind: store.MessageInvitation, To: email, Name: name,
		Values: map[string]string{
			"account": accountName, "inviter": by.Name, "days": "7",
			"link": a.baseURL + "/invitation?key=" + url.QueryEscape(secret),
		},
	}, a.now())
}

func personSubject(id, email string) audit.Subject {
	return audit.Subject{Kind: audit.OnPerson, ID: id, Name: email}
}

func (a *Authority) member(ctx context.Context, account int64, person string) (api.Member, error) {
	row, err := a.db.Read().Member(ctx, store.MemberParams{Account: account, Person: person})
	if row, err = read("member", row, err); err != nil {
		return api.Member{}, err
	}
	return memberOf(row), nil
}

// EditMember changes a role, or whether a specialist may give sensitive scopes. The account keeps at
// least one Account Administrator.
func (a *Authority) EditMember(ctx context.Context, by Actor, account int64, person string, in api.MemberEdit) (api.Member, error) {
	action := audit.ChangeRole
	if in.Role == nil {
		action = audit.ChangeAllowSensitive
	}
	_, err := a.act(ctx, by, action, account, func(tx *store.Tx) error {
		m, err := tx.Member(ctx, store.MemberParams{Account: account, Person: person})
		if m, err = read("member", m, err); err != nil {
			return err
		}
		role, sensitive := api.Role(m.Role), m.AllowSensitive == 1
		if in.Role != nil {
			role = *in.Role
		}
		if in.AllowSensitive != nil {
			sensitive = *in.AllowSensitive
		}
		if !validRole(role) {
			return api.Invalid("role", "must be administrator, specialist or analyst")
		}
		if in.Role != nil {
			if err := by.mayMake(role); err != nil {
				return err
			}
		}
		if m.Role == string(api.RoleAdministrator) && role != api.RoleAdministrator {
			if err := lastAdministrator(ctx, tx, account, m); err != nil {
				return err
			}
		}
		if _, err := tx.EditMember(ctx, store.EditMemberParams{Account: account, Person: person, Role: string(role), AllowSensitive: bit(sensitive)}); err != nil {
			return fmt.Errorf("editing a member: %w", err)
		}
		tx.Record(a.event(by, action, account, personSubject(person, memberOf(m).Email), changed(
			audit.Detail{Field: "role", Before: api.Role(m.Role).Words(), After: role.Words()},
			audit.Detail{Field: "may give sensitive scopes", Before: yesNo(m.AllowSensitive == 1), After: yesNo(sensitive)},
		)...), nil)
		return nil
	})
	if err != nil {
		return api.Member{}, err
	}
	return a.member(ctx, account, person)
}

func lastAdministrator(ctx context.Context, tx *store.Tx, account int64, m store.MemberRow) error {
	n, err := tx.CountAdministrators(ctx, account)
	if err != nil {
		return fmt.Errorf("counting administrators: %w", err)
	}
	if n <= 1 && m.JoinedAt != nil && m.DisabledAt == nil {
		return api.Conflict("This is the account's last Account Administrator. Make another member one first.")
	}
	return nil
}

// RemoveMember ends a membership. No token changes with it, and none is left without somebody to tell:
// while the member is a primary contact the act is refused and names the tokens.
func (a *Authority) RemoveMember(ctx context.Context, by Actor, account int64, person string) error {
	_, err := a.act(ctx, by, audit.RemoveMember, account, func(tx *store.Tx) error {
		m, err := tx.Member(ctx, store.MemberParams{Account: account, Person: person})
		if m, err = read("member", m, err); err != nil {
			return err
		}
		if m.Role == string(api.RoleAdministrator) {
			if err := lastAdministrator(ctx, tx, account, m); err != nil {
				return err
			}
		}
		stranded, err := tx.TokensOfContact(ctx, store.TokensOfContactParams{Account: account, Person: person})
		if err != nil {
			return fmt.Errorf("looking for tokens of a contact: %w", err)
		}
		if len(stranded) > 0 {
			var names []string
			for _, t := range stranded {
				names = append(names, t.Name)
			}
			return api.Conflict("This member is the primary contact of " + strings.Join(names, ", ") + ". Give these tokens another primary contact first.")
		}
		if _, err := tx.RemoveMember(ctx, store.RemoveMemberParams{Account: account, Person: person}); err != nil {
			return fmt.Errorf("removing a member: %w", err)
		}
		tx.Record(a.event(by, audit.RemoveMember, account, personSubject(person, memberOf(m).Email), audit.Detail{Field: "role", Before: api.Role(m.Role).Words()}), nil)
		return nil
	})
	return err
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
