package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/gateway"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

const host = "api.example.com"

// backend records what reaches it.
type backend struct {
	*httptest.Server
	count atomic.Int64
	mu    sync.Mutex
	last  *http.Request
	byID  map[string][]*http.Request // by the request id that the gateway gave
	body  []byte
	serve http.HandlerFunc // nil answers 200
}

func newBackend(t *testing.T) *backend {
	b := &backend{byID: make(map[string][]*http.Request)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.count.Add(1)
		body, err := io.ReadAll(r.Body)
		b.mu.Lock()
		b.last, b.body = r.Clone(r.Context()), body
		id := r.Header.Get(verify.RequestIDHeader)
		b.byID[id] = append(b.byID[id], b.last)
		serve := b.serve
		b.mu.Unlock()
		if err != nil {
			return
		}
		if serve != nil {
			serve(w, r)
			return
		}
		w.Header().Set("X-Backend", "yes")
		w.Header().Set("RateLimit-Remaining", "1000")
		if _, err := io.WriteString(w, "ok"); err != nil {
			t.Log(err)
		}
	}))
	t.Cleanup(b.Close)
	return b
}

// seen is the request that came last.
func (b *backend) seen() (*http.Request, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, string(b.body)
}

// of lists the requests that came under an id.
func (b *backend) of(id string) []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byID[id]
}

// world is a gateway in front of a backend, with one token.
type world struct {
	*verifytest.Authority
	backend *backend
	gate    *httptest.Server
	tok     verifytest.Token
	log     *syncBuffer
	v       *verify.Verifier
}

