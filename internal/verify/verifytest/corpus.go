package verifytest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Corpus is a collection of requests that try to make a verifier allow what a token does not grant. It
// is kept beside the checkout, and not everybody has it.
type Corpus struct {
	Tokens    map[string]CorpusToken `yaml:"tokens"`
	Catalogue struct {
		Routes []CorpusRoute `yaml:"routes"`
	} `yaml:"catalogue"`
	Cases []Case `yaml:"cases"`

	tokens map[string]Token
	words  map[string]string
}

// CorpusToken says what a token of the corpus may do.
type CorpusToken struct {
	SID             string              `yaml:"sid"`
	Scopes          []string            `yaml:"scopes"`
	Versions        []string            `yaml:"versions"`
	ScopesByVersion map[string][]string `yaml:"scopes_by_version"`
	Like            string              `yaml:"like"`
	State           string              `yaml:"state"`
}

// CorpusRoute is one operation of the corpus's API.
type CorpusRoute struct {
	ID       string   `yaml:"id"`
	Method   string   `yaml:"method"`
	Path     string   `yaml:"path"`
	Scope    string   `yaml:"scope"`
	Versions []string `yaml:"versions"`
}

// Case is one request with the answers that are right.
type Case struct {
	ID         string   `yaml:"id"`
	Title      string   `yaml:"title"`
	Interfaces []string `yaml:"interfaces"`
	Delivery   string   `yaml:"delivery"`
	Token      string   `yaml:"token"`
	RawText    string   `yaml:"raw"`
	RawB64     string   `yaml:"raw_b64_template"`
	Parsed     *struct {
		Method  string      `yaml:"method"`
		Target  string      `yaml:"target"`
		Host    string      `yaml:"host"`
		Headers [][2]string `yaml:"headers"`
		Body    string      `yaml:"body"`
	} `yaml:"parsed"`
	H2 *struct {
		Pseudo [][2]string `yaml:"pseudo"`
		Fields [][2]string `yaml:"fields"`
	} `yaml:"h2"`
	Expand []struct {
		Placeholder string `yaml:"placeholder"`
		Unit        string `yaml:"unit"`
		Times       int    `yaml:"times"`
	} `yaml:"expand"`
	CheckRequest *CheckRequest `yaml:"check_request"`
	Expected     Expected      `yaml:"expected"`
}

// CheckRequest is a question of Envoy with exactly the attributes of a case.
type CheckRequest struct {
	Attributes *struct {
		Request *struct {
			HTTP *struct {
				Method    string            `yaml:"method"`
				Path      string            `yaml:"path"`
				Host      string            `yaml:"host"`
				Scheme    string            `yaml:"scheme"`
				Protocol  string            `yaml:"protocol"`
				Headers   map[string]string `yaml:"headers"`
				HeaderMap [][2]string       `yaml:"header_map"`
			} `yaml:"http"`
		} `yaml:"request"`
	} `yaml:"attributes"`
}

// Expected is what is right for a case.
type Expected struct {
	Decision        string   `yaml:"decision"`
	Status          []int    `yaml:"status"`
	Reasons         []string `yaml:"reason_any"`
	Route           string   `yaml:"route"`
	Version         string   `yaml:"version"`
	SID             string   `yaml:"sid"`
	StreamErrorOK   bool     `yaml:"stream_error_ok"`
	MustChallenge   []string `yaml:"www_authenticate_must"`
	MayNotChallenge []string `yaml:"www_authenticate_must_not"`
	OwnIdentity     bool     `yaml:"identity_only_from_verifier"`
	MostRequests    int      `yaml:"backend_requests_max"`
	BeforeBody      bool     `yaml:"must_answer_before_body"`

	JSON      map[string]any `yaml:"json"` // members that the answer must have
	JSONExact bool           `yaml:"json_exact"`

	Sequence []struct {
		Decision string `yaml:"decision"`
		Route    string `yaml:"route"`
		Status   []int  `yaml:"status"`
	} `yaml:"sequence"`
}

