package extauthz

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"counterfoil.dev/counterfoil/internal/verify"
)

// identityPrefix begins every name by which a backend is told who calls.
const identityPrefix = "x-counterfoil-"

// identityNames are the identity headers as Envoy spells names, in lower case.
var identityNames = func() (names [len(verify.IdentityHeaders)]string) {
	for i, name := range verify.IdentityHeaders {
		names[i] = strings.ToLower(name)
	}
	return names
}()

func isIdentity(key string) bool { return slices.Contains(verify.IdentityHeaders[:], key) }

// metadataKeys are what later filters of the proxy, and its access log, find under
// envoy.filters.http.ext_authz: the identity headers' values, but for the request id.
var metadataKeys = [...]string{"account", "sid", "api", "version", "scope", "brand"}

// Fields of envoy.service.auth.v3 and of what it is made of.
const (
	responseStatus, responseDenied, responseOK, responseMetadata = 1, 2, 3, 4 // CheckResponse
	statusCode                                                   = 1          // google.rpc.Status, envoy.type.v3.HttpStatus
	okHeaders, okRemove, okToClient                              = 2, 5, 6    // OkHttpResponse
	deniedStatus, deniedHeaders, deniedBody                      = 1, 2, 3    // DeniedHttpResponse
	optionHeader, optionAction, optionKeepEmpty                  = 1, 3, 4    // HeaderValueOption
	pairKey, pairValue                                           = 1, 2       // HeaderValue, and an entry of a map
	structFields, valueText                                      = 1, 3       // google.protobuf.Struct and Value
)

// overwrite is OVERWRITE_IF_EXISTS_OR_ADD: never beside what the client sent (SECURITY.md, class 14). The
// older field append says the same by its absence.
const overwrite = 2

// sized is room for most answers.
const sized = 1 << 10

// allow tells the proxy to let the request pass: with all identity headers, whether empty or not, in place
// of what the client sent, and without the fields that no backend should see (SECURITY.md, classes 13, 14).
func (q *question) allow() answer {
	d := &q.decision
	values := d.Identity()
	a, at := make(answer, 0, sized).begin(responseStatus)
	a, ok := a.end(at).begin(responseOK)
	for i, value := range values {
		a = a.header(okHeaders, identityNames[i], value)
	}
	for _, name := range q.aliases {
		a = a.text(okRemove, name)
	}
	if api := d.Catalogued(); api == nil || !api.ForwardCredential {
		a = a.text(okRemove, "authorization")
	}
	if d.Limited() {
		limits := make(http.Header, len(verify.RateHeaders))
		d.SetLimits(limits)
		for _, name := range verify.RateHeaders {
			a = a.header(okToClient, strings.ToLower(name), limits[name][0])
		}
	}
	a, facts := a.end(ok).begin(responseMetadata)
	for i, key := range metadataKeys {
		var entry, fact int
		a, entry = a.begin(structFields)
		a, fact = a.text(pairKey, key).begin(pairValue)
		a = a.text(valueText, values[i]).end(fact).end(entry)
	}
	return a.end(facts)
}

// header adds a HeaderValueOption.
func (a answer) header(number int, name, value string) answer {
	a, option := a.begin(number)
	a, pair := a.begin(optionHeader)
	a = a.text(pairKey, name).text(pairValue, value).end(pair)
	return a.value(optionAction, overwrite).value(optionKeepEmpty, 1).end(option)
}

// refuse hands the client what a forward-auth door answers: same status, same challenge, same problem.
func (s *Server) refuse(d *verify.Decision) answer {
	page := &page{header: http.Header{}}
	s.verifier.Refuse(page, d, verify.ForwardAuth)
	return page.denial()
}

// page takes an answer as a handler writes it.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (p *page) Header() http.Header         { return p.header }
func (p *page) WriteHeader(status int)      { p.status = status }
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }

func (p *page) denial() answer {
	code := codes.PermissionDenied
	if p.status == http.StatusUnauthorized {
		code = codes.Unauthenticated
	}
	a, at := make(answer, 0, sized).begin(responseStatus)
	a, no := a.value(statusCode, uint64(code)).end(at).begin(responseDenied)
	a, at = a.begin(deniedStatus)
	a = a.value(statusCode, uint64(p.status)).end(at)
	for _, name := range slices.Sorted(maps.Keys(p.header)) {
		for _, value := range p.header[name] {
			a = a.header(deniedHeaders, strings.ToLower(name), value)
		}
	}
	return a.text(deniedBody, p.body.String()).end(no)
}
