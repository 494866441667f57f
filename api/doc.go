// Package api is the public contract of Counterfoil: what goes over a wire, and nothing else.
//
// It holds the resources of the management API (one file per noun), the entries of the feed that
// verifiers follow, the stable error codes, and [Client], the one client that the command line,
// the Terraform provider and our own tests share. It imports the standard library alone, so that
// whoever embeds a verifier or writes a script against the desk takes on no dependency.
//
// What lives elsewhere: the meaning of these values (internal/authority), their storage
// (internal/store), and the decision on a request (internal/decide).
//
// Conventions, everywhere in this package: times are integer microseconds since the Unix epoch in
// UTC when a verifier reads them ([Micros]) and RFC 3339 when a person or script does; absent is
// the zero value and is left out of the JSON; lists are never null.
package api
