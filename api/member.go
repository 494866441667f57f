package api

import "time"

// Role is what a member may do in an account. The zero value may do nothing.
type Role string

// Roles.
const (
	RoleAdministrator Role = "administrator" // Account Administrator: may give every scope of the account's APIs
	RoleSpecialist    Role = "specialist"    // Implementation Specialist: all but sensitive scopes, unless allowed
	RoleAnalyst       Role = "analyst"       // reads only
)

// Words is the role as a person reads it.
func (r Role) Words() string {
	switch r {
	case RoleAdministrator:
		return "Account Administrator"
	case RoleSpecialist:
		return "Implementation Specialist"
	case RoleAnalyst:
		return "Analyst"
	default:
		return "No role"
	}
}

// Member is a person in an account.
type Member struct {
	Person         string     `json:"person"`
	Name           string     `json:"name"`
	Email          string     `json:"email"`
	Role           Role       `json:"role"`
	AllowSensitive bool       `json:"allow_sensitive" doc:"A specialist who may give sensitive scopes."`
	Invited        time.Time  `json:"invited"`
	Joined         *time.Time `json:"joined,omitempty"`
	Disabled       bool       `json:"disabled,omitempty"`
}

// Active says that the member can sign in and be a primary contact.
func (m Member) Active() bool { return m.Joined != nil && !m.Disabled }

// MemberInvite asks a person into an account by e-mail.
type MemberInvite struct {
	Email          string `json:"email" maxLength:"254"`
	Name           string `json:"name,omitempty" maxLength:"100" doc:"Absent: the address, until the person accepts and says their name."`
	Role           Role   `json:"role" enum:"administrator,specialist,analyst"`
	AllowSensitive bool   `json:"allow_sensitive,omitempty"`
}

// MemberEdit changes a member's role. Absent fields stay as they are.
type MemberEdit struct {
	Role           *Role `json:"role,omitempty" enum:"administrator,specialist,analyst"`
	AllowSensitive *bool `json:"allow_sensitive,omitempty"`
}

// PersonRef names a person.
type PersonRef struct {
	Person string `json:"person"`
	Name   string `json:"name"`
	Email  string `json:"email,omitempty"`
	Active bool   `json:"active"`
}
