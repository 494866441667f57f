package verify

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
)

const (
	maxAgent    = 200 // octets of a User-Agent that are kept
	usageShards = 8
	shardTokens = 1 << 13 // tokens that one shard counts between two reports
	shardTries  = 3       // shards tried before a call is not counted
	maxUses     = 1 << 13 // uses in one batch
	reportEvery = time.Second
	lastReport  = 2 * time.Second // how long the last report may take when the verifier stops
)

// use is the calls of one token since the last report: 72 octets and no pointer.
type use struct {
	sid     token.SID
	agent   uint16 // in usageShard.agents
	addr    [16]byte
	is4     bool
	hasAddr bool
	at      api.Micros
	calls   uint32
	refused uint32
	hash    uint64
}

// usageShard counts under a lock that is held for a hundred nanoseconds and never waited for: a request
// that finds it taken goes to the next one, since a report sums over all of them.
type usageShard struct {
	mu     sync.Mutex
	index  []uint16          // open addressing over the hash: place in uses, plus one
	uses   []use             // at most shardTokens
	agents []string          // as reported; agents[0] is ""
	known  map[string]uint16 // agent as sent, cut → place in agents
	_      [64]byte          // keeps locks of neighbours off one cache line
}

const (
	indexSize   = 2 * shardTokens // half full at most
	shardAgents = 1 << 10         // agents that one shard tells apart between two reports; the rest are ""
)

func (s *usageShard) clear() {
	clear(s.index)
	s.uses = s.uses[:0]
	s.agents = append(s.agents[:0], "")
	clear(s.known)
}

func (s *usageShard) begin() {
	s.index, s.known = make([]uint16, indexSize), make(map[string]uint16)
	s.clear()
}

// of is the use of a SID, made if there is room; nil if not.
func (s *usageShard) of(sid *token.SID, hash uint64) *use {
	at := hash >> 32 % indexSize
	for ; s.index[at] != 0; at = (at + 1) % indexSize {
		if one := &s.uses[s.index[at]-1]; one.hash == hash && one.sid == *sid {
			return one
		}
	}
	if len(s.uses) >= shardTokens {
		return nil
	}
	s.uses = append(s.uses, use{sid: *sid, hash: hash})
	s.index[at] = uint16(len(s.uses))
	return &s.uses[len(s.uses)-1]
}

// agentOf is the place of an agent. A new one is copied, without controls: what the request holds must not
// be kept alive, nor be a command in somebody's terminal (SECURITY.md, class 38e).
func (s *usageShard) agentOf(agent string) uint16 {
	if agent == "" {
		return 0
	}
	agent = agent[:min(len(agent), 2*maxAgent)]
	at, known := s.known[agent]
	if !known && len(s.agents) < shardAgents {
		at = uint16(len(s.agents))
		s.agents = append(s.agents, printable(agent))
		s.known[strings.Clone(agent)] = at
	}
	return at
}

// usage collects what is reported: which token was used when, from where, by what, how often.
type usage struct {
	shards  [usageShards]usageShard
	spare   [usageShards]usageShard // swapped in at each report
	dropped atomic.Int64            // calls that were not counted: every shard was taken, or full
	next    int64                   // number of the next batch
	pending []*api.UsageBatch       // not delivered yet, oldest first
}

// maxPending bounds what is kept for an authority that does not answer, at the newest: what was not
// delivered is dropped at the old end and its calls are counted as dropped.
const maxPending = 64

func newUsage(start time.Time) *usage {
	u := &usage{
		// Numbers of a node must rise over restarts, and nothing on disk knows the last one.
		next: start.UnixMicro(),
	}
	for i := range u.shards {
		u.shards[i].begin()
		u.spare[i].begin()
	}
	return u
}

// record notes one call. It never waits and, but for a shard that grows to its usual size, never allocates.
func (u *usage) record(sid *token.SID, hash uint64, at api.Micros, allowed bool, client netip.Addr, agent string) {
	for try := range uint64(shardTries) {
		s := &u.shards[(hash>>8+try)%usageShards]
		if !s.mu.TryLock() {
			continue
		}
		counted := s.record(sid, hash, at, allowed, client, agent)
		s.mu.Unlock()
		if counted {
			return
		}
	}
	u.dropped.Add(1)
}