func build(t *testing.T, change func(*decide.API, *gateway.Config)) *world {
	t.Helper()
	w := &world{Authority: verifytest.NewAuthority(), backend: newBackend(t), log: new(syncBuffer)}
	agency := decide.API{
		Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID, Hosts: []string{host},
		Upstream: w.backend.URL,
		Versions: []decide.Version{{
			Name: "3", State: "current",
			Scopes: []decide.ScopeWords{{Name: "jobs", Category: "Jobs", Label: "Jobs"}, {Name: "live", Category: "Jobs", Label: "Live"}},
			Routes: []decide.Route{
				{Method: "GET", Template: "/Jobs", Needs: [][]string{{"jobs"}}},
				{Method: "POST", Template: "/Jobs", Needs: [][]string{{"jobs"}}},
				{Method: "GET", Template: "/Jobs/{Id}", Needs: [][]string{{"jobs"}}, Params: []decide.Param{{Name: "Id", Allow: ":@!", Percent: true}}},
				{Method: "GET", Template: "/Live", Needs: [][]string{{"live"}}, Upgrade: true},
			},
		}},
	}
	config := gateway.Config{
		Upstreams: []string{w.backend.Listener.Addr().String()}, Log: slog.New(slog.NewJSONHandler(w.log, nil)), MaxBody: 1 << 10,
	}
	if change != nil {
		change(&agency, &config)
	}
	w.Account(api.AccountFacts{Account: 7})
	w.Publish(decide.Catalogue{APIs: []decide.API{agency}})
	w.tok = verifytest.Mint(t, token.Access, 7, api.Pin{API: "agency", Version: "3", Scopes: []string{"jobs", "live"}})
	w.Put(w.tok.Grant)
	w.v = w.Start(t, verify.Config{})
	config.Verifier = w.v
	g, err := gateway.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	w.gate = httptest.NewServer(g)
	t.Cleanup(w.gate.Close)
	return w
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// send writes a request by hand; {SID} and {TOKEN} are the token's. Lines are parted by \n.
func (w *world) send(t *testing.T, request string) []verifytest.Answer {
	t.Helper()
	raw := strings.NewReplacer("{SID}", w.tok.SID, "{TOKEN}", w.tok.AuthToken, "\n", "\r\n").Replace(request)
	method, _, _ := strings.Cut(raw, " ")
	return verifytest.Exchange(t, w.gate.Listener.Addr().String(), raw, method)
}

// get sends a GET with the token and further lines, and wants one answer.
func (w *world) get(t *testing.T, target string, lines ...string) verifytest.Answer {
	t.Helper()
	answers := w.send(t, "GET "+target+" HTTP/1.1\nHost: "+host+"\nAuthorization: Bearer {TOKEN}\n"+strings.Join(append(lines, ""), "\n")+"\n")
	if len(answers) != 1 {
		t.Fatalf("%d answers to %s %q", len(answers), target, lines)
	}
	return answers[0]
}

// TestTheJudgedBytesAreForwarded: what net/http would spell in its own way arrives as it was sent.
func TestTheJudgedBytesAreForwarded(t *testing.T) {
	w := build(t, nil)
	for _, target := range []string{
		"/Agencies/{SID}/Jobs", "/Agencies/{SID}/Jobs?", "/Agencies/{SID}/Jobs?a=%2e%2e/&b=%zz&c;d&e=%41|", "/Agencies/{SID}/Jobs?a??b",
		"/Agencies/{SID}/Jobs/a:b@c!d", "/Agencies/{SID}/Jobs/%C3%BC", "/Agencies/{SID}/Jobs/%c3%bc", "/Agencies/{SID}/Jobs/.a..~-_.",
	} {
		if a := w.get(t, target); a.Status != 200 {
			t.Errorf("%s: %d %s", target, a.Status, a.Body)
			continue
		}
		r, _ := w.backend.seen()
		if want := strings.ReplaceAll(target, "{SID}", w.tok.SID); r.RequestURI != want || r.Host != host || r.Method != "GET" {
			t.Errorf("sent %s, the backend got %s %s at %s", want, r.Method, r.RequestURI, r.Host)
		}
	}
	a := w.get(t, "http://"+host+"/Agencies/{SID}/Jobs?x=1")
	r, _ := w.backend.seen()
	if a.Status != 200 || r.RequestURI != "/Agencies/"+w.tok.SID+"/Jobs?x=1" {
		t.Errorf("absolute-form: %d, the backend got %s", a.Status, r.RequestURI)
	}
}

// TestOnlyTheGatewayTellsWhoTheCallerIs: SECURITY.md, classes 12 to 15.
func TestOnlyTheGatewayTellsWhoTheCallerIs(t *testing.T) {
	w := build(t, nil)
	a := w.get(t, "/Agencies/{SID}/Jobs",
		"X-Counterfoil-Account: 1", "X_Counterfoil_Account: 1", "X.Counterfoil.Account: 1", "x-counterfoil-brand: 1", "X-Counterfoil-New: 1",
		"X-Forwarded-For: 203.0.113.9", "X_Forwarded_For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9",
		"X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test", "X-Forwarded-Prefix: /x", "X-Original-URL: /Invoices", "X_Rewrite.URL: /Invoices",
		"X-Request-Id: mine", "Connection: keep-alive, X-Secret, X-Counterfoil-Sid", "X-Secret: 1", "Proxy-Authorization: Basic eDp5", "TE: trailers",
		"X-Keep: kept", "Accept: text/plain", "User-Agent: test")
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	r, _ := w.backend.seen()
	id := r.Header.Get(verify.RequestIDHeader)
	want := http.Header{
		"Accept": {"text/plain"}, "User-Agent": {"test"}, "X-Keep": {"kept"}, "Te": {"trailers"},
		verify.AccountHeader: {"7"}, verify.SIDHeader: {w.tok.SID}, verify.APIHeader: {"agency"}, verify.VersionHeader: {"3"},
		verify.ScopeHeader: {"jobs"}, verify.BrandHeader: {""}, verify.RequestIDHeader: {id},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {host}, "X-Forwarded-Proto": {"http"}, "X-Request-Id": {id},
	}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("the backend got (-want +got):\n%s", diff)
	}
	if got := a.Header["X-Request-Id"]; len(got) != 1 || got[0] != id {
		t.Errorf("the client's request id is %v, the backend's %s", got, id)
	}
	if a := w.get(t, "/Agencies/{SID}/Jobs", "Connection: authorization"); a.Status != 401 {
		t.Errorf("a credential that the connection takes away: %d", a.Status)
	}
}

