package console

import (
	"net/http"

	"counterfoil.dev/counterfoil/internal/console/view"
)

// routes is every page and form of the desk. GET shows and changes nothing; POST acts.
func (c *Console) routes(handle func(pattern string, h http.Handler)) {
	get := func(path string, h http.HandlerFunc) { handle("GET "+path, h) }
	post := func(path string, h http.HandlerFunc) { handle("POST "+path, h) }

	// Everybody.
	get(view.PathAssets+"{file}", serveAsset)
	get(view.PathSignIn, c.signInPage)
	post(view.PathSignIn, c.signIn)
	post(view.PathSignOut, c.page(c.signOut))
	get("/signed-out", c.signedOut)
	get(view.PathSetUp, c.setUpPage)
	post(view.PathSetUp, c.setUp)
	get(view.PathInvitation, c.invitationPage)
	post(view.PathInvitation, c.acceptInvitation)
	get(view.PathForgot, c.forgotPage)
	post(view.PathForgot, c.forgot)
	get(view.PathReset, c.resetPasswordPage)
	post(view.PathReset, c.resetPassword)
	get(pathSignInLink, c.signInLinkPage)
	post(pathSignInLink, c.signInByLink)

	// Members of an account.
	get("/{$}", c.page(c.home))
	post(view.PathAccount, c.page(c.switchAccount))
	get(view.PathSettings, c.member(c.settings))
	get(view.PathTokens, c.member(c.tokenList))
	get(view.PathTokenName, c.holder(c.tokenName))
	get(view.PathTokenNew, c.member(c.tokenNewPage))
	post(view.PathTokenNew, c.member(c.tokenNew))
	get(view.PathManagement, c.holder(c.tokenList))
	get(view.PathManagementNew, c.holder(c.tokenNewPage))
	post(view.PathManagementNew, c.holder(c.tokenNew))
	token := func(act string) string { return view.TokenPath("{sid}", act) }
	get(view.TokenPath("{sid}"), c.holder(c.tokenEditPage))
	post(token("update"), c.holder(c.tokenUpdate))
	get(token("first-call"), c.holder(c.firstCall))
	get(token("history"), c.holder(c.tokenHistory))
	get(token("duplicate"), c.holder(c.tokenDuplicatePage))
	post(token("duplicate"), c.holder(c.tokenDuplicate))
	get(token("reset"), c.holder(c.tokenResetPage))
	post(token("reset"), c.holder(c.tokenReset))
	get(token("upgrade"), c.holder(c.tokenUpgradePage))
	post(token("upgrade"), c.holder(c.tokenUpgrade))
	get(token("disable"), c.holder(c.tokenDisablePage))
	post(token("disable"), c.holder(c.tokenDisable))
	get(token("enable"), c.holder(c.tokenEnablePage))
	post(token("enable"), c.holder(c.tokenEnable))
	get(token("delete"), c.holder(c.tokenDeletePage))
	post(token("delete"), c.holder(c.tokenDelete))

	get(view.PathHistory, c.member(c.history))
	get(view.PathHistoryCSV, c.page(c.historyCSV))
	get(view.PathHistoryJSONL, c.page(c.historyJSONL))
	get(view.PathMembers, c.member(c.members))
	post(view.PathMemberInvite, c.member(c.memberInvite))
	post(view.MemberPath("{person}"), c.member(c.memberEdit))
	get(view.MemberPath("{person}", "remove"), c.member(c.memberRemovePage))
	post(view.MemberPath("{person}", "remove"), c.member(c.memberRemove))
	post(view.MemberPath("{person}", "invite-again"), c.member(c.memberReinvite))

	// Everybody who is signed in.
	get(view.PathProfile, c.page(c.profile))
	post(view.PathProfile, c.page(c.profileName))
	post(view.PathPassword, c.page(c.changePassword))
	post(view.PathSessionEnd, c.page(c.endSession))
	post(view.PathSessionEndAll, c.page(c.endAllSessions))
	get(view.PathDocs, c.page(c.docs))
	get(view.PathDocsSecure, c.open(c.docsSecure))
	get(view.PathDocsFirst, c.page(c.docsFirst))
	get(view.PathDocsErrors, c.open(c.docsErrors))
	get(view.DocsPath("{api}", "{version}"), c.page(c.docsReference))

	// The operator.
	get(view.PathOperator, c.operator(c.operatorHome))
	get(view.PathOperatorAccounts, c.operator(c.accounts))
	post(view.PathOperatorAccounts, c.operator(c.accountCreate))
	get(view.PathOperatorAccountNew, c.operator(c.accountNew))
	get(view.AccountPath("{account}"), c.operator(c.accountPage))
	post(view.AccountPath("{account}", "{act}"), c.operator(c.accountAct))
	post(view.AccountPath("{account}", "management/end"), c.operator(c.managementEnd))
	get(view.PathOperatorCatalogue, c.operator(c.catalogue))
	post(view.PathOperatorDiff, c.operator(c.catalogueDiff))
	post(view.PathOperatorPublish, c.operator(c.cataloguePublish))
	get(view.PathOperatorSelfTest, c.operator(c.selfTestPage))
	post(view.PathOperatorSelfTest, c.operator(c.selfTest))
	get(view.PathOperatorPeople, c.operator(c.operatorPeople))
	post(view.PathOperatorPeople, c.operator(c.operatorInvite))
	get(view.PathOperatorHistory, c.operator(c.operatorHistory))
	get(view.PathOperatorSelf, c.operator(c.profile))

	handle("/", c.open(c.nothing))
}
