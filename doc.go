// Package counterfoil is the in-process verifier of Counterfoil, the API-access-token desk of a
// platform: what a Go program embeds to guard its own handlers. This page is also the map of the
// whole repository.
//
// A counterfoil is the half of a ticket that the issuer keeps. The product keeps a digest of every
// token that it hands out, never the token. It has two halves. At the desk, people of an account
// make tokens, see what each one does, and change or end them. The check decides, on every request
// to the platform's API, from the token, the method, the path and the API version, whether it may
// pass.
//
// # The house
//
// A package imports only what its line in layering_test.go names. From the bottom up:
//
//	words                token, scope, audit, seal    grammar and records; the standard library alone
//	meaning              decide, catalog              documents → policy → table; deciding is pure
//	state and acts       store, authority, session    the only SQL; every act; who is signed in
//	decisions            verify, doors, extauthz,     grants in memory; the questions that proxies ask;
//	                     gateway                      judge, then forward
//	messages             notice                       the outbox, by SMTP or into a folder
//	surfaces             httpx, rest, console, ops    one wrapper; management API; pages; health
//	                     probe                        tests an operator's own proxy from outside
//	outside              api, cmd/counterfoil         the public contract; the one binary
//	tests                attack, proxytest, measure   every door at once; real proxies; floors beside subjects
//
// The data plane (this package, decide, verify, doors, gateway) reaches none of the control plane, not
// even through others: who embeds the verifier gets no SQL driver and no template.
//
// # Create a token
//
// A browser asks cmd/counterfoil's people listener; httpx gives the request an id and limits;
// session turns the cookie into a person; console shows the wizard from what authority offers this
// person. On Create, authority's gate decides and records in one transaction, token mints the
// secret, store keeps its digest, the feed moves one position, and the page shows the secret once.
//
// # Decide one request
//
// Long before, catalog built a policy from OpenAPI documents, authority published it, and verify
// followed the feed into its table of grants. Then a door (doors, gateway, or this package) reads
// the request, verify parses the credential and looks up its grant, decide judges target, route,
// binding, version, scope and reach, and the door answers. Only the first and the last step differ
// between doors.
//
// # Glossary
//
//   - Operator: who runs Counterfoil and owns the APIs.
//   - Account: an agency, brand or partner; it owns tokens and has members.
//   - Catalogue: all APIs with their versions, categories, scopes and operations.
//   - Scope: one check box, a named right; a category is a group of them.
//   - SID: a token's public id, the user name of HTTP Basic and the {AccountSID} of a path.
//   - Auth Token: a token's secret string, shown once.
//   - Reach: the managed brands on which an agency's token may act.
//   - Grant: what a verifier knows of one token.
//   - Verifier: decides from its own copy of all grants; a door is one way to ask it.
//   - Authority: issues, changes and revokes; the only writer.
//   - Feed: the numbered log of changes that verifiers follow.
package counterfoil
