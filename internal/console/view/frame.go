package view

import (
	"net/url"
	"time"
)

// Frame surrounds every page of a signed-in person. The zero Person means nobody is signed in: the
// page is then drawn without menu (Docs and Problem allow this).
type Frame struct {
	CSRF      string    // required when a form is drawn: the session's token, posted as csrf
	Now       time.Time // required: relative times are counted from here
	RequestID string
	Person    Person
	Account   Account   // the current one; zero for an operator
	Accounts  []Account // all that the person is a member of, current one included; the switcher needs two
	Members   bool      // the person may open Members (Account Administrator)
	Operator  bool      // the person is an operator: the menu is that of /operator
	Flash     *Flash    // said once, after a redirect
}

// Public surrounds pages of people who are not signed in.
type Public struct {
	CSRF      string // the pre-session's token, posted as csrf: signing in is an act too (SECURITY.md 37)
	RequestID string
	Flash     *Flash
}

// Person is a human being as pages name one.
type Person struct {
	ID    string
	Name  string
	Email string
	Left  bool // no longer an active member: shown as such next to the name
}

// Account is an agency, brand or partner.
type Account struct {
	ID   string // the platform's own decimal number
	Name string
	Kind string // "agency", "brand", "partner"
	Role Role   // of the person who is signed in
}

// Role is what a member may do in an account. The zero value reads only what everybody may.
type Role string

// Roles. Form values are these words.
const (
	RoleAnalyst        Role = "analyst"
	RoleImplementation Role = "specialist"
	RoleAdministrator  Role = "administrator"
)

// String is the role as people read it.
func (r Role) String() string {
	switch r {
	case RoleAdministrator:
		return "Account Administrator"
	case RoleImplementation:
		return "Implementation Specialist"
	case RoleAnalyst:
		return "Analyst"
	}
	return "No role"
}

// About says in a few words what the role may do.
func (r Role) About() string {
	switch r {
	case RoleAdministrator:
		return "May give every scope, and manages members."
	case RoleImplementation:
		return "Makes and changes tokens; sensitive scopes only if allowed."
	case RoleAnalyst:
		return "Reads only."
	}
	return ""
}

// Roles in the order in which forms offer them.
var Roles = []Role{RoleAdministrator, RoleImplementation, RoleAnalyst}

// Flash is one sentence about what has just happened.
type Flash struct {
	Kind string // "done", "note", "warning", "error"
	Text string
	// Link, when set, follows the text.
	Link Link
}

// Link is a text that leads somewhere. An empty Href draws the text alone.
type Link struct {
	Text string
	Href string
}

// FieldError is one refused field. Field is the id of the control, which is its name unless the page
// says otherwise; the summary at the top links to it.
type FieldError struct {
	Field   string
	Message string // says what would be right; never the value
}

// Errors are the refused fields of a form in the order of the page. Empty: no summary is drawn.
type Errors []FieldError

// For is the message of one field, or "".
func (e Errors) For(field string) string {
	for _, f := range e {
		if f.Field == field {
			return f.Message
		}
	}
	return ""
}

// Choice is one option of a drop-down or a row of radio buttons.
type Choice struct {
	Value    string
	Label    string
	Hint     string // one more line under the label; drop-downs append it
	Selected bool
}

// Kept is a value that a form carries on in a hidden field.
type Kept struct {
	Name  string
	Value string
}

// KeepForm turns a posted form into hidden fields, without csrf and any of the names left out
// (passwords are never kept). The order is that of the names, so that a page has one spelling.
func KeepForm(form url.Values, leaveOut ...string) []Kept {
	return keep(form, append(leaveOut, "csrf"))
}

// Pager moves through a list by key, never by number of page.
type Pager struct {
	First int // the number of the first row shown, from 1; 0 draws "Nothing"
	Last  int
	Total int    // -1 when it is not counted
	Prev  string // link, or "" on the first page
	Next  string // link, or "" on the last page
}

// Fact is one row of a description list: a label and its words.
type Fact struct {
	Label string
	Text  string
	Mono  bool // an id, a path, a command
}
