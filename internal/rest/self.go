package rest

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

type noInput struct{}

func (s *server) whoami(ctx context.Context, _ authority.Actor, _ *noInput) (*answer[api.Whoami], error) {
	return body(callerOf(ctx).whoami, nil)
}

type explainInput struct{ Body api.Explain }

// explain says what the check would answer a token that sent this request, and names the box that is
// missing. Nothing is counted as use.
func (s *server) explain(ctx context.Context, by authority.Actor, in *explainInput) (*answer[api.Explained], error) {
	who, err := s.explained(ctx, by, in.Body.SID)
	if err != nil {
		return nil, err
	}
	sid, err := token.ParseSID(who.SID)
	if err != nil {
		return nil, api.NotFound("token")
	}
	offer, err := s.authority.Offer(ctx, by, who.Account)
	if err != nil {
		return nil, err
	}
	asked, err := would(in.Body, who, offer)
	if err != nil {
		return nil, err
	}
	asked.Client, asked.ID = callerOf(ctx).request.Client, by.RequestID
	d := s.verifier.Explain(sid, asked)
	return body(s.explanation(d), nil)
}

// explained finds the token that is asked about. Another than the caller's own is told only to an API-zero
// token that holds this operation's scope, and only of its own account (SECURITY.md, class 35).
func (s *server) explained(ctx context.Context, by authority.Actor, sid string) (api.Whoami, error) {
	c := callerOf(ctx)
	if sid == "" || sid == by.Token {
		return c.whoami, nil
	}
	again := *c.request
	var d verify.Decision
	if s.judge(&again, &d); !d.Allowed {
		if refusal := s.verifier.Problem(&d); refusal.Code != api.CodeInvalidToken {
			return api.Whoami{}, refusal
		}
		return api.Whoami{}, api.Forbidden("An access token explains only itself. Leave sid out, or ask with an API-zero token.")
	}
	who, err := s.authority.Self(ctx, sid)
	if err != nil {
		return who, err
	}
	if who.State == api.StateDeleted || !by.Operator && who.Account != by.Account {
		return api.Whoami{}, api.NotFound("token")
	}
	return who, nil
}

var parameter = regexp.MustCompile(`\{[A-Za-z0-9_.-]+\}`)

// would is the request that is asked about, as it would come in.
func would(in api.Explain, who api.Whoami, offer api.Offer) (*verify.Request, error) {
	r := &verify.Request{
		Method: strings.ToUpper(in.Method), Host: in.Host, Header: http.Header{},
		Target: strings.ReplaceAll(in.Path, "{AccountSID}", who.SID),
	}
	var opened api.OfferAPI
	for _, a := range offer.APIs {
		if len(who.Pins) > 0 && a.Name == who.Pins[0].API {
			opened = a
		}
	}
	if r.Host == "" && len(opened.Hosts) > 0 {
		r.Host = opened.Hosts[0]
	}
	if in.Brand != 0 {
		hole := parameter.FindStringIndex(r.Target)
		if hole == nil {
			return nil, api.Invalid("brand", "stands for a parameter of the path, written {AdvertiserId} or the like, and this path has none")
		}
		r.Target = r.Target[:hole[0]] + strconv.FormatInt(in.Brand, 10) + r.Target[hole[1]:]
	}
	switch {
	case in.Version == "":
	case opened.Header != "":
		r.Header[http.CanonicalHeaderKey(opened.Header)] = []string{in.Version}
	case opened.Query != "":
		separator := "?"
		if strings.Contains(r.Target, "?") {
			separator = "&"
		}
		r.Target += separator + opened.Query + "=" + url.QueryEscape(in.Version)
	default:
		return nil, api.Invalid("version", "cannot be named in a request to this API; the token's own counts")
	}
	return r, nil
}

func (s *server) explanation(d *verify.Decision) api.Explained {
	out := api.Explained{Allowed: d.Allowed, API: d.API, Version: d.Version, Scope: d.Scope, Brand: d.Brand, Operation: operation(d)}
	if d.Allowed {
		out.Why = "It would pass."
		if out.Scope != "" {
			out.Why = "It would pass, by the scope " + out.Scope + "."
		}
		return out
	}
	refusal := s.verifier.Problem(d)
	out.Code, out.Missing, out.Fix = refusal.Code, refusal.Missing, refusal.Fix
	out.Why = refusal.Title + "."
	if refusal.Detail != "" {
		out.Why = refusal.Title + ". " + refusal.Detail
	}
	return out
}

// operation is the method and the full template that was judged, as the API reference shows it.
func operation(d *verify.Decision) string {
	judged, front := d.Route(), d.Catalogued()
	if judged == nil || front == nil {
		return ""
	}
	base := front.Base
	for _, p := range front.Passthrough {
		if p.API == d.API {
			base = p.Prefix
		}
	}
	if judged.Outside {
		base = ""
	}
	return judged.Method + " " + base + judged.Template
}
