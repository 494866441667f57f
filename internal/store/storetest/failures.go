package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// create is the shape of the longest act: a token from a wizard's draft, under an idempotency key, with
// a message to somebody.
func create(ctx context.Context, db *store.DB, n int) (int64, error) {
	return db.Act(ctx, func(tx *store.Tx) error {
		draft, err := tx.Draft(ctx, store.DraftParams{ID: draftID(n), Account: account, Person: "p1"})
		if err != nil {
			return err
		}
		if taken, err := tx.NameTaken(ctx, store.NameTakenParams{Account: account, NameKey: tokenRow(n).NameKey}); err != nil || taken != 0 {
			return fmt.Errorf("name taken %d: %w", taken, err)
		}
		if err := addToken(ctx, tx, n); err != nil {
			return err
		}
		if spent, err := tx.SpendDraft(ctx, store.SpendDraftParams{ID: draft.ID, Account: account, Person: "p1", SID: sid(n)}); err != nil || spent != 1 {
			return fmt.Errorf("spent %d: %w", spent, err)
		}
		if err := tx.AddIdempotency(ctx, store.AddIdempotencyParams{Account: account, Key: sid(n), Body: []byte("b"), SID: sid(n), CreatedAt: 1}); err != nil {
			return err
		}
		person := fmt.Sprint("person ", n)
		link, err := tx.MakeLink(ctx, store.LinkInvitation, &person, nil, start, time.Hour)
		if err != nil {
			return err
		}
		plain := func(_ string, b []byte) []byte { return b }
		if err := tx.Send(ctx, plain, store.Message{Kind: "k", To: sid(n), Values: map[string]string{"link": link}}, start); err != nil {
			return err
		}
		tx.RecordThen(event(audit.EditToken, sid(n)), nil, func(int64) error {
			_, err := tx.Secrets(ctx, sid(n))
			return err
		})
		return nil
	})
}

func draftID(n int) string { return fmt.Sprint("draft ", n) }

// traces counts what an act of create has left: all seven, or nothing.
func traces(t *testing.T, db *store.DB, n int) int {
	t.Helper()
	ctx := t.Context()
	found := 0
	see := func(is bool, err error) {
		t.Helper()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if is && err == nil {
			found++
		}
	}
	q := db.Read()
	see(exists(t, db, n), nil)
	secrets, err := q.Secrets(ctx, sid(n))
	see(len(secrets) == 1, err)
	draft, err := store.One(q.Draft(ctx, store.DraftParams{ID: draftID(n), Account: account, Person: "p1"}))
	see(draft.SID != nil, err)
	_, err = store.One(q.Idempotency(ctx, store.IdempotencyParams{Account: account, Key: sid(n)}))
	see(true, err)
	due, err := q.DueOutbox(ctx, store.DueOutboxParams{Now: 1 << 60, N: 1000})
	sent := false
	for _, m := range due {
		sent = sent || m.Recipient == sid(n)
	}
	see(sent, err)
	history, err := q.AccountEvents(ctx, store.AccountEventsParams{Account: account, Subject: sid(n), Before: 1 << 60, N: 10})
	see(len(history) == 2, err)
	feed, err := q.FeedAfter(ctx, store.FeedAfterParams{N: 1000})
	told := false
	for _, f := range feed {
		told = told || f.Body == `{"grant":{"sid":"`+sid(n)+`"}}`
	}
	see(told, err)
	return found
}

const allTraces = 7

// SECURITY.md, class 22: fosite answered "revoked" although its store had failed. Here every statement,
// every row and the commit of a create fail once, in turn; and at last the commit is done and its answer
// is lost. The caller never hears success of what is not whole, and what is there is there whole.
func everyStatementFails(t *testing.T, empty func(testing.TB) string) {
	tap := &Tap{}
	db := openThrough(t, empty(t), tap)
	kinds := map[string]int{}
	for n := 1; ; n++ {
		addDraft(t, db, n)
		fired := tap.At(n, func() error { return ErrFault })
		seq, err := create(t.Context(), db, n)
		point, did := fired()
		left := traces(t, db, n)
		if !did {
			if err != nil || left != allTraces {
				t.Fatalf("without a fault: %v, %d of %d traces", err, left, allTraces)
			}
			break
		}
		kinds[point.Kind]++
		if !errors.Is(err, ErrFault) || seq != 0 {
			t.Errorf("%s failed, and the act answered %d, %v: %s", point.Kind, seq, err, point.Statement)
		}
		if want := map[bool]int{true: allTraces}[point.Kind == "committed"]; left != want {
			t.Errorf("%s failed, and %d of %d traces are left, want %d: %s", point.Kind, left, allTraces, want, point.Statement)
		}
	}
	if kinds["begin"] != 1 || kinds["commit"] != 1 || kinds["committed"] != 1 || kinds["exec"] < 10 || kinds["query"] < 5 || kinds["next"] < 5 {
		t.Errorf("the points that failed: %v", kinds)
	}
}

func everyStatementCancelled(t *testing.T, empty func(testing.TB) string) {
	tap := &Tap{}
	db := openThrough(t, empty(t), tap)
	for n := 1; ; n++ {
		addDraft(t, db, n)
		ctx, cancel := context.WithCancel(t.Context())
		fired := tap.At(n, func() error { cancel(); return nil })
		_, err := create(ctx, db, n)
		point, did := fired()
		cancel()
		left := traces(t, db, n)
		if !did {
			break
		}
		if left != 0 && left != allTraces {
			t.Errorf("cancelled at %s: %d of %d traces are left: %s", point.Kind, left, allTraces, point.Statement)
		}
		if err == nil && left != allTraces {
			t.Errorf("cancelled at %s: success, and nothing is there", point.Kind)
		}
		if committing := point.Kind == "commit" || point.Kind == "committed"; !committing && (err == nil || left != 0) {
			t.Errorf("cancelled at %s: %v, and %d traces are left: %s", point.Kind, err, left, point.Statement)
		}
	}
}

func endedContext(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := db.Act(ended, func(tx *store.Tx) error { return addToken(t.Context(), tx, 1) }); !errors.Is(err, context.Canceled) {
		t.Errorf("an act with an ended context: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := db.Act(ctx, func(tx *store.Tx) error {
		if err := addToken(ctx, tx, 2); err != nil {
			return err
		}
		cancel()
		return nil
	}); err == nil {
		t.Error("an act whose context ended before the commit answered success")
	}
	if err := db.View(ended, func(*store.Queries) error { return nil }); err == nil {
		t.Error("a view with an ended context answered success")
	}
	if err := db.Ping(ended); err == nil {
		t.Error("ready, with an ended context")
	}
	if exists(t, db, 1) || exists(t, db, 2) || head(t, db) != 0 {
		t.Error("something is left of acts that were cancelled")
	}
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 3) })
}

func addDraft(t *testing.T, db *store.DB, n int) {
	t.Helper()
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		return tx.AddDraft(ctx, store.AddDraftParams{ID: draftID(n), Account: account, Person: "p1", Body: "{}", CreatedAt: 1, ExpiresAt: 2})
	})
}
