// Package probe asks an operator's own proxy, from outside, whether it is wired as the snippets of
// examples/proxies say: it sends requests that are known to be good and bad, and says in words what is
// mis-wired and which line is missing.
//
// [Run] looks at the address first: only hosts of the catalogue, or this machine, are asked; the name is
// resolved once and the checked address dialled; redirects are not followed; answers are bounded in size
// and time (target.go, wire.go; SECURITY.md, class 39). Then come the checks that need no credential
// (outside.go): refusals carry the door's code, so what the door was told can be read off them: a path that
// was decoded on the way is answered as another one, and a field of the client's that was believed
// changes the answer. With a token that lives for the run, and a [Mirror] in the place of the API, the
// checks of inside.go look at what the API would receive: no credential, every identity field, and
// nobody's word but the verifier's.
//
// What lives elsewhere: the token of a run and the page (internal/console). Nothing here believes what the
// proxy answers: its words are shown, cut short, and never followed.
package probe
