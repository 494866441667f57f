package catalog

import (
	"slices"
	"strings"
)

// CarryOver splits the scopes of a token that is to move from one version to another. A scope is
// carried over only if the same name opens nothing in the new version that it did not open before;
// operations are compared by method and template relative to the base, parameter names aside. All
// others, also those that the new version does not have or does not offer, are in ask: a person must
// tick them. Both lists are ascending and without repeats.
func CarryOver(from, to Version, scopes []string) (carried, ask []string) {
	more := gains(opens(from), opens(to))
	for _, name := range scopes {
		s, ok := to.Scope(name)
		_, had := from.Scope(name)
		if ok && had && !s.Hidden && len(more[name]) == 0 {
			carried = append(carried, name)
		} else {
			ask = append(ask, name)
		}
	}
	return sortedSet(carried), sortedSet(ask)
}

// opened says, for each operation of a version by its key, which sets of scopes are enough.
type opened map[string]requirement

type requirement struct {
	sets   [][]string
	public bool
	path   string // "GET /full/{path}" for people
}

func opens(v Version) opened {
	out := make(opened, len(v.Operations))
	for _, o := range v.Operations {
		out[operationKey(o)] = requirement{o.Scopes, o.Public, o.Method + " " + o.Path}
	}
	return out
}

// operationKey is method and template relative to the base with parameter names taken out: a version
// that says {AccountSid} for {AccountSID} names the same paths.
func operationKey(o Operation) string {
	key := o.Method + " " + unnamed(o.Template)
	if o.Outside {
		return key + " outside"
	}
	return key
}

// unnamed writes every parameter of a template as {}.
func unnamed(template string) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(template, '{')
		end := strings.IndexByte(template, '}')
		if open < 0 || end < open {
			return b.String() + template
		}
		b.WriteString(template[:open] + "{}")
		template = template[end+1:]
	}
}

// gains lists, for each scope, the operations as people write them (ascending) that it helps to open
// after and did not before: one of the sets with it in is enough now, and no subset of that set was
// enough then. So a scope gains also when its operation stops asking for a second one. Each operation is
// looked at once, so ten thousand scopes do not cost a square.
func gains(before, after opened) map[string][]string {
	out := map[string][]string{}
	for key, now := range after {
		then, existed := before[key]
		if now.public || existed && then.public {
			continue
		}
		for _, set := range now.sets {
			if enough(then.sets, set) {
				continue
			}
			for _, name := range set {
				out[name] = append(out[name], now.path)
			}
		}
	}
	for name := range out {
		out[name] = sortedSet(out[name])
	}
	return out
}

// enough reports whether holding all of held satisfies one of the sets.
func enough(sets [][]string, held []string) bool {
	return slices.ContainsFunc(sets, func(set []string) bool {
		for _, name := range set {
			if !slices.Contains(held, name) {
				return false
			}
		}
		return true
	})
}

func sortedSet(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}
