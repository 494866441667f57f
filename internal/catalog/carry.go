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
	before, after := opens(from), opens(to)
	for _, name := range scopes {
		s, ok := to.Scope(name)
		_, had := from.Scope(name)
		if ok && had && !s.Hidden && len(gained(name, before, after)) == 0 {
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

// gained lists the operations (by key, ascending) that the scope helps to open after and did not
// before: one of the sets with it in is enough now, and no subset of that set was enough then. So a
// scope gains also when its operation stops asking for a second one.
func gained(scope string, before, after opened) []string {
	var out []string
	for key, now := range after {
		then, existed := before[key]
		if now.public || existed && then.public {
			continue
		}
		for _, set := range now.sets {
			if slices.Contains(set, scope) && !enough(then.sets, set) {
				out = append(out, key)
				break
			}
		}
	}
	slices.Sort(out)
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
