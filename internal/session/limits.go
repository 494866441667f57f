package session

import (
	"sync"
	"time"
)

// rule is how many attempts a time may hold. The time begins with the first attempt.
type rule struct {
	attempts int
	per      time.Duration
}

// Attempts at passwords and links. An address's are for strangers alone: on a device where its owner
// signed in before, the device has its own, so that nobody can lock an owner out (class 41b). NIST SP
// 800-63B-4 allows 100 failures in a row on one account; here that many in a day.
var (
	networkRules = []rule{{50, 15 * time.Minute}}
	addressRules = []rule{{10, 15 * time.Minute}, {100, 24 * time.Hour}}
	deviceRules  = []rule{{20, 15 * time.Minute}}

	forgotNetworkRules = []rule{{20, time.Hour}}
	forgotAddressRules = []rule{{3, time.Hour}}
)

// claim is one attempt against one counter.
type claim struct {
	key   string
	rules []rule
}

// maxCounters bounds the memory: some 10 MiB. Who wants to push an address's counter out must come from
// more than a thousand networks within its time, and the counters with the most attempts stay.
const (
	maxCounters = 1 << 16
	sampled     = 16
)

// limits counts attempts, in memory: a restart forgets them, which costs an attacker a restart of ours.
type limits struct {
	now      func() time.Time
	mu       sync.Mutex
	counters map[string]*counter
}

type counter struct {
	windows []window
	ends    time.Time // when nothing of it counts any more
}

type window struct {
	began time.Time
	n     int
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, counters: make(map[string]*counter)}
}

// take counts an attempt against all claims, or against none and says how long to wait.
func (l *limits) take(claims ...claim) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, c := range claims {
		count := l.counters[c.key]
		if count == nil {
			continue
		}
		for i, r := range c.rules {
			w := count.windows[i]
			if left := w.began.Add(r.per).Sub(now); left > 0 && w.n >= r.attempts {
				wait = max(wait, left)
			}
		}
	}
	if wait > 0 {
		return wait, false
	}
	for _, c := range claims {
		count := l.counters[c.key]
		if count == nil {
			l.makeRoom(now)
			count = &counter{windows: make([]window, len(c.rules))}
			l.counters[c.key] = count
		}
		for i, r := range c.rules {
			w := &count.windows[i]
			if now.Sub(w.began) >= r.per {
				*w = window{began: now}
			}
			w.n++
			if end := w.began.Add(r.per); end.After(count.ends) {
				count.ends = end
			}
		}
	}
	return 0, true
}

// giveBack takes an attempt back that turned out to be right. Only that one: a success does not clear
// what others tried.
func (l *limits) giveBack(claims ...claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range claims {
		count := l.counters[c.key]
		if count == nil {
			continue
		}
		empty := true
		for i := range count.windows {
			count.windows[i].n = max(0, count.windows[i].n-1)
			empty = empty && count.windows[i].n == 0
		}
		if empty {
			delete(l.counters, c.key)
		}
	}
}

// makeRoom drops one counter when there are too many: of a few taken at random an ended one, else the
// one with the fewest attempts.
func (l *limits) makeRoom(now time.Time) {
	if len(l.counters) < maxCounters {
		return
	}
	looked, least, victim := 0, 0, ""
	for key, c := range l.counters {
		n := 0
		if now.Before(c.ends) {
			for _, w := range c.windows {
				n = max(n, w.n)
			}
		}
		if looked == 0 || n < least {
			least, victim = n, key
		}
		if looked++; looked == sampled || n == 0 {
			break
		}
	}
	delete(l.counters, victim)
}
