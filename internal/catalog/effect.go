package catalog

import (
	"slices"
	"strings"
)

// Gains says, for each scope of a version, which operations it opens that the same name did not open in
// the version before ("GET /full/{path}", ascending). A scope that gains nothing is not in the map.
func Gains(from, to Version) map[string][]string {
	return gains(opens(from), opens(to))
}

// Effect says which operations a token pinned to one version with these scopes could call after one
// catalogue has replaced another and could not before (grows), and the other way round (shrinks):
// "GET /full/{path}", ascending. A version that is not in a catalogue opens nothing.
func Effect(before, after []API, api, version string, scopes []string) (grows, shrinks []string) {
	was, is := callable(before, api, version, scopes), callable(after, api, version, scopes)
	return missing(is, was), missing(was, is)
}

// callable maps the keys of the operations that the scopes open to how people read them.
func callable(apis []API, api, version string, scopes []string) map[string]string {
	found, _ := Find(apis, api)
	v, _ := found.Version(version)
	out := make(map[string]string)
	if v.State == "retired" {
		return out
	}
	for key, need := range opens(v) {
		if need.public || len(need.sets) > 0 && enough(need.sets, scopes) {
			out[key] = need.path
		}
	}
	return out
}

// missing lists what is in a and not in b.
func missing(a, b map[string]string) []string {
	var out []string
	for key, path := range a {
		if _, ok := b[key]; !ok {
			out = append(out, path)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
