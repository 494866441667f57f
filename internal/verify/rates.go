package verify

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"time"
)

const (
	rateShards = 64
	rateWays   = 8       // slots that one key may lie in
	rateFirst  = 64      // slots of a shard at first
	rateMost   = 1 << 14 // and at last: 25 MB in all
)

// rateSlot is one rate that is not at rest: 24 octets and no pointer. It holds when the bucket will be full
// again (the theoretical arrival time of GCRA), in nanoseconds after rates.start.
type rateSlot struct {
	key   [2]uint64 // zero: never used
	until int64
}

// A bucket that is full says what an absent one says, so a slot whose time is over is free for another key.
// A shard grows when a key finds all of its slots taken. When it may not grow any more, the bucket that is
// nearest to full gives way: with more rates than that in use at one time, some are laxer for a moment.
type rateShard struct {
	mu    sync.Mutex
	slots []rateSlot
	_     [64]byte // keeps locks of neighbours off one cache line
}

// rates is the [Limiter] of one process. Each verifier has its own, so a rate holds at each.
type rates struct {
	start  time.Time // carries the monotonic reading: a wall clock that jumps changes nothing
	most   int
	sids   [2]*hashSeed
	seeds  [2]maphash.Seed
	shards [rateShards]rateShard
}

func newRates(start time.Time) *rates {
	return &rates{
		start: start, most: rateMost,
		sids: [2]*hashSeed{newSeed(), newSeed()}, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}
}

// Take implements [Limiter]. All shards concerned are locked in one order, since a call counts for all or none.
func (l *rates) Take(now time.Time, asks []Ask) bool {
	at := int64(now.Sub(l.start))
	var locked uint64
	for i := range asks {
		asks[i].key = l.key(&asks[i].Subject)
		locked |= 1 << asks[i].shard()
	}
	for left := locked; left != 0; left &= left - 1 {
		l.shards[bits.TrailingZeros64(left)].mu.Lock()
	}
	room := true
	for i := range asks {
		one := &asks[i]
		one.until = l.shards[one.shard()].until(one.key)
		room = one.judge(at) && room
	}
	for i := range asks {
		one := &asks[i]
		if room {
			one.until += int64(one.Every)
			l.shards[one.shard()].put(one.key, one.until, at, l.most)
		}
		one.answer(at)
	}
	for left := locked; left != 0; left &= left - 1 {
		l.shards[bits.TrailingZeros64(left)].mu.Unlock()
	}
	return room
}

// key is a subject in 128 bits, which nobody outside can steer: two subjects would have to meet by chance.
func (l *rates) key(s *Subject) (key [2]uint64) {
	for i := range key {
		key[i] = l.sids[i].of(&s.SID) + uint64(s.Account)*(l.sids[i][0]|1)
		if s.Scope != "" {
			key[i] += bits.RotateLeft64(maphash.String(l.seeds[i], s.API), 1) + maphash.String(l.seeds[i], s.Scope)
		}
	}
	if key == [2]uint64{} {
		key[0] = 1
	}
	return key
}

func (a *Ask) shard() uint64 { return a.key[0] >> 58 }

// size is how long an empty bucket takes to be full.
func (a *Ask) size() int64 { return int64(a.Every) * a.Burst }

// judge says whether one call has room, and leaves in until what holds before it. A bucket cannot be emptier
// than empty: what was counted under a slower rate before an edit, or before a clock jumped, ends with it.
func (a *Ask) judge(at int64) bool {
	a.until = min(max(a.until, at), at+a.size())
	a.Wait = time.Duration(max(0, a.until+int64(a.Every)-a.size()-at))
	return a.Wait == 0
}

func (a *Ask) answer(at int64) {
	a.Full = time.Duration(a.until - at)
	a.Left = (a.size() - int64(a.Full)) / int64(a.Every)
}

// ways are the slots in which a key may lie.
func (s *rateShard) ways(key [2]uint64) []rateSlot {
	sets := uint64(len(s.slots) / rateWays)
	first := key[1] & (sets - 1) * rateWays
	return s.slots[first : first+rateWays]
}

// until is what is kept of a key; the smallest number, which is long past, if nothing is.
func (s *rateShard) until(key [2]uint64) int64 {
	const longPast = -1 << 63
	if s.slots == nil {
		return longPast
	}
	ways := s.ways(key)
	for i := range ways {
		if ways[i].key == key {
			return ways[i].until
		}
	}
	return longPast
}

func (s *rateShard) put(key [2]uint64, until, at int64, most int) {
	if s.slots == nil {
		s.slots = make([]rateSlot, rateFirst)
	}
	for {
		ways := s.ways(key)
		free := 0
		for i := range ways {
			if ways[i].key == key {
				free = i
				break
			}
			if ways[i].rest() < ways[free].rest() {
				free = i
			}
		}
		taken := ways[free].key != key && ways[free].key != [2]uint64{} && ways[free].until > at
		if !taken || len(s.slots) >= most {
			ways[free] = rateSlot{key, until}
			return
		}
		s.grow()
	}
}

// rest orders slots by how soon they are free.
func (s *rateSlot) rest() int64 {
	if s.key == [2]uint64{} {
		return -1 << 63
	}
	return s.until
}

// grow doubles a shard. Each set of slots becomes two, so what lay in one has room in them.
func (s *rateShard) grow() {
	old := s.slots
	s.slots = make([]rateSlot, 2*len(old))
	for i := range old {
		if old[i].key == [2]uint64{} {
			continue
		}
		ways := s.ways(old[i].key)
		for j := range ways {
			if ways[j].key == [2]uint64{} {
				ways[j] = old[i]
				break
			}
		}
	}
}
