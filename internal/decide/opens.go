package decide

import "counterfoil.dev/counterfoil/internal/scope"

// Opens says in names what held opens of a version at now (microseconds): the scopes that the catalogue has
// today, ascending. It is nil, and the names are empty, for a version that is retired or gone, of which
// nothing opens any more.
func (t *Table) Opens(id VersionID, held scope.Set, now int64) (api, version string, scopes []string) {
	v := t.version(id)
	if v == nil || v.api == nil || v.ordinal < 0 || v.ended(now) {
		return "", "", nil
	}
	scopes = []string{}
	for i := range v.api.Versions[v.ordinal].Scopes {
		name := v.api.Versions[v.ordinal].Scopes[i].Name
		if bit, known := v.bits[name]; known && held.Has(bit) {
			scopes = append(scopes, name)
		}
	}
	return v.key.api, v.key.version, scopes
}
