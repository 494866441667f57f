package decide

import (
	"bytes"
	"strings"
)

// A parameter takes any segment, so it also takes what a careless server would read as a literal beside it:
// with /Jobs/{Id} and /Jobs/export, servers that fold case run the export for /Jobs/EXPORT, those that cut
// a format run it for /Jobs/export.csv, and those that decode before they route run it for an escaped
// octet. A token that may read jobs could then export them. Such a path could be read in two ways and is
// refused (SECURITY.md, classes 2 and 4).

// lookAlike notes in r whether segment i, which is no literal of n, is only careless away from another branch
// of n that has a template for the rest of the path.
func (m *Match) lookAlike(r *reading, n *node, s string, i int) {
	if !m.path.escaped && !n.near(s, i == m.path.count-1) {
		return
	}
	var buffer [maxSegment]byte
	plain := careless(buffer[:0], s)
	for _, twin := range n.twins[string(plain)] {
		r.twofold = r.twofold || m.leads(r, twin, i+1)
	}
	for k := range n.partials {
		b := &n.partials[k]
		if surrounds(b.twin[0], b.twin[1], plain) && !b.segment.fits(s) && m.leads(r, b.next, i+1) {
			r.twofold = true
		}
	}
	dot := bytes.LastIndexByte(plain, '.')
	if i != m.path.count-1 || dot <= 0 {
		return
	}
	for _, twin := range n.twins[string(plain[:dot])] {
		r.twofold = r.twofold || twin.leaf != nil
	}
	for k := range n.partials {
		b := &n.partials[k]
		r.twofold = r.twofold || surrounds(b.twin[0], b.twin[1], plain[:dot]) && !b.segment.fits(s) && b.next.leaf != nil
	}
}

// near reports whether some branch of n could be meant by s, by lengths alone, which most ids that stand
// beside a literal rule out. It does not count escapes.
func (n *node) near(s string, last bool) bool {
	if n.lengths>>(len(s)&63)&1 == 1 {
		return true
	}
	for k := range n.partials {
		if len(s) > len(n.partials[k].twin[0])+len(n.partials[k].twin[1]) {
			return true
		}
	}
	return last && strings.IndexByte(s, '.') >= 0
}

// leads reports whether some template goes on from n with segment i.
func (m *Match) leads(r *reading, n *node, i int) bool {
	if i == m.path.count {
		return n.leaf != nil
	}
	s := m.segment(r, i)
	var buffer [maxSegment]byte
	plain := careless(buffer[:0], s)
	for _, twin := range n.twins[string(plain)] {
		if m.leads(r, twin, i+1) {
			return true
		}
	}
	for k := range n.partials {
		if b := &n.partials[k]; (b.segment.fits(s) || surrounds(b.twin[0], b.twin[1], plain)) && m.leads(r, b.next, i+1) {
			return true
		}
	}
	return n.parameter != nil && m.leads(r, n.parameter, i+1)
}

// careless appends s as the most careless server reads it: decoded, and in lower case.
func careless(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if decoded, ok := unescape(s[i:]); ok {
			c = decoded
			i += 2
		}
		dst = append(dst, lower(c))
	}
	return dst
}
