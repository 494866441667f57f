package verify

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"counterfoil.dev/counterfoil/internal/token"
)

const (
	askTime      = 2 * time.Second // how long one request waits for the source
	absentTime   = 5 * time.Second // how long an answer "no such token" is kept
	absentMost   = 1 << 13         // answers kept
	asksAtOnce   = 32              // questions under way, in all
	asksPerSlice = 20              // questions of one client address
	askSlice     = 10 * time.Second
	askersMost   = 1 << 13 // client addresses counted
)

// asking is what a verifier does about a SID that it does not know: the token may have been made a
// moment ago, so it asks the source, once, however many requests carry it. Whoever invents SIDs must not
// make the authority work: questions are bounded per client address and in all, and "no such token" is
// kept for a while.
type asking struct {
	mu     sync.Mutex
	open   map[token.SID]chan struct{} // closed when answered
	absent map[token.SID]time.Time     // until when
	askers map[netip.Prefix]int        // questions in this slice of time
	slice  time.Time                   // when it began
}

func newAsking() *asking {
	return &asking{
		open:   make(map[token.SID]chan struct{}),
		absent: make(map[token.SID]time.Time),
		askers: make(map[netip.Prefix]int),
	}
}

// turn says what a request with an unknown SID does: ask (done is to be called afterwards), wait for
// somebody else's question, or neither.
func (a *asking) turn(sid token.SID, client netip.Addr, now time.Time) (wait <-chan struct{}, ask bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if until, known := a.absent[sid]; known {
		if now.Before(until) {
			return nil, false
		}
		delete(a.absent, sid)
	}
	if under, ok := a.open[sid]; ok {
		return under, false
	}
	if len(a.open) >= asksAtOnce || !a.allow(client, now) {
		return nil, false
	}
	a.open[sid] = make(chan struct{})
	return nil, true
}

// allow counts a question of a client address: a whole /64 of IPv6, which one caller has to himself.
func (a *asking) allow(client netip.Addr, now time.Time) bool {
	if now.Sub(a.slice) >= askSlice || now.Before(a.slice) {
		clear(a.askers)
		a.slice = now
	}
	client = client.Unmap()
	bits := 32
	if client.Is6() {
		bits = 64
	}
	network, err := client.Prefix(bits)
	if err != nil {
		network = netip.Prefix{} // no address is known: all such share one count
	}
	n, known := a.askers[network]
	if n >= asksPerSlice || !known && len(a.askers) >= askersMost {
		return false
	}
	a.askers[network] = n + 1
	return true
}

// done ends a question. absent says that the source answered that there is no such token.
func (a *asking) done(sid token.SID, absent bool, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if absent {
		if len(a.absent) >= absentMost {
			for old, until := range a.absent {
				if !now.Before(until) {
					delete(a.absent, old)
				}
			}
		}
		if len(a.absent) < absentMost {
			a.absent[sid] = now.Add(absentTime)
		}
	}
	close(a.open[sid])
	delete(a.open, sid)
}

// ask learns an unknown SID from the source if it may, and says whether looking again is worth it.
func (v *Verifier) ask(sid token.SID, client netip.Addr, now time.Time) bool {
	wait, ask := v.asking.turn(sid, client, now)
	if wait != nil {
		<-wait // at most askTime: the one who asks has a time limit
		return true
	}
	if !ask {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	var absent bool
	defer func() { v.asking.done(sid, absent, v.now()) }()
	// Between this request's look-up and its turn, somebody else's question may have been answered.
	epoch := v.epoch.Load()
	if view := v.view.Load(); view != nil && view.dir.find(&sid) != nil {
		return true
	}
	grant, err := v.source.Grant(ctx, sid.String())
	absent = err == nil && grant == nil
	if err != nil {
		v.askFailed.Add(1)
		return false
	}
	if grant == nil || grant.SID != sid.String() {
		return false
	}
	v.learn(grant, sid, epoch)
	return true
}
