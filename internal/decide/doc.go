// Package decide turns a published catalogue into a table and judges requests by it. It is pure: no clock,
// no network, no database, no state but the table, which never changes. Every door of every verifier asks
// here, so the same request gets the same answer everywhere.
//
// # Flow
//
// A [Catalogue] is what is stored and travels: routes with the scopes that they ask for (policy.go), in one
// canonical spelling named by its hash (canonical.go). [Compile] refuses it if it could be read in two
// ways, and else builds a [Table] (compile.go, mount.go, route.go, param.go): per API one tree of path
// segments that all its versions share (template.go, tree.go), and bits for scopes that stay the same from
// one catalogue to the next.
//
// A request is judged in two halves, because between them a verifier looks at the credential:
//
//   - [Table.Match] (match.go) reads it without knowing the caller. The target must be in its one spelling
//     (path.go, host.go), the method known and not replaced behind our back (method.go, field.go), the
//     version named at most once (query.go). One walk finds the templates that match, in all versions
//     (reading.go), and refuses what a careless server would take for another one (lookalike.go).
//   - [Table.Decide] (judge.go) judges it for the caller: does the path name it, which version counts, do
//     its scopes open the route there, and may it act on the brand.
//
// The first failure answers, with a [Reason] (reason.go) whose zero value refuses, and a [Verdict] that
// says enough to teach. An allowed request was judged exactly as it is written; nothing is ever repaired,
// so a gateway forwards the very bytes that were judged.
//
// # Which operation a path is
//
// Of the templates that match, each is dropped that another is more specific than: a literal before
// literal text around a parameter before a parameter alone, at no position less specific. Only then the
// method is looked at. What still crosses is asked for together. Schemas of parameters narrow single
// operations and never move a request from one template to another.
//
// Documents become catalogues in package catalog; tokens, secrets and limits are package verify's.
package decide
