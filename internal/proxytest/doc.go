// Package proxytest gives tests the real proxies: nginx and HAProxy as Debian has them and Caddy built
// from its module, each run with its snippet of examples/proxies on ports of this machine, before a
// backend that records what reaches it.
//
// A test starts a [Backend], the doors, and a [Proxy] between them (run.go); it writes raw octets to the
// proxy and looks at what came through. What is wrong with a request that came through is said by the
// backend models (models.go): each is a way in which some backend reads an address or a method as another
// one, and none may turn a request that was let pass into an operation that the token does not open.
//
// A missing proxy fails the test with the name of its package; it is no reason to skip. The snippet is
// what an operator would copy: only addresses are put into it, and what a test breaks on purpose.
package proxytest
