package measure

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// AskingSide is the variable that the second process has in its environment.
const AskingSide = "COUNTERFOIL_ASKING_SIDE"

// connections are kept open by the asking side, each with one request under way.
const connections = 16

// Asker is the asking side.
type Asker struct {
	tb  testing.TB
	out *json.Encoder
	in  *json.Decoder
}

// Order is one line to the asking side.
type Order struct {
	Target   string   // name
	Address  string   // with Requests: where to connect to
	Requests []string // as Connect reads them, asked in turn
	Count    int      // how often to ask
	Upstream bool     // listen, and answer everything with 200 and the two octets {}
}

// answer is one line back.
type answer struct {
	Address string // of the upstream
	Fault   string
}

// Start runs this test binary again as the asking side, until the benchmark ends.
func Start(tb testing.TB) *Asker {
	tb.Helper()
	command := exec.Command(os.Args[0], "-test.run=^$")
	command.Env = append(command.Environ(), AskingSide+"=1")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(in.Close(), command.Wait()); err != nil {
			tb.Error(err)
		}
	})
	return &Asker{tb, json.NewEncoder(in), json.NewDecoder(out)}
}

// Tell gives an order and waits until it is done. It returns the address of an upstream.
func (a *Asker) Tell(o Order) string {
	if err := a.out.Encode(o); err != nil {
		a.tb.Fatal(err)
	}
	var done answer
	if err := a.in.Decode(&done); err != nil {
		a.tb.Fatal(err)
	}
	if done.Fault != "" {
		a.tb.Fatal(done.Fault)
	}
	return done.Address
}

// Case is a target that the asking side asks.
func (a *Asker) Case(name, address string, requests []string) Case {
	a.Tell(Order{Target: name, Address: address, Requests: requests})
	return Case{name, func(n int) { a.Tell(Order{Target: name, Count: n}) }}
}

// Connect opens one connection and returns how to ask over it. Whatever is no success is an error.
type Connect func(address string) (ask func(request string) error, err error)

// Serve is the asking side: it carries out orders until there are no more. Call it in TestMain.
func Serve(in io.Reader, out io.Writer, connect Connect) error {
	targets := make(map[string]*target)
	orders, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var o Order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var done answer
		var err error
		switch {
		case o.Upstream:
			done.Address, err = upstream()
		case o.Requests != nil:
			targets[o.Target] = &target{connect: connect, address: o.Address, requests: o.Requests}
		default:
			err = targets[o.Target].ask(o.Count)
		}
		if err != nil {
			done.Fault = err.Error()
		}
		if err := answers.Encode(done); err != nil {
			return err
		}
	}
}

func upstream() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:errcheck // it serves until the process ends
		w.Header()["Content-Type"] = []string{"application/json"}
		if _, err := io.WriteString(w, "{}"); err != nil {
			return // the gateway is gone
		}
	}))
	return l.Addr().String(), nil
}

type target struct {
	connect  Connect
	address  string
	requests []string
	asks     [connections]func(request string) error
	next     atomic.Int64
}

// ask sends n requests, and fails unless every answer is a success.
func (t *target) ask(n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	var wait sync.WaitGroup
	faults := make([]error, connections)
	for i := range t.asks {
		if t.asks[i] == nil {
			var err error
			if t.asks[i], err = t.connect(t.address); err != nil {
				return err
			}
		}
		wait.Go(func() {
			for left.Add(-1) >= 0 && faults[i] == nil {
				faults[i] = t.asks[i](t.requests[int(t.next.Add(1))%len(t.requests)])
			}
		})
	}
	wait.Wait()
	return errors.Join(faults...)
}

// HTTP asks over HTTP/1.1 with raw requests.
func HTTP(address string) (ask func(request string) error, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return (&conn{c, bufio.NewReader(c)}).ask, nil
}

type conn struct {
	net.Conn
	in *bufio.Reader
}

func (c *conn) ask(request string) error {
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	length, first := 0, true
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 20")) {
			return fmt.Errorf("the answer is %q", line)
		}
		first = false
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	_, err := c.in.Discard(length)
	return err
}
