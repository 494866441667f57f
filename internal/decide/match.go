package decide

// Request is what is judged of a request: how it reads, never what it carries.
type Request struct {
	Method string
	Target string  // the raw request target: origin-form, or absolute-form with the host in Host
	Host   string  // the Host field or :authority, raw
	Fields []Field // [Table.AppendFields], or all, in any order, each name once; any case is understood
	Now    int64   // microseconds since the Unix epoch, UTC
}

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
	posted  bool          // it was sent as a POST, whatever method is judged
	methods methodSet     // that the path has in some version
	few     [4]*operation // backs the list of operations that are asked for
	rival   reading
}

// API returns the API in whose base the path lies, or nil if none was found. It must not be changed.
func (m *Match) API() *API {
	if m.front == nil {
		return nil
	}
	return m.front.API
}

// Bind says how the path names the caller; "", which refuses, if no API was found.
func (m *Match) Bind() Bind {
	switch {
	case m.front == nil:
		return ""
	case m.bindAt < 0:
		return BindNone
	}
	return m.front.Bind
}

// Bound returns the raw segment that names the caller, "" for none. With [BindAnySID] it is what is to be
// looked up for Caller.Named.
func (m *Match) Bound() string {
	if m.front == nil || m.bindAt < 0 {
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
	m.forget()
	reason := m.read(t, r)
	if reason == Allow {
		m.table = t
	}
	return reason
}

// forget makes m say nothing about the request that it was used for before.
func (m *Match) forget() {
	m.table, m.front, m.through, m.bindAt, m.brand, m.torn = nil, nil, nil, -1, 0, false
	m.path.text, m.host, m.method, m.methods = "", "", 0, 0
	m.isNamed, m.named = false, ""
	m.own.count, m.nested.count = 0, 0
	m.fields.reset()
	m.queries.reset()
}

func (m *Match) read(t *Table, r *Request) Reason {
	authority, rest, ok := splitTarget(r.Target)
	if !ok {
		return MalformedRequest
	}
	query, ok := m.path.parse(rest)
	if !ok {
		m.path.text = ""
		return MalformedRequest
	}
	if m.host, ok = t.requestHost(authority, r.Host); !ok {
		return MalformedRequest
	}
	if m.method, ok = parseMethod(r.Method); !ok {
		return MalformedRequest
	}
	t.fields.scan(r.Fields, &m.fields)
	if query != "" && !scanQuery(query, t.parameters, &m.queries) {
		return MalformedRequest
	}
	if m.fields.full || m.queries.full || m.queries.has(0) {
		return MalformedRequest
	}
	m.now, m.posted = r.Now, m.method == methodPost
	m.findRoutes(t)
	if m.front == nil {
		return m.miss(t)
	}
	if m.twofold() || !m.overrideMethod() || !m.nameVersion() {
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

// twofold reports whether a careless server would read the path as another template.
func (m *Match) twofold() bool {
	return m.own.count > 0 && m.own.twofold || m.nested.count > 0 && m.nested.twofold
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

// passThrough reads the path by the routes that nest under a prefix of the API that has it. The API's own
// routes there are judged for the brand too, also where text stands around it (/Advertisers/{Id}:end).
func (m *Match) passThrough(mount *mount) {
	if m.own.count > 0 && m.front != mount.front || !mount.front.hosts.admit(m.host) || !mount.covers(&m.path) {
		return
	}
	if m.own.count > 0 {
		m.through = mount.through
	}
	if m.path.special&mount.names != 0 {
		return
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

// overrideMethod judges the fields that replace the method. The one that the API declares may come once, on
// a POST, as all servers that know it want it; anything else has a second reading.
func (m *Match) overrideMethod() bool {
	seen := false
	for i := range m.fields.n {
		note := &m.fields.list[i]
		declared := int(note.name) == m.front.methodHeader
		if !declared && int(note.name) >= len(methodFields) {
			continue // a version field, or some other API's
		}
		effective, known := parseMethod(note.value)
		if !declared || note.odd || !known || !m.posted || seen {
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

// Host is the host that was asked for, without port; "" if the request names none.
func (m *Match) Host() string { return m.host }
