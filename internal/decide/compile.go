package decide

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/internal/scope"
)

// maxFaults is how many faults of a catalogue are told at once.
const maxFaults = 100

// Compile builds the table of c, which must not be changed afterwards. It refuses a catalogue that could be
// read in two ways and tells all its faults, each with API, version and template. prev, which may be nil,
// lends its version ids and scope bits, so that sets made for it keep their meaning.
func Compile(c *Catalogue, prev *Table) (*Table, error) {
	k := &compiler{table: inherit(prev)}
	for i := range c.APIs {
		k.api(&c.APIs[i])
	}
	for _, v := range k.table.versions[1:] {
		v.api = k.table.byName[v.key.api]
	}
	for _, a := range k.table.apis {
		k.mount(a)
	}
	for _, a := range k.table.apis {
		for i := range a.Versions {
			k.version(a, i)
		}
	}
	if len(k.table.fields.names) > maxWatched || len(k.table.parameters) > maxWatched {
		k.fault("", "more than %d names of version fields or parameters", maxWatched)
	}
	if len(k.faults) > 0 {
		return nil, fmt.Errorf("compiling a catalogue: %w", errors.Join(k.faults...))
	}
	return k.table, nil
}

type compiler struct {
	table  *Table
	faults []error
}

// fault notes what is wrong at a place such as `API agency, version 3, GET /Jobs/{JobId}`.
func (k *compiler) fault(where, format string, args ...any) {
	switch text := fmt.Sprintf(format, args...); {
	case len(k.faults) == maxFaults:
		k.faults = append(k.faults, errors.New("and more"))
	case len(k.faults) > maxFaults:
	case where == "":
		k.faults = append(k.faults, errors.New(text))
	default:
		k.faults = append(k.faults, errors.New(where+": "+text))
	}
}

// inherit returns an empty table that knows the versions of prev as gone.
func inherit(prev *Table) *Table {
	t := &Table{byName: map[string]*api{}, ids: map[versionKey]VersionID{}, versions: []*version{nil}}
	for _, name := range methodFields {
		t.fields.watch(name)
	}
	t.parameters = []string{methodParameter}
	if prev == nil {
		return t
	}
	for _, v := range prev.versions[1:] {
		t.ids[v.key] = v.id
		t.versions = append(t.versions, &version{id: v.id, key: v.key, ordinal: -1, retired: true, bits: v.bits})
	}
	return t
}

// api takes what an API says about itself.
func (k *compiler) api(spec *API) {
	where := "API " + spec.Name
	a := &api{API: spec, hosts: spec.Hosts, bindAt: -1, inside: new(node), outside: new(node)}
	if !plainName(spec.Name) {
		k.fault("", "API %q: the name is not 1 to 64 of A-Z a-z 0-9 . _ -", spec.Name)
	}
	if k.table.byName[spec.Name] != nil {
		k.fault(where, "is there twice")
	}
	k.table.byName[spec.Name] = a
	k.table.apis = append(k.table.apis, a)
	a.prefixes = []string{spec.Base}
	k.base(where, a)
	for _, host := range spec.Hosts {
		if err := validHost(host); err != nil {
			k.fault(where, "%v", err)
		}
		if !slices.Contains(k.table.hosts, host) {
			k.table.hosts = append(k.table.hosts, host)
		}
	}
	for _, s := range spec.Suffixes {
		if len(s) < 2 || len(s) > 16 || s[0] != '.' || strings.Trim(s[1:], alphanumerics) != "" {
			k.fault(where, "suffix %q is not a dot and 1 to 15 letters or digits", s)
		}
	}
	k.watch(where, a)
	for i := range spec.Versions {
		k.enrol(where, a, &spec.Versions[i])
	}
}

const alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// plainName accepts names of APIs and versions: 1 to 64 of A-Z a-z 0-9 . _ -
func plainName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, alphanumerics+"._-") == ""
}

