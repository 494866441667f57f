package api

import "time"

// Offer is the catalogue as one person may give it in one account: what the wizard shows.
type Offer struct {
	Account       Account     `json:"account"`
	APIs          []OfferAPI  `json:"apis"`
	Brands        []OfferRef  `json:"brands" doc:"Brands managed now."`
	Contacts      []PersonRef `json:"contacts" doc:"Active members, who may be primary contact."`
	ExpiryDefault int64       `json:"expiry_default" doc:"Days; 0: no end."`
	ExpiryMax     int64       `json:"expiry_max" doc:"Days; 0: no limit."`
}

// OfferRef is an account by id and name.
type OfferRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// OfferAPI is one API that the account may hold tokens for, or one nested in it.
type OfferAPI struct {
	Name     string         `json:"name"`
	Title    string         `json:"title"`
	Base     string         `json:"base"`
	Hosts    []string       `json:"hosts"`
	Header   string         `json:"header,omitempty"`
	Query    string         `json:"query,omitempty"`
	Nested   bool           `json:"nested,omitempty" doc:"Opened only through a passthrough of another API."`
	Nests    []string       `json:"nests,omitempty" doc:"APIs nested in this one."`
	Zero     bool           `json:"zero,omitempty" doc:"The management API."`
	Versions []OfferVersion `json:"versions" doc:"Newest first; retired ones are left out."`
}

// OfferVersion is one version with its boxes.
type OfferVersion struct {
	Name       string           `json:"name"`
	State      string           `json:"state"`
	Latest     bool             `json:"latest,omitempty"`
	Released   *time.Time       `json:"released,omitempty"`
	Deprecated *time.Time       `json:"deprecated,omitempty"`
	Sunset     *time.Time       `json:"sunset,omitempty"`
	Categories []OfferCategory  `json:"categories"`
	Operations []OfferOperation `json:"operations"`
}

// OfferCategory is a group of boxes.
type OfferCategory struct {
	Name   string       `json:"name"`
	Slug   string       `json:"slug"`
	Scopes []OfferScope `json:"scopes"`
}

// OfferScope is one box.
type OfferScope struct {
	Name        string   `json:"name"`
	Label       string   `json:"label"`
	Description string   `json:"description,omitempty"`
	Access      string   `json:"access" doc:"read or write"`
	Sensitive   string   `json:"sensitive,omitempty" doc:"Why it is sensitive."`
	Needs       []string `json:"needs,omitempty" doc:"Scopes that it cannot do without."`
	Operations  []int    `json:"operations" doc:"Indexes into the version's operations."`
	Allowed     bool     `json:"allowed" doc:"This person may give it."`
	Reason      string   `json:"reason,omitempty" doc:"Why not."`
}

// OfferOperation is one operation, for the reference.
type OfferOperation struct {
	Method      string     `json:"method"`
	Path        string     `json:"path"`
	Summary     string     `json:"summary,omitempty"`
	Description string     `json:"description,omitempty"`
	Scopes      [][]string `json:"scopes" doc:"Alternatives; each is a list that is needed whole."`
	Public      bool       `json:"public,omitempty"`
	BodyBrands  []string   `json:"body_brands,omitempty" doc:"Body members that name brands: reach cannot see them."`
}

// CatalogueState is the published catalogue in short.
type CatalogueState struct {
	Hash      string        `json:"hash"`
	Seq       Seq           `json:"seq"`
	Published time.Time     `json:"published"`
	By        string        `json:"by"`
	APIs      []CatalogAPI  `json:"apis"`
	History   []Publication `json:"history"`
}

