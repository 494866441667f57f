package session

import (
	"context"
	"fmt"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// Rename changes how a person is called. What the history said before stays as it was.
func (p *People) Rename(ctx context.Context, v Visitor, s Session, name string) error {
	name, fault := p.cleanName(name)
	if fault != "" {
		return api.Invalid("name", fault)
	}
	_, err := p.db.Act(ctx, func(tx *store.Tx) error {
		person, err := tx.Person(ctx, s.Person.ID)
		if err != nil {
			return fmt.Errorf("reading a person: %w", err)
		}
		if person.Name == name {
			return nil
		}
		if err := tx.NamePerson(ctx, store.NamePersonParams{ID: person.ID, Name: name}); err != nil {
			return fmt.Errorf("renaming a person: %w", err)
		}
		before := person.Name
		person.Name = name
		tx.Record(p.event(v, audit.RenamePerson, person, s.Account, audit.Detail{Field: "name", Before: before, After: name}), nil)
		return nil
	})
	return public("renaming a person", err)
}

// ResolveTicket is [People.Resolve] for a session that began within this request.
func (p *People) ResolveTicket(ctx context.Context, t Ticket) (Session, error) {
	return p.Resolve(ctx, Visitor{ticket: t})
}
