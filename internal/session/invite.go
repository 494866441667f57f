package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// SetUpLink makes a link by which the first operator is made, and returns its address; "" when there is
// an operator. The program prints it at a start on an empty database: who reads the program's output is
// who runs it.
func (p *People) SetUpLink(ctx context.Context) (string, error) {
	var secret string
	_, err := p.db.Act(ctx, func(tx *store.Tx) error {
		n, err := tx.CountOperators(ctx)
		if err != nil {
			return fmt.Errorf("counting operators: %w", err)
		}
		if n > 0 {
			return nil
		}
		secret, err = tx.MakeLink(ctx, store.LinkSetUp, nil, nil, p.now(), setUpLife)
		return err
	})
	if err != nil || secret == "" {
		return "", public("making the set-up link", err)
	}
	return p.linkTo(pathSetUp, secret), nil
}

// SetUpOpen says whether a set-up link works, for its page. It is not spent.
func (p *People) SetUpOpen(ctx context.Context, v Visitor, secret string) error {
	if err := p.knock(v); err != nil {
		return err
	}
	if err := p.db.View(ctx, func(q *store.Queries) error {
		if _, _, err := p.look(ctx, q, store.LinkSetUp, secret); err != nil {
			return err
		}
		return noOperator(ctx, q)
	}); err != nil {
		return public("looking at a set-up link", err)
	}
	p.welcome(v)
	return nil
}

// noOperator ends every other set-up link with the first one that was used.
func noOperator(ctx context.Context, q *store.Queries) error {
	n, err := q.CountOperators(ctx)
	if err != nil {
		return fmt.Errorf("counting operators: %w", err)
	}
	if n > 0 {
		return linkEnded()
	}
	return nil
}

// SetUp spends a set-up link: it makes the first operator and signs them in. The fields of a refusal are
// name, email and password.
func (p *People) SetUp(ctx context.Context, v Visitor, secret, name, email, password string) (Ticket, error) {
	if err := p.SetUpOpen(ctx, v, secret); err != nil {
		return Ticket{}, err
	}
	var fields []api.Field
	name, fault := p.cleanName(name)
	if fault != "" {
		fields = append(fields, api.Field{Name: "name", Message: fault})
	}
	address, key, fault := p.cleanEmail(email)
	if fault != "" {
		fields = append(fields, api.Field{Name: "email", Message: fault})
	}
	if fault := passwordFault(password, address, name); fault != "" {
		fields = append(fields, api.Field{Name: "password", Message: fault})
	}
	if len(fields) > 0 {
		return Ticket{}, api.InvalidFields(fields)
	}
	encoded, err := p.encodePassword(ctx, password, address, name)
	if err != nil {
		return Ticket{}, err
	}
	now := p.now().UnixMicro()
	person := store.Person{ID: rand.Text(), Email: address, EmailKey: key, Name: name, Operator: 1}
	var ticket Ticket
	_, err = p.db.Act(ctx, func(tx *store.Tx) error {
		if err := noOperator(ctx, tx.Queries); err != nil {
			return err
		}
		if _, _, err := p.spend(ctx, tx, store.LinkSetUp, secret); err != nil {
			return err
		}
		if err := tx.AddPerson(ctx, store.AddPersonParams{
			ID: person.ID, Email: address, EmailKey: key, Name: name, Operator: 1, Password: encoded, PasswordAt: &now, CreatedAt: now,
		}); err != nil {
			return fmt.Errorf("adding the operator: %w", err)
		}
		if ticket, err = p.begin(ctx, tx, v, person, 0, factorPassword); err != nil {
			return err
		}
		tx.Record(p.event(v, audit.SetUpOperator, person, 0), nil)
		return nil
	})
	if err != nil {
		return Ticket{}, public("setting up the first operator", err)
	}
	return ticket, nil
}

// Invited is what the page of an invitation says.
type Invited struct {
	AccountID int64
	Account   string
	Role      api.Role
	Email     string
	Name      string // as the inviter wrote it, or as the person is called already
	Known     bool   // they have a password, and join with it
}

// Invitation reads a link without spending it.
func (p *People) Invitation(ctx context.Context, v Visitor, secret string) (Invited, error) {
	if err := p.knock(v); err != nil {
		return Invited{}, err
	}
	var in Invited
	if err := p.db.View(ctx, func(q *store.Queries) error {
		link, person, err := p.look(ctx, q, store.LinkInvitation, secret)
		if err != nil {
			return err
		}
		in, err = invited(ctx, q, link, person)
		return err
	}); err != nil {
		return Invited{}, public("looking at an invitation", err)
	}
	p.welcome(v)
	return in, nil
}

