package verify

import (
	"io"

	"counterfoil.dev/counterfoil/api"
)

// NewLines is how an answer of the feed is read, without the connection that the clock of a test bubble
// cannot reach.
func NewLines(body io.Reader, stop func(error)) func(after api.Seq) ([]api.Entry, error) {
	return newLineReader(body, stop).entries
}
