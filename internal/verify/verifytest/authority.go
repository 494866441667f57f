// Package verifytest gives tests of the data plane the real thing: an authority in memory that numbers
// its log, serves snapshots, wakes followers and takes confirmations and usage, and verifiers that run
// on it. It stands beside internal/authority because the data plane may not reach that one.
package verifytest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// heartbeat is how often a follower hears that nothing happened.
const heartbeat = 200 * time.Millisecond

// Authority is a log of changes and the state that it adds up to. It implements [verify.Source].
type Authority struct {
	mu        sync.Mutex
	log       []api.Entry
	catalogue *api.Catalogue
	accounts  map[int64]api.AccountFacts
	grants    map[string]api.Grant
	hidden    map[string]bool
	changed   chan struct{} // closed and replaced at every act
	progress  chan struct{} // closed and replaced when a follower has applied, confirmed or reported something
	confirmed map[string]api.Seq
	batches   []api.UsageBatch
	asked     map[string]int
	used      []api.QuotaUse // as it was said, in order
	broken    error          // what every method answers while it is set
}

// NewAuthority has account 0 and nothing else.
func NewAuthority() *Authority {
	a := &Authority{
		accounts: make(map[int64]api.AccountFacts), grants: make(map[string]api.Grant), hidden: make(map[string]bool),
		changed: make(chan struct{}), progress: make(chan struct{}), confirmed: make(map[string]api.Seq), asked: make(map[string]int),
	}
	a.Account(api.AccountFacts{Account: 0, Operator: true})
	return a
}

func (a *Authority) act(change func(*api.Entry)) api.Seq {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := api.Entry{Seq: api.Seq(len(a.log) + 1), At: api.Micros(time.Now().UnixMicro())}
	change(&e)
	a.log = append(a.log, e)
	a.wake()
	return e.Seq
}

func (a *Authority) wake() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// Account says what is true of an account.
func (a *Authority) Account(facts api.AccountFacts) api.Seq {
	return a.act(func(e *api.Entry) { e.Account, a.accounts[facts.Account] = &facts, facts })
}

// Put makes or changes a token.
func (a *Authority) Put(g api.Grant) api.Seq {
	return a.act(func(e *api.Entry) { e.Grant, a.grants[g.SID] = &g, g })
}

// Remove deletes a token.
func (a *Authority) Remove(sid string) api.Seq {
	return a.act(func(e *api.Entry) {
		e.Gone = sid
		delete(a.grants, sid)
	})
}

// Use says how much of quotas was used. A follower hears it before any act that comes after it.
func (a *Authority) Use(uses ...api.QuotaUse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = append(a.used, uses...)
	a.wake()
}

// usedAfter is what a follower that has heard so many of them has not heard.
func (a *Authority) usedAfter(heard int) []api.QuotaUse {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.used[heard:])
}

// Publish makes a catalogue live.
func (a *Authority) Publish(c decide.Catalogue) api.Seq {
	text, hash := c.Canonical()
	return a.PublishRaw(api.Catalogue{Hash: hash, JSON: text})
}

// PublishRaw makes any bytes the live catalogue.
func (a *Authority) PublishRaw(c api.Catalogue) api.Seq {
	return a.act(func(e *api.Entry) { e.Catalogue, a.catalogue = &c, &c })
}

// Hide makes a token that the feed tells nobody of, as if it had been made this very moment elsewhere.
func (a *Authority) Hide(g api.Grant) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants[g.SID], a.hidden[g.SID] = g, true
}

// Break makes every question fail with err, and ends every stream; nil mends it.
func (a *Authority) Break(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = err
	a.wake()
}

// Forget drops the log up to and including a position, so that a follower from before needs a snapshot.
func (a *Authority) Forget(upTo api.Seq) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.log {
		if a.log[i].Seq <= upTo {
			a.log[i] = api.Entry{}
		}
	}
}

// Asked is how often a SID was asked for.
func (a *Authority) Asked(sid string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[sid]
}

// Batches are the usage batches that were applied, each number of a node once.
func (a *Authority) Batches() []api.UsageBatch {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.batches)
}

