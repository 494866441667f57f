// Package httpx is what every listener of ours has in common, and no more: no session, no policy, no
// page.
//
// The flow of one request: the server of [NewServer] bounds what a peer may send and how slowly;
// [Wrap] gives the request an id of our own making ([RequestID]), settles once who the client is
// ([ClientAddr]), bounds target and body, catches a panic (which is a refusal, never an answer), and
// logs one line when it is over. The listener for people adds [Secure] (the headers that tell a browser
// what it may do with a page) and [SameOrigin] (no form from another site). Handlers answer what went
// wrong through [WriteError], which is where "what a caller may read" and "what only the log may have"
// part: an *api.Error goes out as problem+json (RFC 9457), anything else becomes the code internal and
// one line in the log, joined by the request id. [Serve] runs a server until its context ends, and lets
// what is under way finish.
//
// Who the client is: the peer of the connection, unless that peer is on the operator's list of proxies;
// then the X-Forwarded-For list is walked from the right, past proxies on the list, to the first address
// that is not. The default list is empty, and no list may be everybody (SECURITY.md, classes 10 and 41b).
//
// What lives elsewhere: forwarded method, path and host, which only doors read (internal/doors); rate
// limits (internal/verify, internal/session); health and metrics (internal/ops).
package httpx