func TestCredentialIsForwardedOnlyWhereTheAPISaysSo(t *testing.T) {
	for _, forward := range []bool{false, true} {
		w := build(t, func(a *decide.API, _ *gateway.Config) { a.ForwardCredential = forward })
		if a := w.get(t, "/Agencies/{SID}/Jobs"); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		r, _ := w.backend.seen()
		if got := len(r.Header["Authorization"]) == 1; got != forward {
			t.Errorf("forward_credential %v: the backend got %v", forward, got)
		}
	}
}

func TestBodyPassesUpToTheLimit(t *testing.T) {
	w := build(t, nil)
	post := func(lines, body string) verifytest.Answer {
		t.Helper()
		answers := w.send(t, "POST /Agencies/{SID}/Jobs HTTP/1.1\nHost: "+host+"\nConnection: close\nAuthorization: Bearer {TOKEN}\n"+lines+"\n\n"+body)
		if len(answers) != 1 {
			t.Fatalf("%d answers", len(answers))
		}
		return answers[0]
	}
	exact := strings.Repeat("x", 1<<10)
	a := post("Content-Length: 1024", exact)
	if _, body := w.backend.seen(); a.Status != 200 || body != exact {
		t.Errorf("at the limit: %d, the backend got %d octets", a.Status, len(body))
	}
	a = post("Transfer-Encoding: chunked", "400\n"+exact+"\n0\n\n")
	if _, body := w.backend.seen(); a.Status != 200 || body != exact {
		t.Errorf("chunked at the limit: %d, the backend got %d octets", a.Status, len(body))
	}
	before := w.backend.count.Load()
	if a := post("Content-Length: 1025", exact+"y"); a.Status != 413 || a.Code() != api.CodeBodyTooLarge {
		t.Errorf("over the limit: %d %s", a.Status, a.Code())
	}
	if w.backend.count.Load() != before {
		t.Error("a request that says it is too large reached the backend")
	}
	if a := post("Transfer-Encoding: chunked", "401\n"+exact+"y\n0\n\n"); a.Status != 413 || a.Code() != api.CodeBodyTooLarge {
		t.Errorf("chunked over the limit: %d %s", a.Status, a.Code())
	}
	// Fields that nobody judged do not follow the body.
	a = post("Transfer-Encoding: chunked\nTrailer: X-Late", "2\n{}\n0\nX-Late: 1\n\n")
	if r, _ := w.backend.seen(); a.Status != 200 || len(r.Trailer) != 0 {
		t.Errorf("trailers: %d, the backend got %v", a.Status, r.Trailer)
	}
}

// TestUpstreamCountsOnlyIfTheGatewayListsIt: whoever publishes a catalogue cannot send requests elsewhere.
func TestUpstreamCountsOnlyIfTheGatewayListsIt(t *testing.T) {
	for name, change := range map[string]func(*decide.API, *gateway.Config){
		"not listed": func(_ *decide.API, c *gateway.Config) { c.Upstreams = []string{"127.0.0.1:1"} },
		"none":       func(a *decide.API, _ *gateway.Config) { a.Upstream = "" },
		"path":       func(a *decide.API, _ *gateway.Config) { a.Upstream += "/internal" },
		"user": func(a *decide.API, _ *gateway.Config) {
			a.Upstream = strings.Replace(a.Upstream, "http://", "http://x@", 1)
		},
		"scheme": func(a *decide.API, _ *gateway.Config) {
			a.Upstream = strings.Replace(a.Upstream, "http://", "file://", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := build(t, change)
			a := w.get(t, "/Agencies/{SID}/Jobs")
			if a.Status != 503 || a.Code() != api.CodeUnavailable || w.backend.count.Load() != 0 {
				t.Errorf("%d %s, the backend saw %d", a.Status, a.Code(), w.backend.count.Load())
			}
			if addr := w.backend.Listener.Addr().String(); bytes.Contains(a.Body, []byte(addr)) {
				t.Errorf("the caller is told %s", addr)
			}
		})
	}
}

