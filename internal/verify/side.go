package verify

import (
	"crypto/sha256"
	"sync/atomic"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
)

// A side table holds what many grants share, or few have; entries name its rows by index. Readers see
// a list that only grows: a row is never overwritten or reused while the view lives, since a request
// may still hold a page that names it. Index 0 is the empty row.
type sideTable[T any] struct {
	list atomic.Pointer[[]T]
	live int // rows that a page names, for the writer to know how much is garbage
}

func (t *sideTable[T]) rows() []T {
	if rows := t.list.Load(); rows != nil {
		return *rows
	}
	return nil
}

// at is row i. A page is published after the rows that it names, so a reader that loads the list after
// the page finds them.
func (t *sideTable[T]) at(i uint32) *T { return &t.rows()[i] }

func (t *sideTable[T]) add(row T) uint32 {
	rows := t.rows()
	if len(rows) == 0 {
		var empty T
		rows = append(rows, empty)
	}
	rows = append(rows, row) // into spare room beyond what any reader looks at, or into a copy
	t.list.Store(&rows)
	return uint32(len(rows) - 1)
}

// wasteful says that more than half of a table that is worth the work is garbage.
func (t *sideTable[T]) wasteful() bool { return len(t.rows()) > 2*t.live+1024 }

// sharedTable is a side table whose rows are interned: equal rows have one index.
type sharedTable[T any] struct {
	sideTable[T]
	index map[[sha256.Size]byte]uint32
	keys  [][sha256.Size]byte // of each row
	uses  []uint32            // grants that name each row
}

// hold returns the index of the row with this key, made by row if it is new, and counts one use of it.
func (t *sharedTable[T]) hold(key [sha256.Size]byte, row func() T) uint32 {
	i, known := t.index[key]
	if !known {
		if t.index == nil {
			t.index = make(map[[sha256.Size]byte]uint32)
			t.keys, t.uses = make([][sha256.Size]byte, 1), make([]uint32, 1)
		}
		i = t.add(row())
		t.index[key] = i
		t.keys, t.uses = append(t.keys, key), append(t.uses, 0)
	}
	if t.uses[i] == 0 {
		t.live++
	}
	t.uses[i]++
	return i
}

// drop takes one use away. The row stays until the table is rebuilt.
func (t *sharedTable[T]) drop(i uint32) {
	if i == 0 {
		return
	}
	t.uses[i]--
	if t.uses[i] == 0 {
		t.live--
	}
}

// pinSet is the versions that a token is pinned to, with the scopes ticked for each.
type pinSet struct {
	pins []decide.Pin
	// raw is kept only while something in it is not in the catalogue, so that a later catalogue that has
	// it is honoured. What is not there opens nothing meanwhile.
	raw []api.Pin
}

// extra is what few grants have.
type extra struct {
	until     api.Micros // when the first secret ends
	second    token.Digest
	secondEnd api.Micros
	notBefore api.Micros
	limits    uint32 // row of view.limits; 0: none
}

// account is one account; its facts change under the grants that name it.
type account struct {
	id    int64
	text  string // the id in decimal, as the identity headers spell it
	facts atomic.Pointer[facts]
}

// facts are what holds of an account now.
type facts struct {
	suspended bool
	manages   []int64  // brands, ascending
	texts     []string // the same in decimal
	limits    *limits  // of all its tokens together; nil: none
}

// unheard stands for an account of which nothing was heard: nothing of it passes.
var unheard = facts{suspended: true}

func (a *account) now() *facts {
	if f := a.facts.Load(); f != nil {
		return f
	}
	return &unheard
}
