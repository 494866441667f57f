package gateway_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/internal/gateway"
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

// BenchmarkGateway forwards requests with random tokens out of a million grants to an upstream in another
// process, with its log on, and compares that with a bare httputil.ReverseProxy that forwards the same ones.
func BenchmarkGateway(b *testing.B) {
	asker := measure.Start(b)
	address := asker.Tell(measure.Order{Upstream: true})
	upstream := "http://" + address
	crowd := verifytest.NewCrowd(b, 1_000_000, 20_000, upstream)
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	handler, err := gateway.New(gateway.Config{Verifier: crowd.Verifier, Upstreams: []string{address}, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	defer handler.Close()
	target, err := url.Parse(upstream)
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	defer transport.CloseIdleConnections()
	bare := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport}
	requests := make([]string, crowd.Tokens())
	for i := range requests {
		authorization, path := crowd.Question(i * 7919 % len(requests))
		requests[i] = "GET " + path + " HTTP/1.1\r\nHost: " + verifytest.CrowdHost + "\r\nAuthorization: " + authorization +
			"\r\nUser-Agent: curl/8.5\r\nAccept: */*\r\n\r\n"
	}
	measure.Alternate(b, measure.Process, 21, 400*time.Millisecond,
		asker.Case("bare ReverseProxy", listen(b, &http.Server{Handler: bare}), requests),
		asker.Case("gateway", listen(b, httpx.NewServer(handler, httpx.Limits{Read: -1, Write: -1}, log)), requests),
	)
}

func listen(b *testing.B, server *http.Server) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
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
	return l.Addr().String()
}
