package rest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

// aboutItself lists the operations that any live token may call, with its credential alone.
var aboutItself = map[string]bool{
	"GET " + Base + "/whoami":   true,
	"HEAD " + Base + "/whoami":  true,
	"POST " + Base + "/explain": true,
}

// caller is who asks, with the request as the verifier judged it.
type caller struct {
	actor   authority.Actor
	request *verify.Request
	whoami  api.Whoami
}

type callerKey struct{}

// callerOf panics without a caller: no handler is reached but through guard.
func callerOf(ctx context.Context) caller { return ctx.Value(callerKey{}).(caller) }

func actorOf(ctx context.Context) authority.Actor { return callerOf(ctx).actor }

// guard lets an API-zero token through to the operations that its scopes open, and every live token to
// those about itself. There is no other way in: no cookie and no session counts here, so no other site can
// make a browser act (SECURITY.md, classes 31, 32, 36 and 37).
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := s.request(r)
		var d verify.Decision
		path, _, _ := strings.Cut(r.RequestURI, "?")
		if aboutItself[r.Method+" "+path] {
			asked.Accept = verify.AccessTokens | verify.ZeroTokens
			s.verifier.Identify(asked, &d)
		} else {
			s.judge(asked, &d)
		}
		if !d.Allowed {
			s.verifier.Refuse(w, &d, verify.Gateway)
			return
		}
		d.SetLimits(w.Header())
		if err := errors.Join(bodyType(r), eachOnce(r)); err != nil {
			httpx.WriteError(w, r, err)
			return
		}
		who, err := s.authority.Self(r.Context(), d.SID)
		if err != nil {
			httpx.WriteError(w, r, err)
			return
		}
		c := caller{actor: actor(who, asked), request: asked, whoami: who}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

func (s *server) request(r *http.Request) *verify.Request {
	return &verify.Request{
		Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header,
		Client: httpx.KnownClient(r.Context()), Agent: r.UserAgent(), ID: httpx.RequestID(r.Context()),
	}
}

// judge asks the verifier for the whole: an API-zero token with the scope of the operation. A public route
// would pass without a caller; there is none here, and none is let in.
func (s *server) judge(asked *verify.Request, d *verify.Decision) {
	asked.Accept = verify.ZeroTokens
	s.verifier.Verify(asked, d)
	if d.Allowed && (d.SID == "" || d.API != authority.ZeroAPI) {
		d.Allowed, d.Code = false, api.CodeNoRoute
	}
}

// bodyType refuses bodies that are not JSON. No body has no type.
func bodyType(r *http.Request) error {
	if r.ContentLength == 0 && len(r.TransferEncoding) == 0 {
		return nil
	}
	return httpx.CheckType(r, "application/json")
}

// eachOnce refuses a query that could be read in two ways: a parameter that comes twice (OWASP ASVS 5.0,
// 15.3.7), or a pair that cannot be decoded and would be passed over.
func eachOnce(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return api.Invalid("query", "cannot be read; write name=value pairs, parted by & and escaped")
	}
	for name, values := range query {
		if len(values) > 1 {
			return api.Invalid(plain(name), "comes twice; give it once")
		}
	}
	return nil
}

// actor is who the authority hears of. An API-zero token acts for its account as an administrator would,
// as far as its scopes go; what it mints ends no later than itself. An access token, which gets here only
// to ask about itself, reads.
func actor(who api.Whoami, asked *verify.Request) authority.Actor {
	by := authority.Actor{
		Token: who.SID, Name: who.Name, Account: who.Account, Role: api.RoleAnalyst,
		Agent: agent(asked.Agent), RequestID: asked.ID,
	}
	if asked.Client.IsValid() {
		by.Address = asked.Client.String()
	}
	if who.Zero {
		by.Role, by.Operator = api.RoleAdministrator, who.Account == 0
		if who.Expires != nil {
			by.Until = who.Expires.UnixMicro()
		}
	}
	return by
}

// agent is the User-Agent as the history keeps it.
func agent(s string) string {
	const most = 200
	s = plain(s)
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}
