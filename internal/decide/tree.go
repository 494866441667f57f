package decide

import (
	"math/bits"
	"strings"
)

// names finds something by a name: open addressing over a quick hash, at most a quarter full, which takes
// a third of the time of a map. The names are the catalogue's own, so nobody who asks can pile them up.
type names[T any] struct {
	places []entry[T] // a power of two, or none; a free one has the empty name, which no segment has
	count  int
}

type entry[T any] struct {
	name  string
	value T
}

func (n *names[T]) get(name string) (value T, found bool) {
	if n.count == 0 || name == "" {
		return value, false
	}
	if e := n.place(name); e.name == name {
		return e.value, true
	}
	return value, false
}

// place is where name is, or the free place where it would be.
func (n *names[T]) place(name string) *entry[T] {
	for at := quickHash(name); ; at++ {
		if e := &n.places[at&uint32(len(n.places)-1)]; e.name == name || e.name == "" {
			return e
		}
	}
}

// put adds a name that is not there yet.
func (n *names[T]) put(name string, value T) {
	if 4*n.count >= len(n.places) {
		old := n.places
		n.places = make([]entry[T], max(4, 2*len(old)))
		for _, e := range old {
			if e.name != "" {
				*n.place(e.name) = e
			}
		}
	}
	*n.place(name) = entry[T]{name, value}
	n.count++
}

// quickHash mixes the length with the first and the last eight octets. What differs in the middle alone has
// one hash and is found by comparing.
func quickHash(s string) uint32 {
	var a, b uint64
	switch n := len(s); {
	case n >= 8:
		a, b = eight(s), eight(s[n-8:])
	case n >= 4:
		a, b = four(s), four(s[n-4:])
	default:
		a, b = uint64(s[0])<<8|uint64(s[n/2]), uint64(s[n-1])
	}
	high, low := bits.Mul64(a^uint64(len(s))^0x9e3779b97f4a7c15, b^0xbf58476d1ce4e5b9)
	return uint32(high ^ low) // every octet has its say in the lowest bits of high
}

func four(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

func eight(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// node is one position of the segment tree that all versions of an API share. One walk finds what a path
// is in every version: a request is judged in the version that its token pins, but whether there is such
// a route at all is asked before anybody knows the token.
type node struct {
	literals  names[*node]
	partials  []branch
	parameter *node
	leaf      *leaf              // a template ends here
	twins     map[string][]*node // literals, by what a careless server takes for them
	lengths   uint64             // of the keys of twins, modulo 64: bit n for n bytes
}

type branch struct {
	segment segment
	twin    [2]string // the text before and after, as a careless server compares it
	next    *node
}

// open reports whether a segment could be taken for a branch here. That no parameter stands beside it does
// not matter: the path may still match a template that parted from this one further up.
func (n *node) open() bool { return n.twins != nil || n.partials != nil }

// leaf is one template, parameter names aside, with its operations in each version.
type leaf struct {
	template template // with the base
	literal  uint32   // positions of literals in template
	partial  uint32   // positions of text around a parameter
	places   []*place // by the version's ordinal; nil where the version lacks the template
}

// place is one template in one version.
type place struct {
	by      [methodCount]*operation // HEAD has GET's operation unless it has its own
	methods methodSet
}

// plant returns the leaf of full, the template with its base, in the tree that is rooted at that base.
func (n *node) plant(full template, base, versions int) *leaf {
	for i := base; i < len(full); i++ {
		n = n.grow(&full[i])
	}
	if n.leaf == nil {
		n.leaf = &leaf{template: full, places: make([]*place, versions)}
		for i := range full {
			switch full[i].kind {
			case literal:
				n.leaf.literal |= 1 << i
			case partial:
				n.leaf.partial |= 1 << i
			}
		}
	}
	return n.leaf
}

func (n *node) grow(s *segment) *node {
	switch s.kind {
	case literal:
		next, found := n.literals.get(s.before)
		if !found {
			next = new(node)
			n.literals.put(s.before, next)
			if n.twins == nil {
				n.twins = map[string][]*node{}
			}
			plain := strings.ToLower(s.before)
			n.twins[plain] = append(n.twins[plain], next)
			n.lengths |= 1 << (len(plain) & 63)
		}
		return next
	case partial:
		for _, b := range n.partials {
			if b.segment.before == s.before && b.segment.after == s.after {
				return b.next
			}
		}
		next := new(node)
		twin := [2]string{strings.ToLower(s.before), strings.ToLower(s.after)}
		n.partials = append(n.partials, branch{*s, twin, next})
		return next
	}
	if n.parameter == nil {
		n.parameter = new(node)
	}
	return n.parameter
}

// beats reports whether l is more specific than o, both matching one path: at no position less specific,
// and somewhere more. Different text around a parameter at one position is neither, so such templates
// cross.
func (l *leaf) beats(o *leaf) bool {
	if o.literal&^l.literal != 0 || o.partial&^(l.literal|l.partial) != 0 {
		return false
	}
	for both := o.partial & l.partial; both != 0; both &= both - 1 {
		at := bits.TrailingZeros32(both)
		if a, b := &l.template[at], &o.template[at]; a.before != b.before || a.after != b.after {
			return false
		}
	}
	return l.literal != o.literal || l.partial != o.partial
}
