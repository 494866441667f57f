// Package extauthz asks the verifier on behalf of Envoy, and of everything that speaks its external
// authorization protocol (envoy.service.auth.v3 over gRPC), and holds no policy of its own.
//
// [Server.Check] (check.go) takes the question from the attributes of a CheckRequest (wire.go, question.go):
// method, raw path with its query, host, fields. What is missing, or there in two readings, is a refusal. The
// answer (answer.go) sets every identity header and removes the credential and whatever a client made up in
// their names; or it refuses with the status, challenge and problem document that a forward-auth door gives.
//
// Whatever goes wrong is a refusal in a CheckResponse and never an error of gRPC: an Envoy that is set up
// with failure_mode_allow takes an error for consent (SECURITY.md, class 45). So a panic refuses too, and so
// does a peer that is not on the operator's list.
//
// [Server.Serve] (server.go) is the listener with its limits, and the health service.
//
// What lives elsewhere: the decision and its words (internal/verify), the doors over HTTP (internal/doors),
// forwarding (internal/gateway).
package extauthz
