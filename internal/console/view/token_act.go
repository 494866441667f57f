package view

// ActPage is what the confirmation of every act on a token has. Forms post to TokenPath(sid, act) with
// confirm=yes.
type ActPage struct {
	Frame    Frame
	Token    TokenCard
	Revision string // of the token as it was shown, posted as revision: a reload of the POST acts once
	Errors   Errors
}

// TokenDuplicatePage posts name. The answer to the POST is TokenReveal.
type TokenDuplicatePage struct {
	ActPage
	Name string // proposed: free in the account
}

// TokenResetPage has no further fields. The answer to the POST is TokenReveal.
type TokenResetPage struct{ ActPage }

// TokenDisablePage posts why (may be empty, up to 500 characters).
type TokenDisablePage struct {
	ActPage
	Why string
}

// TokenEnablePage posts reset ("yes" or "no"). With yes the answer to the POST is TokenReveal.
type TokenEnablePage struct {
	ActPage
	MustReset bool   // disabled by an operator or a leak: only with a new secret
	CanReset  bool   // this person may give every scope that the token holds
	WhyNot    string // when CanReset is false
	Reset     string // preselected: "yes" or "no"
}

// TokenDeletePage has no further fields.
type TokenDeletePage struct{ ActPage }

// TokenUpgradePage shows what changes for the scopes of this token. It posts scope (repeated): the
// boxes of Ask that were ticked, and of and to: the API and the version that were shown. Carried ones
// need no box.
type TokenUpgradePage struct {
	ActPage
	From    Version
	To      Version
	Carried []ScopeBox // the same name covers nothing that it did not cover before
	Ask     []ScopeBox // the name is there, but covers more: Description says what; must be ticked
	Gone    []ScopeBox // no scope of that name in the new version
}
