package authority

import (
	"context"
	"errors"
	"fmt"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// maxUses bounds one batch.
const maxUses = 10_000

// Report applies a numbered batch of uses, once: a number that was applied before is ignored, so that a
// verifier that heard no answer sends it again. A token's first call is an event of its account's history.
func (f *Feed) Report(ctx context.Context, batch *api.UsageBatch) error {
	if batch.Node != f.node || batch.Number < 1 || len(batch.Uses) > maxUses {
		return api.Invalid("batch", fmt.Sprintf("must be of node %s, numbered from 1, with at most %d uses", f.node, maxUses))
	}
	spent := make(spending)
	seq, err := f.a.db.Act(ctx, func(tx *store.Tx) error {
		last, err := tx.UsageNumber(ctx, batch.Node)
		if last, err = store.One(last, err); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("reading the last batch of %s: %w", batch.Node, err)
		}
		if batch.Number <= last {
			return nil
		}
		if err := tx.SetUsageNumber(ctx, store.SetUsageNumberParams{Node: batch.Node, Number: batch.Number}); err != nil {
			return fmt.Errorf("numbering a batch of %s: %w", batch.Node, err)
		}
		for _, use := range batch.Uses {
			if err := f.a.recordUse(ctx, tx, batch.Node, use, spent); err != nil {
				return err
			}
		}
		return f.a.spend(ctx, tx, spent)
	})
	if err != nil {
		return fmt.Errorf("applying usage batch %d of %s: %w", batch.Number, batch.Node, err)
	}
	if seq != 0 || len(spent) > 0 { // totals have no position
		f.a.followers.wake()
	}
	return nil
}

// LastBatch is the number of the last batch applied for this node, so that a verifier that starts again
// goes on counting from there.
func (f *Feed) LastBatch(ctx context.Context) (int64, error) {
	n, err := f.a.db.Read().UsageNumber(ctx, f.node)
	if n, err = store.One(n, err); err != nil {
		return 0, ignoreNotFound(err)
	}
	return n, nil
}

func (a *Authority) recordUse(ctx context.Context, tx *store.Tx, node string, use api.Usage, spent spending) error {
	if use.Calls == 0 {
		return nil // only refusals: last use is a use
	}
	row, err := tx.TokenBySID(ctx, use.SID)
	if row, err = store.One(row, err); err != nil {
		return ignoreNotFound(err)
	}
	if err := a.count(ctx, tx, row, use, spent); err != nil {
		return err
	}
	at := int64(use.At)
	if err := tx.RecordUse(ctx, store.RecordUseParams{SID: use.SID, At: &at, Address: use.Address, Agent: use.Agent, Calls: use.Calls}); err != nil {
		return fmt.Errorf("recording a use: %w", err)
	}
	if row.FirstCallAt != nil || row.State == string(api.StateDeleted) {
		return nil
	}
	e := audit.Event{
		At: a.now().UnixMicro(), Account: row.Account, Action: audit.FirstCall, Subject: tokenSubject(row.SID, row.Name),
		Actor: audit.Actor{Kind: audit.ByVerifier, Name: node}, Outcome: audit.Done, Address: use.Address, Agent: use.Agent,
	}
	return a.recordToken(ctx, tx, use.SID, e)
}
