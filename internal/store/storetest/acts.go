package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

var errNo = errors.New("storetest: the act thinks better of it")

func allOrNothing(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	seq, err := db.Act(ctx, func(tx *store.Tx) error {
		if err := addToken(ctx, tx, 1); err != nil {
			return err
		}
		return errNo
	})
	if !errors.Is(err, errNo) || seq != 0 {
		t.Fatalf("the act answered %d, %v", seq, err)
	}
	// The second row is refused by the database itself; the first goes with it.
	_, err = db.Act(ctx, func(tx *store.Tx) error { return errors.Join(addToken(ctx, tx, 2), tx.AddToken(ctx, tokenRow(2))) })
	if !errors.Is(err, store.ErrConflict) || !db.Conflict(err) {
		t.Fatalf("a taken SID: %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic of an act was swallowed")
			}
		}()
		if _, err := db.Act(ctx, func(tx *store.Tx) error {
			if err := addToken(ctx, tx, 3); err != nil {
				return err
			}
			panic("storetest")
		}); err != nil {
			t.Error(err)
		}
	}()
	for n := 1; n <= 3; n++ {
		if exists(t, db, n) {
			t.Errorf("token %d of an act that failed is there", n)
		}
	}
	if head(t, db) != 0 {
		t.Error("an act that failed moved the position")
	}
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
}

func noPosition(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	seq := act(t, db, func(ctx context.Context, tx *store.Tx) error {
		return tx.AddDraft(ctx, store.AddDraftParams{ID: "d", Account: account, Person: "p", Body: "{}", CreatedAt: 1, ExpiresAt: 2})
	})
	if seq != 0 || head(t, db) != 0 {
		t.Errorf("position %d, head %d", seq, head(t, db))
	}
}

// A follower that reads beside 100 writers sees no gap, and behind each entry the rows of its act: an
// entry that became visible before a lower one would be a revocation that nobody ever hears of
// (SECURITY.md, class 25).
func denseAndInOrder(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	const writers = 100
	answered := make(chan int64, writers)
	var wg sync.WaitGroup
	for n := 1; n <= writers; n++ {
		wg.Go(func() {
			seq, err := db.Act(ctx, func(tx *store.Tx) error {
				if err := addToken(ctx, tx, n); err != nil {
					return err
				}
				if n%3 == 0 { // an act with two events
					tx.Record(event(audit.EditToken, sid(n)), nil)
				}
				if n%5 == 0 {
					return errNo
				}
				return nil
			})
			switch {
			case n%5 == 0 && !errors.Is(err, errNo), n%5 != 0 && err != nil:
				t.Errorf("act %d: %v", n, err)
			case err == nil:
				answered <- seq
			}
		})
	}
	wrote := make(chan struct{})
	go func() { wg.Wait(); close(wrote) }()
	var last int64
	for done := false; !done; {
		select {
		case <-wrote:
			done = true
		default:
		}
		follow(t, db, &last)
	}
	close(answered)
	seen := map[int64]bool{}
	for seq := range answered {
		if seen[seq] || seq < 1 || seq > last {
			t.Errorf("position %d was answered twice, or is beyond the head %d", seq, last)
		}
		seen[seq] = true
	}
	if want := int64(writers - writers/5 + 33 - 6); last != want || len(seen) != writers-writers/5 {
		t.Errorf("%d positions of %d acts, want %d of 80", last, len(seen), want)
	}
}

func follow(t *testing.T, db *store.DB, last *int64) {
	t.Helper()
	rows, err := db.Read().FeedAfter(t.Context(), store.FeedAfterParams{After: *last, N: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Seq != *last+1 {
			t.Fatalf("after position %d comes %d", *last, r.Seq)
		}
		*last = r.Seq
		var n int
		if _, err := fmt.Sscanf(r.Body, `{"grant":{"sid":"%d"}}`, &n); err == nil && !exists(t, db, n) {
			t.Fatalf("position %d is on the feed, and its token is not there", r.Seq)
		}
	}
}

func twoPrograms(t *testing.T, empty func(testing.TB) string) {
	dsn := empty(t)
	var wg sync.WaitGroup
	for p := range 2 {
		db := open(t, dsn)
		wg.Go(func() {
			for i := range 20 {
				if _, err := db.Act(t.Context(), func(tx *store.Tx) error { return addToken(t.Context(), tx, 100*p+i) }); err != nil {
					t.Errorf("program %d: %v", p, err)
				}
			}
		})
	}
	wg.Wait()
	if got := head(t, open(t, dsn)); got != 40 {
		t.Errorf("%d positions of 40 acts", got)
	}
}

func noGap(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	for n := 1; n <= 10; n++ {
		if _, err := db.Act(ctx, func(tx *store.Tx) error {
			if err := addToken(ctx, tx, 100+n); err != nil {
				return err
			}
			// Fails after the position was taken.
			tx.RecordThen(event(audit.EditToken, "x"), nil, func(int64) error { return errNo })
			return nil
		}); !errors.Is(err, errNo) {
			t.Fatal(err)
		}
		if seq := act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, n) }); seq != int64(n) {
			t.Fatalf("act %d has position %d", n, seq)
		}
	}
}

func unrecordable(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	_, err := db.Act(ctx, func(tx *store.Tx) error {
		if err := addToken(ctx, tx, 1); err != nil {
			return err
		}
		tx.Record(audit.Event{At: 1, Action: audit.EditToken}, nil) // says neither who nor what came of it
		return nil
	})
	if !errors.Is(err, audit.ErrIncomplete) || exists(t, db, 1) || head(t, db) != 0 {
		t.Errorf("an act without a whole event: %v", err)
	}
}

func ownPosition(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	var mine int64
	seq := act(t, db, func(ctx context.Context, tx *store.Tx) error {
		tx.Record(event(audit.EditToken, "x"), nil)
		tx.RecordThen(event(audit.PublishCatalogue, "h"), nil, func(seq int64) error {
			mine = seq
			return tx.AddPublication(ctx, store.AddPublicationParams{
				Seq: seq, Hash: "h", Policy: "{}", Presentation: "[]", Documents: []byte{}, Confirmed: "[]", At: 1, ByName: "Ada",
			})
		})
		return nil
	})
	live, err := db.Read().LastPublication(t.Context())
	if err != nil || seq != 2 || mine != 2 || live.Seq != 2 {
		t.Errorf("position %d, told %d, kept %d: %v", seq, mine, live.Seq, err)
	}
}

func chain(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	for n := 1; n <= 5; n++ {
		act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, n) })
	}
	whole := events(t.Context(), db.Read())
	if end, err := audit.Verify(audit.Checkpoint{}, whole); err != nil || end.Seq != 5 {
		t.Fatalf("verified up to %d: %v", end.Seq, err)
	}
	for at := int64(1); at <= 5; at++ {
		var broken *audit.BrokenError
		forged := change(whole, at, func(s *audit.Stored) { s.Body = bytes.Replace(s.Body, []byte("Ada"), []byte("Eve"), 1) })
		if _, err := audit.Verify(audit.Checkpoint{}, forged); !errors.As(err, &broken) || broken.Seq != at {
			t.Errorf("a forged event %d: %v", at, err)
		}
	}
}

func change(all iter.Seq2[audit.Stored, error], at int64, do func(*audit.Stored)) iter.Seq2[audit.Stored, error] {
	return func(yield func(audit.Stored, error) bool) {
		for s, err := range all {
			if s.Seq == at {
				do(&s)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}