// invited refuses an invitation that was withdrawn since: the membership is what invites, the link only
// opens it.
func invited(ctx context.Context, q *store.Queries, link store.Link, person store.Person) (Invited, error) {
	if link.Account == nil || person.ID == "" {
		return Invited{}, linkEnded()
	}
	member, err := q.Member(ctx, store.MemberParams{Account: *link.Account, Person: person.ID})
	if member, err = store.One(member, err); errors.Is(err, store.ErrNotFound) {
		return Invited{}, linkEnded()
	} else if err != nil {
		return Invited{}, fmt.Errorf("reading a membership: %w", err)
	}
	account, err := q.Account(ctx, *link.Account)
	if err != nil {
		return Invited{}, fmt.Errorf("reading an account: %w", err)
	}
	if account.SuspendedAt != nil {
		return Invited{}, linkEnded()
	}
	return Invited{
		AccountID: account.ID, Account: account.Name, Role: api.Role(member.Role),
		Email: person.Email, Name: person.Name, Known: person.Password != nil,
	}, nil
}

// AcceptInvitation spends an invitation and signs the person in, in the account that invited. Who is new
// chooses a name and a password; who is known gives the password they have, and the name is passed over.
// Other invitations to the same address, which reached the same mailbox, are accepted with it. The fields
// of a refusal are name and password.
func (p *People) AcceptInvitation(ctx context.Context, v Visitor, secret, name, password string) (Ticket, error) {
	in, err := p.Invitation(ctx, v, secret)
	if err != nil {
		return Ticket{}, err
	}
	encoded, name, err := p.proofOf(ctx, v, in, name, password)
	if err != nil {
		return Ticket{}, err
	}
	var ticket Ticket
	_, err = p.db.Act(ctx, func(tx *store.Tx) error {
		link, person, err := p.spend(ctx, tx, store.LinkInvitation, secret)
		if err != nil {
			return err
		}
		now, err := invited(ctx, tx.Queries, link, person)
		if err != nil {
			return err
		}
		if now.Known != in.Known || now.Known && !equalText(person.Password, encoded) {
			return api.Conflict("Your password was changed meanwhile. Open the link once more.")
		}
		if !now.Known {
			if _, err := p.setPassword(ctx, tx, &person.ID, encoded); err != nil {
				return err
			}
			if err := tx.NamePerson(ctx, store.NamePersonParams{ID: person.ID, Name: name}); err != nil {
				return fmt.Errorf("naming a person: %w", err)
			}
			person.Name = name
		}
		if err := p.join(ctx, tx, v, person); err != nil {
			return err
		}
		ticket, err = p.begin(ctx, tx, v, person, now.AccountID, factorPassword)
		return err
	})
	if err != nil {
		return Ticket{}, public("accepting an invitation", err)
	}
	return ticket, nil
}

// proofOf checks what an invited person gave and returns the hash that the person shall have: the one
// they have, or a new one.
func (p *People) proofOf(ctx context.Context, v Visitor, in Invited, name, password string) (encoded *string, clean string, err error) {
	if in.Known {
		_, key, _ := p.cleanEmail(in.Email)
		person, err := p.authenticate(ctx, v, audit.JoinMember, key, password)
		if errors.Is(err, &api.Error{Code: api.CodeInvalid}) {
			return nil, "", api.Invalid("password", "is not the one you sign in with")
		}
		return person.Password, "", err
	}
	var fields []api.Field
	clean, fault := p.cleanName(name)
	if fault != "" {
		fields = append(fields, api.Field{Name: "name", Message: fault})
	}
	if fault := passwordFault(password, in.Email, clean); fault != "" {
		fields = append(fields, api.Field{Name: "password", Message: fault})
	}
	if len(fields) > 0 {
		return nil, "", api.InvalidFields(fields)
	}
	encoded, err = p.encodePassword(ctx, password, in.Email, clean)
	return encoded, clean, err
}

// join accepts all invitations of a person, each with an event in its own account's history.
func (p *People) join(ctx context.Context, tx *store.Tx, v Visitor, person store.Person) error {
	before, err := membershipsOf(ctx, tx.Queries, person)
	if err != nil {
		return err
	}
	if err := tx.JoinAll(ctx, store.JoinAllParams{Person: person.ID, At: ptr(p.now().UnixMicro())}); err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	after, err := membershipsOf(ctx, tx.Queries, person)
	if err != nil {
		return err
	}
	had := map[int64]bool{}
	for _, m := range before {
		had[m.Account] = true
	}
	for _, m := range after {
		if !had[m.Account] {
			tx.Record(p.event(v, audit.JoinMember, person, m.Account, audit.Detail{Field: "role", After: m.Role.Words()}), nil)
		}
	}
	return nil
}
