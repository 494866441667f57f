package httpx

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The attack: ten thousand peers send one octet of a header now and then (SECURITY.md, class 44a).
func TestASlowSenderIsCutOff(t *testing.T) {
	url, _ := serve(t, Config{}, Limits{ReadHeader: 50 * time.Millisecond}, func(http.ResponseWriter, *http.Request) {})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("the connection stayed open: %v", err)
	}
	if strings.Contains(string(answer), "200") {
		t.Errorf("half a request was answered: %s", answer)
	}
}

// The attack is the same where no request has a deadline of its own, and comes in four more ways: silence,
// half a request after a whole one, an answer that nobody reads, and silence after an answer.
func TestAWatchedListenerCutsOffWhoeverIsSlow(t *testing.T) {
	limits := Limits{Quick: 100 * time.Millisecond, Idle: 200 * time.Millisecond}
	large, cut := strings.Repeat("x", 64<<20), make(chan struct{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			if _, err := io.WriteString(w, large); err == nil {
				t.Error("an answer was written that nobody reads")
			}
			close(cut)
		}
	}), limits, (&journal{}).logger())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, server, Watch(listener, limits), time.Minute) }()
	const whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		unread  bool
		answers int
	}{
		"silence":               {"", false, 0},
		"half a request":        {whole[:20], false, 0},
		"then half a one":       {whole + whole[:20], false, 1},
		"pipelined, then":       {strings.Repeat(whole, 20), false, 20},
		"a reader that is none": {strings.Replace(whole, "/", "/large", 1), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.request); err != nil {
				t.Fatal(err)
			}
			if c.unread {
				<-cut // the write that is under way
				return
			}
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("the connection stayed open: %v", err)
			}
			if n := strings.Count(string(answer), "HTTP/1.1 200"); n != c.answers {
				t.Errorf("%d answers, want %d: %s", n, c.answers, answer)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestStoppingLetsRequestsFinish(t *testing.T) {
	log := &journal{}
	entered, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		if r.Context().Err() != nil {
			t.Error("stopping cut a request off")
		}
		w.WriteHeader(http.StatusTeapot)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, NewServer(Wrap(handler, Config{Log: log.logger()}), Limits{}, log.logger()), listener, time.Minute)
	}()
	got := make(chan int, 1)
	go func() {
		answer, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			t.Error(err)
			got <- 0
			return
		}
		answer.Body.Close()
		got <- answer.StatusCode
	}()
	<-entered
	stop()
	close(release)
	if status := <-got; status != http.StatusTeapot {
		t.Errorf("the request under way ended with %d", status)
	}
	if err := <-done; err != nil {
		t.Errorf("a stop that was asked for is an error: %v", err)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestStoppingEndsThoughARequestDoesNot(t *testing.T) {
	entered, gone := make(chan struct{}), make(chan struct{})
	log := &journal{}
	server := NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(gone)
	}), Limits{}, log.logger())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, server, listener, time.Millisecond) }()
	go func() {
		if answer, err := http.Get("http://" + listener.Addr().String()); err == nil {
			answer.Body.Close()
			t.Error("answered although cut off")
		}
	}()
	<-entered
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-gone
}

func TestServeSaysWhyItCannot(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	if err := Serve(context.Background(), NewServer(http.NotFoundHandler(), Limits{}, log.logger()), listener, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}
