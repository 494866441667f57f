package authority

import (
	"context"
	"crypto/rand"
	"fmt"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/token"
)

// ResetToken gives a token a new secret under the same SID. The old one ends at once. Of two resets at
// the same time one wins and the other is told (SECURITY.md, class 28).
func (a *Authority) ResetToken(ctx context.Context, by Actor, account int64, sid string, revision int64) (Issued, error) {
	var out Issued
	seq, err := a.act(ctx, by, audit.ResetToken, account, func(tx *store.Tx) error {
		row, err := liveToken(ctx, tx.Queries, by, account, sid)
		if err != nil {
			return err
		}
		if revision == 0 {
			revision = row.Revision
		}
		if out.Secret, err = a.renew(ctx, tx, by, row, revision); err != nil {
			return err
		}
		return a.recordToken(ctx, tx, sid, a.event(by, audit.ResetToken, account, tokenSubject(sid, row.Name)))
	})
	if err != nil {
		return Issued{}, err
	}
	out.Seq = seq
	out.Token, err = a.Token(ctx, by, account, sid)
	return out, err
}

// renew replaces all secrets of a token by a new one.
func (a *Authority) renew(ctx context.Context, tx *store.Tx, by Actor, row store.Token, revision int64) (token.Secret, error) {
	what, err := opensOf(row)
	if err != nil {
		return token.Secret{}, err
	}
	g, err := a.giver(ctx, tx.Queries, by, row.Account)
	if err != nil {
		return token.Secret{}, err
	}
	if err := a.mayHold(g, what); err != nil {
		return token.Secret{}, err
	}
	if later(&by.Until, row.ExpiresAt) && by.Until != 0 {
		return token.Secret{}, api.Forbidden("This token lives longer than the one that asks, which may be shown no secret that outlives it.")
	}
	n, err := tx.TouchToken(ctx, store.TouchTokenParams{Account: row.Account, SID: row.SID, Revision: revision})
	if err != nil {
		return token.Secret{}, fmt.Errorf("taking hold of a token: %w", err)
	}
	if n == 0 {
		return token.Secret{}, api.Conflict("Somebody else changed this token since you opened it. Look at it again before you reset it.")
	}
	sid, err := token.ParseSID(row.SID)
	if err != nil {
		return token.Secret{}, fmt.Errorf("reading the SID of a token: %w", err)
	}
	kind := token.Access
	if row.Zero == 1 {
		kind = token.Zero
	}
	secret, digest, err := a.prefix.MintFor(kind, sid, rand.Reader)
	if err != nil {
		return token.Secret{}, fmt.Errorf("drawing a secret: %w", err)
	}
	if err := tx.DropSecrets(ctx, row.SID); err != nil {
		return token.Secret{}, fmt.Errorf("ending the old secrets: %w", err)
	}
	if err := tx.AddSecret(ctx, store.AddSecretParams{SID: row.SID, Digest: digest[:], CreatedAt: a.now().UnixMicro()}); err != nil {
		return token.Secret{}, fmt.Errorf("adding a digest: %w", err)
	}
	return secret, nil
}

// EnableToken puts a disabled token in force again, with a new secret if asked. A token that an
// operator or a leak disabled comes back to an account user only with a new one.
func (a *Authority) EnableToken(ctx context.Context, by Actor, account int64, sid string, in api.TokenEnable) (Issued, error) {
	var out Issued
	seq, err := a.act(ctx, by, audit.EnableToken, account, func(tx *store.Tx) error {
		row, err := liveToken(ctx, tx.Queries, by, account, sid)
		if err != nil {
			return err
		}
		if row.State == string(api.StateEnabled) {
			return api.Conflict("This token is enabled already.")
		}
		if row.StateLocked == 1 && !by.Operator && !in.Reset {
			return api.Forbidden("This token was disabled by the operator or after a leak. It can be enabled only with a reset, which gives it a new secret.")
		}
		detail := audit.Detail{Field: "secret", After: "kept"}
		if in.Reset {
			if out.Secret, err = a.renew(ctx, tx, by, row, row.Revision); err != nil {
				return err
			}
			detail.After = "reset"
		}
		if err := a.setState(ctx, tx, by, row, api.StateEnabled, "", false); err != nil {
			return err
		}
		return a.recordToken(ctx, tx, sid, a.event(by, audit.EnableToken, account, tokenSubject(sid, row.Name), detail))
	})
	if err != nil {
		return Issued{}, err
	}
	out.Seq = seq
	out.Token, err = a.Token(ctx, by, account, sid)
	return out, err
}
