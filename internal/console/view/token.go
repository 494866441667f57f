package view

import "time"

// State is a token's state. A value that is not listed is drawn as it is, as something not in force.
type State string

// States.
const (
	StateEnabled  State = "enabled"
	StateDisabled State = "disabled"
	StateExpired  State = "expired"
	StateOnHold   State = "on hold"
	StateLeaked   State = "leaked"
	StateDeleted  State = "deleted"
)

// Standing is where a version is in its life.
type Standing string

// Standings. Latest is the newest current version; the catalogue's "current" ones that are not the
// newest are supported as far as a reader is concerned, but may be given as they are.
const (
	StandingPreview    Standing = "preview"
	StandingLatest     Standing = "latest"
	StandingCurrent    Standing = "current"
	StandingSupported  Standing = "supported"
	StandingDeprecated Standing = "deprecated"
	StandingRetired    Standing = "retired"
)

// Version is one version of an API and where it is in its life.
type Version struct {
	API      string // the API's name, for links into the reference
	Title    string // the API's title, for example Agency API
	Name     string // for example 3
	Standing Standing
	Sunset   time.Time // for deprecated ones; zero: no date yet
}

// Use is one use of a token. The zero value means never used.
type Use struct {
	At      time.Time
	Address string // of the client
	Client  string // user agent
}

// Act is one entry of the More menu. Neither allowed nor explained (the zero value): not drawn.
type Act struct {
	Allowed bool
	Why     string // why it is not allowed, when it is not: "It is on the latest version already."
}

// Acts are what this person may do to a token now. Of Disable and Enable give one.
type Acts struct {
	Duplicate, Reset, Upgrade, Disable, Enable, Delete Act
}

// CategoryCount says how many scopes of a category a token holds.
type CategoryCount struct {
	API      string // the API's title; drawn when the token has two APIs
	Category string
	Held     int
	Of       int
}

// TokenCard is a token as lists and page heads show it.
type TokenCard struct {
	SID         string
	Zero        bool // of the management API
	Name        string
	Description string
	State       State
	StateSince  time.Time // zero: not said
	StateBy     string    // "" with Since: by the clock or a verifier
	StateWhy    string
	Versions    []Version // one, or two for an agency token with reach
	Scopes      []CategoryCount
	Contact     Person
	CreatedAt   time.Time
	CreatedBy   string
	LastUsed    Use
	Expires     time.Time // zero: never
	Reach       string    // "" for accounts without brands; else "No brands", "All managed brands", "3 brands"
	Acts        Acts
}

// ScopeAPI groups boxes by API, as everything does that a person reads: two APIs may share words.
type ScopeAPI struct {
	Name       string // of the API
	Title      string
	Version    string
	Categories []ScopeCategory
}

// ScopeCategory is a category with its switch. ID is unique on the page and URL-safe, for example
// "agency.jobs"; it is the value of the posted field category.
type ScopeCategory struct {
	ID     string
	Name   string
	About  string
	On     bool // the switch; a category with a ticked box should be on
	Scopes []ScopeBox
}

// Ticked counts the boxes that are ticked.
func (c ScopeCategory) Ticked() int {
	n := 0
	for _, s := range c.Scopes {
		if s.Ticked {
			n++
		}
	}
	return n
}

// Operation is a method and a path template.
type Operation struct {
	Method string
	Path   string
}

// ScopeBox is one check box. Value is unique on the page and posted as scope, for example
// "agency/3/jobs.get-job"; [ScopeAnchor] is its id, for links that lead to it.
type ScopeBox struct {
	Value       string
	Name        string // the scope's name, for example jobs.get-job
	Label       string
	Operations  []Operation
	Description string
	ReadOnly    bool
	Sensitive   string   // why, or ""
	Needs       []string // values of the boxes that it needs
	NeedsNote   string   // the same in words: "Needs Get Job and Download Job Result."
	Refused     string   // why this person may not give it; the box is greyed
	Ticked      bool
	Marked      bool // the box that a refused call asked for: drawn with a mark and scrolled to
	Hidden      bool // does not match the search; still posted when ticked
}

// ScopeAnchor is the id of a box, and so the fragment that leads to it.
func ScopeAnchor(value string) string { return "scope-" + value }

// ScopesForm is the form part that wizard and edit page share. Posted fields: scope (repeated),
// category (repeated: the switches that are on), q (search), and go when one of the buttons below was
// pressed without JavaScript: "clear", "undo", "read-only", "all:<category id>", "none:<category id>",
// "search". A box that is ticked in a category that is switched off is not given: what cannot be seen
// is never granted.
type ScopesForm struct {
	APIs    []ScopeAPI
	Query   string
	CanUndo bool   // a Clear All without JavaScript can be undone (go=undo)
	Undo    []Kept // what it took, on pages that keep nothing on the server
	Errors  Errors // fields: scopes
	Linked  bool   // a link named a missing box; a note says so
	Note    string // for example that a body parameter is not seen by reach
}

// Ticked counts all ticked boxes.
func (f ScopesForm) Ticked() int {
	n := 0
	for _, a := range f.APIs {
		for _, c := range a.Categories {
			n += c.Ticked()
		}
	}
	return n
}

// Total counts all boxes.
func (f ScopesForm) Total() int {
	n := 0
	for _, a := range f.APIs {
		for _, c := range a.Categories {
			n += len(c.Scopes)
		}
	}
	return n
}

// ContactsForm is the form part that wizard and edit page share. Posted fields: contact (a member's
// id), emails (free text: commas, semicolons, spaces and new lines separate).
type ContactsForm struct {
	Members []Person // active ones; the drop-down
	Contact string   // id of the chosen one; "" asks
	Emails  string   // as typed, or one a line
	Errors  Errors   // fields: contact, emails
}

// NameAnswer is the JSON of PathTokenName.
type NameAnswer struct {
	Free    bool   `json:"free"`
	Message string `json:"message"` // what to say under the field
}

// FirstCallAnswer is the JSON of TokenPath(sid, "first-call"), polled by the page that shows a secret.
type FirstCallAnswer struct {
	Called  bool   `json:"called"`
	Message string `json:"message"` // "GET /Agencies/…/Jobs passed at 14:03:12 UTC from 192.0.2.7"
}
