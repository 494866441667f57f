package view

import "time"

// Member is one member of an account.
type Member struct {
	ID        string
	Person    Person
	Role      Role
	Sensitive bool // an Implementation Specialist who may give sensitive scopes
	Since     time.Time
	LastSeen  time.Time // zero: not known
	Invited   bool      // has not accepted yet
	Contacts  int       // tokens whose primary contact this is
	You       bool
	Last      bool // the only Account Administrator: role and membership stay
}

// MembersPage is GET PathMembers. The invitation posts email and role to PathMemberInvite; each row
// posts role and sensitive ("yes" or absent) to MemberPath(id); removal is a page of its own.
type MembersPage struct {
	Frame   Frame
	Members []Member
	Email   string // of the invitation, when it was refused
	Role    Role
	Errors  Errors // fields: email, role
}

// MemberRemovePage is GET MemberPath(id, "remove"); the POST has confirm=yes and, when the member is
// a contact, contact: the member who takes over.
type MemberRemovePage struct {
	Frame  Frame
	Member Member
	Tokens []TokenCard // whose primary contact this member is
	Others []Person
	Errors Errors // fields: contact
}

// Session is one place where a person is signed in.
type Session struct {
	ID       string
	Started  time.Time
	LastSeen time.Time
	Address  string
	Client   string
	This     bool
}

// ProfilePage is GET PathProfile and PathOperatorSelf. Name posts name to PathProfile; the password
// posts current and password to PathPassword; a session posts session to PathSessionEnd.
type ProfilePage struct {
	Frame    Frame
	Name     string
	Sessions []Session
	Errors   Errors // fields: name, current, password
}
