package attack_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/extauthz"
	"counterfoil.dev/counterfoil/internal/gateway"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/proxytest"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// house is one verifier behind every door, and a backend behind the gateway.
type house struct {
	authority  *verifytest.Authority
	verifier   *verify.Verifier
	middleware http.Handler
	doors      http.Handler
	envoy      authv3.AuthorizationClient
	gate       string // host:port
	backend    *proxytest.Backend
	passed     http.Header // what the middleware's handler was given; nil if it was not asked
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{authority: verifytest.NewAuthority(), backend: proxytest.NewBackend(t)}
	quiet := slog.New(slog.DiscardHandler)
	h.verifier = h.authority.Start(t, verify.Config{Log: quiet})
	h.middleware = doors.Middleware(h.verifier, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { h.passed = r.Header }))
	var err error
	if h.doors, err = doors.New(doors.Config{Verifier: h.verifier}); err != nil {
		t.Fatal(err)
	}
	gate, err := gateway.New(gateway.Config{Verifier: h.verifier, Upstreams: []string{h.backend.Address}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	server := httptest.NewUnstartedServer(nil)
	server.Config = httpx.NewServer(gate, httpx.Limits{Read: -1, Write: -1}, quiet)
	server.Start()
	t.Cleanup(server.Close)
	h.gate = server.Listener.Addr().String()
	h.dial(t, quiet)
	return h
}

// dial puts the door for Envoy on a listener and connects to it.
func (h *house) dial(t testing.TB, quiet *slog.Logger) {
	door, err := extauthz.New(extauthz.Config{Verifier: h.verifier, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- door.Serve(ctx, listener, time.Second) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	h.envoy = authv3.NewAuthorizationClient(conn)
}

// failing is what a test and a property have in common.
type failing interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// outcome is what one door answered.
type outcome struct {
	door     string
	allowed  bool
	status   int
	code     api.Code
	identity http.Header
}

// raw is the request as a client puts it on the wire.
func (q *ask) raw() []byte {
	var b bytes.Buffer
	b.WriteString(q.method + " " + q.target + " HTTP/1.1\r\nHost: " + q.host + "\r\n")
	for _, f := range q.fields {
		b.WriteString(f[0] + ": " + f[1] + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// parsed is the request as net/http reads it; nil if its server answers 400 by itself.
func (q *ask) parsed() *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(q.raw())))
	if err != nil {
		return nil
	}
	r.RemoteAddr = "127.0.0.1:40000"
	return r
}

// verify asks in process, as any door does.
func (h *house) verify(q *ask, d *verify.Decision) {
	header := http.Header{}
	for _, f := range q.fields {
		header.Add(f[0], strings.Trim(f[1], " \t"))
	}
	verify.EndToEnd(header)
	h.verifier.Verify(&verify.Request{Method: q.method, Target: q.target, Host: q.host, Header: header, ID: verify.NewRequestID(), Accept: verify.AccessTokens}, d)
}

// byMiddleware asks the middleware; r is the request as its listener would have read it.
func (h *house) byMiddleware(r *http.Request) outcome {
	h.passed = nil
	w := httptest.NewRecorder()
	h.middleware.ServeHTTP(w, r)
	return outcome{"middleware", h.passed != nil, w.Code, codeOf(w.Body.Bytes()), h.passed}
}

// subrequest is what the proxies of a forward-auth door make of a request.
func (q *ask) subrequest(path string) *ask {
	prefix := "X-Forwarded-"
	if path == doors.AuthorizeNginxPath {
		prefix = "X-Original-"
	}
	sub := &ask{method: "GET", target: path, host: "verifier.internal", fields: [][2]string{
		{prefix + "Method", q.method}, {prefix + "Uri", q.target}, {"X-Forwarded-Host", q.host},
	}}
	sub.fields = append(sub.fields, q.fields...)
	return sub
}

// byForwardAuth asks one of the doors as its proxies do.
func (h *house) byForwardAuth(q *ask, path string) outcome {
	r := q.subrequest(path).parsed()
	if r == nil {
		return outcome{door: path, status: http.StatusBadRequest}
	}
	w := httptest.NewRecorder()
	h.doors.ServeHTTP(w, r)
	return outcome{path, w.Code == http.StatusOK, w.Code, codeOf(w.Body.Bytes()), w.Header()}
}

// byEnvoy asks over gRPC, with the fields as they came.
func (h *house) byEnvoy(t failing, q *ask) outcome {
	fields := &corev3.HeaderMap{}
	for _, f := range append([][2]string{{":method", q.method}, {":path", q.target}, {":authority", q.host}, {":scheme", "https"}}, q.fields...) {
		fields.Headers = append(fields.Headers, &corev3.HeaderValue{Key: strings.ToLower(f[0]), RawValue: []byte(strings.Trim(f[1], " \t"))})
	}
	answer, err := h.envoy.Check(context.Background(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Method: q.method, Path: strings.ToValidUTF8(q.target, "!"), Host: q.host, HeaderMap: fields, Scheme: "https"},
	}}})
	if err != nil {
		t.Fatalf("Envoy was given an error, which failure_mode_allow takes for consent: %v", err)
	}
	out := outcome{door: "ext_authz", allowed: answer.GetStatus().GetCode() == 0, identity: http.Header{}}
	for _, option := range answer.GetOkResponse().GetHeaders() {
		out.identity.Add(option.GetHeader().GetKey(), option.GetHeader().GetValue())
	}
	if !out.allowed {
		out.status = int(answer.GetDeniedResponse().GetStatus().GetCode())
		out.code = codeOf([]byte(answer.GetDeniedResponse().GetBody()))
	}
	return out
}

// byGateway sends the octets to the gateway's listener, and gives what reached the backend.
func (h *house) byGateway(t failing, q *ask) (outcome, []proxytest.Seen) {
	before := h.backend.Count()
	conn, err := net.Dial("tcp", h.gate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(q.raw()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: q.method})
	if err != nil {
		t.Fatalf("the gateway gave no answer to %q: %v", q.raw(), err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	seen := h.backend.Since(before)
	out := outcome{door: "gateway", allowed: len(seen) > 0, status: answer.StatusCode, code: codeOf(body)}
	if len(seen) > 0 {
		out.identity = seen[0].Header
	}
	return out, seen
}

// codeOf is the code of a problem document, "" if there is none.
func codeOf(body []byte) api.Code {
	var problem api.Error
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	return problem.Code
}
