package authority

import (
	"context"
	"errors"
	"fmt"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/store"
)

// standing asks inside the act's own transaction whether the actor still is what it was when the request
// began: a membership, a role, a token may have ended since (OWASP ASVS 5.0, 15.4.2; SECURITY.md, class
// 26). An actor without person and token is the program itself.
func (a *Authority) standing(ctx context.Context, q *store.Queries, by Actor, account int64) error {
	switch {
	case by.Token != "":
		return a.tokenStands(ctx, q, by)
	case by.Person == "":
		return nil
	}
	person, err := q.Person(ctx, by.Person)
	if person, err = store.One(person, err); errors.Is(err, store.ErrNotFound) {
		return rightsEnded()
	} else if err != nil {
		return fmt.Errorf("reading a person: %w", err)
	}
	switch {
	case person.DisabledAt != nil:
		return rightsEnded()
	case by.Operator && person.Operator != 1:
		return rightsEnded()
	case by.Operator:
		return nil
	}
	m, err := q.Member(ctx, store.MemberParams{Account: account, Person: by.Person})
	if m, err = store.One(m, err); errors.Is(err, store.ErrNotFound) {
		return rightsEnded()
	} else if err != nil {
		return fmt.Errorf("reading a member: %w", err)
	}
	if m.JoinedAt == nil || m.Role != string(by.Role) || (m.AllowSensitive == 1) != by.AllowSensitive {
		return rightsEnded()
	}
	return notSuspended(ctx, q, account)
}

func (a *Authority) tokenStands(ctx context.Context, q *store.Queries, by Actor) error {
	row, err := q.TokenBySID(ctx, by.Token)
	if row, err = store.One(row, err); errors.Is(err, store.ErrNotFound) {
		return rightsEnded()
	} else if err != nil {
		return fmt.Errorf("reading the token that asks: %w", err)
	}
	if row.State != string(api.StateEnabled) || row.Account != by.Account || expired(row, a.now()) {
		return rightsEnded()
	}
	if by.Operator {
		return nil
	}
	return notSuspended(ctx, q, row.Account)
}

func notSuspended(ctx context.Context, q *store.Queries, account int64) error {
	row, err := q.Account(ctx, account)
	if err != nil {
		return fmt.Errorf("reading an account: %w", err)
	}
	if row.SuspendedAt != nil {
		return api.Forbidden("This account is suspended. Ask the operator of the platform.")
	}
	return nil
}

func rightsEnded() error {
	return api.Forbidden("Your rights in this account changed a moment ago, so nothing was done. Open the page again.")
}
