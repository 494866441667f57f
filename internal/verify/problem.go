package verify

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
)

// tokenPage is where the desk shows a token.
const tokenPage = "/settings/technical/platform-rest-web-services/"

// Problem is a refusal in words that teach: what was asked for, what is missing, and where that is put
// right. It says nothing that the caller may not know: before the secret was right, nothing of any token;
// never a secret, a cause, or another account's data. It is nil when d allowed.
func (v *Verifier) Problem(d *Decision) *api.Error {
	if d.Allowed {
		return nil
	}
	e := &api.Error{Code: d.Public(), Status: d.status(), RequestID: d.RequestID}
	e.Title, e.Detail = v.words(d)
	if d.detail != "" {
		e.Detail = d.detail
	}
	switch e.Code {
	case api.CodeInsufficientScope:
		e.Missing = missing(d)
		e.Fix = v.fix(d, "?"+ticks(e.Missing)+"#scopes")
	case api.CodeTokenExpired, api.CodeTokenDisabled, api.CodeTokenOnHold, api.CodeVersionNotAllowed, api.CodeVersionRetired,
		api.CodeBrandOutOfReach:
		e.Fix = v.fix(d, "")
	case api.CodeTokenNotYetValid, api.CodeAddressNotAllowed, api.CodeRateLimited, api.CodeQuotaExceeded, api.CodeHostNotAllowed:
		e.Fix = v.limitFix(d)
	}
	return e
}

// fix is the address of the token's page on the desk, with what follows.
func (v *Verifier) fix(d *Decision, what string) string {
	if v.console == "" || d.SID == "" {
		return ""
	}
	return v.console + tokenPage + d.SID + what
}

// ticks asks the page to tick boxes that are missing.
func ticks(boxes []api.MissingScope) string {
	var b strings.Builder
	for i, box := range boxes {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString("tick=" + url.QueryEscape(box.API) + "/" + url.QueryEscape(box.Scope))
	}
	return b.String()
}

func missing(d *Decision) []api.MissingScope {
	boxes := make([]api.MissingScope, 0, len(d.verdict.Missing))
	for _, w := range d.verdict.Missing {
		boxes = append(boxes, api.MissingScope{
			API: d.verdict.API, Version: d.verdict.Version, Scope: w.Name, Category: w.Category, Label: w.Label,
		})
	}
	return boxes
}

// words are the title and the detail of a refusal.
func (v *Verifier) words(d *Decision) (title, detail string) {
	switch d.Public() {
	case api.CodeMalformedRequest:
		return "The request could be read in two ways",
			"Write the path in its plain form: no dot segments, double or trailing slashes, semicolons, backslashes or needless escapes; " +
				"one known method, no field or parameter that replaces it, and at most one version."
	case api.CodeNoCredential:
		return "A token is needed",
			"Send Authorization: Basic with the SID as user name and the Auth Token as password, or Authorization: Bearer with the Auth Token."
	case api.CodeInvalidToken:
		return "This token is not known here",
			"The credential in the Authorization field is no live token. Check that it was copied whole, sent once, and not replaced since."
	case api.CodeTokenExpired:
		return "The token has expired", "It ended on " + date(d.ends) + ". Give it a later end, or use another token."
	case api.CodeTokenNotYetValid:
		return "The token is not valid yet", "It opens nothing before " + date(d.ends) + "."
	case api.CodeTokenDisabled:
		return "The token is disabled", "Its page says since when and why, and who may enable it."
	case api.CodeTokenOnHold:
		return "The token is on hold", "Its page says since when and why."
	case api.CodeAccountSuspended:
		return "The account is suspended", "No token of this account opens anything until the operator lifts the suspension."
	case api.CodeBodyTooLarge:
		return "The body is too large", "The gateway does not take a request body of this size."
	case api.CodeStale:
		return "Not available now", "Tokens cannot be checked at this moment. Try again shortly."
	case api.CodeInternal:
		return "Something went wrong on our side", "The request id finds it in the log."
	}
	if d.Limited() || d.hostOfToken || d.Code == api.CodeAddressNotAllowed {
		return d.limitWords()
	}
	return v.routeWords(d)
}

// routeWords are those of refusals that are about what was asked for.
func (v *Verifier) routeWords(d *Decision) (title, detail string) {
	apiTitle := d.apiTitle()
	version := apiTitle + ", version " + d.verdict.Version
	switch d.Public() {
	case api.CodeHostNotAllowed:
		return "No API is at this host", "The API reference names the host of each API."
	case api.CodeNoRoute:
		return "There is no such operation", "The API reference lists every path." + elsewhere(d)
	case api.CodeMethodNotAllowed:
		return "The path does not have this method", "It takes " + d.match.Methods() + "." + elsewhere(d)
	case api.CodeWrongAccount:
		return "The path names another caller", bindWords(d)
	case api.CodeVersionNotAllowed:
		if d.verdict.Version == "" {
			return "The token does not open this API", "It is not pinned to any version of " + apiTitle + "."
		}
		return "The token does not open this version", "It is pinned to another version than " + version + "."
	case api.CodeVersionRetired:
		return "This version is retired", version + " is no longer served. Upgrade the token to a later version."
	case api.CodeInsufficientScope:
		return "A scope is missing", v.scopeWords(d)
	case api.CodeBrandNotManaged:
		return "The account does not manage this brand", fmt.Sprintf("Brand account %d is not managed by the token's account now.", d.verdict.Brand)
	case api.CodeBrandOutOfReach:
		return "The brand is out of the token's reach", fmt.Sprintf("The token may not act on brand account %d. Its page says on which it may.", d.verdict.Brand)
	}
	return "Refused", ""
}

// mostNamed is how many boxes a sentence names; the list beside it has all.
const mostNamed = 5

func (v *Verifier) scopeWords(d *Decision) string {
	var boxes []string
	for i, w := range d.verdict.Missing {
		if i == mostNamed {
			boxes = append(boxes, fmt.Sprintf("and %d more", len(d.verdict.Missing)-i))
			break
		}
		boxes = append(boxes, fmt.Sprintf("“%s → %s”", w.Category, w.Label))
	}
	switch len(boxes) {
	case 0:
		return "No scope opens this operation of " + d.apiTitle() + ", version " + d.verdict.Version + "."
	case 1:
		return fmt.Sprintf("This call needs the box %s of %s, version %s, which is not ticked on the token.", boxes[0], d.apiTitle(), d.verdict.Version)
	}
	return fmt.Sprintf("This call needs the boxes %s of %s, version %s, which are not ticked on the token.", strings.Join(boxes, ", "), d.apiTitle(), d.verdict.Version)
}

// apiTitle is the API that was judged, as people read it.
func (d *Decision) apiTitle() string {
	if d.table != nil {
		if a := d.table.API(d.verdict.API); a != nil && a.Title != "" {
			return a.Title
		}
	}
	return d.verdict.API
}

func elsewhere(d *Decision) string {
	if d.verdict.Elsewhere == "" {
		return ""
	}
	return " Version " + d.verdict.Elsewhere + " of " + d.apiTitle() + " has it; the token is judged by version " + d.verdict.Version + "."
}

func bindWords(d *Decision) string {
	switch d.match.Bind() {
	case decide.BindSID:
		return "The account parameter in the path must be the token's own SID."
	case decide.BindAnySID:
		return "The account parameter in the path must be the SID of a live token of the same account."
	case decide.BindAccount:
		return "The account parameter in the path must be the id of the token's account."
	}
	return "The path does not name the token's account."
}

func date(at api.Micros) string {
	return time.UnixMicro(int64(at)).UTC().Format("2 January 2006 at 15:04:05 UTC")
}