// CatalogAPI counts one version of one API, with its problems.
type CatalogAPI struct {
	API        string           `json:"api"`
	Title      string           `json:"title,omitempty"`
	Version    string           `json:"version"`
	State      string           `json:"state,omitempty"`
	Deprecated *time.Time       `json:"deprecated,omitempty"`
	Sunset     *time.Time       `json:"sunset,omitempty"`
	Operations int              `json:"operations" doc:"Operations read."`
	Published  int              `json:"published" doc:"Operations that requests can reach."`
	Scopes     int              `json:"scopes"`
	Tokens     int64            `json:"tokens"`
	Problems   []CatalogProblem `json:"problems"`
}

// CatalogProblem is one thing that the reader of the documents has to say.
type CatalogProblem struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
}

// Publication is one earlier act of publishing.
type Publication struct {
	Seq  Seq       `json:"seq"`
	Hash string    `json:"hash"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
}

// CatalogUpload carries a folder of documents, packed as catalog.PackDir does.
type CatalogUpload struct {
	Documents []byte   `json:"documents" doc:"The packed folder, base64."`
	Confirmed []string `json:"confirmed,omitempty" doc:"Public operations that the publisher confirms: api/version METHOD path."`
	// Hash is the catalogue that the diff was shown against; another live one by now is a conflict.
	Hash string `json:"hash,omitempty"`
}

// CatalogDiff says what publishing would change, and for whom.
type CatalogDiff struct {
	Hash       string          `json:"hash" doc:"The live catalogue that this was compared with."`
	NewHash    string          `json:"new_hash"`
	Fatal      bool            `json:"fatal" doc:"Publishing is refused until the fatal problems are mended."`
	APIs       []CatalogAPI    `json:"apis"`
	Changes    []CatalogChange `json:"changes"`
	Tokens     []TokenChange   `json:"tokens" doc:"Tokens whose reach would grow or shrink, at most 1,000."`
	Grow       int64           `json:"grow"`
	Shrink     int64           `json:"shrink"`
	Unanswered []string        `json:"unanswered" doc:"Public operations that the publisher has not confirmed."`
}

// CatalogChange is one difference.
type CatalogChange struct {
	API     string   `json:"api"`
	Version string   `json:"version,omitempty"`
	Kind    string   `json:"kind" doc:"added, removed, widened, narrowed, renamed, or changed"`
	Scope   string   `json:"scope,omitempty"`
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
}

// TokenChange is one token that a publication touches.
type TokenChange struct {
	Account int64    `json:"account"`
	SID     string   `json:"sid"`
	Grows   []string `json:"grows,omitempty"`
	Shrinks []string `json:"shrinks,omitempty"`
}

// HistoryEvent is one act, as the History page shows it.
type HistoryEvent struct {
	Seq     Seq           `json:"seq"`
	At      time.Time     `json:"at"`
	Account int64         `json:"account,omitempty"`
	Who     string        `json:"who"`
	Token   string        `json:"token,omitempty" doc:"SID of the API-zero token that acted."`
	Action  string        `json:"action"`
	Words   string        `json:"words"`
	Kind    string        `json:"kind,omitempty"`
	Subject string        `json:"subject,omitempty"`
	Name    string        `json:"name,omitempty"`
	Details []HistoryPair `json:"details"`
	Address string        `json:"address,omitempty"`
	Refused bool          `json:"refused,omitempty"`
	Count   int64         `json:"count,omitempty"`
	Request string        `json:"request,omitempty"`
}

// HistoryPair is one value before and after.
type HistoryPair struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// ChainVerified is the outcome of walking the whole audit chain.
type ChainVerified struct {
	Events int64  `json:"events"`
	Seq    Seq    `json:"seq"`
	Hash   string `json:"hash"`
	Broken Seq    `json:"broken,omitempty" doc:"The first position whose event does not match its hash."`
}

// OfferCallers are the tokens that can call an operation: some by name, all by number.
type OfferCallers struct {
	Listed []OfferToken `json:"listed"`
	All    int          `json:"all"`
}

// OfferToken names a token that can call an operation.
type OfferToken struct {
	SID  string `json:"sid"`
	Name string `json:"name"`
}
