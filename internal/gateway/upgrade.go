package gateway

import (
	"context"
	"net/http"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/internal/verify"
)

// recheck is how often the token behind a tunnel is judged again.
const recheck = time.Second

// upgradeOf is the protocol that a request wants to change to; "" for none. It reports false for a request
// whose wish has two readings, or that no route may grant: an Upgrade field that Connection does not
// announce (or the other way round), several protocols, one other than websocket, or over HTTP/2. A backend
// that took it up would be an unguarded tunnel (SECURITY.md, class 21).
func upgradeOf(r *http.Request) (protocol string, ok bool) {
	wanted := r.Header["Upgrade"]
	announced := false
	for _, list := range r.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			announced = announced || strings.EqualFold(strings.Trim(name, " \t"), "upgrade")
		}
	}
	if len(wanted) == 0 && !announced {
		return "", true
	}
	if len(wanted) != 1 || !announced || !strings.EqualFold(wanted[0], "websocket") || r.ProtoMajor != 1 || r.Method != http.MethodGet {
		return "", false
	}
	return "websocket", true
}

// watch ends a tunnel when its token no longer passes: it was revoked, has expired, or lost the scope.
func (g *Gateway) watch(ctx context.Context, end context.CancelFunc, d *verify.Decision, r verify.Request) {
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if !g.verifier.Again(d, &r) {
				end()
				return
			}
		}
	}
}
