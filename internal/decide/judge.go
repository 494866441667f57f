package decide

import (
	"math/bits"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/internal/scope"
)

// Pin is one version that a token may use, with the scopes that were ticked for it.
type Pin struct {
	Version VersionID
	Scopes  scope.Set
}

// Caller is what is known of a token whose secret was right and which is in force.
type Caller struct {
	Account  int64
	SID      string
	Pins     []Pin   // the first pin of an API is its version; others count only where the API allows overriding
	Named    bool    // the SID in the path is that of a live token of the same account; asked for with [BindAnySID]
	Managed  []int64 // brands that the account manages now, ascending
	ReachAll bool    // the token may act on every managed brand
	Reach    []int64 // or on these, ascending
}

// Verdict is what a decision was about. It may be used again, which saves the allocation of Missing.
type Verdict struct {
	API, Version string // that were judged: of the nested API on a passthrough path
	// OuterAPI and OuterVersion are those of the prefix on a passthrough path, and else empty.
	OuterAPI, OuterVersion string
	Operation              string        // method and full template; empty if none was found
	Route                  *Route        // of Operation; the most specific one, the first where templates cross
	Scope                  string        // when allowed, the names that opened it, parted by spaces; else the first missing
	Limited                []*ScopeWords // when allowed, those of Scope that have a limit; nil when none has
	Missing                []ScopeWords  // the boxes that are not ticked, with [InsufficientScope]
	Brand                  int64         // the brand acted on; 0 for none
	Elsewhere              string        // with [NoRoute] and [MethodNotAllowed], a version of API that has the route
	Public                 bool          // no scope was asked for
	Strict                 bool          // some route that was judged is strict
	Upgrade                bool          // every route that was judged admits Upgrade
}

// Public reports whether the request needs no credential: the version that it names, or else the latest,
// has the route and says so. What binds to a brand is never public, since nobody's reach could be asked.
func (m *Match) Public() bool {
	if m.table == nil {
		return false
	}
	var v Verdict
	return m.judgePublic(&v) == Allow
}

// Decide judges m for the caller: binding, version, scope, reach, in this order, and the first that fails
// answers. A nil caller has shown no credential and passes on public routes alone. Match must have allowed
// m with this very table.
func (t *Table) Decide(m *Match, c *Caller, v *Verdict) Reason {
	*v = Verdict{Missing: v.Missing[:0]}
	if m.table != t || t == nil {
		return Undecided
	}
	v.API = m.front.Name
	if c == nil {
		return m.judgePublic(v)
	}
	if !m.binds(c) {
		return WrongAccount
	}
	pin := c.pin(t, m.front)
	if pin == nil {
		return m.unpinned(v)
	}
	outer := t.version(pin.Version)
	if m.nested.count == 0 || m.own.count > 0 && m.in(&m.own, outer) != noPath {
		return m.judge(t, c, pin, &m.own, v)
	}
	v.OuterAPI, v.OuterVersion = m.front.Name, outer.key.version
	if outer.ended(m.now) {
		v.Version = v.OuterVersion
		return VersionRetired
	}
	v.API = m.nested.api.Name
	if pin = c.pin(t, m.nested.api); pin == nil {
		return VersionNotAllowed
	}
	return m.judge(t, c, pin, &m.nested, v)
}

// binds reports whether the path names the caller, octet for octet.
func (m *Match) binds(c *Caller) bool {
	switch m.Bind() {
	case BindSID:
		return c.SID != "" && m.Bound() == c.SID
	case BindAnySID:
		return c.Named || c.SID != "" && m.Bound() == c.SID
	case BindAccount:
		id, ok := accountID(m.Bound())
		return ok && id == c.Account
	case BindNone:
		return true
	}
	return false
}

// pin returns the first pin of an API, which is its version; nil if the token has none.
func (c *Caller) pin(t *Table, a *api) *Pin {
	for i := range c.Pins {
		if v := t.version(c.Pins[i].Version); v != nil && v.api == a {
			return &c.Pins[i]
		}
	}
	return nil
}

