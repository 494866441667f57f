package view

// TokenListPage is GET PathTokens. The filter form is a GET with the query fields q, created ("",
// "7d", "30d", "older"), state ("", "enabled", "disabled", "expired") and version ("" or
// "<api>/<version>").
type TokenListPage struct {
	Frame   Frame
	Tokens  []TokenCard
	Pager   Pager
	Filter  TokenFilter
	Zero    bool   // tokens of the management API: PathManagement
	Any     bool   // the account has at least one token, whatever the filter
	CanMake bool   // this person may press Create Access Token
	WhyNot  string // when not: who may
	Notices []Flash
}

// TokenFilter is what the list was filtered by.
type TokenFilter struct {
	Query    string
	Created  string
	State    string
	Version  string
	Versions []Choice // all versions that tokens of the account are on; without "any"
}

// Set says whether any filter is in use.
func (f TokenFilter) Set() bool {
	return f.Query != "" || f.Created != "" || f.State != "" || f.Version != ""
}

func (p TokenListPage) path() string { return listPath(p.Zero) }

// listPath is the list that a token is on.
func listPath(zero bool) string {
	if zero {
		return PathManagement
	}
	return PathTokens
}

func (p TokenListPage) heading() string {
	if p.Zero {
		return "Management API"
	}
	return "Platform REST Web Services"
}

func (p TokenListPage) about() string {
	if p.Zero {
		return "Tokens for scripts that run this desk. They open the management API and nothing else."
	}
	return "Access tokens let programs call the platform's API in the name of this account."
}
