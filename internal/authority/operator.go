package authority

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// Operators lists who runs this installation.
func (a *Authority) Operators(ctx context.Context, by Actor) ([]api.PersonRef, error) {
	if err := by.mustSee(0); err != nil {
		return nil, err
	}
	rows, err := a.db.Read().Operators(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing operators: %w", err)
	}
	out := make([]api.PersonRef, 0, len(rows))
	for _, r := range rows {
		out = append(out, api.PersonRef{Person: r.ID, Name: r.Name, Email: r.Email, Active: r.Password != nil && r.DisabledAt == nil})
	}
	return out, nil
}

// InviteOperator makes another operator and sends the link by which they choose a password. Somebody who
// is a member of an account cannot be one: an operator belongs to no account.
func (a *Authority) InviteOperator(ctx context.Context, by Actor, email string) error {
	address, key, fault := CleanEmail(email)
	if fault != "" {
		return api.Invalid("email", fault)
	}
	_, err := a.act(ctx, by, audit.InviteOperator, 0, func(tx *store.Tx) error {
		known, err := tx.PersonByEmail(ctx, key)
		if _, err = store.One(known, err); err == nil {
			return api.Conflict("This address belongs to a member of an account or to an operator already. Use another address.")
		} else if !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("looking an address up: %w", err)
		}
		id, now := newID(), a.now()
		if err := tx.AddPerson(ctx, store.AddPersonParams{
			ID: id, Email: address, EmailKey: key, Name: firstRunes(address, MaxName), Operator: 1, CreatedAt: now.UnixMicro(),
		}); err != nil {
			return fmt.Errorf("adding an operator: %w", err)
		}
		secret, err := tx.MakeLink(ctx, store.LinkPassword, &id, nil, now, invitationLife)
		if err != nil {
			return err
		}
		if err := tx.Send(ctx, a.key.Seal, store.Message{
			Kind: store.MessageInvitation, To: address, Name: address,
			Values: map[string]string{
				"account": "the operator's desk", "inviter": by.Name, "days": fmt.Sprint(int(invitationLife / (24 * time.Hour))),
				"link": a.baseURL + "/password/reset?key=" + url.QueryEscape(secret),
			},
		}, now); err != nil {
			return err
		}
		tx.Record(a.event(by, audit.InviteOperator, 0, personSubject(id, address)), nil)
		return nil
	})
	return err
}

func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// SecretSince is when the newest live secret of a token was made.
func (a *Authority) SecretSince(ctx context.Context, by Actor, account int64, sid string) (time.Time, error) {
	if err := by.mustSee(account); err != nil {
		return time.Time{}, err
	}
	if _, err := liveToken(ctx, a.db.Read(), by, account, sid); err != nil {
		return time.Time{}, err
	}
	secrets, err := a.db.Read().Secrets(ctx, sid)
	if err != nil || len(secrets) == 0 {
		return time.Time{}, err
	}
	return when(secrets[0].CreatedAt), nil
}