// pinOf returns the pin of one version.
func (c *Caller) pinOf(v *version) *Pin {
	if v == nil {
		return nil
	}
	for i := range c.Pins {
		if c.Pins[i].Version == v.id {
			return &c.Pins[i]
		}
	}
	return nil
}

// judge decides in the version that pin or the request names: version, route, scope, reach.
func (m *Match) judge(t *Table, c *Caller, pin *Pin, r *reading, v *Verdict) Reason {
	version := t.version(pin.Version)
	if m.isNamed && m.named != version.key.version {
		v.Version = m.named
		if !r.api.Override {
			return VersionNotAllowed
		}
		version = r.api.named(m.named)
		if pin = c.pinOf(version); pin == nil {
			return VersionNotAllowed
		}
	}
	v.Version = version.key.version
	if version.ended(m.now) {
		return VersionRetired
	}
	asked, reason := m.ask(r, version, v)
	if reason != Allow {
		m.lookElsewhere(r, v)
		return reason
	}
	if reason := v.open(asked, pin.Scopes); reason != Allow {
		return reason
	}
	return m.reaches(c, r, asked, v)
}

// ask finds the operations whose requirements are asked for in one version, and describes them in v.
func (m *Match) ask(r *reading, version *version, v *Verdict) ([]*operation, Reason) {
	switch m.in(r, version) {
	case noPath:
		return nil, NoRoute
	case noMethod:
		return nil, MethodNotAllowed
	}
	asked := m.requirements(r)
	first := asked[0]
	text := 0
	if r == &m.nested {
		text = m.through.text
	}
	v.Route, v.Operation = first.route, first.texts[text]
	v.Public, v.Upgrade = true, true
	for _, op := range asked {
		v.Public = v.Public && op.route.Public
		v.Strict = v.Strict || op.route.Strict
		v.Upgrade = v.Upgrade && op.route.Upgrade
	}
	return asked, Allow
}

// requirements lists the operations of the templates that won. All of them are asked for, also one whose
// schema refuses its parameter, since a server may be laxer than its document. Where the server may take
// another method from the body, a POST stands for every method of the path.
func (m *Match) requirements(r *reading) []*operation {
	asked := m.few[:0]
	anyMethod := m.posted && (r.api.MethodInBody || m.front.MethodInBody)
	for w := r.winners; w != 0; w &= w - 1 {
		place := r.leaves[bits.TrailingZeros32(w)].places[r.version.ordinal]
		if op := place.by[m.method]; op != nil {
			asked = append(asked, op)
		}
		if !anyMethod {
			continue
		}
		for other, op := range place.by {
			if op != nil && op.method == method(other) && op.method != m.method {
				asked = append(asked, op)
			}
		}
	}
	return asked
}

// open judges the scopes: of every operation some alternative must be held whole. A public one asks for
// none. What neither is public nor has alternatives is open to nobody.
func (v *Verdict) open(asked []*operation, held scope.Set) Reason {
	reason := Allow
	for _, op := range asked {
		if op.route.Public {
			continue
		}
		used := op.heldBy(held)
		switch {
		case used == nil:
			reason = InsufficientScope
			v.miss(op, held)
		case v.Scope == "":
			v.Scope, v.Limited = used.text, used.limited
		case !strings.Contains(" "+v.Scope+" ", " "+used.text+" "):
			v.Scope += " " + used.text
			v.limit(used.limited)
		}
	}
	if reason == InsufficientScope {
		v.Scope, v.Limited = "", nil
		if len(v.Missing) > 0 {
			v.Scope = v.Missing[0].Name
		}
	}
	return reason
}

// limit adds scopes with a limit, where templates cross. What is shared with the table is copied first.
func (v *Verdict) limit(more []*ScopeWords) {
	for _, words := range more {
		if !slices.Contains(v.Limited, words) {
			v.Limited = append(slices.Clip(v.Limited), words)
		}
	}
}

