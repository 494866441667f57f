// Package authority is the control plane: every act on accounts, members, tokens and the catalogue,
// and the one writer of what verifiers follow.
//
// Every act has one shape. A surface (rest, console, the command line through rest) makes an [Actor] of
// whoever asks and calls one method here. The method goes through the gate (gate.go): may this actor do
// this, in this account? Then it runs one transaction: rows, audit event, feed entry, outbox row, all
// or nothing. It answers only after the commit, and after the connected verifiers have confirmed the
// position or [confirmWait] has passed, so that what the page says is true at the next request.
//
//	authority.go   the package's state, and act, the shape of every act
//	gate.go        who may do what; refusals, summed
//	standing.go    whether that still holds inside the act
//	account.go     accounts, management links, withheld scopes      (operator)
//	member.go      members and invitations
//	catalogue.go   the live catalogue; diff and publish             (operator)
//	offer.go       catalogue ∩ what this person may give: the boxes of the wizard
//	fields.go      what a name, an address, an expiry may be
//	limits.go      what limits may be, when one loosens, how they are told
//	pins.go        version, scopes and reach that were asked for → what the token is pinned to
//	issue.go       create and duplicate: the acts that show a secret
//	reset.go       reset, and enabling with a new secret
//	edit.go        edits, and upgrades of the version
//	state.go       disable, enable, delete
//	list.go        lists, search, one token
//	draft.go       the wizard under way
//	feed.go        verify.Source for a verifier in this process; grants from rows
//	usage.go       numbered batches of last use
//	quota.go       calls of what has a quota, added up from batches and told to verifiers
//	history.go     the audit trail: read, verify, export
//
// The rule that the rest hangs from: who is shown a secret must be allowed to give every scope that the
// token holds. Create, duplicate, reset and enable-with-reset all ask [Authority.mayGive].
//
// What lives elsewhere: sign-in and sessions (internal/session), the decision on a request
// (internal/decide, internal/verify), what an OpenAPI document means (internal/catalog).
package authority
