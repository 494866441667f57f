package view

import "time"

// DocsVersion is one version in the index of the docs.
type DocsVersion struct {
	Version    Version
	Operations int
	Released   time.Time
}

// DocsAPI is one API in the index of the docs.
type DocsAPI struct {
	Name     string
	Title    string
	Versions []DocsVersion // newest first
}

// DocsPage is GET PathDocs.
type DocsPage struct {
	Frame Frame
	APIs  []DocsAPI
}

// SecurePage is GET PathDocsSecure: Keep your tokens secure.
type SecurePage struct {
	Frame  Frame
	Prefix string // of Auth Tokens, for example cfoil: what a scanner looks for
}

// DocsOperation is one operation in a reference.
type DocsOperation struct {
	Operation Operation   // the path with the API's base
	Scopes    []DocsScope // alternatives of one box each, or all needed; see Words
	Words     string      // when more than one scope: "Both are needed." or "Either is enough."
	Label     string
	About     string
	Sensitive string
	Public    bool
	Tokens    []TokenRef // of this account, that can call it now
	More      int        // further tokens that are not listed
}

// DocsScope names a scope as a reference does.
type DocsScope struct {
	Name  string
	Label string
}

// TokenRef names a token.
type TokenRef struct {
	SID  string
	Name string
}

// DocsCategory is a category of operations in a reference.
type DocsCategory struct {
	ID         string // the fragment
	Name       string
	Operations []DocsOperation
}

// ReferencePage is GET DocsPath(api, version).
type ReferencePage struct {
	Frame      Frame
	Version    Version
	Released   time.Time
	Others     []Version // the API's other versions
	Base       string    // path template of the API
	Host       string
	Header     string // that names a version, or ""
	Categories []DocsCategory
	Changes    []string // against the version before
	SignedIn   bool     // tokens are shown
}

// FirstCallPage is GET PathDocsFirst.
type FirstCallPage struct {
	Frame   Frame
	Base    string // https://api.example.com/Agencies/{AccountSID}
	Path    string // an operation of the API, for example /Advertisers
	Version Version
	Header  string    // "IR-Version: 3", or ""
	Token   *TokenRef // one of the account's tokens, to fill in the SID; nil leaves the placeholder
}

// ErrorCode is one heading of the errors page, made from docs/errors.md.
type ErrorCode struct {
	Code    string
	Status  string // "403", "401", "429 (nginx 403)"
	Title   string
	Meaning []string // paragraphs
	Remedy  []string // paragraphs: what to do
}

// ErrorsPage is GET PathDocsErrors.
type ErrorsPage struct {
	Frame  Frame
	Groups []ErrorGroup
}

// ErrorGroup is a heading with codes under it.
type ErrorGroup struct {
	Title string
	About string
	Codes []ErrorCode
}
