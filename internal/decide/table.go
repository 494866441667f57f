package decide

import (
	"slices"

	"counterfoil.dev/counterfoil/internal/scope"
)

// Table is a compiled catalogue: what a verifier judges by. It is immutable; a new catalogue makes a new
// table, and whoever holds the old one goes on with it undisturbed.
type Table struct {
	apis       []*api
	byName     map[string]*api
	versions   []*version // by VersionID, of this table and of those it descends from; [0] is nil
	ids        map[versionKey]VersionID
	mounts     names[*mounts] // by the first literal of the prefix
	anywhere   mounts         // whose prefix is empty or begins with a parameter
	hosts      []string       // of all APIs, to know them at a glance
	fields     fields         // the first len(methodFields) are those
	parameters []string       // query parameters that are watched; the first is methodParameter
}

// VersionID names one version of one API within a table and all tables compiled from it; 0 is none.
type VersionID int32

type versionKey struct{ api, version string }

// api is one API of the catalogue.
type api struct {
	*API
	base     template
	hosts    hosts
	bindAt   int        // position of the parameter in the base that names the caller; -1 for none
	versions []*version // as the catalogue lists them, oldest first
	latest   *version   // the newest current one; nil for none
	inside   *node      // routes below the base
	outside  *node      // absolute routes
	prefixes []string   // under which the API nests elsewhere, by through.text; the first is its own base

	header, methodHeader int // indexes in Table.fields; -1 for none
	query                int // index in Table.parameters; -1 for none
}

// version is one version of one API. It outlives its place in the catalogue: grants go on naming it.
type version struct {
	id      VersionID
	key     versionKey
	api     *api           // nil when the catalogue has the API no more
	ordinal int            // index in api.versions; -1 when the catalogue has it no more
	sunset  int64          // microseconds; 0 for never
	retired bool           // by its state, or gone
	bits    map[string]int // of every scope that it has or ever had; bits are never used again
}

// ended reports whether the version is retired at now.
func (v *version) ended(now int64) bool { return v.retired || v.sunset != 0 && v.sunset <= now }

// mount is one place where a tree of routes begins.
type mount struct {
	front   *api     // the API whose base, host and upstream the path has
	prefix  template // absolute
	api     *api     // whose routes follow
	tree    *node
	bindAt  int
	names   uint32   // positions of parameters in prefix
	through *through // nil for the API's own routes
}

// through is a passthrough: the prefix under which another API's routes nest.
type through struct {
	*Passthrough
	brandAt int // position of the brand parameter
	text    int // index in operation.texts of the nested API's operations
}

// mounts are own routes and passthroughs; own ones are read first, since they win.
type mounts struct {
	own     []*mount
	through []*mount
}

// operation is one route in one version.
type operation struct {
	route    *Route
	method   method
	needs    []need
	params   []param  // of every parameter in the template, in its order
	variable uint32   // their positions
	narrowed bool     // some parameter asks more than the character rule
	texts    []string // method and full template, by through.text; the first is the API's own
}

// need is one alternative of what an operation asks for: all of these scopes.
type need struct {
	all   scope.Set
	bits  []int
	words []*ScopeWords
	text  string // the names, parted by a space
	// limited are those of words that have a limit.
	limited []*ScopeWords
}

// VersionID returns the id of a version, or 0 if neither this table nor one before it had it.
func (t *Table) VersionID(api, version string) VersionID { return t.ids[versionKey{api, version}] }

// ScopeSet returns the bits of the named scopes of v. A name that the version never had gets no bit, so it
// opens nothing, not even when a later catalogue brings it: then the set must be asked for again.
func (t *Table) ScopeSet(v VersionID, names []string) scope.Set {
	version := t.version(v)
	if version == nil {
		return scope.Set{}
	}
	bits := make([]int, 0, len(names))
	for _, name := range names {
		if bit, known := version.bits[name]; known {
			bits = append(bits, bit)
		}
	}
	return scope.Of(bits...)
}

// API returns the API of that name as the catalogue has it, or nil. It must not be changed.
func (t *Table) API(name string) *API {
	if a := t.byName[name]; a != nil {
		return a.API
	}
	return nil
}

func (t *Table) version(id VersionID) *version {
	if id <= 0 || int(id) >= len(t.versions) {
		return nil
	}
	return t.versions[id]
}

// named returns the version of that name, or nil.
func (a *api) named(name string) *version {
	i := slices.IndexFunc(a.versions, func(v *version) bool { return v.key.version == name })
	if i < 0 {
		return nil
	}
	return a.versions[i]
}

// knowsHost reports whether any API is asked for by that host.
func (t *Table) knowsHost(name string) bool {
	return len(t.apis) == 0 || slices.ContainsFunc(t.apis, func(a *api) bool { return a.hosts.admit(name) })
}

// fits reports whether p is at or under the mount's prefix, and names its accounts in unreserved octets alone.
func (m *mount) fits(p *path) bool { return p.special&m.names == 0 && m.covers(p) }

// covers reports whether p is at or under the mount's prefix, whatever stands in the place of its parameters.
func (m *mount) covers(p *path) bool {
	if p.count < len(m.prefix) {
		return false
	}
	for i := range m.prefix {
		if s := &m.prefix[i]; s.kind != parameter && !s.fits(p.segment(i)) {
			return false
		}
	}
	return true
}
