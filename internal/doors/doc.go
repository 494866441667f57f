// Package doors asks the verifier on behalf of whoever asks over HTTP, and holds no policy of its own.
//
// A proxy asks before it forwards: /authorize for Traefik and Caddy, /authorize/nginx for nginx and
// whatever has only 2xx, 401 and 403 ([Handler], forwardauth.go). The question is in forwarded fields,
// which count only from peers on the operator's list, each exactly once; what is missing is a refusal and
// is never taken from the door's own request. The answer is a status with every identity header, or a
// refusal with its challenge and its problem document; for nginx, which drops the body, the document also
// comes as one line of ASCII in a header (nginx.go).
//
// A resource server asks about a token: /oauth2/introspect (RFC 7662, introspect.go), with a credential of
// its own. What it may know nothing of is inactive, without a cause.
//
// A Go program asks in process: [Middleware] judges what its listener received and hands the caller's
// identity on in the context (middleware.go).
//
// What lives elsewhere: the decision and the words and headers of every answer (internal/verify),
// forwarding (internal/gateway), and the gRPC door for Envoy (internal/extauthz).
package doors
