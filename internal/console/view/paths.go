package view

import "strings"

// Routes of the desk. GET shows, POST acts, unless said otherwise.
const (
	PathHome       = "/"                // redirects to PathTokens, or to PathOperator for an operator
	PathAssets     = "/assets/"         // files of [Asset]
	PathSignIn     = "/sign-in"         // GET SignIn, POST
	PathSignOut    = "/sign-out"        // POST; then SignedOut
	PathSetUp      = "/set-up"          // GET ?key=…, POST
	PathInvitation = "/invitation"      // GET ?key=…, POST
	PathForgot     = "/password/forgot" // GET, POST
	PathReset      = "/password/reset"  // GET ?key=…, POST

	PathAccount  = "/account" // POST account: switch to that account
	PathSettings = "/settings"
	PathTokens   = "/settings/technical/platform-rest-web-services"
	PathTokenNew = PathTokens + "/new"
	// PathManagement is the list of tokens of the management API, which have a link of their own; the
	// pages of one token are below PathTokens like all others.
	PathManagement    = "/settings/technical/management-api"
	PathManagementNew = PathManagement + "/new"
	PathTokenName     = PathTokens + "/name" // GET ?name=…&sid=…; JSON NameAnswer, for the wizard as one types

	PathHistory       = "/history"
	PathHistoryCSV    = "/history.csv"   // the filter's query is kept
	PathHistoryJSONL  = "/history.jsonl" // the filter's query is kept
	PathMembers       = "/members"
	PathMemberInvite  = "/members/invite" // POST
	PathProfile       = "/profile"
	PathPassword      = "/profile/password"     // POST
	PathSessionEnd    = "/profile/sessions/end" // POST session
	PathSessionEndAll = "/profile/sessions/end-all"

	PathDocs       = "/docs"
	PathDocsSecure = "/docs/keep-your-tokens-secure"
	PathDocsFirst  = "/docs/first-call"
	PathDocsErrors = "/docs/errors"

	PathOperator           = "/operator" // redirects to PathOperatorAccounts
	PathOperatorAccounts   = "/operator/accounts"
	PathOperatorAccountNew = "/operator/accounts/new"
	PathOperatorCatalogue  = "/operator/catalogue"
	PathOperatorDiff       = "/operator/catalogue/diff" // POST files: shows the diff; nothing is changed yet
	PathOperatorPublish    = "/operator/catalogue/publish"
	PathOperatorSelfTest   = "/operator/self-test"
	PathOperatorPeople     = "/operator/people"
	PathOperatorHistory    = "/operator/history"
	PathOperatorSelf       = "/operator/self"
)

// TokenPath is the page of a token, or of one act on it: "duplicate", "reset", "upgrade", "disable",
// "enable", "delete" (GET the confirmation, POST acts), "update" (POST: the differences, then the
// change), "history", "first-call" (GET; JSON FirstCallAnswer).
func TokenPath(sid string, act ...string) string { return under(PathTokens, sid, act...) }

// MemberPath is one member of the current account: POST changes the role; "remove" asks and removes;
// "invite-again" sends the invitation again.
func MemberPath(id string, act ...string) string { return under(PathMembers, id, act...) }

// AccountPath is an operator's page of one account: "suspend", "resume", "settings", "members",
// "management", "management/end", "withheld" take a POST.
func AccountPath(id string, act ...string) string { return under(PathOperatorAccounts, id, act...) }

// DocsPath is the reference of one version of an API.
func DocsPath(api, version string) string { return under(PathDocs, api, version) }

// under joins path parts. SIDs, ids, API and version names are URL-safe by their grammars; what is
// not (a caller's mistake) is percent-encoded by the browser, never read as markup: templ escapes it.
func under(base, id string, act ...string) string {
	return strings.Join(append([]string{base, id}, act...), "/")
}
