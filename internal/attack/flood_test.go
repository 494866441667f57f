package attack_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"counterfoil.dev/counterfoil/internal/gateway"
	"counterfoil.dev/counterfoil/internal/httpx"
)

// front is one listener of ours with a question that must be answered at all times.
type front struct {
	name    string
	address string
	control []byte // a question
	status  string // and the beginning of its answer
}

// fronts puts doors, gateway and a listener for people on listeners as the product has them.
func fronts(t *testing.T, h *house, who held, quiet *slog.Logger) []front {
	t.Helper()
	q := ask{method: "GET", target: "/Agencies/" + who.grant.SID + "/Actions/7", host: host, fields: [][2]string{{"Authorization", "Bearer " + who.secret}}}
	gate, err := gateway.New(gateway.Config{Verifier: h.verifier, Upstreams: []string{h.backend.Address}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	people := httpx.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			httpx.WriteError(w, r, err)
		}
	}), httpx.Config{Log: quiet})
	listen := func(handler http.Handler, limits httpx.Limits) string {
		server := httpx.NewServer(handler, limits, quiet)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		if limits.Quick > 0 {
			listener = httpx.Watch(listener, limits)
		}
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(listener) }()
		t.Cleanup(func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
			<-ended
		})
		return address
	}
	return []front{
		{"doors", listen(h.doors, httpx.Limits{Quick: 10 * time.Second}), q.subrequest("/authorize").raw(), "HTTP/1.1 200"},
		{"gateway", listen(gate, httpx.Limits{Read: -1, Write: -1}), q.raw(), "HTTP/1.1 200"},
		{"people", listen(people, httpx.Limits{}), (&ask{method: "GET", target: "/x", host: host}).raw(), "HTTP/1.1 200"},
	}
}

// footprint is what the process holds, garbage apart: both ends of every connection are in it.
func footprint() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// patience is how long a control request may take while others misbehave.
const patience = 2 * time.Second

// answers asks the control question on a connection of its own.
func (f *front) answers(t *testing.T, during string) {
	t.Helper()
	began := time.Now()
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatalf("%s during %s: %v", f.name, during, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(began.Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(f.control); err != nil {
		t.Fatalf("%s during %s: %v", f.name, during, err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, f.status) {
		t.Errorf("%s during %s: %q after %v: %v", f.name, during, line, time.Since(began), err)
	}
}

// hold opens n connections and sends text on each; they stay open until the test ends.
func (f *front) hold(t *testing.T, n int, text []byte) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				conn, err := net.Dial("tcp", f.address)
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = conn
				if _, err := conn.Write(text); err != nil {
					return // the other side may refuse before it has read all
				}
			}
		})
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	})
	return conns
}

// bounded runs an attack and says what the process holds more while it lasts.
func bounded(t *testing.T, f *front, name string, most uint64, attack func()) {
	t.Helper()
	before := footprint()
	began := time.Now()
	attack()
	f.answers(t, name)
	grown := int64(footprint()) - int64(before)
	t.Logf("%s, %s: %d KiB more, in %v", f.name, name, grown>>10, time.Since(began).Round(time.Millisecond))
	if grown > int64(most) {
		t.Errorf("%s, %s: %d KiB more, want at most %d", f.name, name, grown>>10, most>>10)
	}
}

// TestBadPeersCostBoundedMemoryAndNobodysAnswer: SECURITY.md, classes 44a and 44b.
func TestBadPeersCostBoundedMemoryAndNobodysAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of connections")
	}
	h := newHouse(t)
	_, who := fuzzWorld(t, h)
	quiet := slog.New(slog.DiscardHandler)
	const idle, slow = 5000, 500
	for _, f := range fronts(t, h, who, quiet) {
		for range 20 {
			f.answers(t, "warming up")
		}
		t.Run(f.name, func(t *testing.T) {
			bounded(t, &f, "5,000 idle connections", idle*32<<10, func() { f.hold(t, idle, nil) })
		})
		t.Run(f.name+" slow", func(t *testing.T) {
			bounded(t, &f, "500 slow heads", slow*48<<10, func() { f.hold(t, slow, f.control[:len(f.control)-3]) })
			body := bytes.Replace(f.control, []byte("\r\n\r\n"), []byte("\r\nContent-Length: 1000000\r\n\r\nx"), 1)
			// At the gateway each is two connections, and all four ends of them are in this process.
			bounded(t, &f, "500 slow bodies", slow*160<<10, func() { f.hold(t, slow, body) })
		})
		t.Run(f.name+" large", func(t *testing.T) {
			head := f.control[:len(f.control)-2]
			huge := append(bytes.Clone(head), []byte("X-Large: "+strings.Repeat("a", 1<<20))...)
			bounded(t, &f, "100 heads of a megabyte", 16<<20, func() { f.refuses(t, 100, huge) })
			many := append(bytes.Clone(head), []byte(strings.Repeat("X-Many: a\r\n", 1<<16))...)
			bounded(t, &f, "100 heads of 65,536 fields", 16<<20, func() { f.refuses(t, 100, many) })
		})
	}
}

// refuses sends what must be refused before it has been read whole.
func (f *front) refuses(t *testing.T, n int, text []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range n / 4 {
				conn, err := net.Dial("tcp", f.address)
				if err != nil {
					t.Error(err)
					return
				}
				go conn.Write(text) // fails once the other side has closed
				if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
					t.Error(err)
				}
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err == nil && !strings.HasPrefix(line, "HTTP/1.1 4") {
					t.Errorf("%s: a head that is too large was answered %q", f.name, line)
				}
				conn.Close()
			}
		})
	}
	wg.Wait()
}

