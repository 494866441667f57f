package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"counterfoil.dev/counterfoil/internal/store"
)

func oldStateWhole(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	look := func() string {
		t.Helper()
		var out string
		if err := db.View(t.Context(), func(q *store.Queries) error {
			_, err := store.One(q.Token(t.Context(), store.TokenParams{Account: account, SID: sid(1)}))
			secrets, err2 := q.Secrets(t.Context(), sid(1))
			feed, err3 := q.FeedAfter(t.Context(), store.FeedAfterParams{N: 10})
			if err := errors.Join(err2, err3); err != nil {
				return err
			}
			out = fmt.Sprintf("token %v, %d secrets, %d entries", err == nil, len(secrets), len(feed))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if (out != "token false, 0 secrets, 0 entries") != exists(t, db, 1) {
			t.Errorf("a view and a plain read disagree: %s", out)
		}
		return out
	}
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		if err := addToken(ctx, tx, 1); err != nil {
			return err
		}
		if got := look(); got != "token false, 0 secrets, 0 entries" {
			t.Errorf("during the act a reader sees: %s", got)
		}
		return nil
	})
	if got := look(); got != "token true, 1 secrets, 1 entries" {
		t.Errorf("after the act a reader sees: %s", got)
	}
}

func oneState(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
	ctx := t.Context()
	if err := db.View(ctx, func(q *store.Queries) error {
		before, err := q.Head(ctx)
		if err != nil {
			return err
		}
		for n := 2; n <= 4; n++ { // somebody else's acts, in the middle of the view
			if seq, err := db.Act(ctx, func(tx *store.Tx) error { return addToken(ctx, tx, n) }); err != nil || seq != int64(n) {
				return fmt.Errorf("an act during a view: %d, %w", seq, err)
			}
		}
		tokens, err := q.AllTokens(ctx, store.AllTokensParams{N: 10})
		if err != nil {
			return err
		}
		secrets, err := q.SecretsFrom(ctx, store.SecretsFromParams{Upto: sid(99)})
		if err != nil {
			return err
		}
		after, err := q.Head(ctx)
		if err != nil {
			return err
		}
		if before.Seq != 1 || after.Seq != 1 || len(tokens) != 1 || len(secrets) != 1 {
			t.Errorf("within one view: head %d then %d, %d tokens, %d secrets", before.Seq, after.Seq, len(tokens), len(secrets))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.View(ctx, func(*store.Queries) error { return errNo }); !errors.Is(err, errNo) {
		t.Errorf("a view's own error: %v", err)
	}
	if got := head(t, db); got != 4 {
		t.Errorf("after the view the head is %d", got)
	}
}

func readsCannotWrite(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	if err := db.Read().AddToken(ctx, tokenRow(1)); err == nil {
		t.Error("a read wrote a token")
	}
	if err := db.View(ctx, func(q *store.Queries) error { return q.AddToken(ctx, tokenRow(1)) }); err == nil {
		t.Error("a view wrote a token")
	}
	if exists(t, db, 1) {
		t.Error("and it is there")
	}
}
