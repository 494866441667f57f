package verify

import (
	"sync/atomic"
	"time"
)

// hearing measures how long nothing was heard from the authority, on the monotonic clock: a wall clock
// that jumps must neither open a cut-off verifier nor close a connected one (SECURITY.md, 3.2).
type hearing struct {
	start time.Time    // carries the monotonic reading that all others are counted from
	last  atomic.Int64 // nanoseconds after start; negative: nothing was heard yet
}

func (h *hearing) begin(now time.Time) {
	h.start = now
	h.last.Store(-1)
}

func (h *hearing) heard(now time.Time) { h.last.Store(max(0, int64(now.Sub(h.start)))) }

// deaf is how long nothing was heard; ok is false if nothing ever was.
func (h *hearing) deaf(now time.Time) (d time.Duration, ok bool) {
	last := h.last.Load()
	return now.Sub(h.start) - time.Duration(last), last >= 0
}
