package doors_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/measure"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

func TestMain(m *testing.M) {
	if os.Getenv(measure.AskingSide) != "" {
		if err := measure.Serve(os.Stdin, os.Stdout, measure.HTTP); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkAuthorizeOverHTTP asks /authorize with random tokens out of a million grants, and an empty
// handler of a plain net/http server with the very same requests. Processor time of the serving side.
func BenchmarkAuthorizeOverHTTP(b *testing.B) {
	crowd := verifytest.NewCrowd(b, 1_000_000, 20_000, "")
	door, err := doors.New(doors.Config{Verifier: crowd.Verifier})
	if err != nil {
		b.Fatal(err)
	}
	requests := make([]string, crowd.Tokens())
	for i := range requests {
		authorization, path := crowd.Question(i * 7919 % len(requests))
		requests[i] = "GET " + doors.AuthorizePath + " HTTP/1.1\r\nHost: verifier.internal\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: " + path +
			"\r\nX-Forwarded-Host: " + verifytest.CrowdHost + "\r\nX-Forwarded-For: 192.0.2.7\r\nAuthorization: " + authorization +
			"\r\nUser-Agent: curl/8.5\r\nAccept: */*\r\n\r\n"
	}
	empty := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	asker := measure.Start(b)
	limits := httpx.Limits{Quick: 10 * time.Second}
	log := slog.New(slog.DiscardHandler)
	measure.Alternate(b, measure.Process, 31, 300*time.Millisecond,
		asker.Case("empty handler", listen(b, &http.Server{Handler: empty}, httpx.Limits{}), requests),
		asker.Case("authorize", listen(b, httpx.NewServer(door, limits, log), limits), requests),
		asker.Case("authorize, over TLS's limits", listen(b, httpx.NewServer(door, httpx.Limits{}, log), httpx.Limits{}), requests),
	)
}

func listen(b *testing.B, server *http.Server, limits httpx.Limits) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	if limits.Quick > 0 {
		l = httpx.Watch(l, limits)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	b.Cleanup(func() {
		if err := server.Close(); err != nil {
			b.Error(err)
		}
		if err := <-ended; err != http.ErrServerClosed {
			b.Error(err)
		}
	})
	return address
}

// BenchmarkAuthorize is a whole question at the door, without sockets.
func BenchmarkAuthorize(b *testing.B) {
	crowd := verifytest.NewCrowd(b, 1, 1, "")
	handler, err := doors.New(doors.Config{Verifier: crowd.Verifier})
	if err != nil {
		b.Fatal(err)
	}
	authorization, path := crowd.Question(0)
	r := question(doors.AuthorizePath, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", path, "X-Forwarded-Host", verifytest.CrowdHost,
		"Authorization", authorization, "User-Agent", "curl/8.5", "Accept", "*/*")
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		w.status = 200
		handler.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
