package decide

import (
	"math/bits"
	"strings"
)

// Request is what is judged of a request: how it reads, never what it carries.
type Request struct {
	Method string
	Target string              // the raw request target: origin-form, or absolute-form with the host in Host
	Host   string              // the Host field or :authority, raw
	Header map[string][]string // keys as net/http has them; any case is understood
	Now    int64               // microseconds since the Unix epoch, UTC
}

// maxReadings is how many templates may match one path at once, over all versions; more are refused.
const maxReadings = 16

// Match is how a request reads, before anybody knows who sent it. It is filled by [Table.Match] and judged
// by [Table.Decide] of the same table; it may be used again, which saves the allocation.
type Match struct {
	table   *Table // nil unless Match allowed
	now     int64
	method  method
	path    path
	host    string
	fields  notes
	queries notes
	front   *api     // in whose base the path lies
	through *through // the passthrough that the path is at or under
	brand   int64    // the brand that a nested path names
	bindAt  int
	own     reading // of front's own routes
	nested  reading // of the routes that nest there
	torn    bool    // two APIs have an equal claim to the path, or too many templates match it
	isNamed bool
	named   string
	methods methodSet     // that the path has in some version
	few     [4]*operation // backs the list of operations that are asked for
	rival   reading
}

// reading is one API's way to read the path.
type reading struct {
	api    *api
	offset int // position of the segment at which the tree begins
	trim   int // bytes of a known suffix, cut from the last segment
	leaves [maxReadings]*leaf
	count  int

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

// API returns the API in whose base the path lies.
func (m *Match) API() *API { return m.front.API }

// Bind says how the path names the caller, and Bound is the raw segment that does; "" with [BindNone].
func (m *Match) Bind() Bind {
	if m.bindAt < 0 {
		return BindNone
	}
	return m.front.Bind
}

// Bound returns the raw segment that names the caller. For [BindAnySID] it is to be looked up for
// Caller.Named.
func (m *Match) Bound() string {
	if m.bindAt < 0 {
		return ""
	}
	return m.segment(&m.own, m.bindAt)
}

// Method returns the method that is judged: the request's, or what a declared override field says.
func (m *Match) Method() string { return m.method.String() }

// Path returns the raw path without the query. It is in its one spelling, so it may be logged and shown.
func (m *Match) Path() string { return m.path.text }

// Named returns the version that the request names, "" for none.
func (m *Match) Named() string { return m.named }

// Methods returns the methods that the path has in some version, for the Allow field of a 405.
func (m *Match) Methods() string { return m.methods.String() }

// Match reads target, method and route of r into m without knowing the caller. [Allow] means that the
// route exists in some version, so that the credential is what is asked for next; any other reason is
// the answer.
func (t *Table) Match(r *Request, m *Match) Reason {
	m.table = nil
	reason := m.read(t, r)
	if reason == Allow {
		m.table = t
	}
	return reason
}

func (m *Match) read(t *Table, r *Request) Reason {
	authority, text, query, ok := splitTarget(r.Target)
	if !ok || !m.path.parse(text) {
		return MalformedRequest
	}
	if m.host, ok = requestHost(authority, r.Host); !ok {
		return MalformedRequest
	}
	if m.method, ok = parseMethod(r.Method); !ok {
		return MalformedRequest
	}
	m.fields.reset()
	t.fields.scan(r.Header, &m.fields)
	m.queries.reset()
	if query != "" && !scanQuery(query, t.parameters, &m.queries) {
		return MalformedRequest
	}
	if m.fields.full || m.queries.full || m.queries.has(0) {
		return MalformedRequest
	}
	m.now = r.Now
	m.findRoutes(t)
	if m.front == nil {
		return m.miss(t)
	}
	if !m.overrideMethod() || !m.nameVersion() {
		return MalformedRequest
	}
	switch m.anyVersion() {
	case found:
		return Allow
	case noMethod:
		return MethodNotAllowed
	}
	return m.miss(t)
}

// miss names the reason for a path that is no route. An escape that no parameter allows there makes the
// path one that could be read in two ways.
func (m *Match) miss(t *Table) Reason {
	switch {
	case !t.knowsHost(m.host):
		return HostNotAllowed
	case m.path.escaped:
		return MalformedRequest
	}
	return NoRoute
}

// findRoutes walks the trees that can hold the path.
func (m *Match) findRoutes(t *Table) {
	m.front, m.through, m.brand, m.bindAt, m.torn = nil, nil, 0, -1, false
	m.own.count, m.nested.count = 0, 0
	if m.path.long {
		return
	}
	var near *mounts
	if m.path.count > 0 {
		near, _ = t.mounts.get(m.path.segment(0))
	}
	for _, group := range [2]*mounts{near, &t.anywhere} {
		if group == nil {
			continue
		}
		for _, mount := range group.own {
			m.enter(mount)
		}
	}
	for _, group := range [2]*mounts{near, &t.anywhere} {
		if group == nil {
			continue
		}
		for _, mount := range group.through {
			m.passThrough(mount)
		}
	}
	if m.torn {
		m.front = nil
	}
}

// enter reads the path by an API's own routes. Where two APIs of one host both know it, it belongs to the
// one whose templates are more specific; to neither, if they are equals: no token could be asked for both.
func (m *Match) enter(mount *mount) {
	if !mount.front.hosts.admit(m.host) || !mount.fits(&m.path) {
		return
	}
	if m.own.count == 0 {
		if m.walk(&m.own, mount) {
			m.front, m.bindAt = mount.front, mount.bindAt
		}
		return
	}
	if !m.walk(&m.rival, mount) || m.own.beats(&m.rival) {
		return
	}
	m.torn = m.torn || !m.rival.beats(&m.own)
	m.own, m.front, m.bindAt = m.rival, mount.front, mount.bindAt
}

// passThrough reads the path by the routes that nest under a prefix of the API that has it.
func (m *Match) passThrough(mount *mount) {
	if m.own.count > 0 && m.front != mount.front || !mount.front.hosts.admit(m.host) || !mount.fits(&m.path) {
		return
	}
	if m.own.count > 0 {
		m.through = mount.through
	}
	brand, ok := accountID(m.path.segment(mount.through.brandAt))
	if !ok || m.path.count == len(mount.prefix) {
		return
	}
	reading := &m.nested
	if m.nested.count > 0 {
		reading = &m.rival
	}
	if !m.walk(reading, mount) {
		return
	}
	m.torn = m.torn || reading == &m.rival
	m.front, m.bindAt, m.through, m.brand = mount.front, mount.bindAt, mount.through, brand
}

// segment returns segment i as r reads it.
func (m *Match) segment(r *reading, i int) string {
	s := m.path.segment(i)
	if i == m.path.count-1 {
		s = s[:len(s)-r.trim]
	}
	return s
}

// walk finds the templates of a mount that match the path, and reports whether there are any.
func (m *Match) walk(r *reading, mount *mount) bool {
	r.api, r.offset, r.trim, r.count, r.version = mount.api, len(mount.prefix), 0, 0, nil
	if m.path.count > 0 && len(mount.api.Suffixes) > 0 {
		r.trim = suffix(m.path.segment(m.path.count-1), mount.api.Suffixes)
	}
	m.descend(r, mount.tree, r.offset)
	return r.count > 0
}

// suffix returns the length of the one known suffix that is not part of the last segment.
func suffix(last string, known []string) int {
	longest := 0
	for _, s := range known {
		if len(s) > longest && len(s) < len(last) && strings.HasSuffix(last, s) && !dots(last[:len(last)-len(s)]) {
			longest = len(s)
		}
	}
	return longest
}

// descend follows every branch that fits, one at a time while there is but one.
func (m *Match) descend(r *reading, n *node, i int) {
	for ; i < m.path.count; i++ {
		s := m.segment(r, i)
		next, _ := n.literals.get(s)
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

// overrideMethod judges the fields that replace the method. The one that the API declares may come once, on
// a POST, as all servers that know it want it; anything else has a second reading.
func (m *Match) overrideMethod() bool {
	sent, seen := m.method, false
	for i := range m.fields.n {
		note := &m.fields.list[i]
		declared := int(note.name) == m.front.methodHeader
		if !declared && int(note.name) >= len(methodFields) {
			continue // a version field, or some other API's
		}
		effective, known := parseMethod(note.value)
		if !declared || note.odd || !known || sent != methodPost || seen {
			return false
		}
		if m.nested.count > 0 && m.nested.api.methodHeader != m.front.methodHeader {
			return false
		}
		m.method, seen = effective, true
	}
	return true
}

// nameVersion finds the version that the request names. On a path where routes nest, the names that either
// API gives to field and parameter are read, and mean the version of the API that is judged.
func (m *Match) nameVersion() bool {
	m.isNamed, m.named = false, ""
	if m.fields.n == 0 && m.queries.n == 0 {
		return true
	}
	inner := m.front
	if m.nested.count > 0 {
		inner = m.nested.api
	}
	return m.take(&m.fields, m.front.header, inner.header) && m.take(&m.queries, m.front.query, inner.query)
}

// take reads the version from the notes of two names. Field and parameter, and both names, must agree.
func (m *Match) take(notes *notes, outer, inner int) bool {
	var seen [2]bool
	for i := range notes.n {
		note := &notes.list[i]
		which := 0
		switch int(note.name) {
		case outer:
		case inner:
			which = 1
		default:
			continue
		}
		if note.odd || seen[which] || m.isNamed && m.named != note.value {
			return false
		}
		seen[which], m.isNamed, m.named = true, true, note.value
	}
	return true
}

// anyVersion asks every version whether it has the route, newest first, and stops at the first that does.
func (m *Match) anyVersion() outcome {
	best := noPath
	m.methods = 0
	for _, r := range [2]*reading{&m.own, &m.nested} {
		if r.count == 0 {
			continue
		}
		for i := len(r.api.versions) - 1; i >= 0; i-- {
			switch o := m.in(r, r.api.versions[i]); {
			case o == found:
				return found
			case o > best:
				best = o
			}
		}
	}
	return best
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
	for w := r.winners; w != 0; w &= w - 1 {
		place := r.leaves[bits.TrailingZeros32(w)].places[v.ordinal]
		m.methods |= place.methods
		op := place.by[m.method]
		switch {
		case op == nil:
			r.outcome = max(r.outcome, noMethod)
		case m.admits(r, op):
			r.outcome = found
		}
	}
	return r.outcome
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
