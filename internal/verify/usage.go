package verify

import (
	"context"
	"net/netip"
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

// use is the calls of one token since the last report.
type use struct {
	sid      token.SID
	agentLen uint8
	agent    [maxAgent]byte
	addr     [16]byte
	is4      bool
	hasAddr  bool
	at       api.Micros
	calls    uint32
	refused  uint32
}

// usageShard counts under a lock that is held for a hundred nanoseconds and never waited for: a request
// that finds it taken goes to the next one, since a report sums over all of them.
type usageShard struct {
	mu    sync.Mutex
	index map[token.SID]int32
	uses  []use
	_     [64]byte // keeps locks of neighbours off one cache line
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
		u.shards[i].index = make(map[token.SID]int32)
		u.spare[i].index = make(map[token.SID]int32)
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
		counted := s.record(sid, at, allowed, client, agent)
		s.mu.Unlock()
		if counted {
			return
		}
	}
	u.dropped.Add(1)
}

func (s *usageShard) record(sid *token.SID, at api.Micros, allowed bool, client netip.Addr, agent string) bool {
	i, known := s.index[*sid]
	if !known {
		if len(s.uses) >= shardTokens {
			return false
		}
		i = int32(len(s.uses))
		s.index[*sid] = i
		s.uses = append(s.uses, use{sid: *sid})
	}
	one := &s.uses[i]
	if !allowed {
		one.refused++
		return true
	}
	one.calls++
	one.at = at
	one.hasAddr, one.is4 = client.IsValid(), client.Is4()
	if one.hasAddr {
		one.addr = client.As16()
	}
	if string(one.agent[:one.agentLen]) != agent { // a token mostly has one agent
		one.agentLen = printable(&one.agent, agent)
	}
	return true
}

// printable copies an agent without controls, which would be a line of a log or a terminal's command
// (SECURITY.md, class 38e), and cuts it at a character.
func printable(into *[maxAgent]byte, agent string) (n uint8) {
	end := 0
	for _, r := range agent {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufffd' {
			continue
		}
		if end+utf8.RuneLen(r) > maxAgent {
			break
		}
		end += utf8.EncodeRune(into[end:], r)
	}
	return uint8(end)
}

func (one *use) report() api.Usage {
	out := api.Usage{
		SID: one.sid.String(), At: one.at, Agent: string(one.agent[:one.agentLen]),
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
		s.mu.Unlock()
		for j := range spare.uses {
			one := &spare.uses[j]
			at, seen := sum[one.sid]
			if !seen {
				sum[one.sid] = len(uses)
				uses = append(uses, one.report())
				continue
			}
			merge(&uses[at], one.report())
		}
		clear(spare.index)
		spare.uses = spare.uses[:0]
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
