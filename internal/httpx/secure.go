package httpx

import (
	"net/http"

	"counterfoil.dev/counterfoil/api"
)

// Policy is the Content-Security-Policy of every page: no inline script or style, nothing from
// elsewhere, no frame around it (SECURITY.md, classes 38a and 38b).
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Secure sets what a browser must know of every answer, refusals and redirects included. A handler of
// static files sets its own Cache-Control; the default keeps pages out of every cache. With https the
// browser is told to come by https only, for two years.
//
// The referrer policy is same-origin, not no-referrer: with the latter browsers send Origin: null with
// a form, and [SameOrigin] would refuse our own.
func Secure(next http.Handler, https bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if https {
			h.Set("Strict-Transport-Security", "max-age=63072000")
		}
		next.ServeHTTP(w, r)
	})
}

// SameOrigin refuses a request that changes something and comes from another site, sign-in included
// (SECURITY.md, class 37): by Sec-Fetch-Site, and by Origin where a browser sends none. It has no
// exceptions. refuse answers, with an *api.Error of code cross_origin; nil means [WriteError].
func SameOrigin(next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	if refuse == nil {
		refuse = WriteError
	}
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, &api.Error{
			Code: api.CodeCrossOrigin, Status: http.StatusForbidden, Title: "Sent from another site",
			Detail: "This form was sent from another site, so nothing was done. Open the page here and send it again.",
		})
	}))
	return protection.Handler(next)
}
