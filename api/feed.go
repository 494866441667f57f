package api

// Seq is a position on the feed. Positions are dense: 1, 2, 3 and so on, in the order in which acts
// were committed, with no gap.
type Seq int64

// Micros is a time in microseconds since the Unix epoch, UTC. Zero means "no such time".
type Micros int64

// State is what a token is. The zero value is in force nowhere.
type State string

// States of a token. Expired is never stored: it follows from the expiry.
const (
	StateEnabled  State = "enabled"
	StateDisabled State = "disabled"
	StateExpired  State = "expired"
	StateOnHold   State = "on_hold"
	StateLeaked   State = "leaked"
	StateDeleted  State = "deleted"
)

// Reach says on which managed brands an agency's token may act.
type Reach string

// Reaches. The zero value reaches nothing.
const (
	ReachNone Reach = "none"
	ReachAll  Reach = "all"
	ReachList Reach = "list"
)

// Grant is all that a verifier knows of one token. It carries no name and no e-mail address.
type Grant struct {
	SID       string   `json:"sid"`
	Account   int64    `json:"account"`
	State     State    `json:"state"`
	Zero      bool     `json:"zero,omitempty"` // an API-zero token: has a prefix of its own, and opens only the management API
	Secrets   []Secret `json:"secrets"`        // one, or two while a rotation overlaps
	Pins      []Pin    `json:"pins"`           // the first pin of an API is its version; more of the same API only where it allows overriding
	Reach     Reach    `json:"reach,omitempty"`
	Brands    []int64  `json:"brands,omitempty"` // ascending; when Reach is ReachList
	Expires   Micros   `json:"expires,omitempty"`
	NotBefore Micros   `json:"not_before,omitempty"`
	Limits    *Limits  `json:"limits,omitempty"` // without not-before, which is above
	Seen      bool     `json:"seen,omitempty"`   // a call was reported before: the first call is told once
}

// Secret is one live secret of a token, as its digest (SHA-256 of the 43 characters, hex).
type Secret struct {
	Digest string `json:"digest"`
	Until  Micros `json:"until,omitempty"` // when an overlapping old secret ends
}

// Pin is one version of one API with the scopes ticked for it, by name, sorted.
type Pin struct {
	API     string   `json:"api"`
	Version string   `json:"version"`
	Scopes  []string `json:"scopes"`
}

// AccountFacts is what a verifier knows of an account.
type AccountFacts struct {
	Account   int64          `json:"account"`
	Suspended bool           `json:"suspended,omitempty"`
	Operator  bool           `json:"operator,omitempty"` // account 0: the operator's own API-zero tokens
	Manages   []int64        `json:"manages,omitempty"`  // brand accounts managed now, ascending
	Limits    *AccountLimits `json:"limits,omitempty"`   // of all its tokens together
}

// Entry is one change on the feed. Exactly one of the pointers is set; an entry with none (an act
// that verifiers need not know) only moves the position. Quotas are no act: an entry with them repeats the
// position that the follower has already, and says how much was used by now.
type Entry struct {
	Seq       Seq           `json:"seq"`
	At        Micros        `json:"at"`
	Grant     *Grant        `json:"grant,omitempty"`
	Gone      string        `json:"gone,omitempty"` // SID of a deleted token
	Account   *AccountFacts `json:"account,omitempty"`
	Catalogue *Catalogue    `json:"catalogue,omitempty"`
	Quotas    []QuotaUse    `json:"quotas,omitempty"`
}

// Catalogue carries the published catalogue to verifiers: the canonical JSON of decide.Catalogue,
// named by its SHA-256 in hex.
type Catalogue struct {
	Hash string `json:"hash"`
	JSON []byte `json:"json"` // canonical JSON, base64 on the wire so that its bytes survive
}

// Snapshot is the whole state at one position, read in one transaction.
type Snapshot struct {
	Seq       Seq            `json:"seq"`
	At        Micros         `json:"at"`
	Catalogue *Catalogue     `json:"catalogue,omitempty"`
	Accounts  []AccountFacts `json:"accounts"`
	Grants    []Grant        `json:"grants"`
	Quotas    []QuotaUse     `json:"quotas,omitempty"` // of the current day and month
}

// SnapshotLine is one line of a snapshot on its way to another machine (newline-delimited JSON): first all
// but the grants, then each grant, and at the end how many there were, without which it was cut off.
type SnapshotLine struct {
	Head  *Snapshot    `json:"head,omitempty"`
	Grant *Grant       `json:"grant,omitempty"`
	End   *SnapshotEnd `json:"end,omitempty"`
}

// SnapshotEnd closes a snapshot.
type SnapshotEnd struct {
	Grants int `json:"grants"`
}

// Confirmation says up to which position a verifier decides by everything.
type Confirmation struct {
	Seq Seq `json:"seq"`
}

// UsageBatch is what one verifier saw since its last batch. The numbers of a node's batches rise, also
// over its restarts, and each is applied once: one that is not above the last applied is ignored.
type UsageBatch struct {
	Node   string  `json:"node"`
	Number int64   `json:"number"`
	Uses   []Usage `json:"uses"`
}

// Usage is the last allowed call of one token in a batch, and how many there were.
type Usage struct {
	SID     string `json:"sid"`
	At      Micros `json:"at"`
	Address string `json:"address,omitempty"` // client address, as the door believed it
	Agent   string `json:"agent,omitempty"`   // User-Agent, at most 200 octets, controls removed
	Calls   int64  `json:"calls"`
	Refused int64  `json:"refused,omitempty"` // calls with the right secret that were refused
}
