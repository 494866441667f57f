package verify

import (
	"time"

	"counterfoil.dev/counterfoil/internal/token"
)

// Limiter counts calls against rates.
type Limiter interface {
	// Take counts one call against every ask if all of them have room, and against none if one has not: a
	// call that is refused for one rate must not use up another. It answers in the asks themselves and says
	// whether all had room. It is called by many goroutines, each with asks of its own, and must be quick:
	// a request waits for it.
	Take(now time.Time, asks []Ask) bool
}

// Subject is what a rate counts the calls of.
type Subject struct {
	SID     token.SID // of a token; zero for a whole account
	Account int64
	API     string // with Scope: the token's calls that this scope opened
	Scope   string
}

// Ask is one rate and how it stands: the generic cell rate algorithm, in which a rate of n calls in a time,
// of which b may come at once, is a bucket of b that fills by one every time/n.
type Ask struct {
	Subject Subject
	Every   time.Duration // between two calls in the long run; positive
	Burst   int64         // calls that may come at once; positive

	// The answer.
	Left int64         // calls that could still come at this moment
	Wait time.Duration // until one call has room; 0 if it had
	Full time.Duration // until as many as Burst have room

	key   [2]uint64
	until int64
}
