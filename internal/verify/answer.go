package verify

import (
	"encoding/json"
	"net/http"
	"strings"

	"counterfoil.dev/counterfoil/api"
)

// Identity headers, in the order of [Decision.Identity]. All are set on every allow, empty if need be,
// and none on a refusal: a field that is left out keeps what the client sent (SECURITY.md, class 14).
const (
	AccountHeader   = "X-Counterfoil-Account"
	SIDHeader       = "X-Counterfoil-Sid"
	APIHeader       = "X-Counterfoil-Api"
	VersionHeader   = "X-Counterfoil-Version"
	ScopeHeader     = "X-Counterfoil-Scope"
	BrandHeader     = "X-Counterfoil-Brand"
	RequestIDHeader = "X-Counterfoil-Request-Id"
)

// IdentityHeaders are their names, as net/http spells keys.
var IdentityHeaders = [...]string{AccountHeader, SIDHeader, APIHeader, VersionHeader, ScopeHeader, BrandHeader, RequestIDHeader}

// Identity is the value of each identity header.
type Identity [len(IdentityHeaders)]string

// Identity is what the backend is told of the caller. It is all empty unless d allowed.
func (d *Decision) Identity() Identity {
	if !d.Allowed {
		return Identity{}
	}
	return Identity{d.accountText, d.SID, d.API, d.Version, d.Scope, d.brandText, d.RequestID}
}

// SetIdentity sets every identity header of h, in place of what was there.
func (d *Decision) SetIdentity(h http.Header) {
	values := d.Identity()
	for i, name := range IdentityHeaders {
		h[name] = values[i : i+1 : i+1]
	}
}

// Challenge is the value of WWW-Authenticate (RFC 6750, section 3), or "" where there is none to send.
// Without a credential it names no error (section 3.1).
func (v *Verifier) Challenge(d *Decision) string {
	base := `Bearer realm="` + v.realm + `"`
	switch d.Public() {
	case api.CodeNoCredential:
		return base
	case api.CodeInvalidToken, api.CodeTokenExpired, api.CodeTokenNotYetValid:
		return base + `, error="invalid_token"`
	case api.CodeInsufficientScope:
		names := make([]string, 0, len(d.verdict.Missing))
		for _, w := range d.verdict.Missing {
			names = append(names, w.Name)
		}
		return base + `, error="insufficient_scope", scope="` + strings.Join(names, " ") + `"`
	}
	return ""
}

// Refuse answers a request that d refused, with challenge and problem document (RFC 9457). It is the one
// way in which every door over HTTP refuses.
func (v *Verifier) Refuse(w http.ResponseWriter, d *Decision, as Surface) {
	problem := v.Problem(d)
	problem.Status = d.Status(as)
	if d.Public() == api.CodeMethodNotAllowed && as == Gateway {
		w.Header().Set("Allow", d.match.Methods())
	}
	if challenge := v.Challenge(d); challenge != "" {
		w.Header()["Www-Authenticate"] = []string{challenge}
	}
	d.SetLimits(w.Header())
	WriteProblem(w, problem)
}

// WriteProblem puts a problem document on the wire. A caller that is gone is nobody to tell about it.
func WriteProblem(w http.ResponseWriter, problem *api.Error) {
	body, err := json.Marshal(problem)
	if err != nil {
		body = []byte(`{"code":"internal"}`) // text from a checked catalogue always encodes; the status refuses anyway
	}
	h := w.Header()
	h["Content-Type"] = []string{"application/problem+json"}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	w.WriteHeader(problem.Status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		return
	}
}

// DropIdentity removes every field that some backend may take for one of ours, whoever sent it.
func DropIdentity(h http.Header) {
	for key := range h {
		if HasFoldedPrefix(key, "x-counterfoil-") {
			delete(h, key)
		}
	}
}
