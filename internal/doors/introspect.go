package doors

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

// IntrospectPath is where resource servers ask about a token (RFC 7662).
const IntrospectPath = "/oauth2/introspect"

// maxForm bounds the body of a question, in octets. A credential has at most 512.
const maxForm = 8 << 10

// inactive is the whole answer for every token that the client may know nothing of, whatever the cause
// (RFC 7662, section 2.2): the same octets, so that nothing can be told from their number.
var inactive = []byte(`{"active":false}` + "\n")

// active is the answer for a token that stands (RFC 7662, section 2.2).
type active struct {
	Active    bool              `json:"active"`
	Scope     string            `json:"scope"`     // api/scope, parted by spaces
	ClientID  string            `json:"client_id"` // the SID
	TokenType string            `json:"token_type"`
	Expires   int64             `json:"exp,omitempty"` // seconds
	Subject   string            `json:"sub"`           // the account's id
	Audience  []string          `json:"aud"`           // the APIs
	Versions  map[string]string `json:"versions"`      // of each API, the version that the scopes are of
}

// introspect answers the question of a resource server. It looks at who asks before it reads anything.
func (h *Handler) introspect(w http.ResponseWriter, r *http.Request) {
	asked := verify.Request{ID: verify.NewRequestID(), Client: httpx.Peer(r)}
	refuse := func(code api.Code, status int, title, detail string) {
		verify.WriteProblem(w, &api.Error{Code: code, Status: status, Title: title, Detail: detail, RequestID: asked.ID})
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(api.CodeMethodNotAllowed, http.StatusMethodNotAllowed, "Tokens are asked about with POST", "A token in an address would be in every log on the way.")
		return
	}
	client := h.verifier.Authenticate(h.clients, r.Header)
	if client == nil {
		code := api.CodeInvalidToken
		if len(r.Header["Authorization"]) == 0 {
			code = api.CodeNoCredential
		}
		w.Header()["Www-Authenticate"] = []string{`Basic realm="introspection", charset="UTF-8"`, `Bearer realm="introspection"`}
		refuse(code, http.StatusUnauthorized, "An introspection credential is needed",
			"Send Authorization: Basic with the client's id and its credential, or Bearer with the credential.")
		return
	}
	authToken, err := tokenOf(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		refuse(api.CodeBodyTooLarge, http.StatusRequestEntityTooLarge, "The body is too large", "A question has at most 8 KiB.")
		return
	case err != nil:
		refuse(api.CodeMalformedRequest, http.StatusBadRequest, "The question could be read in two ways", err.Error())
		return
	}
	asked.Agent = "introspection by " + client.ID
	standing, stands, code := h.verifier.Introspect(client, authToken, &asked)
	switch {
	case code != "":
		w.Header().Set("Retry-After", "1")
		refuse(code, http.StatusServiceUnavailable, "Not available now", "Tokens cannot be checked at this moment. Try again shortly.")
	case !stands:
		answerJSON(w, inactive)
	default:
		answerJSON(w, describe(&standing))
	}
}

// Errors of a question, which its sender reads.
var (
	errQuery = errors.New("the question goes into the body, and nothing into the address")
	errType  = errors.New("the body must be application/x-www-form-urlencoded")
	errForm  = errors.New("the body is no form")
	errToken = errors.New("the form must have the parameter token exactly once, and token_type_hint at most once")
)

// tokenOf reads the one token that is asked about. A second one is refused: some other program on the way
// may take the other (SECURITY.md, class 16). A hint must not hide a token (RFC 7662, section 2.1), so it is
// not looked at.
func tokenOf(w http.ResponseWriter, r *http.Request) (string, error) {
	if strings.Contains(r.RequestURI, "?") {
		return "", errQuery
	}
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return "", errType
	}
	if media, _, err := mime.ParseMediaType(types[0]); err != nil || media != "application/x-www-form-urlencoded" {
		return "", errType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", err
	case err != nil:
		return "", errForm
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", errForm
	}
	if len(form["token"]) != 1 || form["token"][0] == "" || len(form["token_type_hint"]) > 1 {
		return "", errToken
	}
	return form["token"][0], nil
}

func describe(s *verify.Standing) []byte {
	a := active{
		Active: true, ClientID: s.SID, TokenType: "Bearer", Subject: s.Account, Expires: int64(s.Expires) / 1_000_000,
		Audience: []string{}, Versions: map[string]string{},
	}
	var scopes []string
	for _, o := range s.Opens {
		a.Audience = append(a.Audience, o.API)
		a.Versions[o.API] = o.Version
		for _, scope := range o.Scopes {
			scopes = append(scopes, o.API+"/"+scope)
		}
	}
	a.Scope = strings.Join(scopes, " ")
	text, err := json.Marshal(&a)
	if err != nil {
		return inactive // strings always encode; were it otherwise, the token would not stand
	}
	return append(text, '\n')
}

func answerJSON(w http.ResponseWriter, text []byte) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if _, err := w.Write(text); err != nil {
		return // the client is gone
	}
}
