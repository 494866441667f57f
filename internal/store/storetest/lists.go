package storetest

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/store"
)

func everything() store.ListTokensParams {
	return store.ListTokensParams{Account: account, CreatedTo: math.MaxInt64, BeforeAt: math.MaxInt64, N: 1000}
}

func list(t *testing.T, db *store.DB, p store.ListTokensParams) []store.Token {
	t.Helper()
	rows, err := db.Read().ListTokens(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func back(t *testing.T, db *store.DB, at int64, sid string, n int64) []store.Token {
	t.Helper()
	p := everything()
	rows, err := db.Read().ListTokensBack(t.Context(), store.ListTokensBackParams{
		Account: p.Account, CreatedTo: p.CreatedTo, AfterAt: at, AfterSID: sid, N: n,
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func count(t *testing.T, db *store.DB, p store.ListTokensParams) int64 {
	t.Helper()
	n, err := db.Read().CountTokens(t.Context(), store.CountTokensParams{
		Account: p.Account, Zero: p.Zero, Q: p.Q, CreatedFrom: p.CreatedFrom, CreatedTo: p.CreatedTo, State: p.State, Now: p.Now, Api: p.Api, Version: p.Version,
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sids(rows []store.Token) []string {
	out := make([]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.SID)
	}
	return out
}

func pages(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	var want []string
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		for n := range 53 {
			row := tokenRow(n)
			row.CreatedAt = start.UnixMicro() + int64(n/6) // six at each instant
			if err := tx.AddToken(ctx, row); err != nil {
				return err
			}
			want = append(want, row.SID)
		}
		stranger := tokenRow(900)
		stranger.Account++
		return tx.AddToken(ctx, stranger)
	})
	slices.Reverse(want)
	for _, size := range []int64{1, 5, 7, 53, 54} {
		var got []string
		p := everything()
		p.N = size
		for {
			rows := list(t, db, p)
			if len(rows) == 0 {
				break
			}
			got = append(got, sids(rows)...)
			last := rows[len(rows)-1]
			p.BeforeAt, p.BeforeSID = last.CreatedAt, last.SID
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("forwards by %d:\n%s", size, diff)
		}
		got = nil
		at, from := int64(0), ""
		for {
			rows := back(t, db, at, from, size)
			if len(rows) == 0 {
				break
			}
			got = append(got, sids(rows)...)
			at, from = rows[len(rows)-1].CreatedAt, rows[len(rows)-1].SID
		}
		slices.Reverse(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("backwards by %d:\n%s", size, diff)
		}
	}
	// A token made meanwhile does not move the page that somebody is reading.
	p := everything()
	p.N, p.BeforeAt, p.BeforeSID = 5, start.UnixMicro()+4, sid(26)
	before := sids(list(t, db, p))
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		row := tokenRow(901)
		row.CreatedAt = start.UnixMicro() + 100
		return tx.AddToken(ctx, row)
	})
	if diff := cmp.Diff(before, sids(list(t, db, p))); diff != "" {
		t.Error(diff)
	}
}

func search(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	all := []string{"100% sure", "100 sure", "a_b", "axb", "O'Brien", `say "hi"`, `back\slash`, "Zürich", "日本 tickets", "[x]", "a*b", "emoji 🎟", "?", "plain"}
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		for n, name := range all {
			row := tokenRow(n)
			row.Name, row.NameKey = name, strings.ToLower(name)
			if err := tx.AddToken(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
	for q, want := range map[string][]string{
		"%": {"100% sure"}, "_": {"a_b"}, "100": {"100 sure", "100% sure"}, "'": {"O'Brien"}, `"`: {`say "hi"`}, `\`: {`back\slash`},
		"zür": {"Zürich"}, "ü": {"Zürich"}, "日": {"日本 tickets"}, "[x]": {"[x]"}, "*": {"a*b"}, "🎟": {"emoji 🎟"}, "?": {"?"},
		"no such": {}, "plain": {"plain"}, "plainer": {}, "' or 1=1 --": {}, "a%b": {}, "a?b": {},
	} {
		p := everything()
		p.Q = q
		got := []string{}
		for _, r := range list(t, db, p) {
			got = append(got, r.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("searching %q:\n%s", q, diff)
		}
		if n := count(t, db, p); n != int64(len(want)) {
			t.Errorf("searching %q counts %d", q, n)
		}
	}
	p := everything()
	if n := len(list(t, db, p)); n != len(all) {
		t.Errorf("an empty search finds %d of %d", n, len(all))
	}
}

func filters(t *testing.T, empty func(testing.TB) string) {
	db := open(t, empty(t))
	const now = 1_000
	ended, open := int64(now), int64(now+1) // a token ends at its expiry, not after it
	act(t, db, func(ctx context.Context, tx *store.Tx) error {
		for n, c := range []struct {
			state         string
			expires       *int64
			api, version  string
			zero, created int64
		}{
			{"enabled", nil, "agency", "2", 0, 10},
			{"enabled", &open, "agency", "3", 0, 20},
			{"enabled", &ended, "agency", "3", 0, 30},
			{"disabled", nil, "agency", "3", 0, 40},
			{"disabled", &ended, "brand", "3", 0, 50},
			{"leaked", &open, "brand", "7", 0, 60},
			{"on_hold", nil, "brand", "7", 0, 70},
			{"deleted", nil, "agency", "3", 0, 80},
			{"enabled", nil, "counterfoil", "1", 1, 90},
		} {
			row := tokenRow(n)
			row.ExpiresAt, row.Api, row.Version, row.Zero, row.CreatedAt = c.expires, c.api, c.version, c.zero, c.created
			if err := tx.AddToken(ctx, row); err != nil {
				return err
			}
			if c.state == "enabled" {
				continue
			}
			if _, err := tx.SetTokenState(ctx, store.SetTokenStateParams{Account: account, SID: row.SID, State: c.state, At: 1}); err != nil {
				return err
			}
		}
		return nil
	})
	for name, c := range map[string]struct {
		set  func(*store.ListTokensParams)
		want []int
	}{
		"all":               {func(*store.ListTokensParams) {}, []int{6, 5, 4, 3, 2, 1, 0}},
		"enabled":           {func(p *store.ListTokensParams) { p.State = "enabled" }, []int{1, 0}},
		"disabled":          {func(p *store.ListTokensParams) { p.State = "disabled" }, []int{6, 5, 3}},
		"expired":           {func(p *store.ListTokensParams) { p.State = "expired" }, []int{4, 2}},
		"an API":            {func(p *store.ListTokensParams) { p.Api = "brand" }, []int{6, 5, 4}},
		"a version":         {func(p *store.ListTokensParams) { p.Api, p.Version = "agency", "3" }, []int{3, 2, 1}},
		"created from":      {func(p *store.ListTokensParams) { p.CreatedFrom = 50 }, []int{6, 5, 4}},
		"created before":    {func(p *store.ListTokensParams) { p.CreatedTo = 50 }, []int{3, 2, 1, 0}},
		"management tokens": {func(p *store.ListTokensParams) { p.Zero = 1 }, []int{8}},
		"all at once": {func(p *store.ListTokensParams) {
			p.State, p.Api, p.Version, p.CreatedFrom, p.Q = "disabled", "brand", "7", 61, "token"
		}, []int{6}},
	} {
		p := everything()
		p.Now = now
		c.set(&p)
		want := []string{}
		for _, n := range c.want {
			want = append(want, sid(n))
		}
		if diff := cmp.Diff(want, sids(list(t, db, p))); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if n := count(t, db, p); n != int64(len(want)) {
			t.Errorf("%s: counts %d, lists %d", name, n, len(want))
		}
	}
}
