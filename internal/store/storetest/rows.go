package storetest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/store"
)

func names(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	named := func(n int, in int64, name string) error {
		row := tokenRow(n)
		row.Account, row.Name, row.NameKey = in, name, strings.ToLower(name)
		_, err := db.Act(ctx, func(tx *store.Tx) error { return tx.AddToken(ctx, row) })
		return err
	}
	if err := named(1, account, "Nightly export"); err != nil {
		t.Fatal(err)
	}
	if err := named(2, account, "NIGHTLY Export"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the same name in other letters: %v", err)
	}
	if err := named(3, account+1, "Nightly export"); err != nil {
		t.Errorf("the same name in another account: %v", err)
	}
	if err := named(4, account, "Nightly  export"); err != nil {
		t.Errorf("another name: %v", err)
	}
	// An edit to a taken name conflicts too; a name that was deleted is free.
	_, err := db.Act(ctx, func(tx *store.Tx) error {
		_, err := tx.EditToken(ctx, store.EditTokenParams{
			Account: account, SID: sid(4), Revision: 1, Name: "nightly EXPORT", NameKey: "nightly export",
			Api: "agency", Version: "3", Pins: "[]", Reach: "none", Brands: "[]", Emails: "[]",
		})
		return err
	})
	if !db.Conflict(err) {
		t.Errorf("an edit to a taken name: %v", err)
	}
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.SetTokenState(ctx, store.SetTokenStateParams{Account: account, SID: sid(1), State: "deleted", At: 1})
		return err
	})
	if err := named(5, account, "nightly export"); err != nil {
		t.Errorf("the name of a deleted token: %v", err)
	}
}

// SECURITY.md, class 35: another account's id in the same statement finds and changes nothing.
func accounts(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	act(t, db, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
	const other = account + 1
	if _, err := store.One(db.Read().Token(t.Context(), store.TokenParams{Account: other, SID: sid(1)})); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("reading: %v", err)
	}
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		touched, err := tx.TouchToken(ctx, store.TouchTokenParams{Account: other, SID: sid(1), Revision: 1})
		state, err2 := tx.SetTokenState(ctx, store.SetTokenStateParams{Account: other, SID: sid(1), State: "deleted"})
		edited, err3 := tx.EditToken(ctx, store.EditTokenParams{Account: other, SID: sid(1), Revision: 1})
		if touched+state+edited != 0 {
			t.Errorf("another account changed %d, %d, %d rows", touched, state, edited)
		}
		return errors.Join(err, err2, err3)
	})
}

func nulls(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	zero, thirty, when, who := int64(0), int64(30), int64(77), "p1"
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		absent, present := tokenRow(1), tokenRow(2)
		present.ExpiresAt, present.PrimaryContact = &when, &who
		return errors.Join(
			tx.AddToken(ctx, absent), tx.AddToken(ctx, present),
			tx.AddAccount(ctx, store.AddAccountParams{ID: 1, Kind: "agency", Name: "A", NameKey: "a", CreatedAt: 1}),
			tx.AddAccount(ctx, store.AddAccountParams{ID: 2, Kind: "agency", Name: "B", NameKey: "b", CreatedAt: 1, ExpiryDefault: &zero, ExpiryMax: &thirty}),
			tx.AddDraft(ctx, store.AddDraftParams{ID: "d", Account: 1, Person: "p", Body: "{}", CreatedAt: 1, ExpiresAt: 2}),
		)
	})
	one, err := db.Read().TokenBySID(ctx, sid(1))
	two, err2 := db.Read().TokenBySID(ctx, sid(2))
	a, err3 := db.Read().Account(ctx, 1)
	b, err4 := db.Read().Account(ctx, 2)
	d, err5 := db.Read().Draft(ctx, store.DraftParams{ID: "d", Account: 1, Person: "p"})
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	type pair struct{ A, B *int64 }
	if diff := cmp.Diff([]pair{{nil, nil}, {nil, nil}, {&zero, &thirty}}, []pair{{one.ExpiresAt, one.LastUsedAt}, {a.ExpiryDefault, a.ExpiryMax}, {b.ExpiryDefault, b.ExpiryMax}}); diff != "" {
		t.Error(diff)
	}
	if one.PrimaryContact != nil || two.PrimaryContact == nil || *two.PrimaryContact != who || two.ExpiresAt == nil || *two.ExpiresAt != when || d.SID != nil {
		t.Errorf("%+v, %+v, %+v", one, two, d)
	}
}