func (s *usageShard) record(sid *token.SID, hash uint64, at api.Micros, allowed bool, client netip.Addr, agent string) bool {
	one := s.of(sid, hash)
	if one == nil {
		return false
	}
	if !allowed {
		one.refused++
		return true
	}
	one.calls++
	one.at = at
	if agent != s.agents[one.agent] { // as it was the last time, mostly
		one.agent = s.agentOf(agent)
	}
	one.hasAddr, one.is4 = client.IsValid(), client.Is4()
	if one.hasAddr {
		one.addr = client.As16()
	}
	return true
}

// printable is an agent without controls, of at most maxAgent octets, cut at a character.
func printable(agent string) string {
	var out strings.Builder
	for _, r := range agent {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			continue
		}
		if out.Len()+utf8.RuneLen(r) > maxAgent {
			break
		}
		out.WriteRune(r)
	}
	return out.String()
}

func (one *use) report(agents []string) api.Usage {
	out := api.Usage{
		SID: one.sid.String(), At: one.at, Agent: agents[one.agent],
		Calls: int64(one.calls), Refused: int64(one.refused),
	}
	if one.hasAddr {
		addr := netip.AddrFrom16(one.addr)
		if one.is4 {
			addr = addr.Unmap()
		}
		out.Address = addr.String()
	}
	return out
}

// collect takes what was counted since the last time and appends it to the batches that wait.
func (u *usage) collect(node string) {
	sum := make(map[token.SID]int)
	var uses []api.Usage
	for i := range u.shards {
		s, spare := &u.shards[i], &u.spare[i]
		s.mu.Lock()
		s.index, spare.index = spare.index, s.index
		s.uses, spare.uses = spare.uses, s.uses
		s.agents, spare.agents = spare.agents, s.agents
		s.known, spare.known = spare.known, s.known
		s.mu.Unlock()
		for j := range spare.uses {
			one := &spare.uses[j]
			at, seen := sum[one.sid]
			if !seen {
				sum[one.sid] = len(uses)
				uses = append(uses, one.report(spare.agents))
				continue
			}
			merge(&uses[at], one.report(spare.agents))
		}
		spare.clear()
	}
	for len(uses) > 0 {
		n := min(len(uses), maxUses)
		u.pending = append(u.pending, &api.UsageBatch{Node: node, Number: u.next, Uses: uses[:n:n]})
		u.next++
		uses = uses[n:]
	}
	for len(u.pending) > maxPending {
		for _, one := range u.pending[0].Uses {
			u.dropped.Add(one.Calls + one.Refused)
		}
		u.pending = u.pending[1:]
	}
}

func merge(into *api.Usage, one api.Usage) {
	into.Calls += one.Calls
	into.Refused += one.Refused
	if one.At > into.At {
		into.At, into.Address, into.Agent = one.At, one.Address, one.Agent
	}
}

// deliver sends what waits, oldest first, and keeps what failed with its number.
func (u *usage) deliver(ctx context.Context, source Source) error {
	for len(u.pending) > 0 {
		if err := source.Report(ctx, u.pending[0]); err != nil {
			return err
		}
		u.pending = u.pending[1:]
	}
	return nil
}

// report collects and delivers every second until ctx ends, and once more then.
func (v *Verifier) report(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastReport)
			defer cancel()
			v.usage.collect(v.node)
			if err := v.usage.deliver(last, v.source); err != nil {
				v.log.Error("the last usage report was not delivered", "batches", len(v.usage.pending), "err", err)
			}
			return
		case <-tick.C:
			v.usage.collect(v.node)
			err := v.usage.deliver(ctx, v.source)
			if err != nil && !failed && ctx.Err() == nil {
				v.log.Warn("usage reports wait for the authority", "err", err)
			}
			failed = err != nil
		}
	}
}
