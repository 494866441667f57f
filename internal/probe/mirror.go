package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"counterfoil.dev/counterfoil/api"
)

// mirrorField marks the requests of a run. It is no secret and no credential, and its name has none of the
// words that the snippets clean away.
const mirrorField = "Self-Test-Run"

// Mirror stands in the place of the API for one run: it keeps what reaches it, and answers everything that
// is not of the run with 503, so that nobody takes it for the API.
type Mirror struct {
	listener net.Listener
	server   *http.Server
	ended    chan error

	mu    sync.Mutex
	nonce string
	seen  []Seen
}

// Seen is a request that reached the mirror.
type Seen struct {
	Method, Target string
	Header         http.Header
}

// Listen opens a mirror at an address of this machine. Only an operator chooses it, and it lives for a run.
func Listen(ctx context.Context, address string) (*Mirror, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) || errors.As(err, new(*net.AddrError)) || errors.As(err, new(*net.DNSError)) {
			return nil, api.Invalid("mirror", "cannot be listened at: it must be host:port of this machine, and free")
		}
		return nil, fmt.Errorf("listening for the mirror: %w", err)
	}
	m := &Mirror{listener: l, ended: make(chan error, 1)}
	m.server = &http.Server{Handler: m, ReadHeaderTimeout: perRequest, ReadTimeout: perRequest, WriteTimeout: perRequest, MaxHeaderBytes: maxAnswer}
	go func() { m.ended <- m.server.Serve(l) }()
	return m, nil
}

// Address is where the mirror listens.
func (m *Mirror) Address() string { return m.listener.Addr().String() }

// Close ends it, and waits until nothing is under way.
func (m *Mirror) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := m.server.Shutdown(ctx)
	if err != nil {
		err = m.server.Close()
	}
	if served := <-m.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	ours := m.nonce != "" && r.Header.Get(mirrorField) == m.nonce
	if ours && len(m.seen) < 16 {
		m.seen = append(m.seen, Seen{Method: r.Method, Target: r.RequestURI, Header: r.Header.Clone()})
	}
	m.mu.Unlock()
	if !ours {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (m *Mirror) begin() (nonce string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nonce = rand.Text()
	return m.nonce
}

func (m *Mirror) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nonce, m.seen = "", nil
}

func (m *Mirror) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = nil
}

func (m *Mirror) take() []Seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen
}
