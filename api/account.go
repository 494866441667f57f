package api

import "time"

// AccountKind is what an account is.
type AccountKind string

// Kinds of accounts. [KindOperator] is the operator itself: it is no account, and owns only the
// operator's own API-zero tokens under the id 0.
const (
	KindAgency   AccountKind = "agency"
	KindBrand    AccountKind = "brand"
	KindPartner  AccountKind = "partner"
	KindOperator AccountKind = "operator"
)

// MaxAccountID is the largest account id: numbers up to it survive every JSON reader.
const MaxAccountID = 1<<53 - 1

// Account is an agency, brand or partner. Its id is the platform's own number.
type Account struct {
	ID           int64       `json:"id"`
	Kind         AccountKind `json:"kind"`
	Name         string      `json:"name"`
	Created      time.Time   `json:"created"`
	Suspended    *time.Time  `json:"suspended,omitempty"`
	SuspendedWhy string      `json:"suspended_why,omitempty"`
	// ExpiryDefault and ExpiryMax are days; absent: the installation's own; 0: none.
	ExpiryDefault *int64          `json:"expiry_default,omitempty"`
	ExpiryMax     *int64          `json:"expiry_max,omitempty"`
	Limits        *AccountLimits  `json:"limits,omitempty"`
	Withheld      []WithheldScope `json:"withheld"`
	Revision      int64           `json:"revision"`
}

// AccountCreate makes an account.
type AccountCreate struct {
	ID   int64       `json:"id" minimum:"1" maximum:"9007199254740991" doc:"The platform's own number of the account."`
	Kind AccountKind `json:"kind" enum:"agency,brand,partner"`
	Name string      `json:"name" minLength:"1" maxLength:"100"`
}

// AccountEdit changes an account. Absent fields stay as they are.
type AccountEdit struct {
	Name          *string        `json:"name,omitempty" minLength:"1" maxLength:"100"`
	ExpiryDefault *int64         `json:"expiry_default,omitempty" minimum:"-1" maximum:"3650" doc:"Days; 0: no end; -1: the installation's own."`
	ExpiryMax     *int64         `json:"expiry_max,omitempty" minimum:"-1" maximum:"3650" doc:"Days; 0: no limit; -1: the installation's own."`
	Limits        *AccountLimits `json:"limits,omitempty" doc:"All limits as they shall be; an empty object takes them off."`
	Revision      int64          `json:"revision" doc:"The revision that was seen; another one is a conflict."`
}

// WithheldScope is a scope that the operator does not let an account give, in any version.
type WithheldScope struct {
	API   string `json:"api"`
	Scope string `json:"scope"`
}

// Management is the link by which an agency may act on a brand.
type Management struct {
	Agency     int64      `json:"agency"`
	AgencyName string     `json:"agency_name,omitempty"`
	Brand      int64      `json:"brand"`
	BrandName  string     `json:"brand_name,omitempty"`
	Starts     time.Time  `json:"starts"`
	Ended      *time.Time `json:"ended,omitempty"`
}

// ManagementCreate links an agency to a brand. The agency is the account in the path.
type ManagementCreate struct {
	Agency int64      `json:"-"`
	Brand  int64      `json:"brand" minimum:"1"`
	Starts *time.Time `json:"starts,omitempty" doc:"Absent: now."`
}

// AccountChanged is the answer of an act that verifiers hear of.
type AccountChanged struct {
	Account Account `json:"account"`
	Seq     Seq     `json:"seq"`
}

// Done is the answer of an act that leaves nothing to show: its position on the feed.
type Done struct {
	Seq Seq `json:"seq"`
}

// Why is the reason that a person gives for an act, shown in the history.
type Why struct {
	Why string `json:"why,omitempty" maxLength:"500"`
}

// Page is one page of a list, and where the next one starts.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
}