// TestAVersionMayHaveAnUpstreamOfItsOwn: what the judged version names goes before what the API names.
func TestAVersionMayHaveAnUpstreamOfItsOwn(t *testing.T) {
	w := build(t, func(a *decide.API, c *gateway.Config) {
		a.Versions[0].Upstream, a.Upstream = a.Upstream, "http://127.0.0.1:1"
		c.Upstreams = append(c.Upstreams, "127.0.0.1:1")
	})
	if a := w.get(t, "/Agencies/{SID}/Jobs"); a.Status != 200 || w.backend.count.Load() != 1 {
		t.Errorf("%d %s, the backend saw %d", a.Status, a.Body, w.backend.count.Load())
	}
}

func TestUpstreamThatFailsIsNotTriedAgain(t *testing.T) {
	w := build(t, func(_ *decide.API, c *gateway.Config) { c.Answer = 50 * time.Millisecond })
	hang := make(chan struct{})
	w.backend.mu.Lock()
	w.backend.serve = func(_ http.ResponseWriter, _ *http.Request) { <-hang }
	w.backend.mu.Unlock()
	a := w.get(t, "/Agencies/{SID}/Jobs")
	close(hang)
	if a.Status != 504 || a.Code() != api.CodeUnavailable {
		t.Errorf("a backend that hangs: %d %s", a.Status, a.Code())
	}
	w.backend.mu.Lock()
	w.backend.serve = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	w.backend.mu.Unlock()
	before := w.backend.count.Load()
	answers := w.send(t, "POST /Agencies/{SID}/Jobs HTTP/1.1\nHost: "+host+"\nAuthorization: Bearer {TOKEN}\nContent-Length: 2\n\n{}")
	if len(answers) != 1 || answers[0].Status != 502 {
		t.Errorf("a backend that breaks off: %+v", answers)
	}
	if n := w.backend.count.Load() - before; n != 1 {
		t.Errorf("a POST was sent %d times", n)
	}
	w.backend.Close()
	if a := w.get(t, "/Agencies/{SID}/Jobs"); a.Status != 502 {
		t.Errorf("a backend that is gone: %d", a.Status)
	}
}

