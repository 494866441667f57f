package session

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// The attack: names that exist are told apart by the answer or by its time (SECURITY.md, class 41a). Time is
// not asserted, which would fail on a busy machine; the work is: every answer costs the memory of one hash.
func TestUnknownPeopleAreAnsweredLikeKnownOnes(t *testing.T) {
	d := newDesk(t)
	d.ada()
	d.person("new", "invited@example.com", "")
	d.person("off", "disabled@example.com", good)
	d.act(func(ctx context.Context, tx *store.Tx) error {
		return tx.SetDisabled(ctx, store.SetDisabledParams{ID: "off", At: ptr(int64(1))})
	})
	const hash = 19456 << 10 // octets that argon2id fills once
	var texts []string
	for i := range 5 {
		for _, c := range []struct{ email, password string }{
			{"ada@example.com", "wrong and long enough"},
			{"nobody@example.com", good},
			{"invited@example.com", good},
			{"disabled@example.com", good},
		} {
			before := allocated()
			err := d.browser(fmt.Sprintf("192.0.2.%d", i)).signIn(c.email, c.password)
			if cost := allocated() - before; cost < hash || cost >= 2*hash {
				t.Errorf("%s cost %d octets of memory, want the %d of one hash", c.email, cost, hash)
			}
			if code(err) != api.CodeInvalid {
				t.Fatalf("%s: %v", c.email, err)
			}
			texts = append(texts, err.Error())
		}
	}
	if texts = slices.Compact(texts); len(texts) != 1 {
		t.Errorf("different answers: %q", texts)
	}
}

// allocated is how much memory this process has asked for so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// The attack: guessing on under other spellings of the address, and from other networks (class 41b).
func TestAllSpellingsOfAnAddressShareOneCounter(t *testing.T) {
	d := newDesk(t)
	d.account(100, "North")
	d.person("ada", "ada@bücher.example", good)
	d.member(100, "ada", true)
	owner := d.browser("198.51.100.1")
	if err := owner.signIn("ada@bücher.example", good); err != nil {
		t.Fatal(err)
	}
	spellings := []string{
		"ada@bücher.example", "ADA@bücher.example", " Ada@BÜCHER.EXAMPLE ", "ada@xn--bcher-kva.example", "ada@bu\u0308cher.example",
		"ａｄａ@bücher.example", "aDa@XN--BCHER-KVA.example",
	}
	for i := range 10 {
		if err := d.browser(fmt.Sprintf("192.0.2.%d", i)).signIn(spellings[i%len(spellings)], "wrong and long enough"); code(err) != api.CodeInvalid {
			t.Fatalf("attempt %d as %q: %v", i+1, spellings[i%len(spellings)], err)
		}
	}
	for i, s := range spellings {
		if err := d.browser(fmt.Sprintf("192.0.2.%d", 100+i)).signIn(s, good); code(err) != api.CodeTooMany {
			t.Errorf("%q was tried an eleventh time: %v", s, err)
		}
	}
	// The owner is not locked out by it, on a device where they signed in before.
	if err := owner.signIn("ada@bücher.example", good); err != nil {
		t.Errorf("the owner is locked out: %v", err)
	}
	// That device's mark is worth nothing for another address.
	d.person("eve", "eve@example.com", good2)
	d.member(100, "eve", true)
	for range 10 {
		if err := owner.signIn("eve@example.com", "wrong and long enough"); code(err) != api.CodeInvalid {
			t.Fatal(err)
		}
	}
	if err := owner.signIn("eve@example.com", "wrong and long enough"); code(err) != api.CodeTooMany {
		t.Errorf("a known device of one person tried on at another's password: %v", err)
	}
	d.pass(15 * time.Minute)
	if err := d.browser("192.0.2.200").signIn("ada@bücher.example", good); err != nil {
		t.Errorf("after a quarter of an hour: %v", err)
	}
}

func TestADeviceGuessesNoMoreThanItMay(t *testing.T) {
	d := newDesk(t)
	d.ada()
	b := d.browser("192.0.2.1")
	b.mustSignIn()
	for i := range deviceRules[0].attempts {
		b.address = fmt.Sprintf("192.0.2.%d", i+2)
		if err := b.signIn("ada@example.com", "wrong and long enough"); code(err) != api.CodeInvalid {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
	}
	if err := b.signIn("ada@example.com", good); code(err) != api.CodeTooMany {
		t.Errorf("%v", err)
	}
}

func TestOneNetworkTriesNoMoreThanItMay(t *testing.T) {
	l := newLimits(time.Now)
	p := &People{limits: l}
	for i := range networkRules[0].attempts {
		v := Visitor{network: "2001:db8::/64"}
		if _, ok := l.take(p.claims(v, fmt.Sprintf("p%d@example.com", i))...); !ok {
			t.Fatalf("attempt %d was refused", i+1)
		}
	}
	if wait, ok := l.take(p.claims(Visitor{network: "2001:db8::/64"}, "fresh@example.com")...); ok || wait <= 14*time.Minute || wait > 15*time.Minute {
		t.Errorf("one network went on: %v, %v", ok, wait)
	}
	if _, ok := l.take(p.claims(Visitor{network: "2001:db8:0:1::/64"}, "fresh@example.com")...); !ok {
		t.Error("another network was refused")
	}
	d := newDesk(t)
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64", "::ffff:192.0.2.7": "192.0.2.7",
	} {
		if got := d.browser(address).visitor(); got.network != want {
			t.Errorf("%s counts as %s, want %s", address, got.network, want)
		}
	}
}