// Await blocks until cond holds; cond is called after every change and confirmation.
func (a *Authority) Await(ctx context.Context, cond func() bool) error {
	for {
		a.mu.Lock()
		changed, progress := a.changed, a.progress
		a.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Confirmed is the position that a node has confirmed.
func (a *Authority) Confirmed(node string) api.Seq {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.confirmed[node]
}

// Snapshot implements [verify.Source].
func (a *Authority) Snapshot(context.Context) (*api.Snapshot, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return nil, a.broken
	}
	s := &api.Snapshot{Seq: api.Seq(len(a.log)), Catalogue: a.catalogue, Accounts: slices.Collect(maps.Values(a.accounts)), Quotas: slices.Clone(a.used)}
	for sid, g := range a.grants {
		if !a.hidden[sid] {
			s.Grants = append(s.Grants, g)
		}
	}
	return s, nil
}

// Follow implements [verify.Source].
func (a *Authority) Follow(ctx context.Context, after api.Seq, apply func([]api.Entry) error) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	heard := 0
	for {
		entries, changed, err := a.after(after)
		if err != nil {
			return err
		}
		if used := a.usedAfter(heard); len(used) > 0 {
			heard += len(used)
			entries = append([]api.Entry{{Seq: after, Quotas: used}}, entries...)
		}
		if err := apply(entries); err != nil {
			return err
		}
		a.applied()
		if len(entries) > 0 {
			after = entries[len(entries)-1].Seq
			continue
		}
		select {
		case <-changed:
		case <-beat.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// applied wakes whoever waits for a follower to have come somewhere.
func (a *Authority) applied() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance()
}

func (a *Authority) advance() {
	close(a.progress)
	a.progress = make(chan struct{})
}

func (a *Authority) after(seq api.Seq) ([]api.Entry, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return nil, nil, a.broken
	}
	if seq > api.Seq(len(a.log)) || seq < api.Seq(len(a.log)) && a.log[seq].Seq == 0 {
		return nil, nil, verify.ErrSnapshot
	}
	return slices.Clone(a.log[seq:]), a.changed, nil
}

// Grant implements [verify.Source].
func (a *Authority) Grant(_ context.Context, sid string) (*api.Grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[sid]++
	if a.broken != nil {
		return nil, a.broken
	}
	if g, ok := a.grants[sid]; ok {
		return &g, nil
	}
	return nil, nil
}

// Report implements [verify.Source].
func (a *Authority) Report(_ context.Context, batch *api.UsageBatch) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return a.broken
	}
	last := int64(0)
	for _, b := range a.batches {
		if b.Node == batch.Node {
			last = max(last, b.Number)
		}
	}
	if batch.Number > last {
		a.batches = append(a.batches, *batch)
	}
	a.advance()
	return nil
}

// Confirm implements [verify.Source].
func (a *Authority) Confirm(_ context.Context, node string, seq api.Seq) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.confirmed[node] = max(a.confirmed[node], seq)
	a.advance()
	return nil
}

// Token is a token with its secret, as its holder has it.
type Token struct {
	api.Grant
	AuthToken string
}

// Mint draws an enabled token. It is not in force before it is put.
func Mint(t testing.TB, kind token.Kind, account int64, pins ...api.Pin) Token {
	t.Helper()
	secret, sid, digest, err := token.DefaultPrefix.Mint(kind, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Token{
		Grant: api.Grant{
			SID: sid.String(), Account: account, State: api.StateEnabled, Zero: kind == token.Zero,
			Secrets: []api.Secret{{Digest: digest.String()}}, Pins: pins,
		},
		AuthToken: secret.Reveal(),
	}
}

// Start runs a verifier on a until the test ends, and returns once it decides by everything so far.
func (a *Authority) Start(t testing.TB, c verify.Config) *verify.Verifier {
	t.Helper()
	if c.Source == nil {
		c.Source = a
	}
	if c.Node == "" {
		c.Node = "node"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	v, err := verify.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the verifier ended with %v", err)
		}
	})
	a.Settle(t, v)
	return v
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// Settle returns once v decides by everything that was done so far.
func (a *Authority) Settle(t testing.TB, v *verify.Verifier) {
	t.Helper()
	a.mu.Lock()
	head := api.Seq(len(a.log))
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.Await(ctx, func() bool { return v.Seq() >= head }); err != nil {
		t.Fatal(fmt.Errorf("waiting for position %d, the verifier is at %d: %w", head, v.Seq(), err))
	}
}
