package gateway

import (
	"net/http"

	"counterfoil.dev/counterfoil/internal/verify"
)

// Fields by which a client could tell the backend something that only the gateway may: who the caller is,
// what the original request was, where it came from. Backends and frameworks act on them (Symfony and IIS
// take the path from X-Original-URL and X-Rewrite-URL), so none passes, however it is spelt (SECURITY.md,
// classes 12 to 14).
var (
	droppedPrefixes = []string{"x-counterfoil-", "x-forwarded-", "x-original-", "x-rewrite-", "x-auth-request-", "x-envoy-"}
	droppedFields   = []string{"forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x-cluster-client-ip", "x-request-id", "x-forwarded"}
)

// clean removes them.
func clean(h http.Header) {
	for key := range h {
		if dropped(key) {
			delete(h, key)
		}
	}
}

func dropped(key string) bool {
	for _, prefix := range droppedPrefixes {
		if verify.HasFoldedPrefix(key, prefix) {
			return true
		}
	}
	for _, name := range droppedFields {
		if len(key) == len(name) && verify.HasFoldedPrefix(key, name) {
			return true
		}
	}
	return false
}

// tellWho sets what the gateway itself knows: the client as it believes it, the host and the scheme that
// were asked for, and the request id.
func (x *exchange) tellWho(h http.Header) {
	if x.request.Client.IsValid() {
		h["X-Forwarded-For"] = []string{x.request.Client.String()}
	}
	h["X-Forwarded-Host"] = []string{x.request.Host}
	scheme := "http"
	if x.in.TLS != nil {
		scheme = "https"
	}
	h["X-Forwarded-Proto"] = []string{scheme}
	h[requestIDHeader] = []string{x.request.ID}
}
