package verify_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

const (
	benchGrants = 1_000_000
	benchTokens = 200_000 // of which the random benchmarks draw
)

// crowd is a verifier with a million grants and what it takes to ask it. The tokens lie in one string, so
// that the benchmark's own memory costs the collector nothing.
type crowd struct {
	v        *verify.Verifier
	tokens   string
	length   int
	perGrant float64
	request  verify.Request
}

var million = sync.OnceValue(func() *crowd {
	a := desk()
	kinds := [][]api.Pin{}
	for i := range 40 {
		kinds = append(kinds, []api.Pin{pin("agency", "3", "jobs.list", fmt.Sprint("x.", i))})
	}
	s, err := a.Snapshot(context.Background())
	if err != nil {
		panic(err)
	}
	var tb testing.B
	var tokens strings.Builder
	c := new(crowd)
	s.Grants = make([]api.Grant, benchGrants)
	for i := range s.Grants {
		tok := verifytest.Mint(&tb, token.Access, 7, kinds[i%len(kinds)]...)
		s.Grants[i] = tok.Grant
		if i%(benchGrants/benchTokens) == 0 {
			tokens.WriteString(tok.AuthToken)
			c.length = len(tok.AuthToken)
			c.request = *request(tok, "GET", jobs)
		}
	}
	c.tokens = tokens.String()
	fixed := &fixedSource{Authority: a, snapshot: s}
	c.v, err = verify.New(verify.Config{Source: fixed, Node: "bench"})
	if err != nil {
		panic(err)
	}
	before := heap()
	go func() {
		if err := c.v.Run(context.Background()); err != nil {
			panic(err)
		}
	}()
	if err := a.Await(context.Background(), c.v.Ready); err != nil {
		panic(err)
	}
	c.perGrant = float64(heap()-before) / benchGrants
	fixed.snapshot, s.Grants = nil, nil
	return c
})

// ask sends token i.
func (c *crowd) ask(b *testing.B, i int, d *verify.Decision) {
	tok := c.tokens[i*c.length : (i+1)*c.length]
	c.request.Header["Authorization"][0] = "Bearer " + tok
	c.request.Target = "/Agencies/" + tok[len("cfoil_"):len("cfoil_")+22] + "/Jobs"
	c.v.Verify(&c.request, d)
	if !d.Allowed {
		b.Fatal(d.Code)
	}
}

// fixedSource hands out one prepared snapshot.
type fixedSource struct {
	*verifytest.Authority
	snapshot *api.Snapshot
}

func (f *fixedSource) Snapshot(context.Context) (*api.Snapshot, error) { return f.snapshot, nil }

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// ownTime reports what the loop took of this thread's processor time, which says more than the clock on a
// machine that others use too. Call it before the loop, and what it returns after.
func ownTime(b *testing.B) func() {
	runtime.LockOSThread()
	began := threadTime(b)
	return func() {
		b.ReportMetric(float64(threadTime(b)-began)/float64(b.N), "cpu-ns/op")
		runtime.UnlockOSThread()
	}
}

func threadTime(b *testing.B) int64 {
	const thisThread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thisThread, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkSHA256Of64 is the floor that the others are compared with.
func BenchmarkSHA256Of64(b *testing.B) {
	var in [64]byte
	defer ownTime(b)()
	for b.Loop() {
		in[0]++
		sum := sha256.Sum256(in[:])
		in[1] = sum[0]
	}
}

func BenchmarkVerifyHot(b *testing.B) {
	c, d := million(), new(verify.Decision)
	b.ReportAllocs()
	c.ask(b, 0, d)
	defer ownTime(b)()
	for b.Loop() {
		c.v.Verify(&c.request, d)
		if !d.Allowed {
			b.Fatal(d.Code)
		}
	}
}

// BenchmarkVerifyRandom includes the two allocations by which it makes each request.
func BenchmarkVerifyRandom(b *testing.B) {
	c, d := million(), new(verify.Decision)
	b.ReportAllocs()
	i := uint64(0)
	defer ownTime(b)()
	for b.Loop() {
		i += 0x9e3779b97f4a7c15
		c.ask(b, int(i>>32)%benchTokens, d)
	}
}

func BenchmarkMemoryPerGrant(b *testing.B) {
	c := million()
	for b.Loop() {
		runtime.KeepAlive(c.v)
	}
	b.ReportMetric(c.perGrant, "octets/grant")
	if c.perGrant > 150 {
		b.Errorf("%.1f octets a grant, want at most 150", c.perGrant)
	}
}

// BenchmarkCollect is the wall-clock time of one forced collection with a million grants alive.
func BenchmarkCollect(b *testing.B) {
	c := million()
	for b.Loop() {
		runtime.GC()
	}
	runtime.KeepAlive(c.v)
}

// BenchmarkChangeOneGrant is what one change on the feed costs the writer.
func BenchmarkChangeOneGrant(b *testing.B) {
	a := desk()
	tok := verifytest.Mint(b, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(b, verify.Config{})
	began := time.Now()
	for b.Loop() {
		a.Put(tok.Grant)
	}
	a.Settle(b, v)
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "changes/s")
}
