package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// race runs n acts at once and counts those that say they did it.
func race(t *testing.T, db *store.DB, n int, f func(ctx context.Context, tx *store.Tx, i int) (bool, error)) int {
	t.Helper()
	var won atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			var did bool
			_, err := db.Act(t.Context(), func(tx *store.Tx) (err error) {
				did, err = f(t.Context(), tx, i)
				return err
			})
			if err != nil {
				t.Errorf("act %d: %v", i, err)
			} else if did {
				won.Add(1)
			}
		})
	}
	close(gate)
	wg.Wait()
	return int(won.Load())
}

func revocations(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
	won := race(t, db, 16, func(ctx context.Context, tx *store.Tx, i int) (bool, error) {
		n, err := tx.SetTokenState(ctx, store.SetTokenStateParams{
			Account: account, SID: sid(1), State: "disabled", At: start.UnixMicro(), ByName: fmt.Sprint("person ", i), Why: "leaked",
		})
		if err != nil || n == 0 {
			return false, err
		}
		tx.Record(event(audit.DisableToken, sid(1)), nil)
		return true, nil
	})
	if won != 1 || head(t, db) != 2 {
		t.Errorf("%d of 16 revocations counted, %d events", won, head(t, db)-1)
	}
}

// A lock is put on a state that is there already, once; without one the same state again changes nothing.
func locks(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
	for i, step := range []struct {
		state          string
		locked, change int64
	}{{"disabled", 0, 1}, {"disabled", 0, 0}, {"disabled", 1, 1}, {"disabled", 1, 0}, {"disabled", 0, 0}, {"enabled", 0, 1}, {"deleted", 0, 1}, {"disabled", 1, 0}} {
		act(t, db, func(ctx context.Context, tx *store.Tx) error {
			n, err := tx.SetTokenState(ctx, store.SetTokenStateParams{Account: account, SID: sid(1), State: step.state, Locked: step.locked, At: 1})
			if n != step.change {
				t.Errorf("step %d changed %d rows, want %d", i, n, step.change)
			}
			return err
		})
	}
}

// SECURITY.md, class 28: each of 64 people read the token before any reset was done.
func resets(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
	row, err := db.Read().TokenBySID(t.Context(), sid(1))
	if err != nil {
		t.Fatal(err)
	}
	won := race(t, db, 64, func(ctx context.Context, tx *store.Tx, i int) (bool, error) {
		n, err := tx.TouchToken(ctx, store.TouchTokenParams{Account: account, SID: sid(1), Revision: row.Revision})
		if err != nil || n == 0 {
			return false, err
		}
		if err := tx.DropSecrets(ctx, sid(1)); err != nil {
			return false, err
		}
		if err := tx.AddSecret(ctx, store.AddSecretParams{SID: sid(1), Digest: fmt.Appendf(nil, "digest %d", i), CreatedAt: 1}); err != nil {
			return false, err
		}
		tx.Record(event(audit.ResetToken, sid(1)), nil)
		return true, nil
	})
	secrets, err := db.Read().Secrets(t.Context(), sid(1))
	if err != nil {
		t.Fatal(err)
	}
	if won != 1 || len(secrets) != 1 || head(t, db) != 2 || string(secrets[0].Digest) == sid(1) {
		t.Errorf("%d of 64 resets won, %d live secrets, %d events", won, len(secrets), head(t, db)-1)
	}
}

func edits(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
	won := race(t, db, 8, func(ctx context.Context, tx *store.Tx, i int) (bool, error) {
		n, err := tx.EditToken(ctx, store.EditTokenParams{
			Account: account, SID: sid(1), Revision: 1, Name: fmt.Sprint("Name ", i), NameKey: fmt.Sprint("name ", i),
			Api: "agency", Version: "3", Pins: "[]", Reach: "none", Brands: "[]", Emails: "[]",
		})
		return n == 1, err
	})
	row, err := db.Read().TokenBySID(t.Context(), sid(1))
	if err != nil || won != 1 || row.Revision != 2 {
		t.Errorf("%d of 8 edits of one revision were written, revision %d: %v", won, row.Revision, err)
	}
}

func links(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	person := "p1"
	var older, secret string
	act(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		if older, err = tx.MakeLink(ctx, store.LinkPassword, &person, nil, start, time.Hour); err != nil {
			return err
		}
		secret, err = tx.MakeLink(ctx, store.LinkPassword, &person, nil, start, time.Hour)
		return err
	})
	spend := func(secret, purpose string, at time.Time) func(ctx context.Context, tx *store.Tx, _ int) (bool, error) {
		return func(ctx context.Context, tx *store.Tx, _ int) (bool, error) {
			micros := at.UnixMicro()
			n, err := tx.SpendLink(ctx, store.SpendLinkParams{Digest: store.LinkDigest(secret), Purpose: purpose, At: &micros})
			return n == 1, err
		}
	}
	for name, try := range map[string]func(context.Context, *store.Tx, int) (bool, error){
		"an older one":   spend(older, store.LinkPassword, start),
		"for another":    spend(secret, store.LinkInvitation, start),
		"after its end":  spend(secret, store.LinkPassword, start.Add(time.Hour)),
		"a made-up one":  spend(rand.Text(), store.LinkPassword, start),
		"an empty one":   spend("", store.LinkPassword, start),
		"another's case": spend(secret+" ", store.LinkPassword, start),
	} {
		if race(t, db, 1, try) != 0 {
			t.Errorf("%s: the link was spent", name)
		}
	}
	if won := race(t, db, 20, spend(secret, store.LinkPassword, start.Add(time.Hour-time.Microsecond))); won != 1 {
		t.Errorf("one link was spent %d times", won)
	}
}

