package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Code is a stable, machine-readable reason. Codes are never renamed or reused.
type Code string

// Codes of a decision on a request to a guarded API (DESIGN.md, section 3).
const (
	CodeMalformedRequest    Code = "malformed_request"
	CodeNoCredential        Code = "no_credential"
	CodeInvalidToken        Code = "invalid_token" // the one public answer to the next four
	CodeMalformedCredential Code = "malformed_credential"
	CodeUnknownToken        Code = "unknown_token"
	CodeWrongSecret         Code = "wrong_secret"
	CodeBadChecksum         Code = "bad_checksum"
	CodeTokenExpired        Code = "token_expired"
	CodeTokenNotYetValid    Code = "token_not_yet_valid"
	CodeTokenDisabled       Code = "token_disabled"
	CodeTokenOnHold         Code = "token_on_hold"
	CodeAccountSuspended    Code = "account_suspended"
	CodeNoRoute             Code = "no_route"
	CodeMethodNotAllowed    Code = "method_not_allowed"
	CodeWrongAccount        Code = "wrong_account"
	CodeBrandNotManaged     Code = "brand_not_managed"
	CodeBrandOutOfReach     Code = "brand_out_of_reach"
	CodeVersionNotAllowed   Code = "version_not_allowed"
	CodeVersionRetired      Code = "version_retired"
	CodeInsufficientScope   Code = "insufficient_scope"
	CodeAddressNotAllowed   Code = "address_not_allowed"
	CodeHostNotAllowed      Code = "host_not_allowed"
	CodeRateLimited         Code = "rate_limited"
	CodeQuotaExceeded       Code = "quota_exceeded"
	CodeBodyTooLarge        Code = "body_too_large"
	CodeStale               Code = "stale"
)

// Codes of the desk: the management API and the console.
const (
	CodeInvalid         Code = "invalid"          // a field is wrong; Fields says which and what would be right
	CodeNotFound        Code = "not_found"        // no such thing, or another account's: the two are never told apart
	CodeConflict        Code = "conflict"         // somebody else changed it first, or the name is taken
	CodeForbidden       Code = "forbidden"        // this person may not do this
	CodeSignInRequired  Code = "sign_in_required" // no session, or one that has ended
	CodeCrossOrigin     Code = "cross_origin"     // a form sent from another site
	CodeUnavailable     Code = "unavailable"      // the database did not answer; nothing was changed
	CodeTooMany         Code = "too_many"         // sign-in attempts, or queued password checks
	CodeIdempotencyUsed Code = "idempotency_used" // the key was used for a different body
	CodeInternal        Code = "internal"         // ours; the request id finds it in the log
	CodeUnsupported     Code = "unsupported"      // content type, method or size that the endpoint does not take
)

// Error is what a caller may read: a stable code, a status, and words that say what was wrong and
// what would be right. It never holds a secret, a cause or another account's data. It encodes as
// problem+json (RFC 9457); the type member is the code's heading in docs/errors.md.
type Error struct {
	Code      Code
	Status    int
	Title     string
	Detail    string
	Fields    []Field        // the fields that were refused, when Code is CodeInvalid
	Missing   []MissingScope // the boxes that are not ticked, when Code is CodeInsufficientScope
	Fix       string         // link to the page or box where this is put right
	RequestID string
}

// Field names one refused input. The value itself is never echoed: it may be a secret.
type Field struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// MissingScope names one box as the wizard shows it.
type MissingScope struct {
	API      string `json:"api"`
	Version  string `json:"version"`
	Scope    string `json:"scope"`
	Category string `json:"category,omitempty"`
	Label    string `json:"label,omitempty"`
}

// Error reads as a sentence for a log or a terminal.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Title)
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	for i, f := range e.Fields {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s: %s", sep, f.Name, f.Message)
	}
	return b.String()
}

// Is makes errors.Is(err, &Error{Code: c}) compare by code alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// problem is the wire form (RFC 9457, section 3.1).
type problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	Code      Code           `json:"code"`
	Fields    []Field        `json:"errors,omitempty"`
	Missing   []MissingScope `json:"missing,omitempty"`
	Fix       string         `json:"fix,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
}

// ProblemType is the RFC 9457 type of a code: a path on the desk, where docs/errors.md is shown.
func ProblemType(c Code) string { return "/docs/errors#" + string(c) }

// MarshalJSON writes problem+json.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(problem{
		Type: ProblemType(e.Code), Title: e.Title, Status: e.Status, Detail: e.Detail, Code: e.Code,
		Fields: e.Fields, Missing: e.Missing, Fix: e.Fix, RequestID: e.RequestID,
	})
}

// UnmarshalJSON reads problem+json, as [Client] meets it.
func (e *Error) UnmarshalJSON(b []byte) error {
	var p problem
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("reading a problem document: %w", err)
	}
	*e = Error{
		Code: p.Code, Status: p.Status, Title: p.Title, Detail: p.Detail,
		Fields: p.Fields, Missing: p.Missing, Fix: p.Fix, RequestID: p.RequestID,
	}
	return nil
}

// Invalid is a refusal of one field. The message says what would be right.
func Invalid(field, message string) *Error {
	return InvalidFields([]Field{{Name: field, Message: message}})
}

// InvalidFields is a refusal of several fields at once, so that a form is mended in one round.
func InvalidFields(fields []Field) *Error {
	return &Error{
		Code: CodeInvalid, Status: http.StatusUnprocessableEntity,
		Title: "Some fields need another value", Fields: fields,
	}
}

// NotFound is the one answer for what does not exist and for what belongs to another account.
func NotFound(noun string) *Error {
	return &Error{
		Code: CodeNotFound, Status: http.StatusNotFound, Title: "Not found",
		Detail: "There is no such " + noun + " here.",
	}
}

// Forbidden says that this person may not do this, and who may.
func Forbidden(detail string) *Error {
	return &Error{Code: CodeForbidden, Status: http.StatusForbidden, Title: "You may not do this", Detail: detail}
}

// Conflict says that the world changed under the caller, and what to do now.
func Conflict(detail string) *Error {
	return &Error{Code: CodeConflict, Status: http.StatusConflict, Title: "This was changed meanwhile", Detail: detail}
}