// heldBy returns the first alternative that is held whole.
func (op *operation) heldBy(held scope.Set) *need {
	for i := range op.needs {
		if held.Covers(op.needs[i].all) {
			return &op.needs[i]
		}
	}
	return nil
}

// miss adds the names of the alternative of op that lacks fewest beside what is missing already.
func (v *Verdict) miss(op *operation, held scope.Set) {
	var best *need
	fewest := 0
	for i := range op.needs {
		lacking := 0
		for k, bit := range op.needs[i].bits {
			if !held.Has(bit) && !v.misses(op.needs[i].words[k]) {
				lacking++
			}
		}
		if best == nil || lacking < fewest {
			best, fewest = &op.needs[i], lacking
		}
	}
	if best == nil {
		return
	}
	for k, bit := range best.bits {
		if words := best.words[k]; !held.Has(bit) && !v.misses(words) {
			v.Missing = append(v.Missing, *words)
		}
	}
}

func (v *Verdict) misses(words *ScopeWords) bool {
	return slices.ContainsFunc(v.Missing, func(w ScopeWords) bool { return w.Name == words.Name })
}

// reaches judges the brand, if the path names one: the account must manage it now, and the token's reach
// must hold it. The API's own routes at or under the prefix are judged like those that nest there.
func (m *Match) reaches(c *Caller, r *reading, asked []*operation, v *Verdict) Reason {
	brand, named := m.brandOf(r, asked)
	if !named {
		return Allow
	}
	v.Brand = brand
	if _, managed := slices.BinarySearch(c.Managed, brand); !managed || brand <= 0 {
		return BrandNotManaged
	}
	if _, listed := slices.BinarySearch(c.Reach, brand); !listed && !c.ReachAll {
		return BrandOutOfReach
	}
	return Allow
}

// brandOf returns the brand that the path names, if it names one: a literal in the brand's place, as in
// /Advertisers/Export, does not. What stands there without being an account's id is 0, nobody's brand.
func (m *Match) brandOf(r *reading, asked []*operation) (id int64, named bool) {
	if r == &m.nested {
		return m.brand, true
	}
	if m.through == nil {
		return 0, false
	}
	for _, op := range asked {
		for i := range op.params {
			if p := &op.params[i]; r.offset+p.at == m.through.brandAt {
				id, _ = accountID(p.value(m.segment(r, m.through.brandAt)))
				return id, true
			}
		}
	}
	return 0, false
}

// judgePublic decides for a caller without a credential.
func (m *Match) judgePublic(v *Verdict) Reason {
	v.API = m.front.Name
	version := m.front.latest
	if m.isNamed {
		version = m.front.named(m.named)
	}
	if m.own.count == 0 || version == nil || version.ended(m.now) {
		return Undecided
	}
	v.Version = version.key.version
	asked, reason := m.ask(&m.own, version, v)
	if reason != Allow || !v.Public {
		return Undecided
	}
	if _, brand := m.brandOf(&m.own, asked); brand {
		return Undecided
	}
	return Allow
}

// unpinned decides for a token without a version of the API: what nobody needs a credential for is open to
// it too, and nothing else.
func (m *Match) unpinned(v *Verdict) Reason {
	if m.judgePublic(v) != Allow {
		*v = Verdict{API: m.front.Name, Missing: v.Missing}
		return VersionNotAllowed
	}
	return Allow
}

// lookElsewhere finds a version in which the route exists, the newest that has not ended, to teach.
func (m *Match) lookElsewhere(r *reading, v *Verdict) {
	for i := len(r.api.versions) - 1; i >= 0; i-- {
		if other := r.api.versions[i]; !other.ended(m.now) && m.in(r, other) == found {
			v.Elsewhere = other.key.version
			return
		}
	}
}
