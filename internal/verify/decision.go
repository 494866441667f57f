package verify

import (
	"net/http"
	"net/netip"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
)

// usualFields is how many fields of a request are looked at without allocating: most are not.
const usualFields = 8

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
	target      string
	fields      [usualFields]decide.Field // room for those of the request that are looked at
	match       decide.Match
	verdict     decide.Verdict
	caller      decide.Caller
	ends        api.Micros // when the token ended, on [api.CodeTokenExpired], or begins, on [api.CodeTokenNotYetValid]
	detail      string     // a door's own words, in place of those that belong to the code

	accountLimits *limits     // of all the account's tokens together
	asks          []Ask       // room for them
	limit         limitAnswer // the limit that says most to the caller
	client        netip.Addr  // that is not allowed
	hostOfToken   bool        // the token's own list refused the host
}

// Route is the operation that was judged, or nil if none was reached.
func (d *Decision) Route() *decide.Route { return d.verdict.Route }

// Upgrade says whether the route admits Upgrade requests.
func (d *Decision) Upgrade() bool { return d.Allowed && d.verdict.Upgrade }

// Path is the raw path that was judged, without the query; "" if the target was refused.
func (d *Decision) Path() string {
	if d.table == nil || d.Code == api.CodeMalformedRequest {
		return ""
	}
	return d.match.Path()
}

// Origin is the target in origin-form, octet for octet what was judged: the form in which it goes to a
// backend. It is "" where no target was judged.
func (d *Decision) Origin() string {
	target := d.target
	if target == "" || target[0] == '/' {
		return target
	}
	_, rest, _ := strings.Cut(target, "://")
	if at := strings.IndexByte(rest, '/'); at >= 0 {
		return rest[at:]
	}
	return ""
}

// Catalogued is the API in whose base the path lies, with its upstream, or nil if none was found. It must
// not be changed.
func (d *Decision) Catalogued() *decide.API {
	if d.API == "" {
		return nil
	}
	return d.match.API()
}

// Upstream is where the catalogue sends the request: what the judged version says of the API in whose base the
// path lies, or else that API itself; "" for none.
func (d *Decision) Upstream() string {
	a := d.Catalogued()
	if a == nil {
		return ""
	}
	version := d.Version
	if d.verdict.OuterVersion != "" {
		version = d.verdict.OuterVersion // a nested call goes where its prefix goes
	}
	for i := range a.Versions {
		if v := &a.Versions[i]; v.Name == version && v.Upstream != "" {
			return v.Upstream
		}
	}
	return a.Upstream
}

// Methods lists the methods that the path has, for the Allow field of a 405 (RFC 9110, section 15.5.6).
func (d *Decision) Methods() string { return d.match.Methods() }

// begin makes d an answer to r that refuses.
func (d *Decision) begin(r *Request) {
	d.Allowed, d.Code, d.Known = false, api.CodeInternal, false
	d.Account, d.SID, d.API, d.Version, d.Scope, d.Brand = 0, "", "", "", "", 0
	d.accountText, d.brandText, d.table, d.ends, d.detail = "", "", nil, 0, ""
	d.target = ""
	d.verdict = decide.Verdict{Missing: d.verdict.Missing[:0]}
	d.RequestID = r.ID
	d.accountLimits, d.limit, d.client, d.hostOfToken = nil, limitAnswer{}, netip.Addr{}, false
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
	case api.CodeNoCredential, api.CodeInvalidToken, api.CodeTokenExpired, api.CodeTokenNotYetValid:
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
