package doors

import (
	"context"
	"net/http"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Caller is who sent a request that passed, and by what right.
type Caller struct {
	Account   int64  // 0 on a public route without a credential
	SID       string // of the token; "" likewise
	API       string
	Version   string
	Scope     string // the names that opened the operation, parted by spaces
	Brand     int64  // the managed account that is acted on; 0 for none
	RequestID string
}

type callerKey struct{}

// CallerFrom is the caller that [Middleware] let pass.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// Middleware judges every request before next, which sees only those that passed. The listener is the
// program's own, so the client's fields are what they are: nothing forwarded is believed but, from a peer
// on the list, the client address. It removes the fields of the connection, and identity headers that the
// client made up, since handlers behind may look at them.
func Middleware(v *verify.Verifier, proxies httpx.Proxies, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := verify.Request{ID: verify.NewRequestID(), Client: proxies.KnownBehind(httpx.Peer(r), r.Header), Accept: verify.AccessTokens}
		d := new(verify.Decision)
		if request.Take(r) {
			v.Verify(&request, d)
		} else {
			v.Reject(&request, d, api.CodeMalformedRequest, "")
		}
		if !d.Allowed {
			v.Refuse(w, d, verify.Gateway)
			return
		}
		verify.DropIdentity(r.Header)
		d.SetIdentity(r.Header)
		d.SetLimits(w.Header())
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, Caller{
			Account: d.Account, SID: d.SID, API: d.API, Version: d.Version, Scope: d.Scope, Brand: d.Brand, RequestID: d.RequestID,
		})))
	})
}
