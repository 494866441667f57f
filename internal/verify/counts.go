package verify

import (
	"sync/atomic"

	"counterfoil.dev/counterfoil/api"
)

// counted are the codes that decisions are counted by; "" is allowed.
var counted = [...]api.Code{
	"",
	api.CodeMalformedRequest,
	api.CodeNoCredential,
	api.CodeMalformedCredential,
	api.CodeUnknownToken,
	api.CodeWrongSecret,
	api.CodeBadChecksum,
	api.CodeTokenExpired,
	api.CodeTokenNotYetValid,
	api.CodeTokenDisabled,
	api.CodeTokenOnHold,
	api.CodeAccountSuspended,
	api.CodeNoRoute,
	api.CodeMethodNotAllowed,
	api.CodeWrongAccount,
	api.CodeBrandNotManaged,
	api.CodeBrandOutOfReach,
	api.CodeVersionNotAllowed,
	api.CodeVersionRetired,
	api.CodeInsufficientScope,
	api.CodeHostNotAllowed,
	api.CodeAddressNotAllowed,
	api.CodeRateLimited,
	api.CodeQuotaExceeded,
	api.CodeBodyTooLarge,
	api.CodeStale,
	api.CodeInternal, // last: it stands for what is not in the list
}

// counts are decisions by their precise code.
type counts [len(counted)]atomic.Int64

func (c *counts) add(d *Decision)  { c[placeOf(d)].Add(1) }
func (c *counts) take(d *Decision) { c[placeOf(d)].Add(-1) }

func placeOf(d *Decision) int {
	if d.Allowed {
		return 0
	}
	last := len(counted) - 1
	for i, code := range counted[1:last] {
		if code == d.Code {
			return 1 + i
		}
	}
	return last
}

func (c *counts) read() map[api.Code]int64 {
	out := make(map[api.Code]int64, len(counted))
	for i, code := range counted {
		out[code] = c[i].Load()
	}
	return out
}
