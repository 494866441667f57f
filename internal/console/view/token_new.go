package view

import "time"

// Step is one of the four steps of the wizard. Its value is the word of the form.
type Step string

// Steps, in order.
const (
	StepSetup    Step = "setup"
	StepContacts Step = "contacts"
	StepScopes   Step = "scopes"
	StepReview   Step = "create"
)

var steps = []Step{StepSetup, StepContacts, StepScopes, StepReview}

// number is 1 to 4; 0 for a step that is none.
func (s Step) number() int {
	for i, t := range steps {
		if s == t {
			return i + 1
		}
	}
	return 0
}

// TokenNewPage is GET and POST PathTokenNew: all four steps on one page, one of them open. The form
// posts draft (the server-side draft's id), step (the one that was open, so which fields came), the
// fields of that step, and go: "next", "back", a Step's word to jump there, "create", or one of the
// buttons of ScopesForm and "brands" (search for brands). The draft keeps the values of the others.
// A field that is absent in the form of an open step is an empty one.
type TokenNewPage struct {
	Frame    Frame
	Zero     bool // of the management API: the form posts to PathManagementNew
	Draft    string
	Step     Step   // the one that is open
	Reached  Step   // the furthest that was reached: earlier ones can be opened again
	Errors   Errors // of the open step; Contacts.Errors and Scopes.Errors take the same value
	Setup    SetupForm
	Contacts ContactsForm
	Scopes   ScopesForm
	Review   Review // needed when Step is StepReview; its one-line parts are used for closed steps too
}

// SetupForm is step 1. Posted fields: name, description, api, version.<api>, expiry ("30", "90",
// "365" (days), "date", "never"), expiry_date (YYYY-MM-DD; the token ends at the end of that day,
// UTC), reach ("none", "all", "list"), brand (repeated), brand_q, brand_version, and those of LimitsForm.
type SetupForm struct {
	Name        string
	Description string
	APIs        []APIChoice // one: no question is asked
	Expiries    []Choice    // what policy allows, "date" and "never" included where allowed
	ExpiryDate  string
	ExpiryFrom  string     // earliest date, YYYY-MM-DD
	ExpiryTo    string     // latest date that policy allows, or ""
	ExpiryCap   string     // the policy in words: "Tokens of this account last at most 365 days." or ""
	Reach       *ReachForm // nil: the account manages no brands
	Limits      LimitsForm
}

// APIChoice is an API that tokens of this account may open, with its versions.
type APIChoice struct {
	Value    string
	Title    string
	About    string
	Selected bool
	Versions []VersionChoice // newest first; retired ones are left out
}

// VersionChoice is one option of a version drop-down.
type VersionChoice struct {
	Value     string
	Standing  Standing
	Sunset    time.Time
	Suggested bool
	Selected  bool
}

// ReachForm asks which managed brands an agency token reaches.
type ReachForm struct {
	Value    string // "none", "all", "list"
	Brands   []BrandChoice
	Query    string
	API      string // title of the brand API
	Versions []VersionChoice
}

// BrandChoice is one managed brand.
type BrandChoice struct {
	ID     string
	Name   string
	Ticked bool
	Hidden bool // does not match the search; still posted when ticked
}

// Review is step 4: what will be made, in words.
type Review struct {
	Name        string
	Description string
	Versions    []Version
	Expires     time.Time // zero: never
	HasReach    bool      // the account manages brands: say which are reached
	Reach       string    // "none", "all", "list"
	Brands      []string  // names, when Reach is "list"
	Contact     Person
	Emails      []string
	Limits      []string   // as LimitsForm.Words
	Scopes      []ScopeAPI // only the ticked boxes, only categories that have one
	Warnings    []Warning
}

// Warning is something that a careful person would look at again, with the step where it is changed.
type Warning struct {
	Text string
	Step Step
}

// TokenMadePage answers a wizard form whose draft has made its token already: a reload, a double
// click or a second tab. The secret is not shown again.
type TokenMadePage struct {
	Frame Frame
	Token TokenCard
}
