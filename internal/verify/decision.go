package verify

import (
	"net/http"
	"net/netip"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
)

// Request is what a door hands over of one request: what it received, raw.
type Request struct {
	Method string
	Target string              // the raw request target
	Host   string              // the Host field or :authority, raw
	Header map[string][]string // keys as net/http has them; hop-by-hop fields are removed already
	Client netip.Addr          // who sent it, as far as that is known
	Agent  string              // its User-Agent
	ID     string              // the request id that the answer and the log carry
	Accept Kinds               // the zero value accepts no credential
}

// Kinds are the kinds of credential that a caller of the verifier accepts. A door accepts access tokens
// and nothing else; API-zero tokens open the management API alone (SECURITY.md, class 36).
type Kinds uint8

// Kinds that can be accepted.
const (
	AccessTokens Kinds = 1 << iota
	ZeroTokens
)

func (k Kinds) has(kind token.Kind) bool {
	switch kind {
	case token.Access:
		return k&AccessTokens != 0
	case token.Zero:
		return k&ZeroTokens != 0
	}
	return false
}

// Decision is the answer to one request. The zero value refuses. It may be used again, which saves its
// allocation; what [Verifier.Verify] wrote is overwritten whole.
type Decision struct {
	Allowed bool
	Code    api.Code // why not, precisely, for the log and the metrics; [Decision.Public] is for the caller

	// Who. Set once the secret was right, so also on most refusals; empty before, and on public routes.
	Known   bool
	Account int64
	SID     string

	// What. API is set once the route was found; the rest as far as it was judged.
	API     string
	Version string
	Scope   string // the names that opened it, parted by spaces
	Brand   int64  // the managed account that is acted on; 0 for none

	RequestID string

	accountText string
	brandText   string
	table       *decide.Table // that judged
	asked       decide.Request
	match       decide.Match
	verdict     decide.Verdict
	caller      decide.Caller
	ends        api.Micros // when the token ended, on [api.CodeTokenExpired]
}

// Route is the operation that was judged, or nil if none was reached.
func (d *Decision) Route() *decide.Route { return d.verdict.Route }

// Upgrade says whether the route admits Upgrade requests.
func (d *Decision) Upgrade() bool { return d.Allowed && d.verdict.Upgrade }

// Method is the method that was judged: on an API that declares an override field, that of the field.
func (d *Decision) Method() string { return d.match.Method() }

// Catalogued is the API in whose base the path lies, with its upstream, or nil if none was found. It must
// not be changed.
func (d *Decision) Catalogued() *decide.API {
	if d.API == "" {
		return nil
	}
	return d.match.API()
}

// Versions are the version judged, and on a passthrough path that of the API in front of it: the one
// whose upstream the request goes to.
func (d *Decision) OuterVersion() string {
	if d.verdict.OuterVersion != "" {
		return d.verdict.OuterVersion
	}
	return d.Version
}

// Methods lists the methods that the path has, for the Allow field of a 405 (RFC 9110, section 15.5.6).
func (d *Decision) Methods() string { return d.match.Methods() }

// begin makes d an answer to r that refuses.
func (d *Decision) begin(r *Request) {
	d.Allowed, d.Code, d.Known = false, api.CodeInternal, false
	d.Account, d.SID, d.API, d.Version, d.Scope, d.Brand = 0, "", "", "", "", 0
	d.accountText, d.brandText, d.table, d.ends = "", "", nil, 0
	d.verdict = decide.Verdict{Missing: d.verdict.Missing[:0]}
	d.RequestID = r.ID
}

// Public is the code that the caller reads. Four codes have one answer: a caller without the right
// secret is not told how near it was.
func (d *Decision) Public() api.Code {
	switch d.Code {
	case api.CodeMalformedCredential, api.CodeUnknownToken, api.CodeWrongSecret, api.CodeBadChecksum:
		return api.CodeInvalidToken
	}
	return d.Code
}

// Surface is a kind of answer: what the other side does with a status decides which ones it may get.
type Surface uint8

// Surfaces. The zero value has the fewest statuses.
const (
	Nginx       Surface = iota // auth_request turns all but 2xx, 401 and 403 into a 500
	ForwardAuth                // 401 and 403 for refusals; 429 and 503 pass
	Gateway                    // the client itself: every status
)

// Status is the status of the answer.
func (d *Decision) Status(s Surface) int {
	status := d.status()
	if s == Gateway {
		return status
	}
	switch status {
	case http.StatusOK, http.StatusUnauthorized, http.StatusForbidden:
		return status
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if s == ForwardAuth {
			return status
		}
	}
	return http.StatusForbidden
}

func (d *Decision) status() int {
	if d.Allowed {
		return http.StatusOK
	}
	switch d.Public() {
	case api.CodeMalformedRequest:
		return http.StatusBadRequest
	case api.CodeNoCredential, api.CodeInvalidToken, api.CodeTokenExpired:
		return http.StatusUnauthorized
	case api.CodeNoRoute:
		return http.StatusNotFound
	case api.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case api.CodeRateLimited, api.CodeQuotaExceeded:
		return http.StatusTooManyRequests
	case api.CodeBodyTooLarge:
		return http.StatusRequestEntityTooLarge
	case api.CodeStale:
		return http.StatusServiceUnavailable
	case api.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusForbidden
}

// reasonCodes are the codes of what decide refuses.
var reasonCodes = [...]api.Code{
	decide.MalformedRequest:  api.CodeMalformedRequest,
	decide.HostNotAllowed:    api.CodeHostNotAllowed,
	decide.NoRoute:           api.CodeNoRoute,
	decide.MethodNotAllowed:  api.CodeMethodNotAllowed,
	decide.WrongAccount:      api.CodeWrongAccount,
	decide.VersionNotAllowed: api.CodeVersionNotAllowed,
	decide.VersionRetired:    api.CodeVersionRetired,
	decide.InsufficientScope: api.CodeInsufficientScope,
	decide.BrandNotManaged:   api.CodeBrandNotManaged,
	decide.BrandOutOfReach:   api.CodeBrandOutOfReach,
}

// refuse notes a refusal of decide. What it does not know refuses as a mistake of ours.
func (d *Decision) refuse(reason decide.Reason) {
	d.Code = api.CodeInternal
	if int(reason) < len(reasonCodes) && reasonCodes[reason] != "" {
		d.Code = reasonCodes[reason]
	}
}
