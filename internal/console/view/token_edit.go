package view

import "time"

// TokenEditPage is GET TokenPath(sid). The one form posts to TokenPath(sid, "update"): revision, name,
// description, the fields of ContactsForm, LimitsForm and ScopesForm, and go: "update" or a button of ScopesForm.
// Update without differences comes back here with a flash. A person who may not edit (CanEdit false)
// sees the same page without controls.
type TokenEditPage struct {
	Frame       Frame
	Token       TokenCard
	Revision    string // opaque; the update is refused when it is no longer the newest
	CanEdit     bool
	WhyNot      string
	Name        string
	Description string
	Contacts    ContactsForm
	Scopes      ScopesForm
	Limits      LimitsForm
	Errors      Errors   // of all parts: name, description, contact, emails, limits, scopes
	Upgrade     *Version // the latest version, while the token is behind it
	Brands      []string // names, when reach is a list
	History     []Event  // the newest few
}

// Difference is one thing that an update changes. Either Before and After, or Added and Removed.
type Difference struct {
	Label   string
	Before  string
	After   string
	Added   []string
	Removed []string
}

// TokenUpdatePage is the answer to the first POST of TokenPath(sid, "update"): the differences in
// words. Its form posts the same fields again with confirm=yes, or with go=back: then TokenEdit is
// drawn again with what was typed.
type TokenUpdatePage struct {
	Frame       Frame
	Token       TokenCard
	Differences []Difference
	Warnings    []string // "It gains 1 sensitive scope."
	Kept        []Kept   // the posted form, revision included, without csrf and confirm
}

// TokenConflictPage says that somebody else changed the token first. Nothing was written. Its form
// posts Kept (with the newest revision, so the differences are shown again against what is there now).
type TokenConflictPage struct {
	Frame  Frame
	Token  TokenCard
	By     string
	At     time.Time
	Theirs []Difference // what they changed, against what this person had opened
	Yours  []Difference // what this person was about to change
	Kept   []Kept
}
