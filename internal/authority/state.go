package authority

import (
	"context"
	"fmt"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// DisableToken refuses every call of a token from now on, until it is enabled. What an operator
// disables, an account user cannot enable without a new secret.
func (a *Authority) DisableToken(ctx context.Context, by Actor, account int64, sid, why string) (api.TokenChanged, error) {
	return a.endToken(ctx, by, audit.DisableToken, account, sid, api.StateDisabled, why)
}

// DeleteToken ends a token. Its SID and its history stay; its name is free again.
func (a *Authority) DeleteToken(ctx context.Context, by Actor, account int64, sid, why string) (api.TokenChanged, error) {
	return a.endToken(ctx, by, audit.DeleteToken, account, sid, api.StateDeleted, why)
}

func (a *Authority) endToken(ctx context.Context, by Actor, action audit.Action, account int64, sid string, state api.State, why string) (api.TokenChanged, error) {
	why, fault := cleanDescription(why)
	if fault != "" {
		return api.TokenChanged{}, api.Invalid("why", fault)
	}
	var out api.TokenChanged
	var row store.Token
	seq, err := a.act(ctx, by, action, account, func(tx *store.Tx) error {
		var err error
		if row, err = liveToken(ctx, tx.Queries, by, account, sid); err != nil {
			return err
		}
		if state == api.StateDisabled && row.StateLocked == 1 && !by.Operator { // or this would take the lock away
			return api.Conflict("This token is out of force already: the operator disabled it, or it leaked.")
		}
		if err := a.setState(ctx, tx, by, row, state, why, by.Operator && state == api.StateDisabled); err != nil {
			return err
		}
		if state == api.StateDeleted {
			if err := tx.DropSecrets(ctx, sid); err != nil {
				return fmt.Errorf("ending the secrets: %w", err)
			}
		}
		return a.recordToken(ctx, tx, sid, a.event(by, action, account, tokenSubject(sid, row.Name), changed(audit.Detail{Field: "why", After: why})...))
	})
	if err != nil {
		return out, err
	}
	out.Seq = seq
	if row, err = a.db.Read().Token(ctx, store.TokenParams{Account: account, SID: sid}); err != nil {
		return out, fmt.Errorf("reading a token: %w", err)
	}
	out.Token, err = a.tokenOf(ctx, a.db.Read(), row)
	return out, err
}

// setState moves a token to another state; the loser of two such acts is told.
func (a *Authority) setState(ctx context.Context, tx *store.Tx, by Actor, row store.Token, state api.State, why string, locked bool) error {
	n, err := tx.SetTokenState(ctx, store.SetTokenStateParams{
		Account: row.Account, SID: row.SID, State: string(state), At: a.now().UnixMicro(), ByName: by.Name, Why: why, Locked: bit(locked),
	})
	if err != nil {
		return fmt.Errorf("changing the state of a token: %w", err)
	}
	if n == 0 {
		return api.Conflict(fmt.Sprintf("This token is %s already.", state))
	}
	return nil
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