func times(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	for i, at := range []int64{1, 999_999, 1_000_001, start.UnixMicro() + 123_457, 253_402_300_799_999_999, math.MaxInt64} {
		row := tokenRow(i + 1)
		row.ExpiresAt, row.CreatedAt = &at, at
		act(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.AddToken(ctx, row) })
		got, err := db.Read().TokenBySID(t.Context(), row.SID)
		if err != nil || *got.ExpiresAt != at || got.CreatedAt != at {
			t.Errorf("%d came back as %d and %d: %v", at, *got.ExpiresAt, got.CreatedAt, err)
		}
	}
	if got := store.Micros(start.Add(1999)); got != start.UnixMicro()+1 {
		t.Errorf("Micros gives %d", got)
	}
}

func texts(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	for i, text := range []string{
		"", "plain", "O'Brien", `"quoted" \ back`, "100 % _ ?", "Zürich 日本 🎟 e\u0301", "line\nbreak\ttab", "'; DROP TABLE token; --", "$1 @name :n", strings.Repeat("ä", 500),
	} {
		row := tokenRow(i + 1)
		row.Description = text
		act(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.AddToken(ctx, row) })
		got, err := db.Read().TokenBySID(t.Context(), row.SID)
		if err != nil || got.Description != text {
			t.Errorf("%q came back as %q: %v", text, got.Description, err)
		}
	}
}

func foreignKeys(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	if _, err := db.Act(ctx, func(tx *store.Tx) error {
		return tx.AddSecret(ctx, store.AddSecretParams{SID: sid(404), Digest: []byte("d"), CreatedAt: 1})
	}); err == nil {
		t.Error("a secret of no token was kept")
	}
	if _, err := db.Act(ctx, func(tx *store.Tx) error {
		return tx.AddMember(ctx, store.AddMemberParams{Account: 404, Person: "nobody", Role: "administrator"})
	}); err == nil {
		t.Error("a member of no account was kept")
	}
}

func quotas(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	ctx := t.Context()
	add := func(subject string, period, calls, at int64) {
		act(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.AddQuota(ctx, store.AddQuotaParams{Subject: subject, Period: period, Calls: calls, MovedAt: at})
		})
	}
	const day, month = 20261031, 202610
	add(sid(1), day, 3, 10)
	add(sid(1), day, 4, 20)
	add(sid(1), month, 7, 20)
	add(sid(1), 20261030, 100, 5)
	add("4711", month, 1, 11)
	moved := func(since int64) []store.QuotasMovedRow {
		rows, err := db.Read().QuotasMoved(ctx, store.QuotasMovedParams{Since: since, Day: day, Month: month})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	both := []store.QuotasMovedRow{{Subject: sid(1), Period: month, Calls: 7}, {Subject: sid(1), Period: day, Calls: 7}}
	if diff := cmp.Diff(append(both, store.QuotasMovedRow{Subject: "4711", Period: month, Calls: 1}), moved(0)); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(both, moved(12)); diff != "" {
		t.Errorf("what moved since 12 (-want +got):\n%s", diff)
	}
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.DropQuotas(ctx, 11)
		if n != 1 {
			t.Errorf("%d old rows were dropped, want the one of the day before", n)
		}
		return err
	})
	if len(moved(0)) != 3 {
		t.Errorf("left: %v", moved(0))
	}
}
