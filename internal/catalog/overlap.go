package catalog

import "strings"

// maxPairs bounds the work of comparing templates. Real documents need a few thousand steps; a hostile
// one, with thousands of templates that all cross, is refused.
const maxPairs = 4_000_000

// tree is the templates of one version by segment, so that only those that can match one path meet.
type tree struct {
	seg  segment
	kids []*tree
	open []*tree          // kids with a parameter
	by   map[string]*tree // kids by shape
	here []*built         // operations that end here
}

func (t *tree) plant(full template, o *built) *tree {
	for _, s := range full {
		next := t.by[s.shape()]
		if next == nil {
			next = &tree{seg: s}
			if t.by == nil {
				t.by = map[string]*tree{}
			}
			t.by[s.shape()] = next
			t.kids = append(t.kids, next)
			if !s.literal() {
				t.open = append(t.open, next)
			}
		}
		t = next
	}
	if o != nil {
		t.here = append(t.here, o)
	}
	return t
}

// meets returns the children of t that some segment can match together with s. A literal meets its
// equal, and the few that have parameters; only a parameter meets all.
func (t *tree) meets(s segment) []*tree {
	if !s.literal() {
		out := make([]*tree, 0, len(t.kids))
		for _, k := range t.kids {
			if overlap(s, k.seg) {
				out = append(out, k)
			}
		}
		return out
	}
	var out []*tree
	if k := t.by[s.before]; k != nil && k.seg.literal() {
		out = append(out, k)
	}
	for _, k := range t.open {
		if overlap(s, k.seg) {
			out = append(out, k)
		}
	}
	return out
}

// overlap reports whether some segment matches both.
func overlap(a, b segment) bool {
	if a.literal() && b.literal() {
		return a.before == b.before
	}
	if a.literal() {
		a, b = b, a
	}
	if b.literal() {
		return len(b.before) > len(a.before)+len(a.after) && strings.HasPrefix(b.before, a.before) && strings.HasSuffix(b.before, a.after)
	}
	return (strings.HasPrefix(a.before, b.before) || strings.HasPrefix(b.before, a.before)) &&
		(strings.HasSuffix(a.after, b.after) || strings.HasSuffix(b.after, a.after))
}

// overlaps tells equal shapes (fatal) and crossing templates (a problem).
func (v *builtVersion) overlaps() {
	root := &tree{}
	v.routes = root
	var ends []*tree
	for _, o := range v.ops {
		t := root.plant(o.full, o)
		if len(t.here) == 1 {
			ends = append(ends, t)
		}
	}
	for _, t := range ends {
		v.equalShapes(t.here)
	}
	c := &crossing{v: v, root: root, left: maxPairs}
	for _, t := range ends {
		if c.left < 0 {
			break
		}
		c.against(root, t.here[0], 0)
	}
	if c.left < 0 {
		v.fatal(v.fileVersion.place, "the templates of version %s cross in too many ways to compare", v.name)
	}
}

// equalShapes are operations whose templates differ in nothing but names.
func (v *builtVersion) equalShapes(ops []*built) {
	first := ops[0]
	byMethod := map[string]*built{}
	differs := false
	for _, o := range ops {
		if other := byMethod[o.method]; other != nil {
			v.fatal(o.place, "%s %s matches the same paths as %s %s (%s:%d)", o.method, short(o.path), other.method, short(other.path), other.file, other.line)
		}
		byMethod[o.method] = o
		if !differs && o.full.String() != first.full.String() {
			differs = true
			v.note(o.place, "%s names the parameters of %s (%s:%d) differently", short(o.path), short(first.path), first.file, first.line)
		}
	}
}

// crossing compares one template with all others that come after it in the documents.
type crossing struct {
	v    *builtVersion
	root *tree
	left int // steps
}

func (c *crossing) against(t *tree, o *built, depth int) {
	if c.left--; c.left < 0 {
		return
	}
	if depth == len(o.full) {
		if len(t.here) > 0 {
			c.judge(o, t.here[0])
		}
		return
	}
	for _, k := range t.meets(o.full[depth]) {
		c.against(k, o, depth+1)
	}
}

// judge tells a pair of which neither is more specific, at the later of the two, unless a third template wins over one of them
// wherever both match.
func (c *crossing) judge(a, b *built) {
	if a == b || moreSpecific(a.full, b.full) || moreSpecific(b.full, a.full) || a.seq < b.seq {
		return
	}
	if m, ok := meet(a.full, b.full); ok && c.settled(c.root, m, 0, a, b) {
		return
	}
	c.v.trouble(a.place, "%s and %s (%s:%d) cross: a path that matches both needs the scopes of both",
		short(a.path), short(b.path), b.file, b.line)
}

// moreSpecific reports that a is at no position less specific than b and somewhere more. Different
// text around a parameter at one position is neither.
func moreSpecific(a, b template) bool {
	more := false
	for i := range a {
		x, y := a[i].rank(), b[i].rank()
		switch {
		case x > y:
			return false
		case x < y:
			more = true
		case x == 1 && a[i].shape() != b[i].shape():
			return false
		}
	}
	return more
}

// meet is the template of the paths that match both; ok is false if it cannot be written as one.
func meet(a, b template) (template, bool) {
	out := make(template, len(a))
	for i := range a {
		switch {
		case a[i].rank() < b[i].rank():
			out[i] = a[i]
		case a[i].rank() > b[i].rank() || a[i].shape() == b[i].shape():
			out[i] = b[i]
		default:
			return nil, false
		}
	}
	return out, true
}

// settled looks for a template that matches all that m matches and is more specific than a or b.
func (c *crossing) settled(t *tree, m template, depth int, a, b *built) bool {
	if c.left--; c.left < 0 {
		return true
	}
	if depth == len(m) {
		if len(t.here) == 0 || t.here[0] == a || t.here[0] == b {
			return false
		}
		third := t.here[0].full
		return moreSpecific(third, a.full) || moreSpecific(third, b.full)
	}
	for _, k := range t.meets(m[depth]) {
		if covers(k.seg, m[depth]) && c.settled(k, m, depth+1, a, b) {
			return true
		}
	}
	return false
}

// covers reports that g matches all that s matches.
func covers(g, s segment) bool {
	switch {
	case g.rank() == 2 || g.shape() == s.shape():
		return true
	case g.literal():
		return false
	case s.literal():
		return overlap(g, s)
	}
	return strings.HasPrefix(s.before, g.before) && strings.HasSuffix(s.after, g.after) && s.param != ""
}