func drafts(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		return tx.AddDraft(ctx, store.AddDraftParams{ID: "d", Account: account, Person: "p1", Body: "{}", CreatedAt: 1, ExpiresAt: 2})
	})
	won := race(t, db, 10, func(ctx context.Context, tx *store.Tx, i int) (bool, error) {
		n, err := tx.SpendDraft(ctx, store.SpendDraftParams{ID: "d", Account: account, Person: "p1", SID: sid(i)})
		return n == 1, err
	})
	for _, other := range []store.SpendDraftParams{{ID: "d", Account: account, Person: "p2"}, {ID: "d", Account: account + 1, Person: "p1"}} {
		act(t, db, func(ctx context.Context, tx *store.Tx) error {
			if n, err := tx.SpendDraft(ctx, other); n != 0 || err != nil {
				t.Errorf("somebody else spent the draft: %v", err)
			}
			return nil
		})
	}
	if won != 1 {
		t.Errorf("one draft became %d tokens", won)
	}
}

func leases(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		return tx.AddOutbox(ctx, store.AddOutboxParams{ID: "m", Kind: "k", Recipient: "a@b.example", Body: []byte("x"), CreatedAt: 5})
	})
	due, err := db.Read().DueOutbox(t.Context(), store.DueOutboxParams{Now: 5, N: 10})
	if err != nil || len(due) != 1 {
		t.Fatalf("%d due: %v", len(due), err)
	}
	won := race(t, db, 10, func(ctx context.Context, tx *store.Tx, _ int) (bool, error) {
		n, err := tx.TakeOutbox(ctx, store.TakeOutboxParams{ID: "m", NextAt: due[0].NextAt, UntilAt: 100})
		return n == 1, err
	})
	early, err := db.Read().DueOutbox(t.Context(), store.DueOutboxParams{Now: 99, N: 10})
	later, err2 := db.Read().DueOutbox(t.Context(), store.DueOutboxParams{Now: 100, N: 10})
	if err != nil || err2 != nil || won != 1 || len(early) != 0 || len(later) != 1 || later[0].Tries != 1 {
		t.Errorf("leased %d times; due before the end of the lease: %d, after: %v", won, len(early), later)
	}
	at := int64(7)
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		return tx.SentOutbox(ctx, store.SentOutboxParams{ID: "m", At: &at})
	})
	if due, err := db.Read().DueOutbox(t.Context(), store.DueOutboxParams{Now: 1 << 60, N: 10}); err != nil || len(due) != 0 {
		t.Errorf("what was sent is due again: %v, %v", due, err)
	}
}

func usage(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
	won := race(t, db, 10, func(ctx context.Context, tx *store.Tx, _ int) (bool, error) {
		last, err := store.One(tx.UsageNumber(ctx, "node"))
		if err == nil && last >= 7 {
			return false, nil
		}
		if err := tx.SetUsageNumber(ctx, store.SetUsageNumberParams{Node: "node", Number: 7}); err != nil {
			return false, err
		}
		at := int64(500)
		return true, tx.RecordUse(ctx, store.RecordUseParams{SID: sid(1), At: &at, Address: "192.0.2.1", Agent: "a", Calls: 3})
	})
	older, newer := int64(400), int64(600)
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		return tx.RecordUse(ctx, store.RecordUseParams{SID: sid(1), At: &older, Address: "192.0.2.2", Agent: "b", Calls: 2})
	})
	row, err := db.Read().TokenBySID(t.Context(), sid(1))
	if err != nil || won != 1 || row.Calls != 5 || *row.LastUsedAt != 500 || row.LastAddress != "192.0.2.1" || row.LastAgent != "a" || *row.FirstCallAt != 500 {
		t.Errorf("applied %d times: %+v, %v", won, row, err)
	}
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		return tx.RecordUse(ctx, store.RecordUseParams{SID: sid(1), At: &newer, Address: "192.0.2.3", Agent: "c", Calls: 1})
	})
	if row, err = db.Read().TokenBySID(t.Context(), sid(1)); err != nil || *row.LastUsedAt != 600 || row.LastAddress != "192.0.2.3" || *row.FirstCallAt != 500 {
		t.Errorf("last use does not move forward: %+v, %v", row, err)
	}
}
