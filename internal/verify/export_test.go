package verify

import (
	"io"
	"time"

	"counterfoil.dev/counterfoil/api"
)

// NewLines is how an answer of the feed is read, without the connection that the clock of a test bubble
// cannot reach.
func NewLines(body io.Reader, stop func(error)) func(after api.Seq) ([]api.Entry, error) {
	return newLineReader(body, stop).entries
}

// NewRates is the limiter of one process, with so many slots in each of its 64 shards at most.
func NewRates(start time.Time, most int) Limiter {
	l := newRates(start)
	l.most = most
	return l
}

// RateSlots is how many slots a limiter has made.
func RateSlots(l Limiter) (n int) {
	for i := range l.(*rates).shards {
		n += len(l.(*rates).shards[i].slots)
	}
	return n
}
