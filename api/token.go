package api

import "time"

// Token is an access token as the desk shows it: everything but the secret, which is not kept.
type Token struct {
	SID         string `json:"sid"`
	Account     int64  `json:"account"`
	Zero        bool   `json:"zero,omitempty" doc:"An API-zero token: opens the management API, and nothing else."`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`

	State      State     `json:"state"`
	StateSince time.Time `json:"state_since"`
	StateBy    string    `json:"state_by,omitempty"`
	StateWhy   string    `json:"state_why,omitempty"`
	// StateLocked: an operator or a leak disabled it, so it comes back only with a new secret.
	StateLocked bool `json:"state_locked,omitempty"`

	API     string     `json:"api"`
	Version string     `json:"version"`
	Pins    []TokenPin `json:"pins"`
	Reach   Reach      `json:"reach,omitempty"`
	Brands  []int64    `json:"brands,omitempty"`

	Expires         *time.Time `json:"expires,omitempty"`
	Limits          *Limits    `json:"limits,omitempty"`
	PrimaryContact  *PersonRef `json:"primary_contact,omitempty"`
	DeveloperEmails []string   `json:"developer_emails"`

	Created   time.Time  `json:"created"`
	CreatedBy string     `json:"created_by"`
	Revision  int64      `json:"revision"`
	FirstCall *time.Time `json:"first_call,omitempty"`
	LastUse   *LastUse   `json:"last_use,omitempty"`
	Calls     int64      `json:"calls"`
}

// TokenPin is the version that a token is pinned to, with what the catalogue says of it now.
type TokenPin struct {
	API          string     `json:"api"`
	APITitle     string     `json:"api_title"`
	Version      string     `json:"version"`
	VersionState string     `json:"version_state"`
	Latest       bool       `json:"latest,omitempty"`
	LatestName   string     `json:"latest_name,omitempty" doc:"The latest version, when the token is behind it."`
	Sunset       *time.Time `json:"sunset,omitempty"`
	Scopes       []string   `json:"scopes"`
}

// LastUse says when, from where and by what a token was used last.
type LastUse struct {
	At      time.Time `json:"at"`
	Address string    `json:"address,omitempty"`
	Agent   string    `json:"agent,omitempty"`
}

// TokenCreate is what the wizard asks for. Scopes of the nested API are written api/scope.
type TokenCreate struct {
	Name            string     `json:"name" minLength:"1" maxLength:"100"`
	Description     string     `json:"description,omitempty" maxLength:"500"`
	API             string     `json:"api,omitempty" doc:"Absent: the account's only one. counterfoil is the management API itself."`
	Version         string     `json:"version,omitempty" doc:"Absent: the latest."`
	Expires         *time.Time `json:"expires,omitempty" doc:"Absent: the account's default."`
	NeverExpires    bool       `json:"never_expires,omitempty" doc:"No end, where the account allows it."`
	Reach           Reach      `json:"reach,omitempty" enum:"none,all,list"`
	Brands          []int64    `json:"brands,omitempty" maxItems:"10000"`
	BrandVersion    string     `json:"brand_version,omitempty" doc:"Version of the nested API; absent: its latest."`
	PrimaryContact  string     `json:"primary_contact,omitempty" doc:"Person id or e-mail address of an active member; absent: the caller, if a member."`
	DeveloperEmails []string   `json:"developer_emails,omitempty" maxItems:"20"`
	Scopes          []string   `json:"scopes" maxItems:"10000"`
	Limits          *Limits    `json:"limits,omitempty" doc:"Absent: none."`
}

// TokenEdit changes a token. Absent fields stay as they are; the secret stays in any case.
type TokenEdit struct {
	Name            *string    `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Description     *string    `json:"description,omitempty" maxLength:"500"`
	Expires         *time.Time `json:"expires,omitempty"`
	NeverExpires    *bool      `json:"never_expires,omitempty"`
	Reach           *Reach     `json:"reach,omitempty" enum:"none,all,list"`
	Brands          *[]int64   `json:"brands,omitempty" maxItems:"10000"`
	BrandVersion    *string    `json:"brand_version,omitempty"`
	PrimaryContact  *string    `json:"primary_contact,omitempty"`
	DeveloperEmails *[]string  `json:"developer_emails,omitempty" maxItems:"20"`
	Scopes          *[]string  `json:"scopes,omitempty" maxItems:"10000"`
	Limits          *Limits    `json:"limits,omitempty" doc:"All limits as they shall be; an empty object takes them off."`
	Revision        int64      `json:"revision" doc:"The revision that was seen; another one is a conflict."`
}

