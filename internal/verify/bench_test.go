package verify_test

import (
	"crypto/sha256"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/internal/measure"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// million is a verifier with a million grants, of which the random benchmarks ask with a fifth.
var million = sync.OnceValue(func() *measured {
	var b testing.B
	before := heap()
	c := verifytest.NewCrowd(&b, grants, grants/5, "")
	texts := uint64(c.Tokens()) * 160
	return &measured{c, float64(heap()-before-texts) / grants}
})

const grants = 1_000_000

type measured struct {
	*verifytest.Crowd
	perGrant float64
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkVerify compares a whole verification, from header to decision, with one SHA-256 of 64 bytes: of
// the same token again and again, and of random ones out of a million.
func BenchmarkVerify(b *testing.B) {
	c, d := million(), new(verify.Decision)
	authorization, path := c.Question(0)
	value := []string{authorization}
	request := &verify.Request{
		Method: "GET", Target: path, Host: verifytest.CrowdHost, Accept: verify.AccessTokens, Agent: "curl/8.5", ID: "bench",
		Header: http.Header{"Authorization": value, "User-Agent": {"curl/8.5"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip"}},
	}
	ask := func() {
		c.Verifier.Verify(request, d)
		if !d.Allowed {
			b.Fatal(d.Code)
		}
	}
	if n := testing.AllocsPerRun(1000, ask); n != 0 {
		b.Errorf("%v allocations", n)
	}
	var secret [64]byte
	at, near := uint64(0), byte(0)
	next := func() int { return int(at>>32) % c.Tokens() }
	measure.Alternate(b, measure.Thread, 101, 10*time.Millisecond,
		measure.Case{Name: "SHA-256 of 64 bytes", Do: func(n int) {
			for range n {
				sum := sha256.Sum256(secret[:])
				secret[0] = sum[0]
			}
		}},
		measure.Case{Name: "verify, hot", Do: func(n int) {
			value[0], request.Target = c.Question(0)
			for range n {
				ask()
			}
		}},
		measure.Case{Name: "verify, random", Do: func(n int) {
			value[0], request.Target = c.Question(next())
			for range n {
				ask()
				value[0], request.Target = c.Question(next())
				// A request comes fresh from a socket, so the one after the next is brought near.
				at += 0x9e3779b97f4a7c15
				far, farther := c.Question(next())
				near += far[0] + farther[0] + farther[len(farther)-1]
			}
		}},
	)
	runtime.KeepAlive(near)
}

// BenchmarkMillion is what a million grants cost beside the requests: memory for each, and one forced
// collection.
func BenchmarkMillion(b *testing.B) {
	c := million()
	began := time.Now()
	for b.Loop() {
		runtime.GC()
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(b.N), "µs/collection")
	runtime.KeepAlive(c.Verifier)
	b.ReportMetric(c.perGrant, "octets/grant")
	if c.perGrant > 150 {
		b.Errorf("%.1f octets a grant, want at most 150", c.perGrant)
	}
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
