package verify

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
)

// Client is a resource server that may ask about tokens (RFC 7662, section 2.1).
type Client struct {
	ID     string
	Digest token.Digest // of the secret in its introspection credential
	APIs   []string     // about whose tokens it may know
}

// Clients are all of them. The zero value knows nobody.
type Clients []Client

// Authenticate returns the client that an Authorization field speaks for: Basic with id and credential, or
// Bearer with the credential alone. It compares with every client, so that the time says nothing about which
// ids there are.
func (v *Verifier) Authenticate(clients Clients, header http.Header) *Client {
	values := header["Authorization"]
	if len(values) != 1 || len(values[0]) > maxCredential {
		return nil
	}
	id, secret := "", ""
	switch value := values[0]; {
	case len(value) > len(bearer) && strings.EqualFold(value[:len(bearer)], bearer):
		secret = value[len(bearer):]
	case len(value) > len(basic) && strings.EqualFold(value[:len(basic)], basic):
		var buffer plain
		n, ok := decodeBase64(&buffer, value[len(basic):])
		if !ok {
			return nil
		}
		// An empty id is not the id of Bearer, which has none.
		if id, secret, ok = strings.Cut(string(buffer[:n]), ":"); !ok || id == "" {
			return nil
		}
	}
	parsed, fault := v.prefix.Parse(secret)
	if fault != token.NoFault || parsed.Kind != token.Introspection {
		return nil
	}
	digest := parsed.Digest()
	var found *Client
	for i := range clients {
		if clients[i].Digest.Equal(digest) && (id == "" || id == clients[i].ID) {
			found = &clients[i]
		}
	}
	return found
}

// Standing is what a token is at this moment, as far as one client may know.
type Standing struct {
	Account string
	SID     string
	Expires api.Micros
	Opens   []Opening // by API, ascending
}

// Opening is what a token opens of one API: the scopes of the version that it is pinned to. The key is
// always API, version and scope together (SECURITY.md, class 34).
type Opening struct {
	API, Version string
	Scopes       []string
}

// Introspect says how an Auth Token stands, or false for all that is unknown, not in force, or of no API
// that the client may know of: the client is not told which. The code is [api.CodeStale] if nobody can tell
// at this moment, and empty otherwise. A token that stands was used, by the client for its holder.
func (v *Verifier) Introspect(client *Client, authToken string, r *Request) (Standing, bool, api.Code) {
	asked := *r
	asked.Header, asked.Accept, asked.onBehalf = map[string][]string{"Authorization": {bearer + authToken}}, AccessTokens, true
	var d Decision
	v.Identify(&asked, &d)
	if d.Code == api.CodeStale {
		return Standing{}, false, d.Code
	}
	if !d.Allowed {
		return Standing{}, false, ""
	}
	sid, err := token.ParseSID(d.SID)
	table, view := v.table.Load(), v.view.Load()
	if err != nil || table == nil {
		return Standing{}, false, ""
	}
	e := view.dir.find(&sid)
	if e == nil || e.state != enabled { // revoked since a moment ago
		return Standing{}, false, ""
	}
	now := v.now()
	s := Standing{Account: d.accountText, SID: d.SID, Expires: e.expires, Opens: v.opens(view, e, client, now)}
	if len(s.Opens) == 0 {
		return Standing{}, false, ""
	}
	v.usage.record(&e.sid, view.dir.seed.of(&e.sid), api.Micros(now.UnixMicro()), true, r.Client, r.Agent)
	return s, true, ""
}

// opens lists what a grant opens of the client's APIs.
func (v *Verifier) opens(view *view, e *entry, client *Client, now time.Time) []Opening {
	if e.pins == 0 {
		return nil
	}
	var out []Opening
	for _, pin := range view.pins.at(e.pins).pins {
		name, version, scopes := v.table.Load().Opens(pin.Version, pin.Scopes, now.UnixMicro())
		known := func(o Opening) bool { return o.API == name } // the first pin of an API is its version
		if scopes != nil && slices.Contains(client.APIs, name) && !slices.ContainsFunc(out, known) {
			out = append(out, Opening{API: name, Version: version, Scopes: scopes})
		}
	}
	slices.SortFunc(out, func(a, b Opening) int { return strings.Compare(a.API, b.API) })
	return out
}