// Attempts are counted before they are judged: many at once do not slip past.
func TestParallelGuessesAreCounted(t *testing.T) {
	d := newDesk(t)
	d.ada()
	var mu sync.Mutex
	got := map[api.Code]int{}
	var all sync.WaitGroup
	for i := range 64 {
		b := d.browser(fmt.Sprintf("192.0.2.%d", i))
		all.Go(func() {
			err := b.signIn("ada@example.com", "wrong and long enough")
			mu.Lock()
			defer mu.Unlock()
			got[code(err)]++
		})
	}
	all.Wait()
	if got[api.CodeInvalid] != 10 || got[api.CodeTooMany] != 54 {
		t.Errorf("%v, want 10 judged and 54 refused", got)
	}
}

// A hundred in a day, however slowly (NIST SP 800-63B-4); and what is right is given back.
func TestSlowGuessesAreCountedByTheDay(t *testing.T) {
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	l := newLimits(func() time.Time { return at })
	c := claim{"address a", addressRules}
	tried := 0
	for range 24 * 60 / 15 * 3 {
		for range 4 {
			if _, ok := l.take(c); ok {
				tried++
			}
		}
		at = at.Add(5 * time.Minute)
	}
	if tried != 100 {
		t.Errorf("%d attempts in a day, want 100", tried)
	}
	at = at.Add(24 * time.Hour)
	for range 1000 {
		if _, ok := l.take(c); !ok {
			t.Fatal("attempts that were right used up the limit")
		}
		l.giveBack(c)
	}
	if len(l.counters) != 0 {
		t.Errorf("%d counters of nothing are kept", len(l.counters))
	}
}

// The attack: filling the memory with made-up addresses, and pushing out the counter of a real one.
func TestCountersAreBounded(t *testing.T) {
	l := newLimits(time.Now)
	target := claim{"address target", addressRules}
	for range 10 {
		l.take(target)
	}
	for i := range maxCounters + 5000 {
		l.take(claim{fmt.Sprintf("address %d", i), addressRules})
	}
	if len(l.counters) > maxCounters {
		t.Errorf("%d counters, want at most %d", len(l.counters), maxCounters)
	}
	if _, ok := l.take(target); ok {
		t.Error("the counter of an address under attack was pushed out")
	}
}

// The attack: 500 sign-ins at once, 19 MiB each (SECURITY.md, class 40).
func TestFiveHundredSignInsAtOnceStayWithinTheirMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute of both cores")
	}
	d := newDesk(t)
	d.ada()
	runtime.GC()
	var mu sync.Mutex
	got := map[api.Code]int{}
	var all sync.WaitGroup
	began := time.Now()
	for i := range 500 {
		b := d.browser(fmt.Sprintf("192.0.%d.%d", 2+i/250, i%250))
		all.Go(func() {
			err := b.signIn(fmt.Sprintf("p%d@example.com", i), "wrong and long enough")
			mu.Lock()
			defer mu.Unlock()
			got[code(err)]++
		})
	}
	all.Wait()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("500 sign-ins took %v and %d MiB in all: %v", time.Since(began).Round(time.Millisecond), m.Sys>>20, got)
	if m.Sys > 256<<20 {
		t.Errorf("%d MiB were taken from the system, want at most 256", m.Sys>>20)
	}
	if got[api.CodeInvalid]+got[api.CodeTooMany] != 500 || got[api.CodeInvalid] < 100 {
		t.Errorf("answers: %v", got)
	}
}

func TestTheQueueForHashesIsBounded(t *testing.T) {
	h := newHasher()
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	for range hashesQueued {
		h.queued <- struct{}{}
	}
	if _, err := h.hash(context.Background(), good); code(err) != api.CodeTooMany {
		t.Errorf("one more than may wait: %v", err)
	}
	<-h.queued
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.hash(ctx, good); err == nil {
		t.Error("hashed for somebody who is gone")
	}
	<-h.slots
	if _, err := h.hash(context.Background(), good); err != nil {
		t.Errorf("with a slot free: %v", err)
	}
	if len(h.slots) != cap(h.slots)-1 || len(h.queued) != hashesQueued-1 {
		t.Errorf("%d slots and %d places were not given back", len(h.slots), len(h.queued))
	}
}

func TestRefusalsAreSummedInTheHistory(t *testing.T) {
	d := newDesk(t)
	d.ada()
	b := d.browser("192.0.2.1")
	for range 12 {
		if err := b.signIn("ada@example.com", "my-typed-secret-words"); err == nil {
			t.Fatal("signed in")
		}
	}
	if err := b.signIn("hunter2-in-the-wrong-field@example.com", "wrong and long enough"); err == nil {
		t.Fatal("signed in")
	}
	before := len(d.events())
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := d.people.Run(ctx); err != nil { // writes what waits before it ends
		t.Fatal(err)
	}
	sums := map[string]audit.Event{}
	for _, e := range d.events()[before:] {
		sums[e.Subject.ID+" "+e.Reason] = e
	}
	if len(sums) != 3 {
		t.Fatalf("%+v", sums)
	}
	e := sums["ada wrong_password"]
	if e.Count != 10 || e.Outcome != audit.Refused || e.Action != audit.SignIn || e.Actor.Kind != audit.ByNobody || e.Account != 100 || e.Address != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
	if e := sums[" too_many"]; e.Count != 2 {
		t.Errorf("%+v", e)
	}
	if e := sums[" wrong_password"]; e.Count != 1 || e.Subject.Name != "" {
		t.Errorf("what was typed as an unknown address is in the history: %+v", e)
	}
}