// TestUpgradeOnlyWhereTheRouteAdmitsIt, and never to anything but websocket (SECURITY.md, class 21).
func TestUpgradeOnlyWhereTheRouteAdmitsIt(t *testing.T) {
	w := build(t, nil)
	for name, c := range map[string]struct {
		target string
		lines  []string
	}{
		"other route":       {"/Jobs", []string{"Connection: Upgrade", "Upgrade: websocket"}},
		"h2c":               {"/Live", []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"}},
		"two":               {"/Live", []string{"Connection: Upgrade", "Upgrade: websocket, h2c"}},
		"two fields":        {"/Live", []string{"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"}},
		"not announced":     {"/Live", []string{"Upgrade: websocket"}},
		"announced, absent": {"/Live", []string{"Connection: Upgrade"}},
	} {
		if a := w.get(t, "/Agencies/{SID}"+c.target, c.lines...); a.Status != 400 || w.backend.count.Load() != 0 {
			t.Errorf("%s: %d, the backend saw %d", name, a.Status, w.backend.count.Load())
		}
	}
}

// TestTunnelEndsWhenItsTokenIsRevoked: class 21 again (Argo CD CVE-2024-41666 kept a terminal open).
func TestTunnelEndsWhenItsTokenIsRevoked(t *testing.T) {
	w := build(t, nil)
	w.backend.mu.Lock()
	w.backend.serve = func(rw http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for {
			line, err := buf.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprint(conn, "echo "+line)
		}
	}
	w.backend.mu.Unlock()
	conn, err := net.Dial("tcp", w.gate.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /Agencies/%s/Live HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n", w.tok.SID, host, w.tok.AuthToken)
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != 101 {
		t.Fatalf("%v %v", response, err)
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := in.ReadString('\n'); err != nil || line != "echo hello\n" {
		t.Fatalf("%q %v", line, err)
	}
	w.tok.State = api.StateDisabled
	w.Put(w.tok.Grant)
	w.Settle(t, w.v)
	if _, err := in.ReadString('\n'); err != io.EOF {
		t.Errorf("the tunnel outlived its token: %v", err)
	}
}

// TestLogTellsWhatBecameOfARequestAndNoSecret: SECURITY.md, class 43.
func TestLogTellsWhatBecameOfARequestAndNoSecret(t *testing.T) {
	w := build(t, nil)
	w.get(t, "/Agencies/{SID}/Jobs?secret=s3cr3t")
	w.get(t, "/Agencies/{SID}/Nothing?secret=s3cr3t")
	w.get(t, "/Agencies/{SID}/%0aJobs?secret=s3cr3t")
	w.get(t, "/Agencies/{SID}/Jobs?access_token={TOKEN}")
	w.gate.Close() // every line is written once its handler has returned
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines:\n%s", len(lines), w.log)
	}
	for i, parts := range [][]string{
		{`"status":200`, `"sid":"` + w.tok.SID, `"api":"agency"`, `"path":"/Agencies/` + w.tok.SID + `/Jobs"`, `"client":"127.0.0.1"`},
		{`"status":404`, `"code":"no_route"`},
		{`"status":400`, `"code":"malformed_request"`, `"path":""`},
		{`"status":401`, `"code":"malformed_credential"`},
	} {
		for _, part := range parts {
			if !strings.Contains(lines[i], part) {
				t.Errorf("line %d has no %s: %s", i, part, lines[i])
			}
		}
	}
	for _, secret := range []string{"s3cr3t", w.tok.AuthToken, w.tok.AuthToken[len("cfoil_")+22:]} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

func TestRefusalIsAProblemWithTheTrueStatus(t *testing.T) {
	w := build(t, nil)
	for _, c := range []struct {
		method, target string
		status         int
		code           api.Code
	}{
		{"GET", "/Agencies/{SID}/Nothing", 404, api.CodeNoRoute},
		{"DELETE", "/Agencies/{SID}/Jobs", 405, api.CodeMethodNotAllowed},
		{"GET", "/Agencies/{SID}/Jobs/", 400, api.CodeMalformedRequest},
	} {
		answers := w.send(t, c.method+" "+c.target+" HTTP/1.1\nHost: "+host+"\nAuthorization: Bearer {TOKEN}\n\n")
		if len(answers) != 1 || answers[0].Status != c.status || answers[0].Code() != c.code {
			t.Errorf("%s %s: %+v", c.method, c.target, answers)
			continue
		}
		if got := answers[0].Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("content type %s", got)
		}
		if c.status == 405 && !slices.Contains(strings.Split(answers[0].Header.Get("Allow"), ", "), "POST") {
			t.Errorf("Allow is %q", answers[0].Header.Get("Allow"))
		}
	}
}

// The client reads how its limits stand from the gateway, whatever the upstream says of limits of its own.
func TestLimitsAreToldByTheGateway(t *testing.T) {
	w := build(t, nil)
	w.tok.Limits = &api.Limits{Daily: 2, Allow: []string{"127.0.0.1"}}
	w.Put(w.tok.Grant)
	w.Settle(t, w.v)
	for i, remaining := range []string{"1", "0", "0"} {
		answer := w.get(t, "/Agencies/{SID}/Jobs", "X-Forwarded-For: 198.51.100.1\n")
		if got := answer.Header.Values("RateLimit-Remaining"); len(got) != 1 || got[0] != remaining || answer.Header.Get("RateLimit-Limit") != "2" {
			t.Errorf("call %d: %d remaining %q", i, answer.Status, got)
		}
		if refused := answer.Status == 429; refused != (i == 2) || refused != (answer.Header.Get("Retry-After") != "") {
			t.Errorf("call %d: %d, Retry-After %q", i, answer.Status, answer.Header.Get("Retry-After"))
		}
	}
	w.tok.Limits = &api.Limits{Deny: []string{"127.0.0.0/8"}}
	w.Put(w.tok.Grant)
	w.Settle(t, w.v)
	if answer := w.get(t, "/Agencies/{SID}/Jobs", "X-Forwarded-For: 198.51.100.1\n"); answer.Status != 403 || answer.Code() != api.CodeAddressNotAllowed {
		t.Errorf("a denied address was answered %d %s", answer.Status, answer.Code())
	}
}
