package verify

import (
	"sync"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
)

const quotaShards = 64

// quotas are the allowed calls of this day and month (UTC) of what has a quota: what the authority said last,
// and what was counted here since. The authority's total has in it all that was reported, so the larger of
// the two is right but for what other verifiers have not reported yet: a few seconds of their calls.
type quotas struct {
	seed   *hashSeed
	shards [quotaShards]quotaShard
}

type quotaShard struct {
	mu   sync.Mutex
	uses map[quotaSubject]quotaUse // no pointers inside, so that the collector passes by
	_    [64]byte
}

// quotaSubject is a token, or an account if sid is zero.
type quotaSubject struct {
	sid     token.SID
	account int64
}

type quotaUse struct {
	day, month           int64 // as in api.QuotaUse
	dayCalls, monthCalls int64
}

func newQuotas() *quotas {
	q := &quotas{seed: newSeed()}
	for i := range q.shards {
		q.shards[i].uses = make(map[quotaSubject]quotaUse)
	}
	return q
}

func (q *quotas) shard(s *quotaSubject) *quotaShard {
	return &q.shards[(q.seed.of(&s.sid)+uint64(s.account)*(q.seed[0]|1))>>58]
}

// roll begins a new day and month. It compares for being the same and not for being later: a clock that was
// ahead and is right again must not leave a token with the calls of a day that has not come.
func (u *quotaUse) roll(day, month int64) {
	if u.day != day {
		u.day, u.dayCalls = day, 0
	}
	if u.month != month {
		u.month, u.monthCalls = month, 0
	}
}

// take counts a call if both quotas (0: none) have room for it, and returns what was used before.
func (q *quotas) take(s *quotaSubject, daily, monthly int64, now time.Time) (before quotaUse, room bool) {
	day := api.QuotaDay(now)
	shard := q.shard(s)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	use := shard.uses[*s]
	use.roll(day, day/100)
	before = use
	if daily > 0 && use.dayCalls >= daily || monthly > 0 && use.monthCalls >= monthly {
		return before, false
	}
	use.dayCalls++
	use.monthCalls++
	shard.uses[*s] = use
	return before, true
}

// giveBack takes a call back that something else refused.
func (q *quotas) giveBack(s *quotaSubject, now time.Time) {
	day := api.QuotaDay(now)
	shard := q.shard(s)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	use := shard.uses[*s]
	use.roll(day, day/100)
	use.dayCalls, use.monthCalls = max(0, use.dayCalls-1), max(0, use.monthCalls-1)
	shard.uses[*s] = use
}

// learn takes in what the authority has counted. Where its clock and ours are of different days, its word
// waits until they agree: it is said again with every call.
func (q *quotas) learn(heard []api.QuotaUse, now time.Time) {
	day := api.QuotaDay(now)
	for i := range heard {
		h := &heard[i]
		s := quotaSubject{account: h.Account}
		if h.SID != "" {
			sid, err := token.ParseSID(h.SID)
			if err != nil {
				continue // a quota of no token that could be
			}
			s = quotaSubject{sid: sid}
		}
		shard := q.shard(&s)
		shard.mu.Lock()
		use := shard.uses[s]
		use.roll(day, day/100)
		if h.Day == use.day {
			use.dayCalls = max(use.dayCalls, h.DayCalls)
		}
		if h.Month == use.month {
			use.monthCalls = max(use.monthCalls, h.MonthCalls)
		}
		shard.uses[s] = use
		shard.mu.Unlock()
	}
}

// tidy forgets what is of another month. It is called with every snapshot.
func (q *quotas) tidy(now time.Time) {
	month := api.QuotaMonth(now)
	for i := range q.shards {
		shard := &q.shards[i]
		shard.mu.Lock()
		for s, use := range shard.uses {
			if use.month != month {
				delete(shard.uses, s)
			}
		}
		shard.mu.Unlock()
	}
}

// untilTomorrow is how long this day still is (UTC), and untilNextMonth this month.
func untilTomorrow(now time.Time) time.Duration {
	y, m, d := now.UTC().Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC).Sub(now)
}

func untilNextMonth(now time.Time) time.Duration {
	y, m, _ := now.UTC().Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC).Sub(now)
}
