package decide

import (
	"math/bits"
	"strings"
)

// maxReadings is how many templates may match one path at once, over all versions; more are refused.
const maxReadings = 16

// reading is one API's way to read the path.
type reading struct {
	api    *api
	offset int // position of the segment at which the tree begins
	trim   int // bytes of a known suffix, cut from the last segment
	leaves [maxReadings]*leaf
	count  int

	twofold bool // a careless server would read the path as another template

	// What the version that was asked about last makes of it.
	version *version
	winners uint32 // leaves
	outcome outcome
}

// outcome is what a path and a method are in one version, from least to most.
type outcome uint8

const (
	noPath outcome = iota
	noMethod
	found
)

// walk finds the templates of a mount that match the path, and reports whether there are any.
func (m *Match) walk(r *reading, mount *mount) bool {
	r.api, r.offset, r.trim, r.count, r.version, r.twofold = mount.api, len(mount.prefix), 0, 0, nil, false
	if m.path.count > 0 && len(mount.api.Suffixes) > 0 {
		r.trim = suffix(m.path.segment(m.path.count-1), mount.api.Suffixes)
	}
	m.descend(r, mount.tree, r.offset)
	return r.count > 0
}

// suffix returns the length of the known suffix of the last segment, or 0. What is left is no dot segment.
func suffix(last string, known []string) int {
	for _, s := range known {
		if rest, found := strings.CutSuffix(last, s); found && rest != "" && !dots(rest) {
			return len(s)
		}
	}
	return 0
}

// descend follows every branch that fits, one at a time while there is but one.
func (m *Match) descend(r *reading, n *node, i int) {
	for ; i < m.path.count; i++ {
		s := m.segment(r, i)
		next, _ := n.literals.get(s)
		if next == nil && n.open() {
			m.lookAlike(r, n, s, i)
		}
		for k := range n.partials {
			if b := &n.partials[k]; b.segment.fits(s) {
				m.descend(r, b.next, i+1)
			}
		}
		switch {
		case n.parameter == nil:
		case next == nil:
			next = n.parameter
		default:
			m.descend(r, n.parameter, i+1)
		}
		if next == nil {
			return
		}
		n = next
	}
	switch {
	case n.leaf == nil:
	case r.count == maxReadings:
		m.torn = true
	default:
		r.leaves[r.count] = n.leaf
		r.count++
	}
}

// beats reports whether every template of o has a more specific one in r.
func (r *reading) beats(o *reading) bool {
	for i := range o.count {
		beaten := false
		for k := range r.count {
			beaten = beaten || r.leaves[k].beats(o.leaves[i])
		}
		if !beaten {
			return false
		}
	}
	return true
}

// in asks one version what the path and the method are in it, and leaves the answer in r.
func (m *Match) in(r *reading, v *version) outcome {
	if r.version == v {
		return r.outcome
	}
	r.version, r.winners, r.outcome = v, 0, noPath
	if v.ordinal < 0 {
		return noPath
	}
	for i := range r.count {
		if r.leaves[i].places[v.ordinal] != nil {
			r.winners |= 1 << i
		}
	}
	if r.winners&(r.winners-1) != 0 {
		r.dropBeaten()
	}
	if r.winners != 0 {
		r.outcome = m.tries(r)
	}
	return r.outcome
}

// tries looks for the method in the templates that won, and for an operation whose parameters fit. A method
// that is there, but not for such a parameter, is no route.
func (m *Match) tries(r *reading) outcome {
	result := noMethod
	for w := r.winners; w != 0; w &= w - 1 {
		place := r.leaves[bits.TrailingZeros32(w)].places[r.version.ordinal]
		m.methods |= place.methods
		if op := place.by[m.method]; op != nil {
			if m.admits(r, op) {
				return found
			}
			result = noPath
		}
	}
	return result
}

// dropBeaten keeps the most specific templates, whatever methods they have (CATALOGUE.md, Overlap).
func (r *reading) dropBeaten() {
	all := r.winners
	for w := all; w != 0; w &= w - 1 {
		i := bits.TrailingZeros32(w)
		for o := all; o != 0; o &= o - 1 {
			if r.leaves[bits.TrailingZeros32(o)].beats(r.leaves[i]) {
				r.winners &^= 1 << i
				break
			}
		}
	}
}

// admits reports whether every parameter of op takes its segment.
func (m *Match) admits(r *reading, op *operation) bool {
	if !op.narrowed && m.path.special>>r.offset&op.variable == 0 && m.through == nil {
		return true
	}
	for i := range op.params {
		p := &op.params[i]
		at := r.offset + p.at
		value := p.value(m.segment(r, at))
		if m.path.special>>at&1 == 1 && !p.spelt(value) || !p.takes(value) {
			return false
		}
		if r == &m.own && m.through != nil && at == m.through.brandAt {
			if _, ok := accountID(value); !ok {
				return false
			}
		}
	}
	return true
}
