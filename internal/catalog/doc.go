// Package catalog turns OpenAPI documents and one catalogue file into what verifiers judge by and what
// people see. It is the only package that knows OpenAPI; documents are large, strange and untrusted, and
// a verifier needs only the result.
//
// The flow:
//
//	Pack, Unpack   a folder on its way to the server, as a bounded archive          pack.go files.go
//	Load           catalog.yaml and the documents that it names → Source             load.go
//	  parse        JSON or YAML → one tree of values with lines, bounded             node.go jsonread.go yamlread.go
//	  fileReader   the tree of catalog.yaml → fileAPI, all faults at once            yaml.go yamlmarks.go yamlcheck.go dates.go
//	Build          Source → Result, version by version                               build.go
//	  reader       the documents of a version → operations, references resolved      document.go docparts.go ref.go
//	  admit        under the base, outside by permission, or left out                routes.go template.go
//	  requirements which scopes an operation asks for, and how scopes are called     scopes.go names.go
//	  parameters   what a schema narrows                                             routes.go
//	  overlaps     equal shapes, crossing templates                                  overlap.go
//	  nest         one API under the passthrough prefix of another                   nest.go
//	  examples     example URIs without a route, suggested relations; bodies: brands that reach cannot see
//	                                                                                 examples.go bodies.go
//	Compare        what changes from one Result to the next                          diff.go
//	CarryOver      which scopes of a token move to another version by themselves     carry.go
//	Effect         what one token gains and loses by a publish                       effect.go
//
// A Result has two forms: decide.Catalogue, which goes to every verifier, and the presentation
// (present.go), which is stored beside it for the console and the API reference. Everything found on the
// way is a Problem with file and line (problem.go): fatal ones refuse publishing, problems say what is
// left out or weaker than it looks, notes are notes. The rules in full are a table of golden pairs in
// testdata: each file is a catalogue, its documents and everything that comes out.
//
// Three habits. What a document does not say is never taken as permission: no security is not public, no
// base is no place, an unreadable server is nobody's. Every limit is checked before the work or memory
// that it bounds. And the same input gives the same octets: what is walked is a list, never a map, or
// does not depend on the order.
//
// What lives elsewhere: matching and judging requests (decide), storing and publishing (authority),
// comparing with what tokens hold (authority, on top of Diff).
package catalog
