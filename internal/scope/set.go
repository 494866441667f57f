package scope

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Set is an immutable set of small non-negative integers, the bits of scopes. The zero value is the
// empty set. Asking a set never allocates.
type Set struct {
	words []uint64 // the last word is never zero, so equal sets have equal words
}

// Of makes the set of the given bits. A negative bit is a mistake of the caller and panics.
func Of(members ...int) Set {
	if len(members) == 0 {
		return Set{}
	}
	words := make([]uint64, slices.Max(members)/64+1)
	for _, bit := range members {
		if bit < 0 {
			panic("scope: negative bit " + strconv.Itoa(bit))
		}
		words[bit/64] |= 1 << (bit % 64)
	}
	return Set{words}
}

// Has reports whether bit is in s.
func (s Set) Has(bit int) bool {
	return bit >= 0 && bit/64 < len(s.words) && s.words[bit/64]>>(bit%64)&1 == 1
}

// Covers reports whether every bit of other is in s. Every set covers the empty set, so whoever asks
// "is this enough?" must first know that something is asked for.
func (s Set) Covers(other Set) bool {
	if len(other.words) > len(s.words) {
		return false
	}
	for i, word := range other.words {
		if word&^s.words[i] != 0 {
			return false
		}
	}
	return true
}

// Union returns the set of the bits that are in s or in other.
func (s Set) Union(other Set) Set {
	if s.Covers(other) {
		return s
	}
	if other.Covers(s) {
		return other
	}
	words := make([]uint64, max(len(s.words), len(other.words)))
	copy(words, s.words)
	for i, word := range other.words {
		words[i] |= word
	}
	return Set{words}
}

// Len returns how many bits are in s.
func (s Set) Len() int {
	n := 0
	for _, word := range s.words {
		n += bits.OnesCount64(word)
	}
	return n
}

// Key returns a string that is equal for equal sets and for no others, so that a verifier with a million
// grants can keep each different set once.
func (s Set) Key() string {
	b := make([]byte, 0, 8*len(s.words))
	for _, word := range s.words {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return string(b)
}

// String lists the bits, for tests and traces: {0 3 64}.
func (s Set) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, word := range s.words {
		for ; word != 0; word &= word - 1 {
			if b.Len() > 1 {
				b.WriteByte(' ')
			}
			b.WriteString(strconv.Itoa(i*64 + bits.TrailingZeros64(word)))
		}
	}
	b.WriteByte('}')
	return b.String()
}
