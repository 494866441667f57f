package verify_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil.dev/counterfoil/internal/verify"
)

const rateMost = 1 << 14

func ofAccount(id int64, every time.Duration, burst int64) []verify.Ask {
	return []verify.Ask{{Subject: verify.Subject{Account: id}, Every: every, Burst: burst}}
}

func TestARateLetsTheBurstPassAndThenOneByOne(t *testing.T) {
	start := time.Now()
	l := verify.NewRates(start, rateMost)
	const ms = time.Millisecond
	for i, c := range []struct {
		at         time.Duration
		room       bool
		left       int64
		wait, full time.Duration
	}{ // 10 a second, 3 at once
		{0, true, 2, 0, 100 * ms},
		{0, true, 1, 0, 200 * ms},
		{0, true, 0, 0, 300 * ms},
		{0, false, 0, 100 * ms, 300 * ms},
		{99 * ms, false, 0, 1 * ms, 201 * ms},
		{100 * ms, true, 0, 0, 300 * ms},
		{100 * ms, false, 0, 100 * ms, 300 * ms},
		{350 * ms, true, 1, 0, 150 * ms}, // two and a half came back
		{350 * ms, true, 0, 0, 250 * ms},
		{time.Hour, true, 2, 0, 100 * ms}, // rest is never saved up beyond the burst
	} {
		asks := ofAccount(1, 100*ms, 3)
		room := l.Take(start.Add(c.at), asks)
		if a := asks[0]; room != c.room || a.Left != c.left || a.Wait != c.wait || a.Full != c.full {
			t.Errorf("call %d at %v: %v, %d left, wait %v, full in %v; want %+v", i, c.at, room, a.Left, a.Wait, a.Full, c)
		}
	}
}

// A call that one rate refuses counts for none: else a token without calls left could use up its account's.
func TestARefusedCallCountsForNoRate(t *testing.T) {
	start := time.Now()
	l := verify.NewRates(start, rateMost)
	both := func() []verify.Ask {
		return append(ofAccount(1, time.Hour, 1), ofAccount(2, time.Hour, 5)...)
	}
	if !l.Take(start, both()) {
		t.Fatal("the first call was refused")
	}
	for range 20 {
		if asks := both(); l.Take(start, asks) || asks[0].Left != 0 || asks[1].Left != 4 || asks[1].Wait != 0 {
			t.Fatalf("%+v", asks)
		}
	}
}

// A bucket that is emptied under a slow rate, or by a clock that was ahead, is no emptier than empty under
// the rate that holds now.
func TestARateThatIsRaisedOrAClockThatJumpsBackForgivesWhatWas(t *testing.T) {
	start := time.Now()
	l := verify.NewRates(start, rateMost)
	for range 10 {
		l.Take(start, ofAccount(1, time.Hour, 10))
	}
	asks := ofAccount(1, time.Millisecond, 10)
	if l.Take(start, asks) || asks[0].Wait != time.Millisecond {
		t.Errorf("after the rate was raised: wait %v, want a millisecond", asks[0].Wait)
	}
	if !l.Take(start.Add(48*time.Hour), ofAccount(2, time.Second, 1)) {
		t.Fatal("refused")
	}
	asks = ofAccount(2, time.Second, 1)
	if l.Take(start, asks) || asks[0].Wait != time.Second {
		t.Errorf("after the clock jumped back: wait %v, want a second", asks[0].Wait)
	}
	if !l.Take(start.Add(-time.Hour), ofAccount(3, time.Second, 1)) {
		t.Error("before its own start it refuses")
	}
}

