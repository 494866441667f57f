package audit

import (
	"crypto/sha256"
	"fmt"
	"iter"
)

// Head is the hash of an event and, through the ones before it, of all history up to there. The zero
// Head is that of an empty history.
type Head [sha256.Size]byte

// chainWord keeps a head from being the hash of anything else in the house.
const chainWord = "counterfoil audit 1\x00"

// Hash reads a head as it is stored: 32 octets, or none before the first event. Of any other length
// nothing is left but a head that no history has, so [Verify] names the event after it.
func Hash(stored []byte) Head {
	switch len(stored) {
	case 0:
		return Head{}
	case len(Head{}):
		return Head(stored)
	default:
		return sha256.Sum256(append([]byte("counterfoil audit: a head of the wrong length\x00"), stored...))
	}
}

// Next chains an encoded event to the head before it: SHA-256 over a fixed word, the head and the
// body. All but the last have a fixed length, so no two inputs join to the same octets (SECURITY.md,
// class 24).
func Next(prev Head, body []byte) Head {
	h := sha256.New()
	h.Write([]byte(chainWord))
	h.Write(prev[:])
	h.Write(body)
	return Head(h.Sum(nil))
}

// Stored is one event as the store keeps it.
type Stored struct {
	Seq  int64
	Body []byte // what Encode wrote
	Hash []byte // what Next gave
}

// Checkpoint is a position and its head. The zero Checkpoint is the beginning.
type Checkpoint struct {
	Seq  int64
	Head Head
}

// BrokenError names the first event that is not what was chained.
type BrokenError struct {
	Seq int64
	Why string
}

// Error says where history is broken and how.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("audit: history is broken at event %d: %s", e.Seq, e.Why)
}

// Verify walks stored events in the order of their positions, beginning after from, and returns how far
// it came. A break is a *[BrokenError]; an error of the iterator ends the walk and is wrapped. The
// caller compares the result with the head on the counter row, and with any checkpoint kept elsewhere:
// that is what shows a history that was cut at its end, or rewritten whole.
func Verify(from Checkpoint, events iter.Seq2[Stored, error]) (Checkpoint, error) {
	at := from
	for stored, err := range events {
		if err != nil {
			return at, fmt.Errorf("reading the event after %d: %w", at.Seq, err)
		}
		next := at.Seq + 1
		if stored.Seq != next {
			return at, &BrokenError{next, fmt.Sprintf("the next one found is %d", stored.Seq)}
		}
		head := Next(at.Head, stored.Body)
		if len(stored.Hash) != len(head) || Hash(stored.Hash) != head {
			return at, &BrokenError{next, "its hash is not that of its text and of what came before it"}
		}
		event, err := Decode(stored.Body)
		if err != nil {
			return at, &BrokenError{next, "its text cannot be read: " + err.Error()}
		}
		if event.Seq != next {
			return at, &BrokenError{next, fmt.Sprintf("its text is that of event %d", event.Seq)}
		}
		at = Checkpoint{next, head}
	}
	return at, nil
}
