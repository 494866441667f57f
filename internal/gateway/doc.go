// Package gateway stands in front of an API itself: it judges a request, and then forwards exactly what
// was judged.
//
// The flow of one request (gateway.go): the fields of the connection are removed, the verifier judges what
// is left, and a refusal is answered by the same writer as at every other door. What passes goes to the
// upstream that the catalogue names for the API, if the gateway's own configuration lists its host
// (upstream.go): with the target's bytes and the Host that were judged, without what the client may not
// tell the backend (fields.go), and with the identity headers set, all of them. One line of log tells what
// became of it, never the query (log.go).
//
// An upgrade (websocket) passes only on routes that admit it, and its tunnel ends when the token no longer
// passes (upgrade.go).
//
// The listener is http.Server's: framing that has two readings is refused or re-framed there, and HTTP/1.1
// and HTTP/2 both come in. What lives elsewhere: the decision (internal/verify), limits of the listener
// (internal/httpx).
package gateway
