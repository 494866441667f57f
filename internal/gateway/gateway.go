package gateway

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Config says what the gateway is made of.
type Config struct {
	Verifier  *verify.Verifier // required
	Upstreams []string         // hosts with port that may be forwarded to: 127.0.0.1:8084; empty: none
	Proxies   httpx.Proxies    // peers that may say who the client is; nil means nobody
	MaxBody   int64            // octets of a request body; zero means 10 MiB, negative no limit
	Dial      time.Duration    // how long to wait for a connection; zero means 5 seconds
	Answer    time.Duration    // and then for the head of the answer; zero means 60 seconds
	Log       *slog.Logger     // required
}

const (
	defaultMaxBody = 10 << 20
	defaultDial    = 5 * time.Second
	defaultAnswer  = time.Minute
	keepIdle       = 90 * time.Second
	idlePerHost    = 256
	maxAnswerHead  = 64 << 10 // octets of an upstream's head (SECURITY.md, class 44b)
)

// requestIDHeader carries the request id to the client, as every listener of ours does.
const requestIDHeader = httpx.RequestIDHeader

// Gateway is the handler. Close it when its listener is closed.
type Gateway struct {
	verifier  *verify.Verifier
	upstreams *upstreams
	proxies   httpx.Proxies
	maxBody   int64
	transport *http.Transport
	buffers   buffers
	log       *slog.Logger
	errors    *log.Logger // what net/http/httputil has to say
}

// New makes a gateway.
func New(c Config) (*Gateway, error) {
	if c.Verifier == nil || c.Log == nil {
		return nil, errors.New("gateway: a verifier and a log are required")
	}
	upstreams, err := newUpstreams(c.Upstreams)
	if err != nil {
		return nil, err
	}
	g := &Gateway{verifier: c.Verifier, upstreams: upstreams, proxies: c.Proxies, maxBody: c.MaxBody, log: c.Log}
	g.errors = slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn)
	if g.maxBody == 0 {
		g.maxBody = defaultMaxBody
	}
	dialer := &net.Dialer{Timeout: orElse(c.Dial, defaultDial), KeepAlive: 30 * time.Second}
	g.transport = &http.Transport{
		// No proxy from the environment: the gateway goes where its configuration says.
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    orElse(c.Dial, defaultDial),
		ResponseHeaderTimeout:  orElse(c.Answer, defaultAnswer),
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        keepIdle,
		MaxIdleConnsPerHost:    idlePerHost,
		MaxResponseHeaderBytes: maxAnswerHead,
		DisableCompression:     true, // bodies pass as they are
		ForceAttemptHTTP2:      true, // to https upstreams
	}
	return g, nil
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Close drops idle connections to upstreams.
func (g *Gateway) Close() { g.transport.CloseIdleConnections() }

// ServeHTTP judges, then forwards.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{
		gateway: g, out: &recorder{ResponseWriter: w, control: http.NewResponseController(w)}, in: r, began: time.Now(),
		request: verify.Request{ID: verify.NewRequestID(), Client: g.proxies.KnownBehind(httpx.Peer(r), r.Header), Accept: verify.AccessTokens},
	}
	x.out.Header()[requestIDHeader] = []string{x.request.ID}
	defer x.end() // also when forwarding was cut off and panics
	if x.judge() {
		x.forward()
		return
	}
	x.refuse()
}

// refuse answers without reading the body. What the listener reads of it afterwards is bounded.
func (x *exchange) refuse() {
	if x.in.ContentLength != 0 {
		if err := x.out.control.SetReadDeadline(time.Now().Add(leftover)); err != nil {
			x.failure = err
			x.out.Header().Set("Connection", "close")
		}
	}
	x.gateway.verifier.Refuse(x.out, &x.decision, verify.Gateway)
}

// end writes the line of log, and leaves the connection without a deadline of this exchange.
func (x *exchange) end() {
	if x.out.octets > 0 && x.upgrade == "" {
		if err := x.out.control.SetWriteDeadline(time.Time{}); err != nil && x.failure == nil {
			x.failure = err
		}
	}
	x.log()
}

// exchange is one request on its way through.
type exchange struct {
	gateway  *Gateway
	out      *recorder
	in       *http.Request
	began    time.Time
	request  verify.Request
	decision verify.Decision
	upgrade  string
	upstream *url.URL
	failure  error // why the upstream did not answer
}