// The model fills a bucket in exact fractions, one ask after the other.
func TestRatesAgreeWithANaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Now()
		l := verify.NewRates(start, rapid.SampledFrom([]int{64, rateMost}).Draw(t, "most"))
		type bucket struct{ missing, at time.Duration } // time that is missing to full, when it was so
		model := map[int64]bucket{}
		rates := map[int64][2]int64{}
		for id := range int64(4) {
			rates[id] = [2]int64{rapid.Int64Range(1, int64(time.Hour)).Draw(t, "every"), rapid.Int64Range(1, 20).Draw(t, "burst")}
		}
		now := time.Duration(0)
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			now += time.Duration(rapid.SampledFrom([]int64{0, 1, rates[0][0] - 1, rates[1][0], rates[2][0] / 3, rates[3][0] * 2}).Draw(t, "pause"))
			var asks []verify.Ask
			first, n := rapid.Int64Range(0, 3).Draw(t, "first"), rapid.Int64Range(1, 4).Draw(t, "n")
			for i := range n {
				id := (first + i) % 4
				asks = append(asks, ofAccount(id, time.Duration(rates[id][0]), rates[id][1])...)
			}
			room, want := l.Take(start.Add(now), asks), true
			for i := range asks {
				a, b := asks[i], model[asks[i].Subject.Account]
				b.missing, b.at = max(0, b.missing-(now-b.at)), now
				model[a.Subject.Account] = b
				want = want && b.missing+a.Every <= a.Every*time.Duration(a.Burst)
			}
			if room != want {
				t.Fatalf("at %v: %v, want %v: %+v", now, room, want, asks)
			}
			for i := range asks {
				a, b := asks[i], model[asks[i].Subject.Account]
				if room {
					b.missing += a.Every
					model[a.Subject.Account] = b
				}
				size := a.Every * time.Duration(a.Burst)
				if a.Full != b.missing || a.Left != int64((size-b.missing)/a.Every) {
					t.Fatalf("at %v: %+v, want full in %v", now, a, b.missing)
				}
				if !room && a.Wait != max(0, b.missing+a.Every-size) {
					t.Fatalf("at %v: wait %v", now, a.Wait)
				}
			}
		}
	})
}

func TestRatesHoldUnderManyGoroutines(t *testing.T) {
	start := time.Now()
	l := verify.NewRates(start, rateMost)
	var passed [2]atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range int64(2000) {
				own, shared := i%50, int64(1000)
				if l.Take(start, append(ofAccount(own, time.Hour, 100), ofAccount(shared, time.Hour, 1_000_000)...)) {
					passed[0].Add(1)
				}
				if l.Take(start, append(ofAccount(shared+1, time.Hour, 777), ofAccount(own+2000, time.Hour, 1_000_000)...)) {
					passed[1].Add(1)
				}
			}
		})
	}
	all.Wait()
	if a, b := passed[0].Load(), passed[1].Load(); a != 5000 || b != 777 {
		t.Errorf("%d and %d passed, want 5000 and 777", a, b)
	}
}

// However many rates are in use, what they take is bounded, and those at rest take nothing.
func TestRatesTakeBoundedMemory(t *testing.T) {
	start := time.Now()
	l := verify.NewRates(start, 128)
	for i := range int64(100_000) {
		l.Take(start, ofAccount(i, time.Hour, 5))
	}
	if got := verify.RateSlots(l); got != 64*128 {
		t.Errorf("%d slots, want %d", got, 64*128)
	}
	idle := verify.NewRates(start, rateMost)
	for i := range int64(100_000) {
		idle.Take(start.Add(time.Duration(i)*time.Second), ofAccount(i, time.Second, 5))
	}
	if got := verify.RateSlots(idle); got != 64*64 {
		t.Errorf("%d slots for rates that are at rest, want the first %d", got, 64*64)
	}
}

func TestSubjectsAreApart(t *testing.T) {
	start := time.Now()
	l := verify.NewRates(start, rateMost)
	seen := map[verify.Subject]bool{}
	for i := range 4 {
		var s verify.Subject
		if i%2 == 1 {
			s.SID[3] = '7'
		}
		for _, account := range []int64{0, 7} {
			for _, scope := range []string{"", "a.b", "a.c"} {
				for _, name := range []string{"agency", "brand"} {
					s.Account, s.Scope, s.API = account, scope, ""
					if scope != "" {
						s.API = name
					}
					if room := l.Take(start, []verify.Ask{{Subject: s, Every: time.Hour, Burst: 1}}); room == seen[s] {
						t.Errorf("%+v: %v, though seen is %v", s, room, seen[s])
					}
					seen[s] = true
				}
			}
		}
	}
}

func BenchmarkRates(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			start := time.Now()
			l := verify.NewRates(start, rateMost)
			asks := make([]verify.Ask, 0, n)
			for i := range n {
				asks = append(asks, ofAccount(int64(i), time.Microsecond, 1000)...)
			}
			b.ReportAllocs()
			for b.Loop() {
				l.Take(time.Now(), asks)
			}
		})
	}
}
