package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"counterfoil.dev/counterfoil/api"
)

const (
	firstWait = 50 * time.Millisecond
	lastWait  = 15 * time.Second
	// steady is how long a connection must have lasted for the next wait to begin small again.
	steady = 10 * time.Second
)

// ErrRunning says that [Verifier.Run] was called twice.
var ErrRunning = errors.New("verify: this verifier runs already")

// Run keeps the verifier's knowledge fresh until ctx ends: a snapshot, then the feed; after a failure
// again, with waits that double and jitter (a fleet that comes back must not storm the authority). It
// confirms what is in force and reports usage. It returns nil when ctx ends, after a last report.
func (v *Verifier) Run(ctx context.Context) error {
	if !v.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer v.running.Store(false)
	var both sync.WaitGroup
	both.Go(func() { v.confirmAll(ctx) })
	both.Go(func() { v.report(ctx) })
	defer both.Wait()

	wait := firstWait
	for snapshot := v.view.Load() == nil; ctx.Err() == nil; {
		began := v.now()
		err := v.follow(ctx, snapshot)
		if ctx.Err() != nil {
			break
		}
		snapshot = errors.Is(err, ErrSnapshot) || v.view.Load() == nil
		if v.now().Sub(began) > steady {
			wait = firstWait
		}
		pause := wait/2 + rand.N(wait)
		v.log.Warn("the feed broke", "err", err, "seq", v.Seq(), "again_in", pause)
		sleep(ctx, pause)
		wait = min(2*wait, lastWait)
	}
	return nil
}

// follow reads a snapshot if one is needed, and then the feed until it breaks.
func (v *Verifier) follow(ctx context.Context, snapshot bool) error {
	if snapshot {
		s, err := v.source.Snapshot(ctx)
		if err != nil {
			return fmt.Errorf("reading a snapshot: %w", err)
		}
		if s == nil {
			return errors.New("reading a snapshot: the source gave none")
		}
		if err := v.load(s); err != nil {
			return fmt.Errorf("loading a snapshot: %w: %w", ErrSnapshot, err)
		}
	}
	v.wakeConfirm() // a new connection knows nothing of what was confirmed on the last one
	if err := v.source.Follow(ctx, v.Seq(), v.apply); err != nil {
		return fmt.Errorf("following the feed: %w", err)
	}
	return errors.New("following the feed: it ended")
}

// confirmAll tells the authority how far this verifier has come, whenever there is news.
func (v *Verifier) confirmAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.confirm:
		}
		seq := v.inForce()
		if err := v.source.Confirm(ctx, v.node, seq); err != nil && ctx.Err() == nil {
			v.log.Warn("a position could not be confirmed; it will be said again", "seq", seq, "err", err)
		}
	}
}

// inForce is the position up to which everything really is: not beyond a catalogue that cannot be read.
func (v *Verifier) inForce() api.Seq {
	seq := v.Seq()
	if unread := api.Seq(v.unread.Load()); unread != 0 {
		return min(seq, unread-1)
	}
	return seq
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
