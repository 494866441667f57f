package audit

// Event is one act or, with [Refused], one attempt or a sum of like attempts.
type Event struct {
	Seq       int64    `json:"seq"` // position, from 1
	At        int64    `json:"at"`  // microseconds since the Unix epoch, UTC
	Actor     Actor    `json:"actor"`
	Account   int64    `json:"account,omitempty"` // whose history it is in; 0 is the operator's own
	Action    Action   `json:"action"`
	Subject   Subject  `json:"subject"`
	Details   []Detail `json:"details,omitempty"` // what changed, in the order in which a person reads it
	Address   string   `json:"address,omitempty"` // client address, as httpx believed it
	Agent     string   `json:"agent,omitempty"`   // User-Agent
	RequestID string   `json:"request_id,omitempty"`
	Outcome   Outcome  `json:"outcome"`
	Reason    string   `json:"reason,omitempty"` // the stable code of a refusal
	Count     int64    `json:"count,omitempty"`  // how many refusals this event sums up; 0 and 1 are one
}

// Actor is who did it. The name is kept beside the id, because history outlives people.
type Actor struct {
	Kind   ActorKind `json:"kind"`
	Person string    `json:"person,omitempty"` // id
	Name   string    `json:"name,omitempty"`   // as they were called then
	SID    string    `json:"sid,omitempty"`    // of the API-zero token that asked
}

// ActorKind is what kind of actor it was. The zero kind is refused by [Encode].
type ActorKind string

// Kinds of actor.
const (
	ByPerson   ActorKind = "person"   // signed in to the desk
	ByToken    ActorKind = "token"    // an API-zero token, over the management API
	ByVerifier ActorKind = "verifier" // a node that reported something
	ByClock    ActorKind = "clock"    // a timed act
	ByNobody   ActorKind = "nobody"   // not known: a refused sign-in, a request for a password link
)

// Subject is what it was done to.
type Subject struct {
	Kind SubjectKind `json:"kind"`
	ID   string      `json:"id,omitempty"` // SID, person id, account id, publication hash
	Name string      `json:"name,omitempty"`
}

// SubjectKind is what kind of thing it was. The zero kind is refused by [Encode].
type SubjectKind string

// Kinds of subject.
const (
	OnAccount    SubjectKind = "account"
	OnManagement SubjectKind = "management"
	OnPerson     SubjectKind = "person"
	OnToken      SubjectKind = "token"
	OnCatalogue  SubjectKind = "catalogue"
	OnScope      SubjectKind = "scope"
	OnDesk       SubjectKind = "desk" // the installation itself
)

// Detail is one thing that changed. Neither side ever holds a secret.
type Detail struct {
	Field  string `json:"field"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Outcome is what came of it. The zero outcome is refused by [Encode]: nothing is done by default.
type Outcome string

// Outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
)

func (k ActorKind) known() bool {
	switch k {
	case ByPerson, ByToken, ByVerifier, ByClock, ByNobody:
		return true
	default:
		return false
	}
}

func (k SubjectKind) known() bool {
	switch k {
	case OnAccount, OnManagement, OnPerson, OnToken, OnCatalogue, OnScope, OnDesk:
		return true
	default:
		return false
	}
}
