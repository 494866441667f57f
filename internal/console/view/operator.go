package view

import "time"

// AccountRow is one account in the operator's list.
type AccountRow struct {
	Account   Account
	Tokens    int
	Members   int
	Created   time.Time
	Suspended time.Time // zero: not suspended
}

// AccountListPage is GET PathOperatorAccounts. The filter is a GET with q and kind.
type AccountListPage struct {
	Frame    Frame
	Accounts []AccountRow
	Pager    Pager
	Query    string
	Kind     string
}

// AccountNewPage is GET PathOperatorAccountNew; the POST to PathOperatorAccounts has id, kind, name,
// and admin_email (who is invited as the first Account Administrator; may be empty).
type AccountNewPage struct {
	Frame      Frame
	ID         string
	Kind       string
	Name       string
	AdminEmail string
	Errors     Errors
}

// Management is one link between an agency and a brand.
type Management struct {
	ID      string
	Account Account // the other side
	From    time.Time
	Until   time.Time // zero: open
	Ended   bool
}

// AccountDetailPage is GET AccountPath(id). Forms and their fields: settings (name, expiry_default and
// expiry_max in days, 0 is none, empty the installation's own, and those of LimitsForm), suspend (why) and resume, members (email, role), management (brand:
// the number of the other account; from: YYYY-MM-DD), management/end (management), withheld (scope
// repeated, see ScopesForm; ticked means withheld).
type AccountDetailPage struct {
	Frame         Frame
	Account       Account
	Created       time.Time
	Suspended     time.Time
	SuspendedWhy  string
	Tokens        int
	Members       []Member
	Manages       []Management // of an agency
	ManagedBy     []Management // of a brand
	Withheld      ScopesForm   // all scopes of the account's APIs; Ticked: withheld
	ExpiryDefault string       // days; "0": none is preselected; "": the installation's own
	ExpiryMax     string       // days; "0": no limit; "": the installation's own
	Limits        LimitsForm   // OfAccount
	Name          string       // as in the form
	MemberEmail   string
	BrandID       string
	Errors        Errors
}

// PersonRow is one person in the operator's list.
type PersonRow struct {
	Person   Person
	Operator bool
	Accounts []Account // with the role in each
	LastSeen time.Time
}

// PeoplePage is GET PathOperatorPeople; the invitation of an operator posts email to it.
type PeoplePage struct {
	Frame  Frame
	People []PersonRow
	Pager  Pager
	Query  string
	Email  string
	Errors Errors
}

// CatalogueVersion is one version as the operator sees it.
type CatalogueVersion struct {
	Version    Version
	Released   time.Time
	Deprecated time.Time
	Operations int // published
	Read       int // in the documents; more than published when some lie outside
	Scopes     int
	Tokens     int // pinned to it
	Problems   int
}

// CatalogueAPI is one API of the catalogue.
type CatalogueAPI struct {
	Name     string
	Title    string
	Base     string
	Accounts []string // kinds
	Versions []CatalogueVersion
}

// CataloguePage is GET PathOperatorCatalogue. The upload posts file (multipart, repeated: the catalogue
// file and its documents, or one zip) to PathOperatorDiff.
type CataloguePage struct {
	Frame     Frame
	APIs      []CatalogueAPI
	Published time.Time // of what is live; zero: nothing yet
	By        string
	Hash      string // SHA-256 of the policy
	Problems  []DocumentProblem
	Errors    Errors // fields: file
}

// DocumentProblem is one finding in the documents.
type DocumentProblem struct {
	File     string
	Line     int
	Severity string // "fatal", "problem", "note"
	Text     string
}

// ScopeChange is one scope that a publish adds, removes or widens.
type ScopeChange struct {
	Version Version
	Scope   string
	Label   string
	Kind    string      // "added", "removed", "widened", "narrowed"
	Details []Operation // operations gained or lost
}

// TokenChange is one token whose reach grows or shrinks by a publish.
type TokenChange struct {
	Token   TokenCard
	Account Account
	Gains   []string // scopes or operations in words
	Loses   []string
}

// PublicOperation is an operation that the documents call public and that passes without a
// credential; each is confirmed by its own box: field public, value Value.
type PublicOperation struct {
	Value     string
	Version   Version
	Operation Operation
	Confirmed bool // in the live catalogue already
}

// CatalogueDiffPage is the answer to PathOperatorDiff. Its form posts upload, public (repeated) and
// confirm=yes to PathOperatorPublish. With a fatal problem there is no Publish button.
type CatalogueDiffPage struct {
	Frame    Frame
	Upload   string // id of the stored upload
	APIs     []CatalogueAPI
	Changes  []ScopeChange
	Tokens   []TokenChange
	Public   []PublicOperation
	Problems []DocumentProblem
	Fatal    bool
	Errors   Errors // fields: public
}
