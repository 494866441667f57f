package decide

import (
	"math/bits"
	"strings"
)

// names finds something by a name. A handful is compared one by one, which is faster than hashing.
type names[T any] struct {
	few  []entry[T]
	many map[string]T
}

type entry[T any] struct {
	name  string
	value T
}

const handful = 8

func (n *names[T]) get(name string) (value T, found bool) {
	if n.many != nil {
		value, found = n.many[name]
		return value, found
	}
	for i := range n.few {
		if e := &n.few[i]; e.name == name {
			return e.value, true
		}
	}
	return value, false
}

func (n *names[T]) put(name string, value T) {
	if n.many != nil {
		n.many[name] = value
		return
	}
	n.few = append(n.few, entry[T]{name, value})
	if len(n.few) > handful {
		n.many = make(map[string]T, len(n.few))
		for _, e := range n.few {
			n.many[e.name] = e.value
		}
		n.few = nil
	}
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
}

type branch struct {
	segment segment
	twin    [2]string // the text before and after, as a careless server compares it
	next    *node
}

// open reports whether a segment may be a parameter here and could be taken for another branch.
func (n *node) open() bool {
	return n.parameter != nil && (n.twins != nil || n.partials != nil) || n.partials != nil && n.twins != nil
}

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