// CorpusText finds the corpus beside the checkout, and skips the test if there is none.
func CorpusText(t testing.TB) []byte {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, "..", "shared", "corpus.yaml"))
	if os.IsNotExist(err) {
		t.Skip("the attack corpus is not beside the checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// CorpusHost is the one host of the corpus's API.
const CorpusHost = "api.example.com"

// Accounts of the corpus: two agencies, a suspended one, and one that nobody has heard of any more.
const (
	accountA = 1 + iota
	accountB
	suspendedAccount
	deletedAccount
)

// codes are our words for the corpus's reasons.
var codes = map[string][]api.Code{
	"malformed_target":      {api.CodeMalformedRequest},
	"malformed_request":     {api.CodeMalformedRequest},
	"method_override":       {api.CodeMalformedRequest},
	"untrusted_forwarding":  {api.CodeMalformedRequest},
	"missing_forwarding":    {api.CodeMalformedRequest},
	"ambiguous_forwarding":  {api.CodeMalformedRequest},
	"framing":               {api.CodeMalformedRequest},
	"version_ambiguous":     {api.CodeMalformedRequest, api.CodeVersionNotAllowed},
	"version_unknown":       {api.CodeVersionNotAllowed},
	"version_not_allowed":   {api.CodeVersionNotAllowed},
	"version_retired":       {api.CodeVersionRetired},
	"no_route":              {api.CodeNoRoute},
	"method_not_allowed":    {api.CodeMethodNotAllowed, api.CodeMalformedRequest},
	"host_not_allowed":      {api.CodeHostNotAllowed, api.CodeMalformedRequest},
	"insufficient_scope":    {api.CodeInsufficientScope},
	"wrong_agency":          {api.CodeWrongAccount},
	"missing_credentials":   {api.CodeNoCredential},
	"malformed_credentials": {api.CodeInvalidToken},
	"ambiguous_credentials": {api.CodeInvalidToken},
	"unknown_token":         {api.CodeInvalidToken},
	"not_yet_valid":         {api.CodeTokenNotYetValid, api.CodeInvalidToken},
	"proof_required":        {api.CodeInvalidToken},
	"too_large":             {api.CodeBodyTooLarge, api.CodeInvalidToken, api.CodeMalformedRequest},
}

// Explains says whether a public code is one of the reasons that are right.
func (e *Expected) Explains(code api.Code) bool {
	if len(e.Reasons) == 0 {
		return true
	}
	return slices.ContainsFunc(e.Reasons, func(reason string) bool { return slices.Contains(codes[reason], code) })
}

// Desk is an authority that has the corpus's catalogue and tokens.
func (c *Corpus) Desk(t testing.TB, upstream string) *Authority {
	t.Helper()
	a := NewAuthority()
	a.Account(api.AccountFacts{Account: accountA})
	a.Account(api.AccountFacts{Account: accountB})
	a.Account(api.AccountFacts{Account: suspendedAccount, Suspended: true})
	a.Publish(c.catalogue(upstream))
	c.tokens = make(map[string]Token)
	for name := range c.Tokens {
		c.tokens[name] = c.mint(t, a, name)
	}
	c.spell(t)
	return a
}

func (c *Corpus) catalogue(upstream string) decide.Catalogue {
	agency := decide.API{
		Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindAnySID, Hosts: []string{CorpusHost},
		Header: "Api-Version", Query: "ApiVersion", Override: true, Upstream: upstream,
	}
	for _, v := range []struct{ name, state string }{{"14", "retired"}, {"15", "deprecated"}, {"16", "current"}} {
		version := decide.Version{Name: v.name, State: v.state}
		for _, r := range c.Catalogue.Routes {
			if v.name != "14" && !slices.Contains(r.Versions, v.name) {
				continue
			}
			if !slices.ContainsFunc(version.Scopes, func(w decide.ScopeWords) bool { return w.Name == r.Scope }) {
				version.Scopes = append(version.Scopes, decide.ScopeWords{Name: r.Scope, Category: "All", Label: r.Scope})
			}
			route := decide.Route{Method: r.Method, Template: strings.TrimPrefix(r.Path, "/Agencies/{sid}"), Needs: [][]string{{r.Scope}}}
			if strings.Contains(r.Path, "{id}") {
				route.Params = []decide.Param{{Name: "id", Pattern: "^[A-Za-z0-9_-]{1,64}$"}}
			}
			version.Routes = append(version.Routes, route)
		}
		agency.Versions = append(agency.Versions, version)
	}
	return decide.Catalogue{APIs: []decide.API{agency}}
}

// mint makes the token of a name, in the state that its line says.
func (c *Corpus) mint(t testing.TB, a *Authority, name string) Token {
	t.Helper()
	spec := c.Tokens[name]
	if spec.Like != "" {
		state := spec.State
		spec = c.Tokens[spec.Like]
		spec.State = state
	}
	tok := Mint(t, token.Access, accountA)
	if spec.SID == "B" {
		tok.Account = accountB
	}
	by := spec.ScopesByVersion
	if by == nil {
		by = make(map[string][]string)
		for _, version := range spec.Versions {
			by[version] = spec.Scopes
		}
	}
	for _, version := range []string{"16", "15"} {
		if scopes, pinned := by[version]; pinned {
			tok.Pins = append(tok.Pins, api.Pin{API: "agency", Version: version, Scopes: scopes})
		}
	}
	now := time.Now().UnixMicro()
	other := Mint(t, token.Access, accountA).Secrets[0]
	const second, hour = 1_000_000, 3_600_000_000
	switch name {
	case "TOK_UNKNOWN", "TOK_BADSUM":
		return tok // never put
	case "TOK_REVOKED":
		a.Put(tok.Grant)
		a.Remove(tok.SID)
		return tok
	case "TOK_EXPIRED":
		tok.Expires = api.Micros(now - second)
	case "TOK_FUTURE":
		tok.NotBefore = api.Micros(now + hour)
	case "TOK_ROTATED_OLD":
		tok.Secrets = []api.Secret{other}
	case "TOK_ROTATED_GRACE":
		tok.Secrets = []api.Secret{other, {Digest: tok.Secrets[0].Digest, Until: api.Micros(now + hour)}}
	case "TOK_OWNER_DISABLED", "TOK_AGENCY_SUSPENDED":
		tok.Account = suspendedAccount
	case "TOK_DELETED_OWNER":
		tok.Account = deletedAccount
	case "TOK_OTHER_AUDIENCE":
		tok.Pins = []api.Pin{{API: "elsewhere", Version: "1", Scopes: spec.Scopes}}
	}
	a.Put(tok.Grant)
	return tok
}

// spell prepares the placeholders.
func (c *Corpus) spell(t testing.TB) {
	t.Helper()
	read, b := c.tokens["TOK_READ"], c.tokens["TOK_B_READ"]
	rs, _, _, err := token.DefaultPrefix.Mint(token.Introspection, zeroes{})
	if err != nil {
		t.Fatal(err)
	}
	percent := func(s string) string { return fmt.Sprintf("%%%02X", s[0]) + s[1:] }
	digest := sha256.Sum256([]byte(read.AuthToken))
	c.words = map[string]string{
		"SID_A": read.SID, "SID_B": b.SID, "SID_A_LOWER": strings.ToLower(read.SID), "SID_A_UPPER": strings.ToUpper(read.SID),
		"SID_A_PREFIX": read.SID[:len(read.SID)-1], "SID_A_PCT1": percent(read.SID), "SID_B_PCT1": percent(b.SID),
		"API_HOST": CorpusHost, "API_HOST_UPPER": strings.ToUpper(CorpusHost), "CHECK_PATH": "/authorize",
		"TRUSTED_PROXY_IP": "127.0.0.1", "VERSION_HEADER": "Api-Version", "VERSION_HEADER_UNDERSCORE": "Api_Version",
		"IDENTITY_HEADER": verify.AccountHeader, "OPTIONAL_IDENTITY_HEADER": verify.BrandHeader, "SCOPE_HEADER": verify.ScopeHeader,
		"IDENTITY_HEADER_UNDERSCORE": strings.ReplaceAll(verify.AccountHeader, "-", "_"),
		"IDENTITY_HEADER_DOT":        strings.ReplaceAll(verify.AccountHeader, "-", "."),
		"RS_SECRET":                  rs.Reveal(), "CONSOLE_SESSION": strings.Repeat("s3Ss10n", 6), "TOK_PREFIX": token.DefaultPrefix.Of(token.Access),
		"TOK_READ_UPPER": strings.ToUpper(read.AuthToken), "TOK_READ_LOWER": strings.ToLower(read.AuthToken),
		"TOK_READ_CUT1": read.AuthToken[:len(read.AuthToken)-1], "TOK_READ_PCT1": percent(read.AuthToken), "TOK_READ_ID": read.SID,
		"TOK_READ_SHA256_HEX": hex.EncodeToString(digest[:]),
		"BASIC_USER_TOK_READ": base64.StdEncoding.EncodeToString([]byte(read.AuthToken + ":")),
	}
	c.words["INTROSPECT_PATH"], c.words["RS_ID"] = "/oauth2/introspect", clientID
	c.words["RS_BASIC"] = base64.StdEncoding.EncodeToString([]byte(clientID + ":" + rs.Reveal()))
	for name, tok := range c.tokens {
		c.words[name] = tok.AuthToken
	}
	last := read.AuthToken[len(read.AuthToken)-1]
	wrong := byte('0')
	if last == wrong {
		wrong = '1'
	}
	c.words["TOK_BADSUM"] = read.AuthToken[:len(read.AuthToken)-1] + string(wrong)
}

// zeroes is no randomness at all, for a credential that only has to look like one.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// clientID names the resource server that may ask about the corpus's tokens.
const clientID = "rs"

// Client is that resource server.
func (c *Corpus) Client(t testing.TB) verify.Client {
	t.Helper()
	parsed, fault := token.DefaultPrefix.Parse(c.words["RS_SECRET"])
	if fault != token.NoFault {
		t.Fatal(fault)
	}
	return verify.Client{ID: clientID, Digest: parsed.Digest(), APIs: []string{"agency"}}
}

// Token is a token of the corpus by its name.
func (c *Corpus) Token(name string) Token { return c.tokens[name] }

// Route is an operation of the corpus by its id.
func (c *Corpus) Route(id string) CorpusRoute {
	i := slices.IndexFunc(c.Catalogue.Routes, func(r CorpusRoute) bool { return r.ID == id })
	if i < 0 {
		return CorpusRoute{}
	}
	return c.Catalogue.Routes[i]
}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// Spell replaces placeholders in a text of a case. One that is not known fails the test.
func (c *Corpus) Spell(t testing.TB, one *Case, text string) string {
	t.Helper()
	for _, e := range one.Expand {
		text = strings.ReplaceAll(text, e.Placeholder, strings.Repeat(e.Unit, e.Times))
	}
	text = c.spellWords(t, one, text, false)
	return c.spellWords(t, one, text, true)
}

// spellWords leaves lengths to the second round, when what they measure is spelt.
func (c *Corpus) spellWords(t testing.TB, one *Case, text string, lengths bool) string {
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		if what, is := strings.CutPrefix(name, "LEN:"); is {
			switch {
			case !lengths:
				return found
			case what == "BODY":
				return strconv.Itoa(len(body))
			}
			return strconv.Itoa(len(c.words[what]))
		}
		if rest, is := strings.CutPrefix(name, "REPEAT:"); is {
			at := strings.LastIndexByte(rest, ':')
			n, err := strconv.Atoi(rest[at+1:])
			if err != nil {
				t.Fatalf("%s: %v", one.ID, err)
			}
			return strings.Repeat(rest[:at], n)
		}
		word, known := c.words[name]
		if !known {
			t.Fatalf("%s: no placeholder %q", one.ID, name)
		}
		return word
	})
}

// Raw is what a client puts on the wire.
func (c *Corpus) Raw(t testing.TB, one *Case) string {
	t.Helper()
	text := one.RawText
	if one.RawB64 != "" {
		raw, err := base64.StdEncoding.DecodeString(one.RawB64)
		if err != nil {
			t.Fatalf("%s: %v", one.ID, err)
		}
		text = string(raw)
	}
	return c.Spell(t, one, text)
}
