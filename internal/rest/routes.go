package rest

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

// routes is the list of all operations.
func (s *server) routes(h huma.API) {
	// Any live token, about itself.
	add(s, h, op(get, "/whoami", "whoami", self, "See which token this is"), s.whoami)
	add(s, h, op(post, "/explain", "explain-request", self, "Explain whether a request would pass"), s.explain)

	add(s, h, op(get, "/tokens", "list-tokens", tokens, "List access tokens"), s.listTokens)
	add(s, h, op(post, "/tokens", "create-token", tokens, "Create an access token").issues(), s.createToken)
	add(s, h, op(get, "/tokens/{sid}", "get-token", tokens, "See one access token"), s.getToken)
	add(s, h, op(patch, "/tokens/{sid}", "edit-token", tokens, "Edit an access token"), s.editToken)
	add(s, h, op(remove, "/tokens/{sid}", "delete-token", tokens, "Delete an access token"), s.deleteToken)
	add(s, h, op(post, "/tokens/{sid}/duplicate", "duplicate-token", tokens, "Duplicate an access token").issues(), s.duplicateToken)
	add(s, h, op(post, "/tokens/{sid}/reset", "reset-token", tokens, "Reset the secret of an access token"), s.resetToken)
	add(s, h, op(post, "/tokens/{sid}/disable", "disable-token", tokens, "Disable an access token"), s.disableToken)
	add(s, h, op(post, "/tokens/{sid}/enable", "enable-token", tokens, "Enable an access token"), s.enableToken)
	add(s, h, op(get, "/tokens/{sid}/upgrade", "plan-upgrade", tokens, "See what a version upgrade would change"), s.planUpgrade)
	add(s, h, op(post, "/tokens/{sid}/upgrade", "upgrade-token", tokens, "Upgrade the version of an access token"), s.upgradeToken)
	add(s, h, op(get, "/offer", "get-offer", tokens, "See which scopes can be given"), s.getOffer)

	add(s, h, op(get, "/members", "list-members", members, "List members"), s.listMembers)
	add(s, h, op(post, "/members", "invite-member", members, "Invite a member").created(), s.inviteMember)
	add(s, h, op(patch, "/members/{person}", "edit-member", members, "Change the role of a member"), s.editMember)
	add(s, h, op(remove, "/members/{person}", "remove-member", members, "Remove a member"), s.removeMember)
	add(s, h, op(post, "/members/{person}/invitation", "resend-invitation", members, "Send an invitation again"), s.resendInvitation)

	add(s, h, op(get, "/accounts", "list-accounts", accounts, "List accounts"), s.listAccounts)
	add(s, h, op(post, "/accounts", "create-account", accounts, "Create an account").created(), s.createAccount)
	add(s, h, op(get, "/accounts/{id}", "get-account", accounts, "See one account"), s.getAccount)
	add(s, h, op(patch, "/accounts/{id}", "edit-account", accounts, "Edit an account"), s.editAccount)
	add(s, h, op(post, "/accounts/{id}/suspend", "suspend-account", accounts, "Suspend an account"), s.suspendAccount)
	add(s, h, op(post, "/accounts/{id}/resume", "resume-account", accounts, "Resume an account"), s.resumeAccount)
	add(s, h, op(get, "/accounts/{id}/management", "list-management", accounts, "List who manages whom"), s.listManagement)
	add(s, h, op(post, "/accounts/{id}/management", "create-management", accounts, "Let an agency manage a brand").created(), s.createManagement)
	add(s, h, op(remove, "/accounts/{id}/management/{brand}", "end-management", accounts, "End the management of a brand"), s.endManagement)
	add(s, h, op(put, "/accounts/{id}/withheld/{api}/{scope}", "withhold-scope", accounts, "Withhold a scope from an account"), s.withholdScope)
	add(s, h, op(remove, "/accounts/{id}/withheld/{api}/{scope}", "release-scope", accounts, "Release a scope to an account"), s.releaseScope)

	add(s, h, op(get, "/catalog", "get-catalogue", catalogue, "See the published catalogue"), s.getCatalogue)
	add(s, h, op(post, "/catalog/diff", "diff-catalogue", catalogue, "Compare documents with the catalogue").uploads(), s.diffCatalogue)
	add(s, h, op(post, "/catalog/publish", "publish-catalogue", catalogue, "Publish the catalogue").uploads(), s.publishCatalogue)

	add(s, h, op(get, "/history", "list-history", history, "See the history"), s.listHistory)
	add(s, h, op(get, "/history/export", "export-history", history, "Export the history").streams("application/jsonl", "text/csv"), s.exportHistory)
	add(s, h, op(get, "/history/verify", "verify-history", history, "Verify the audit chain"), s.verifyHistory)
}
