package httpx

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Watch bounds what a slow peer may cost at a listener whose answers are quick, as those of doors are: a
// connection is closed when a request has taken longer than limits.Quick from its first octet to its answer,
// or when nothing came for limits.Idle (SECURITY.md, class 44a). The first request must be there within
// limits.Quick. Bounds are kept to a tenth.
//
// This is for a server that [NewServer] made with the same limits, and is why it has none of its own:
// net/http sets five deadlines for a request, each with a timer, where one look at all connections now and
// then does. It also keeps reading while a handler runs, to notice a peer that is gone, for which handlers
// that wait for nothing have no use. Together that is a tenth of the processor time of a question.
//
// It is for HTTP/1.1 in the clear: TLS and HTTP/2 read without answering.
func Watch(l net.Listener, limits Limits) net.Listener {
	w := &watched{
		Listener: l, quick: limits.Quick, idle: pick(limits.Idle, defaultIdle),
		open: make(map[*watchedConn]struct{}), closed: make(chan struct{}),
	}
	w.now.Store(1)
	go w.watch()
	return w
}

// watched is a listener with all its connections.
type watched struct {
	net.Listener
	quick, idle time.Duration
	now         atomic.Int64 // tenths of quick since the beginning, from 1
	mu          sync.Mutex
	open        map[*watchedConn]struct{}
	once        sync.Once
	closed      chan struct{}
}

// Accept waits for the next connection, which is watched from then on.
func (w *watched) Accept() (net.Conn, error) {
	accepted, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &watchedConn{Conn: accepted, by: w}
	c.since.Store(-w.now.Load())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = struct{}{}
	return c, nil
}

// Close ends listening. Connections stay watched until they are closed too.
func (w *watched) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Listener.Close()
}

// watch cuts off what took too long, until the listener and all its connections are closed.
func (w *watched) watch() {
	ticker := time.NewTicker(w.quick / 10)
	defer ticker.Stop()
	for range ticker.C {
		left := w.cut(w.now.Add(1))
		select {
		case <-w.closed:
			if left == 0 {
				return
			}
		default:
		}
	}
}

// cut closes the connections that took too long and returns how many are open.
func (w *watched) cut(now int64) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	tick := w.quick / 10
	for c := range w.open {
		since, limit := c.since.Load(), w.idle
		if since < 0 {
			since, limit = -since, w.quick
		}
		if time.Duration(now-since)*tick > limit {
			c.Conn.Close() // whoever reads or writes gets the error
		}
	}
	return len(w.open)
}

// watchedConn is a connection between two requests, or in one.
type watchedConn struct {
	net.Conn
	by       *watched
	since    atomic.Int64 // when it fell idle; negative: when the request under way began
	spared   bool         // the last read was the look-out; net/http never reads twice at once
	deadline bool         // a read has one
}

// Read ends net/http's look-out, a read of one octet, at once with nothing. Nobody else reads single octets
// but a buffer that is full save one, which asks again; so does the look-out after a pipelined request, which
// then looks out in earnest.
func (c *watchedConn) Read(p []byte) (int, error) {
	if len(p) == 1 && !c.spared {
		c.spared = true
		return 0, nil
	}
	c.spared = false
	n, err := c.Conn.Read(p)
	if n > 0 && c.since.Load() > 0 {
		c.since.Store(-c.by.now.Load())
	}
	return n, err
}

// Write ends the request under way: the answers of doors fit into one write.
func (c *watchedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.since.Store(c.by.now.Load())
	return n, err
}

// SetReadDeadline passes over the many calls that take away what is not there.
func (c *watchedConn) SetReadDeadline(t time.Time) error {
	if t.IsZero() && !c.deadline {
		return nil
	}
	c.deadline = !t.IsZero()
	return c.Conn.SetReadDeadline(t)
}

// CloseWrite is what net/http does before it gives a peer time to read a refusal.
func (c *watchedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return io.ErrClosedPipe
}

// Close closes the connection and forgets it.
func (c *watchedConn) Close() error {
	c.by.mu.Lock()
	delete(c.by.open, c)
	c.by.mu.Unlock()
	return c.Conn.Close()
}
