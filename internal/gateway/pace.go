package gateway

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	stall       = 30 * time.Second // how long a body may stand still in either direction
	leftover    = 5 * time.Second  // how long the listener may go on reading the body of a refused request
	stallRenews = stall / 8        // deadlines are moved no more often than this
)

// A body may last as long as it moves: the listener of a gateway has no limit for a whole request, since
// bodies stream. So each direction has a deadline that moves with it, and a peer that stands still is cut
// off (SECURITY.md, class 44a).

// pacedBody is a request's body.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	renew   time.Time
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if now := time.Now(); !now.Before(b.renew) {
		if err := b.control.SetReadDeadline(now.Add(stall)); err != nil {
			return 0, fmt.Errorf("bounding the request's body: %w", err)
		}
		b.renew = now.Add(stallRenews)
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		// From here on the listener waits for the next request, or for the client to go.
		if lifted := b.control.SetReadDeadline(time.Time{}); lifted != nil {
			return n, fmt.Errorf("lifting the bound of the request's body: %w", lifted)
		}
	}
	return n, err
}

// pace moves the deadline for what is written to the client.
func (w *recorder) pace() error {
	now := time.Now()
	if now.Before(w.renew) {
		return nil
	}
	w.renew = now.Add(stallRenews)
	if err := w.control.SetWriteDeadline(now.Add(stall)); err != nil {
		return fmt.Errorf("bounding the answer: %w", err)
	}
	return nil
}
