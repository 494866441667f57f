package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
)

const (
	perRequest = 5 * time.Second
	maxAnswer  = 64 << 10 // octets of head and body together
)

// ask is one request, octet by octet as it is written here: a library would repair what is to be tested.
type ask struct {
	method, path string
	fields       []string // whole lines
}

// answer is what came back, and what reached the mirror meanwhile.
type answer struct {
	err     error // nothing that can be read came back
	status  int
	header  http.Header
	problem api.Error
	code    api.Code // "" where the answer has no problem document of ours
	seen    []Seen
}

// send asks once, on a connection of its own.
func (r *run) send(ctx context.Context, a ask) answer {
	var out answer
	if r.Mirror != nil {
		r.Mirror.forget()
	}
	raw := a.method + " " + a.path + " HTTP/1.1\r\nHost: " + r.target.host + "\r\nUser-Agent: counterfoil-self-test\r\nAccept: */*\r\n"
	if r.nonce != "" {
		raw += mirrorField + ": " + r.nonce + "\r\n"
	}
	for _, line := range a.fields {
		raw += line + "\r\n"
	}
	out.err = r.exchange(ctx, raw+"Connection: close\r\n\r\n", a.method, &out)
	if r.Mirror != nil {
		out.seen = r.Mirror.take()
	}
	return out
}

func (r *run) exchange(ctx context.Context, raw, method string, out *answer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, perRequest)
	defer cancel()
	conn, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, raw); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	in := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	response, err := http.ReadResponse(in, &http.Request{Method: strings.ToUpper(method)})
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	defer response.Body.Close()
	out.status, out.header = response.StatusCode, response.Header
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil // cut at the bound: the status counts, and no document of ours is that long
	}
	if out.problem.UnmarshalJSON(body) == nil {
		out.code = out.problem.Code
	}
	return nil
}

func (r *run) dial(ctx context.Context) (net.Conn, error) {
	dialer := &net.Dialer{}
	if !r.target.secure {
		conn, err := dialer.DialContext(ctx, "tcp", r.target.address)
		if err != nil {
			return nil, fmt.Errorf("connecting: %w", err)
		}
		return conn, nil
	}
	secure := tls.Dialer{NetDialer: dialer, Config: &tls.Config{ServerName: r.target.name, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
	conn, err := secure.DialContext(ctx, "tcp", r.target.address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return conn, nil
}

// refused says that the request got to no API, as far as can be seen.
func (a *answer) refused() bool {
	return len(a.seen) == 0 && a.err == nil && (a.status >= 400 || a.code != "")
}

// got tells an answer in words.
func (a *answer) got() string {
	switch {
	case len(a.seen) > 0:
		return fmt.Sprintf("it reached the API as %s %s", a.seen[0].Method, short(a.seen[0].Target))
	case a.err != nil:
		return "no answer could be read"
	case a.code != "":
		return fmt.Sprintf("%d %s", a.status, short(string(a.code)))
	}
	return fmt.Sprintf("%d without a word of the door's", a.status)
}

// short cuts what the other side said.
func short(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}
