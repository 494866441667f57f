package authority

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/store"
)

// Quotas are summed here, from what verifiers report, in the transaction that applies the report: the number
// of a batch and what it spent are one. Verifiers hear the totals with the feed and count on from them, so
// that a restart forgets nothing, and each allows no more beyond a quota than what all of them let pass
// between two reports.
//
// Totals are no acts: they have no position and no event. They only grow within their day or month, so to
// hear one twice, or two in the wrong order, changes nothing.

const (
	quotaLook = 10 * time.Second // how far back a follower looks each time: a batch that began earlier may commit later
	quotaKeep = 62 * 24 * time.Hour
	quotaSend = 5_000 // totals in one entry
)

// spending is what one batch spent, by subject and period.
type spending map[quotaKey]int64

type quotaKey struct {
	subject string
	period  int64
}

// count notes the calls of a token that has a quota, and of its account if that has one.
func (a *Authority) count(ctx context.Context, tx *store.Tx, row store.Token, use api.Usage, spent spending) error {
	limits, err := limitsOf(row.SID, row.Limits)
	if err != nil {
		return err
	}
	// A verifier's clock may be ahead; a day that has not begun here is not counted in.
	at := when(min(int64(use.At), a.now().UnixMicro()))
	if limits != nil && (limits.Daily > 0 || limits.Monthly > 0) {
		spent.add(row.SID, at, use.Calls)
	}
	if row.Account == 0 {
		return nil
	}
	account, err := tx.Account(ctx, row.Account)
	if err != nil {
		return fmt.Errorf("reading an account: %w", err)
	}
	all, err := accountLimitsOf(account.ID, account.Limits)
	if err != nil {
		return err
	}
	if all != nil && (all.Daily > 0 || all.Monthly > 0) {
		spent.add(strconv.FormatInt(account.ID, 10), at, use.Calls)
	}
	return nil
}

func (s spending) add(subject string, at time.Time, calls int64) {
	s[quotaKey{subject, api.QuotaDay(at)}] += calls
	s[quotaKey{subject, api.QuotaMonth(at)}] += calls
}

// spend adds a batch to the totals, in one order for all, so that two batches never wait for each other.
func (a *Authority) spend(ctx context.Context, tx *store.Tx, spent spending) error {
	order := slices.SortedFunc(maps.Keys(spent), func(x, y quotaKey) int {
		if x.subject != y.subject {
			return strings.Compare(x.subject, y.subject)
		}
		return int(x.period - y.period)
	})
	for _, k := range order {
		if err := tx.AddQuota(ctx, store.AddQuotaParams{Subject: k.subject, Period: k.period, Calls: spent[k], MovedAt: a.now().UnixMicro()}); err != nil {
			return fmt.Errorf("counting the calls of %s: %w", k.subject, err)
		}
	}
	return nil
}

// quotasSince is what was used of today's and this month's quotas, of those that moved since a time.
func quotasSince(ctx context.Context, q *store.Queries, now time.Time, since int64) ([]api.QuotaUse, error) {
	day, month := api.QuotaDay(now), api.QuotaMonth(now)
	rows, err := q.QuotasMoved(ctx, store.QuotasMovedParams{Since: since, Day: day, Month: month})
	if err != nil {
		return nil, fmt.Errorf("reading what was used of quotas: %w", err)
	}
	var out []api.QuotaUse
	last := ""
	for _, row := range rows {
		if row.Subject != last {
			last = row.Subject
			out = append(out, api.QuotaUse{Day: day, Month: month})
			use := &out[len(out)-1]
			if id, isAccount := accountSubjectID(row.Subject); isAccount {
				use.Account = id
			} else {
				use.SID = row.Subject
			}
		}
		if use := &out[len(out)-1]; row.Period == day {
			use.DayCalls = row.Calls
		} else {
			use.MonthCalls = row.Calls
		}
	}
	return out, nil
}

// accountSubjectID tells ids of accounts from SIDs, which are longer and may be digits alone.
func accountSubjectID(subject string) (int64, bool) {
	if len(subject) > len(strconv.FormatInt(api.MaxAccountID, 10)) {
		return 0, false
	}
	id, err := strconv.ParseInt(subject, 10, 64)
	return id, err == nil
}

// told is what a follower has heard lately, so that a total is sent when it has moved.
type told struct {
	since int64
	uses  map[api.QuotaUse]bool
}

// quotasFor is the totals that a follower has not heard, as entries at the position that it has.
func (a *Authority) quotasFor(ctx context.Context, t *told, at api.Seq) ([]api.Entry, error) {
	now := a.now()
	since := t.since // 0 at first: all of them, since the snapshot may be old
	uses, err := quotasSince(ctx, a.db.Read(), now, since)
	if err != nil {
		return nil, err
	}
	heard := t.uses
	t.since, t.uses = now.Add(-quotaLook).UnixMicro(), make(map[api.QuotaUse]bool, len(uses))
	var fresh []api.QuotaUse
	for _, use := range uses {
		t.uses[use] = true
		if !heard[use] {
			fresh = append(fresh, use)
		}
	}
	var out []api.Entry
	for part := range slices.Chunk(fresh, quotaSend) {
		out = append(out, api.Entry{Seq: at, At: api.Micros(now.UnixMicro()), Quotas: part})
	}
	return out, nil
}

// dropQuotas forgets days and months that are over for long.
func (a *Authority) dropQuotas(ctx context.Context) error {
	_, err := a.db.Act(ctx, func(tx *store.Tx) error {
		_, err := tx.DropQuotas(ctx, a.now().Add(-quotaKeep).UnixMicro())
		return err
	})
	if err != nil {
		return fmt.Errorf("dropping old quotas: %w", err)
	}
	return nil
}