// base reads the base and how it names the caller.
func (k *compiler) base(where string, a *api) {
	base, err := parseTemplate(a.Base)
	if err != nil {
		k.fault(where, "base %s %v", a.Base, err)
		return
	}
	a.base = base
	at := base.parameters()
	switch a.Bind {
	case BindSID, BindAnySID, BindAccount:
		if len(at) != 1 || base[at[0]].kind != parameter {
			k.fault(where, "binds to the caller (%s), so its base must have exactly one whole segment that is a parameter", a.Bind)
			return
		}
		a.bindAt = at[0]
	case BindNone:
		if len(at) != 0 {
			k.fault(where, "binds to nobody, so its base can have no parameter")
		}
	default:
		k.fault(where, "bind %q is not sid, any-sid, account or none", a.Bind)
	}
}

// watch notes the names by which a request can change how it is read.
func (k *compiler) watch(where string, a *api) {
	a.header, a.methodHeader, a.query = -1, -1, -1
	if a.MethodHeader != "" {
		if !fieldName(a.MethodHeader) {
			k.fault(where, "method field %q is not a field name", a.MethodHeader)
		}
		a.methodHeader = k.table.fields.watch(a.MethodHeader)
	}
	if a.Header != "" {
		taken := slices.ContainsFunc(append(methodFields[:], a.MethodHeader), func(name string) bool {
			return len(name) == len(a.Header) && sameField(name, a.Header)
		})
		if !fieldName(a.Header) || taken {
			k.fault(where, "version field %q is not a field name, or is one that replaces the method", a.Header)
		}
		a.header = k.table.fields.watch(a.Header)
	}
	if a.Query != "" {
		if !plainName(a.Query) || spelling(a.Query, methodParameter) != different {
			k.fault(where, "version parameter %q is not 1 to 64 of A-Z a-z 0-9 . _ -, or is %s", a.Query, methodParameter)
		}
		a.query = slices.Index(k.table.parameters, a.Query)
		if a.query < 0 {
			a.query = len(k.table.parameters)
			k.table.parameters = append(k.table.parameters, a.Query)
		}
	}
}

// fieldName accepts a token (RFC 9110, section 5.6.2) of letters, digits, hyphens and underscores.
func fieldName(s string) bool { return len(s) <= 64 && strings.Trim(s, alphanumerics+"-_") == "" }

// enrol gives a version its id and its scopes their bits.
func (k *compiler) enrol(where string, a *api, spec *Version) {
	where += ", version " + spec.Name
	key := versionKey{a.Name, spec.Name}
	v := &version{
		key: key, ordinal: len(a.versions), sunset: spec.Sunset,
		retired: spec.State == "retired", bits: map[string]int{},
	}
	if !plainName(spec.Name) {
		k.fault(where, "the version's name is not 1 to 64 of A-Z a-z 0-9 . _ -")
	}
	if a.named(spec.Name) != nil {
		k.fault(where, "is there twice")
		return
	}
	switch spec.State {
	case "current":
		a.latest = v
	case "preview", "supported", "deprecated", "retired":
	default:
		k.fault(where, "state %q is not preview, current, supported, deprecated or retired", spec.State)
	}
	if id, known := k.table.ids[key]; known {
		v.id, v.bits = id, maps.Clone(k.table.versions[id].bits)
		k.table.versions[id] = v
	} else {
		v.id = VersionID(len(k.table.versions))
		k.table.ids[key] = v.id
		k.table.versions = append(k.table.versions, v)
	}
	a.versions = append(a.versions, v)
	seen := make(map[string]bool, len(spec.Scopes))
	for i := range spec.Scopes {
		name := spec.Scopes[i].Name
		if _, err := scope.ParseName(name); err != nil {
			k.fault(where, "%v", err)
		}
		if seen[name] {
			k.fault(where, "scope %s is there twice", name)
		}
		if limit := spec.Scopes[i].Limit; limit != nil && !limit.valid() {
			k.fault(where, "the limit of scope %s cannot be counted", name)
		}
		seen[name] = true
		if _, known := v.bits[name]; !known {
			v.bits[name] = len(v.bits)
		}
	}
}
