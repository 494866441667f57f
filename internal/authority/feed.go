package authority

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/store"
)

// followers knows the connected verifiers: it wakes them after an act, and lets the act wait until
// they have confirmed it.
type followers struct {
	mu        sync.Mutex
	woken     chan struct{}      // closed and replaced at every wake
	confirmed map[string]api.Seq // by node, connected ones only
	connected map[string]int     // streams per node
	changed   chan struct{}      // closed and replaced at every confirmation
}

func newFollowers() *followers {
	return &followers{
		woken: make(chan struct{}), changed: make(chan struct{}),
		confirmed: make(map[string]api.Seq), connected: make(map[string]int),
	}
}

func (f *followers) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.woken)
	f.woken = make(chan struct{})
}

func (f *followers) wakeUp() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.woken
}

func (f *followers) confirm(node string, seq api.Seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if seq > f.confirmed[node] {
		f.confirmed[node] = seq
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

func (f *followers) behind(seq api.Seq) (bool, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for node := range f.connected {
		if f.confirmed[node] < seq {
			return true, f.changed
		}
	}
	return false, nil
}

func (f *followers) join(node string) (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.connected[node]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.connected[node]--; f.connected[node] == 0 {
			delete(f.connected, node)
			delete(f.confirmed, node)
		}
	}
}

// await waits until all connected verifiers have confirmed a position, or the time is over.
func (f *followers) await(ctx context.Context, seq api.Seq, atMost time.Duration) {
	if seq == 0 {
		return
	}
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	for {
		behind, changed := f.behind(seq)
		if !behind {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

const (
	feedBatch  = 500
	grantBatch = 5000
	feedPoll   = time.Second // behind the wake-up, should one be missed
	endOfSIDs  = "\x7f"      // after every SID
	beforeSIDs = ""
)

// Feed is what a verifier follows: verify.Source, in this process, for one node.
type Feed struct {
	a    *Authority
	node string
}

// Feed gives a verifier of this process its source.
func (a *Authority) Feed(node string) *Feed { return &Feed{a: a, node: node} }

// Snapshot reads the whole state with its position, in one transaction.
func (f *Feed) Snapshot(ctx context.Context) (*api.Snapshot, error) {
	var snap *api.Snapshot
	err := f.SnapshotTo(ctx, func(head *api.Snapshot) error {
		snap = head
		snap.Grants = []api.Grant{}
		return nil
	}, func(g *api.Grant) error {
		snap.Grants = append(snap.Grants, *g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

// SnapshotTo is Snapshot for whoever passes it on: begin gets all but the grants, and each gets those, one
// by one, while the one transaction is open. Both must be quick, and an error of either ends it.
func (f *Feed) SnapshotTo(ctx context.Context, begin func(*api.Snapshot) error, each func(*api.Grant) error) error {
	snap := &api.Snapshot{Accounts: []api.AccountFacts{}}
	err := f.a.db.View(ctx, func(q *store.Queries) error {
		head, err := q.Head(ctx)
		if err != nil {
			return fmt.Errorf("reading the head of the log: %w", err)
		}
		snap.Seq, snap.At = api.Seq(head.Seq), api.Micros(f.a.now().UnixMicro())
		if snap.Catalogue, err = publishedPolicy(ctx, q); err != nil {
			return err
		}
		if snap.Accounts, err = allFacts(ctx, q); err != nil {
			return err
		}
		if snap.Quotas, err = quotasSince(ctx, q, f.a.now(), 0); err != nil {
			return err
		}
		if err := begin(snap); err != nil {
			return err
		}
		return eachGrant(ctx, q, each)
	})
	if err != nil {
		return fmt.Errorf("reading a snapshot: %w", err)
	}
	return nil
}

// Head is the last position on the log. Whoever claims to be beyond it knows of acts that this database has
// lost: it was restored from a backup.
func (f *Feed) Head(ctx context.Context) (api.Seq, error) {
	head, err := f.a.db.Read().Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the head of the log: %w", err)
	}
	return api.Seq(head.Seq), nil
}

// Follow hands every entry after a position to apply, in order, until the context ends.
func (f *Feed) Follow(ctx context.Context, after api.Seq, apply func([]api.Entry) error) error {
	defer f.a.followers.join(f.node)()
	poll := time.NewTicker(feedPoll)
	defer poll.Stop()
	used := new(told)
	for {
		woken := f.a.followers.wakeUp() // before reading, so that no act falls between
		entries, err := f.a.entries(ctx, after)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			if err := apply(entries); err != nil {
				return err
			}
			after = entries[len(entries)-1].Seq
			continue
		}
		// An empty batch is news too: the authority is alive and has nothing to say.
		quotas, err := f.a.quotasFor(ctx, used, after)
		if err != nil {
			return err
		}
		if err := apply(quotas); err != nil {
			return err
		}
		select {
		case <-woken:
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Confirm notes how far a verifier has come.
func (f *Feed) Confirm(_ context.Context, node string, seq api.Seq) error {
	f.a.followers.confirm(node, seq)
	return nil
}

// Grant looks one token up, for a verifier that does not know the SID yet. nil: there is none.
func (f *Feed) Grant(ctx context.Context, sid string) (*api.Grant, error) {
	var grant *api.Grant
	err := f.a.db.View(ctx, func(q *store.Queries) error {
		row, err := q.TokenBySID(ctx, sid)
		if row, err = store.One(row, err); err != nil || row.State == string(api.StateDeleted) {
			return ignoreNotFound(err)
		}
		g, err := grantOf(ctx, q, row)
		grant = &g
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking a token up: %w", err)
	}
	return grant, nil
}

func (a *Authority) entries(ctx context.Context, after api.Seq) ([]api.Entry, error) {
	rows, err := a.db.Read().FeedAfter(ctx, store.FeedAfterParams{After: int64(after), N: feedBatch})
	if err != nil {
		return nil, fmt.Errorf("reading the feed after %d: %w", after, err)
	}
	out := make([]api.Entry, 0, len(rows))
	for _, row := range rows {
		var e api.Entry
		if row.Body != "" {
			if err := json.Unmarshal([]byte(row.Body), &e); err != nil {
				return nil, fmt.Errorf("reading feed entry %d: %w", row.Seq, err)
			}
		}
		e.Seq, e.At = api.Seq(row.Seq), api.Micros(row.At)
		out = append(out, e)
	}
	return out, nil
}

// Entries are stored without position and time, which the log gives them.

func accountEntry(facts api.AccountFacts) []byte { return entry(api.Entry{Account: &facts}) }

func entry(e api.Entry) []byte {
	body, err := json.Marshal(e)
	if err != nil {
		panic("authority: a feed entry is plain data: " + err.Error())
	}
	return body
}

// grantEntry is what verifiers must hear of a token as it stands in this transaction.
func grantEntry(ctx context.Context, q *store.Queries, sid string) ([]byte, error) {
	row, err := q.TokenBySID(ctx, sid)
	if err != nil {
		return nil, fmt.Errorf("reading a token: %w", err)
	}
	if row.State == string(api.StateDeleted) {
		return entry(api.Entry{Gone: sid}), nil
	}
	g, err := grantOf(ctx, q, row)
	if err != nil {
		return nil, err
	}
	return entry(api.Entry{Grant: &g}), nil
}

func grantOf(ctx context.Context, q *store.Queries, row store.Token) (api.Grant, error) {
	secrets, err := q.Secrets(ctx, row.SID)
	if err != nil {
		return api.Grant{}, fmt.Errorf("reading digests: %w", err)
	}
	g, err := grantWithout(row.SID, row.Account, row.Zero, row.State, row.Pins, row.Reach, row.Brands, row.Limits, row.ExpiresAt, row.FirstCallAt)
	for _, s := range secrets {
		g.Secrets = append(g.Secrets, secretOf(s.Digest, s.UntilAt))
	}
	return g, err
}

func grantWithout(sid string, account, zero int64, state, pins, reach, brands, limits string, expires, firstCall *int64) (api.Grant, error) {
	g := api.Grant{
		SID: sid, Account: account, Zero: zero == 1, State: api.State(state),
		Reach: api.Reach(reach), Seen: firstCall != nil, Secrets: []api.Secret{},
	}
	if expires != nil {
		g.Expires = api.Micros(*expires)
	}
	if err := json.Unmarshal([]byte(pins), &g.Pins); err != nil {
		return g, fmt.Errorf("reading the pins of token %s: %w", sid, err)
	}
	if err := json.Unmarshal([]byte(brands), &g.Brands); err != nil {
		return g, fmt.Errorf("reading the brands of token %s: %w", sid, err)
	}
	var err error
	if g.Limits, err = limitsOf(sid, limits); err != nil {
		return g, err
	}
	if g.Limits != nil && g.Limits.NotBefore != nil {
		g.NotBefore, g.Limits.NotBefore = api.Micros(g.Limits.NotBefore.UnixMicro()), nil
	}
	if g.Limits.IsZero() {
		g.Limits = nil
	}
	return g, nil
}

func secretOf(digest []byte, until *int64) api.Secret {
	s := api.Secret{Digest: hex.EncodeToString(digest)}
	if until != nil {
		s.Until = api.Micros(*until)
	}
	return s
}

func allGrants(ctx context.Context, q *store.Queries, each func(api.Grant)) error {
	return eachGrant(ctx, q, func(g *api.Grant) error {
		each(*g)
		return nil
	})
}

// eachGrant walks every token with its secrets, in batches, in the order of SIDs.
func eachGrant(ctx context.Context, q *store.Queries, each func(*api.Grant) error) error {
	after := beforeSIDs
	for {
		rows, err := q.AllTokens(ctx, store.AllTokensParams{After: after, N: grantBatch})
		if err != nil {
			return fmt.Errorf("reading tokens: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		last := rows[len(rows)-1].SID
		secrets, err := q.SecretsFrom(ctx, store.SecretsFromParams{After: after, Upto: last})
		if err != nil {
			return fmt.Errorf("reading digests: %w", err)
		}
		for _, row := range rows {
			g, err := grantWithout(row.SID, row.Account, row.Zero, row.State, row.Pins, row.Reach, row.Brands, row.Limits, row.ExpiresAt, row.FirstCallAt)
			if err != nil {
				return err
			}
			for len(secrets) > 0 && secrets[0].SID == row.SID {
				g.Secrets = append(g.Secrets, secretOf(secrets[0].Digest, secrets[0].UntilAt))
				secrets = secrets[1:]
			}
			if err := each(&g); err != nil {
				return err
			}
		}
		after = last
	}
}

func allFacts(ctx context.Context, q *store.Queries) ([]api.AccountFacts, error) {
	rows, err := q.AllAccountFacts(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	links, err := q.AllManaged(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading management links: %w", err)
	}
	manages := make(map[int64][]int64)
	for _, l := range links {
		manages[l.Agency] = append(manages[l.Agency], l.Brand)
	}
	out := make([]api.AccountFacts, 0, len(rows)+1)
	out = append(out, api.AccountFacts{Operator: true}) // account 0
	for _, row := range rows {
		limits, err := accountLimitsOf(row.ID, row.Limits)
		if err != nil {
			return nil, err
		}
		out = append(out, api.AccountFacts{Account: row.ID, Suspended: row.SuspendedAt != nil, Manages: manages[row.ID], Limits: limits})
	}
	return out, nil
}
