package doors

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Paths of the forward-auth doors.
const (
	AuthorizePath      = "/authorize"
	AuthorizeNginxPath = "/authorize/nginx"
)

// Config says what the doors are made of.
type Config struct {
	Verifier *verify.Verifier // required
	Proxies  httpx.Proxies    // peers whose forwarded fields count; nil means those of this machine
	Clients  verify.Clients   // resource servers that may ask about tokens; nil: introspection is not there
}

// Handler answers the forward-auth questions of proxies, and the questions of resource servers.
type Handler struct {
	verifier *verify.Verifier
	proxies  httpx.Proxies
	clients  verify.Clients
	asked    sync.Pool // of *question
}

// New makes the doors.
func New(c Config) (*Handler, error) {
	if c.Verifier == nil {
		return nil, errors.New("doors: a verifier is required")
	}
	h := &Handler{verifier: c.Verifier, proxies: c.Proxies, clients: c.Clients}
	if h.proxies == nil {
		h.proxies = httpx.Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	h.asked.New = func() any { return new(question) }
	return h, nil
}

// form is the way in which one family of proxies tells what the client asked for.
type form struct {
	method, uri, host string // fields, in the spelling of net/http
	surface           verify.Surface
}

var (
	forwarded = form{method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host", surface: verify.ForwardAuth}
	original  = form{method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Forwarded-Host", surface: verify.Nginx}
)

// question is one request at a door; it is used again.
type question struct {
	request  verify.Request
	decision verify.Decision
}

// ServeHTTP answers the doors and nothing else. The method of a forward-auth question is not looked at:
// proxies ask with GET, or with the method of the client.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case AuthorizePath:
		h.answer(w, r, &forwarded)
	case AuthorizeNginxPath:
		h.answer(w, r, &original)
	case IntrospectPath:
		if len(h.clients) > 0 {
			h.introspect(w, r)
			return
		}
		fallthrough
	default:
		problem := api.NotFound("door")
		problem.RequestID = verify.NewRequestID()
		verify.WriteProblem(w, problem)
	}
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, f *form) {
	q, ok := h.asked.Get().(*question)
	if !ok {
		q = new(question)
	}
	defer h.asked.Put(q)
	d := &q.decision
	q.request = verify.Request{ID: verify.NewRequestID(), Accept: verify.AccessTokens}
	if fault := h.read(r, f, &q.request); fault != "" {
		h.verifier.Reject(&q.request, d, api.CodeMalformedRequest, fault)
	} else {
		h.verifier.Verify(&q.request, d)
	}
	q.request.Header = nil
	if d.Allowed {
		d.SetIdentity(w.Header())
		d.SetLimits(w.Header())
		return // 200, without a body
	}
	if f.surface == verify.Nginx {
		h.explainToNginx(w, d)
	}
	h.verifier.Refuse(w, d, f.surface)
}

// read takes the question from the forwarded fields, or says what is wrong with it. Fields that are not of
// this form are not looked at, whatever they claim (SECURITY.md, class 12).
func (h *Handler) read(r *http.Request, f *form, into *verify.Request) (fault string) {
	peer := httpx.Peer(r)
	if !h.proxies.Trusts(peer) {
		return "This door answers proxies that the operator has listed, and nobody else."
	}
	// A field that the proxy's own connection takes away must not have opened anything, and the fields of
	// the question are no exception (SECURITY.md, class 15).
	verify.EndToEnd(r.Header)
	method, uri, host := r.Header[f.method], r.Header[f.uri], r.Header[f.host]
	if len(method) != 1 || len(uri) != 1 || len(host) != 1 || method[0] == "" || uri[0] == "" || host[0] == "" {
		return "The proxy must send " + f.method + ", " + f.uri + " and " + f.host + ", each exactly once."
	}
	if verify.Aliased(r.Header, f.method, f.uri, f.host) {
		return "The request has a second spelling of " + f.method + ", " + f.uri + " or " + f.host + "."
	}
	into.Method, into.Target, into.Host, into.Header = method[0], uri[0], host[0], r.Header
	into.Client = h.proxies.KnownBehind(peer, r.Header)
	if agent := r.Header["User-Agent"]; len(agent) > 0 {
		into.Agent = agent[0]
	}
	return ""
}
