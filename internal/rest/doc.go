// Package rest is the management API: the surface for scripts, the command line and infrastructure tools.
// It holds no policy. It judges the credential, decodes, calls one act of the authority and encodes.
//
// The flow of one request. [New]'s handler marks the answer as not to be kept. guard.go asks the verifier
// about the request as it came in: the management API is itself a catalogued API, guarded by our own
// tokens and scopes (API zero), so a path that its document does not have is refused before anything here
// sees it, and only an API-zero token with the operation's scope passes. Of the decision guard.go makes the
// [authority.Actor] that every act is asked with. Then huma matches the operation, decodes parameters and
// body, refuses unknown members and parameters of either, and calls the handler.
//
// Two operations answer any live token about itself, access tokens too: whoami, and explain. There the
// credential alone is judged. To explain another token, explain asks the verifier again for the whole.
//
//	rest.go       Config, New, Document: what the package is to others
//	route.go      one operation: how it is declared, documented and called
//	routes.go     the list of all operations, on a page
//	guard.go      credential → Actor
//	json.go       bodies that can be read in one way only
//	problem.go    every refusal as problem+json, with nothing that was sent in it
//	feed.go       what verifiers on other machines follow; outside of all the above, see there
//	self.go, token.go, member.go, account.go, management.go, catalogue.go, history.go
//	              the operations, one file per resource
//
// A secret leaves in one place: [issued] in token.go. Everything that a client could send wrong is
// answered without quoting it, since it may be a secret (SECURITY.md, class 43).
//
// The OpenAPI document is made of the same declarations ([Document]). It is what the authority catalogues
// as API zero, what /api/v1/openapi.json serves, and what api/openapi.json holds for those who read the
// repository; "counterfoil openapi" prints it, and make verify compares.
//
// What lives elsewhere: the acts and who may do them (internal/authority), the resources and the client
// (api), the console, which meets this package only in the authority.
package rest