// secure is the gateway over TLS, with HTTP/2.
func secure(t *testing.T, h *house) string {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	gate, err := gateway.New(gateway.Config{Verifier: h.verifier, Upstreams: []string{h.backend.Address}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	server := httptest.NewUnstartedServer(nil)
	server.Config = httpx.NewServer(gate, httpx.Limits{Read: -1, Write: -1}, quiet)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// dial2 opens an HTTP/2 connection, and reads whatever comes on it.
func dial2(t *testing.T, address string) (*http2.Framer, net.Conn, <-chan struct{}) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			if _, err := framer.ReadFrame(); err != nil {
				return
			}
		}
	}()
	return framer, conn, closed
}

// TestHTTP2FloodsAreBounded: SECURITY.md, class 44a: streams that are opened and reset at once (CVE-2023-39325),
// and heads that never end (CVE-2023-45288).
func TestHTTP2FloodsAreBounded(t *testing.T) {
	h := newHouse(t)
	_, who := fuzzWorld(t, h)
	address := secure(t, h)
	f := &front{name: "gateway", address: h.gate, status: "HTTP/1.1 200"}
	q := ask{method: "GET", target: "/Agencies/" + who.grant.SID + "/Actions/7", host: host, fields: [][2]string{{"Authorization", "Bearer " + who.secret}}}
	f.control = q.raw()
	f.answers(t, "warming up")
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", host}, {":path", q.target}, {"authorization", "Bearer " + who.secret}} {
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1], Sensitive: true}); err != nil {
			t.Fatal(err)
		}
	}
	// What stays are the connections to the backend that the gateway keeps, 256 at most, with both ends here.
	bounded(t, f, "50,000 streams reset at once", 96<<20, func() {
		for range 5 {
			framer, conn, _ := dial2(t, address)
			for id := uint32(1); id < 20_000; id += 2 {
				if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}) != nil ||
					framer.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
					break // cut off, which is right
				}
			}
			f.answers(t, "a flood of resets")
			conn.Close()
		}
	})
	bounded(t, f, "a head of 100,000 continuations", 32<<20, func() {
		framer, _, closed := dial2(t, address)
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes()}); err != nil {
			t.Fatal(err)
		}
		more := bytes.Repeat([]byte{0x10, 0x01, 'a', 0x01, 'b'}, 3000) // a: b, never indexed
		for range 100_000 {
			if framer.WriteContinuation(1, false, more) != nil {
				<-closed
				return
			}
		}
		t.Error("a head without an end was read on and on")
	})
}

// TestAnEndlessAnswerIsNotKept: SECURITY.md, class 44b. Upstreams that never stop, in the head or in the body,
// cost the gateway no more than its buffers.
func TestAnEndlessAnswerIsNotKept(t *testing.T) {
	h := newHouse(t)
	_, who := fuzzWorld(t, h)
	quiet := slog.New(slog.DiscardHandler)
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { upstream.Close() })
	endless := make(chan string, 8)
	go func() {
		for {
			conn, err := upstream.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				begin := <-endless
				more := []byte(strings.Repeat("X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 600))
				if _, err := io.WriteString(conn, begin); err != nil {
					return
				}
				for range 1 << 13 { // 256 MiB
					if _, err := conn.Write(more); err != nil {
						return
					}
				}
			}()
		}
	}()
	o, _ := fuzzWorld(t, h)
	o.catalogue.APIs[0].Upstream = "http://" + upstream.Addr().String()
	h.authority.Publish(*o.catalogue)
	h.authority.Settle(t, h.verifier)
	gate, err := gateway.New(gateway.Config{Verifier: h.verifier, Upstreams: []string{upstream.Addr().String()}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	server := httptest.NewUnstartedServer(nil)
	server.Config = httpx.NewServer(gate, httpx.Limits{Read: -1, Write: -1}, quiet)
	server.Start()
	t.Cleanup(server.Close)
	q := ask{method: "GET", target: "/Agencies/" + who.grant.SID + "/Actions/7", host: host, fields: [][2]string{{"Authorization", "Bearer " + who.secret}}}
	refused := ask{method: "GET", target: q.target, host: host}
	f := &front{name: "gateway", address: server.Listener.Addr().String(), control: refused.raw(), status: "HTTP/1.1 401"}
	bounded(t, f, "an endless head", 8<<20, func() {
		endless <- "HTTP/1.1 200 OK\r\n"
		f.first(t, q.raw(), "HTTP/1.1 502", 0)
	})
	bounded(t, f, "four endless bodies", 8<<20, func() {
		var wg sync.WaitGroup
		for range 4 {
			endless <- "HTTP/1.1 200 OK\r\n\r\n"
			wg.Go(func() { f.first(t, q.raw(), "HTTP/1.1 200", 32<<20) })
		}
		wg.Wait()
	})
}

// first sends a request, and reads the first line of the answer and so many octets after it.
func (f *front) first(t *testing.T, text []byte, want string, octets int64) {
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Error(err)
	}
	if _, err := conn.Write(text); err != nil {
		t.Error(err)
	}
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, want) {
		t.Errorf("%q, want %s: %v", line, want, err)
	}
	if n, err := io.CopyN(io.Discard, in, octets); err != nil {
		t.Errorf("after %d octets: %v", n, err)
	}
}