// judge says whether the request may pass. What it wants of the connection is looked at before the fields
// of the connection are removed.
func (x *exchange) judge() bool {
	v, r := x.gateway.verifier, x.in
	upgrade, clear := upgradeOf(r)
	if !x.request.Take(r) || !clear {
		v.Reject(&x.request, &x.decision, api.CodeMalformedRequest, "")
		return false
	}
	v.Verify(&x.request, &x.decision)
	if !x.decision.Allowed {
		return false
	}
	if upgrade != "" && !x.decision.Upgrade() {
		v.Overrule(&x.decision, api.CodeMalformedRequest, "This operation does not take an upgrade of the connection.")
		return false
	}
	x.upgrade = upgrade
	if x.gateway.maxBody >= 0 && r.ContentLength > x.gateway.maxBody {
		v.Overrule(&x.decision, api.CodeBodyTooLarge, "")
		return false
	}
	return true
}

// forward sends what was judged to the upstream and the answer back.
func (x *exchange) forward() {
	g := x.gateway
	base, err := g.upstreams.of(x.decision.API, x.decision.Upstream())
	if err != nil {
		x.fail(err)
		return
	}
	x.upstream = base
	in := x.in
	if in.Body != nil && in.Body != http.NoBody {
		in.Body = &pacedBody{ReadCloser: in.Body, control: x.out.control}
		if g.maxBody >= 0 {
			in.Body = http.MaxBytesReader(x.out, in.Body, g.maxBody)
		}
	}
	if x.upgrade != "" {
		ctx, cancel := context.WithCancel(in.Context())
		defer cancel()
		in = in.WithContext(ctx)
		in.Header["Connection"], in.Header["Upgrade"] = []string{"Upgrade"}, []string{x.upgrade}
		go g.watch(ctx, cancel, &x.decision, x.request)
	}
	proxy := httputil.ReverseProxy{
		Rewrite: x.rewrite, Transport: g.transport, BufferPool: &g.buffers,
		ModifyResponse: x.modify, ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { x.fail(err) },
		ErrorLog: g.errors,
	}
	proxy.ServeHTTP(x.out, in)
}

// rewrite makes the request to the upstream. Opaque carries the target's own bytes: were URL.Path set,
// net/http would spell it again in its own way, and the backend would get what nobody judged (SECURITY.md,
// class 5).
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	d := &x.decision
	p.Out.URL = &url.URL{Scheme: x.upstream.Scheme, Host: x.upstream.Host, Opaque: d.Origin()}
	p.Out.Host = x.request.Host // that the API's hosts were judged by
	p.Out.Trailer = nil         // fields that nobody judged
	clean(p.Out.Header)
	if !d.Catalogued().ForwardCredential {
		delete(p.Out.Header, "Authorization")
	}
	if x.request.Agent == "" {
		p.Out.Header["User-Agent"] = nil // or net/http would send its own
	}
	d.SetIdentity(p.Out.Header)
	x.tellWho(p.Out.Header)
}

// modify keeps the request id ours, and how limits stand where there are some, whatever the upstream says.
func (x *exchange) modify(answer *http.Response) error {
	delete(answer.Header, requestIDHeader)
	x.decision.SetLimits(answer.Header)
	return nil
}

// fail answers when the upstream did not, or not in time, or the client's body was too long.
func (x *exchange) fail(err error) {
	x.failure = err
	if x.out.status != 0 {
		return // part of an answer is out; the connection is cut instead
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		x.gateway.verifier.Overrule(&x.decision, api.CodeBodyTooLarge, "")
		x.refuse()
		return
	}
	if errors.Is(err, context.Canceled) {
		return // the client has gone
	}
	verify.WriteProblem(x.out, unavailable(err, x.request.ID))
}

// unavailable tells the caller no cause: it may name hosts inside.
func unavailable(err error, id string) *api.Error {
	e := &api.Error{
		Code: api.CodeUnavailable, Status: http.StatusBadGateway, Title: "The API did not answer",
		Detail: "The request was allowed, but the API behind the gateway could not be reached.", RequestID: id,
	}
	var timed net.Error
	switch {
	case errors.Is(err, errNoUpstream):
		e.Status, e.Detail = http.StatusServiceUnavailable, "The gateway has no way to this API. The operator finds the cause by the request id."
	case errors.As(err, &timed) && timed.Timeout():
		e.Status, e.Detail = http.StatusGatewayTimeout, "The request was allowed, but the API behind the gateway did not answer in time."
	}
	return e
}

// recorder knows what was answered; net/http finds the real writer through Unwrap.
type recorder struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int
	octets  int64
	renew   time.Time // when the deadline for writing moves next
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if err := w.pace(); err != nil {
		return 0, err
	}
	n, err := w.ResponseWriter.Write(b)
	w.octets += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// buffers are those through which bodies pass.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
