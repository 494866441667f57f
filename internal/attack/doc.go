// Package attack holds the tests that attack every door at once. It has no code of its own.
//
// An oracle (oracle_test.go) says what is right for a catalogue, accounts, tokens and a request. It is
// written from the words of the design, template by template, without trees, bits or tables, and shares
// nothing with internal/decide but the form in which a catalogue is stored. Catalogues, tokens and requests
// are drawn (draw_test.go, request_test.go), half of the requests mutated as the classes of SECURITY.md do
// it. The verifier in process, the middleware, both forward-auth doors, ext_authz over gRPC and the gateway
// before a recording backend (doors_test.go) must all answer as the oracle does, and what passed is
// read again as careless backends would (agree_test.go). The same oracle judges raw octets (fuzz_test.go).
//
// timing_test.go asks whether the time of an answer tells tokens apart, and flood_test.go whether slow,
// large, many and endless peers cost bounded memory while others are answered.
package attack