// TokenDuplicate makes a new token with the same scopes under another name.
type TokenDuplicate struct {
	Name string `json:"name" minLength:"1" maxLength:"100"`
}

// TokenUpgrade moves a token to another version.
type TokenUpgrade struct {
	API      string   `json:"api,omitempty" doc:"Absent: the token's first API."`
	Version  string   `json:"version,omitempty" doc:"Absent: the latest."`
	Scopes   []string `json:"scopes,omitempty" doc:"Scopes to tick beside those carried over." maxItems:"10000"`
	Revision int64    `json:"revision"`
}

// TokenReset asks for a new secret under the same SID; the old one ends at once.
type TokenReset struct {
	Revision int64 `json:"revision,omitempty" doc:"The revision that was seen; another one is a conflict. Absent: whichever it is."`
}

// TokenList is one page of an account's tokens, newest first, with the way to both sides.
type TokenList struct {
	Items    []Token `json:"items"`
	Total    int64   `json:"total" doc:"Tokens that match the filters, on all pages."`
	Next     string  `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
	Previous string  `json:"previous,omitempty" doc:"Cursor of the page before; absent on the first."`
}

// TokenEnable enables a token, with a new secret if asked.
type TokenEnable struct {
	Reset bool `json:"reset,omitempty"`
}

// TokenIssued is the one answer that holds a secret. AuthToken is null when a create was replayed:
// the secret was shown once and is not kept; reset the token for a new one.
type TokenIssued struct {
	Token     Token   `json:"token"`
	AuthToken *string `json:"auth_token" nullable:"true"`
	Replayed  bool    `json:"replayed,omitempty"`
	Note      string  `json:"note,omitempty"`
	Seq       Seq     `json:"seq,omitempty"`
}

// TokenChanged is the answer of every other act on a token.
type TokenChanged struct {
	Token Token `json:"token"`
	Seq   Seq   `json:"seq"`
}

// UpgradePlan says what an upgrade would do to one token's own scopes.
type UpgradePlan struct {
	API     string        `json:"api"`
	From    string        `json:"from"`
	To      string        `json:"to"`
	Carried []UpgradeStep `json:"carried" doc:"Same name, and nothing that it did not cover before."`
	Ask     []UpgradeStep `json:"ask" doc:"Covers more than before, so it must be ticked."`
	Gone    []UpgradeStep `json:"gone" doc:"Not in the new version."`
}

// UpgradeStep is one scope of the plan.
type UpgradeStep struct {
	Scope    string   `json:"scope"`
	Category string   `json:"category"`
	Label    string   `json:"label"`
	Why      string   `json:"why,omitempty"`
	Added    []string `json:"added,omitempty" doc:"Operations that the name did not cover before."`
	Allowed  bool     `json:"allowed" doc:"This person may give it."`
}

// Whoami is what a live token learns about itself.
type Whoami struct {
	SID     string     `json:"sid"`
	Account int64      `json:"account"`
	Zero    bool       `json:"zero,omitempty"`
	Name    string     `json:"name"`
	State   State      `json:"state"`
	Pins    []TokenPin `json:"pins"`
	Reach   Reach      `json:"reach,omitempty"`
	Brands  []int64    `json:"brands,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

// Explain asks whether a request would pass.
type Explain struct {
	SID    string `json:"sid,omitempty" maxLength:"64" doc:"Absent: the caller itself. Another token of the account, for a caller that may explain it."`
	Method string `json:"method" maxLength:"16"`
	Path   string `json:"path" maxLength:"8192" doc:"Request target with its query, as it is sent. {AccountSID} stands for the token's own."`
	Host   string `json:"host,omitempty" maxLength:"255" doc:"Absent: the API's first host."`
	// Version and Brand are shortcuts for the header and for the path of a nested call.
	Version string `json:"version,omitempty" maxLength:"64" doc:"Sent as the API's version header."`
	Brand   int64  `json:"brand,omitempty" minimum:"1" doc:"Put in place of the first {parameter} of the path that is not {AccountSID}."`
}

// Explained is what the check would answer.
type Explained struct {
	Allowed   bool           `json:"allowed"`
	Code      Code           `json:"code,omitempty"`
	Why       string         `json:"why"`
	API       string         `json:"api,omitempty"`
	Version   string         `json:"version,omitempty"`
	Operation string         `json:"operation,omitempty"`
	Scope     string         `json:"scope,omitempty"`
	Brand     int64          `json:"brand,omitempty"`
	Missing   []MissingScope `json:"missing,omitempty"`
	Fix       string         `json:"fix,omitempty"`
}
