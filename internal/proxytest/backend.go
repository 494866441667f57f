package proxytest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Backend stands for the API behind a proxy. It answers every request with 200 and keeps it.
type Backend struct {
	Address string // host:port

	mu   sync.Mutex
	seen []Seen
}

// Seen is a request that reached the backend, as it stood on the wire.
type Seen struct {
	Method, Target, Host string
	Header               http.Header
}

// NewBackend serves until the test ends.
func NewBackend(t testing.TB) *Backend {
	t.Helper()
	b := new(Backend)
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.Address = server.Listener.Addr().String()
	return b
}

func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.seen = append(b.seen, Seen{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header.Clone()})
	b.mu.Unlock()
	w.Header().Set("X-Backend", "yes")
	w.WriteHeader(http.StatusOK)
}

// Count is how many requests came so far.
func (b *Backend) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.seen)
}

// Since are the requests that came after the first n.
func (b *Backend) Since(n int) []Seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen[n:])
}
