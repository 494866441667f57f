package catalog

import (
	"regexp"
	"slices"
	"strings"
)

// Bounds of what is said about examples.
const (
	maxExampleNotes = 100       // of one version
	maxExamples     = 50        // URIs taken from the answers of one operation
	maxExampleSteps = 4_000_000 // of matching them; there are no more notes after that
)

// uriKey is a key whose value is meant as a URI.
var uriKey = regexp.MustCompile(`(?i)(?:uri|url|href|link|location)s?$`)

// example is a URI that a document shows.
type example struct {
	line int
	path string
}

// examples notes the example URIs that match no route, and suggests needs where the answer of one
// operation points at another: who may export a report can do little without fetching the job.
func (v *builtVersion) examples() {
	left := maxExampleNotes
	seen := map[string]bool{}
	for _, name := range v.documents {
		for _, e := range v.shown(v.reader.docs[name], 0) {
			if seen[e.path] || v.exampleSteps > maxExampleSteps || v.matches(e.path) {
				continue
			}
			seen[e.path] = true
			if left--; left < 0 {
				return
			}
			why := ""
			if strings.HasSuffix(e.path, "/") {
				why = ": it ends in a slash"
			}
			v.note(place{name, e.line}, "example URI %s matches no route%s", short(e.path), why)
		}
	}
	v.suggest()
}

// shown collects the URIs under the base in the examples below n; limit 0 means all.
func (v *builtVersion) shown(n *node, limit int) []example {
	var out []example
	var walk func(n *node, key string, inExample bool)
	walk = func(n *node, key string, inExample bool) {
		if n == nil || limit > 0 && len(out) >= limit {
			return
		}
		if inExample && n.is(textKind) {
			if p, ok := v.underBase(n.text, key); ok {
				out = append(out, example{n.row(), p})
			}
			return
		}
		for _, item := range n.list() {
			walk(item, key, inExample)
		}
		n.each(func(k string, _ int, value *node) {
			switch {
			case inExample:
				walk(value, k, true)
			case strings.HasPrefix(k, "x-"):
			case k == "example" || k == "examples":
				walk(value, key, true)
			case k == "schema" || k == "items" || k == "properties":
				walk(value, key, false)
			default:
				walk(value, k, false)
			}
		})
	}
	walk(n, "", false)
	return out
}

// underBase takes the path of an example if it lies under the API's base; without a literal in the
// base the key must say that it is a URI.
func (v *builtVersion) underBase(text, key string) (string, bool) {
	if len(text) < 2 || len(text) > maxTemplate || text[0] != '/' || strings.ContainsAny(text, " \n") {
		return "", false
	}
	path := text
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		path = text[:i]
	}
	base := v.api.baseT
	if len(base) == 0 || !base[0].literal() {
		return path, uriKey.MatchString(key)
	}
	parts := strings.Split(path[1:], "/")
	if len(parts) <= len(base) {
		return "", false
	}
	for i, s := range base {
		if s.literal() && s.before != parts[i] {
			return "", false
		}
	}
	return path, true
}

// matches reports whether some route, own or nested, has the path.
func (v *builtVersion) matches(path string) bool {
	return len(v.matching(path)) > 0
}

// matching returns the operations of the first template that has the path, own ones first. What is in
// angle brackets or braces stands for any parameter.
func (v *builtVersion) matching(path string) []*built {
	parts := strings.Split(path[1:], "/")
	last := len(parts) - 1
	for _, suffix := range v.api.suffixes {
		if rest, ok := strings.CutSuffix(parts[last], suffix); ok && rest != "" {
			parts[last] = rest
			break
		}
	}
	if v.routes != nil {
		if ops := v.routes.match(parts, &v.exampleSteps); len(ops) > 0 {
			return ops
		}
	}
	for _, t := range v.nests {
		if ops := t.match(parts, &v.exampleSteps); len(ops) > 0 {
			return ops
		}
	}
	return nil
}

// match prefers literals, as decide does; steps counts the work.
func (t *tree) match(parts []string, steps *int) []*built {
	if len(parts) == 0 {
		return t.here
	}
	*steps++
	part := parts[0]
	if part == "" {
		return nil
	}
	stands := strings.ContainsAny(part, "<{")
	if k := t.by[part]; k != nil && k.seg.literal() && !stands {
		if ops := k.match(parts[1:], steps); len(ops) > 0 {
			return ops
		}
	}
	for _, rank := range []int{1, 2} {
		for _, k := range t.open {
			if k.seg.rank() == rank && (stands || overlap(k.seg, segment{before: part})) {
				if ops := k.match(parts[1:], steps); len(ops) > 0 {
					return ops
				}
			}
		}
	}
	return nil
}

// suggest notes where the answer of an operation shows a URI of another category that can be read.
func (v *builtVersion) suggest() {
	known := map[*node][]example{}
	left := maxExampleNotes
	for _, o := range v.ops {
		answers := o.item.get("responses")
		if answers == nil || o.isPublic {
			continue
		}
		list, ok := known[answers]
		if !ok {
			list = v.shown(answers, maxExamples)
			known[answers] = list
		}
		for _, e := range list {
			if v.exampleSteps > maxExampleSteps {
				return
			}
			ops := v.matching(e.path)
			at := slices.IndexFunc(ops, func(p *built) bool { return p.method == "GET" })
			if at < 0 || ops[at].category == o.category || !v.suggestible(o, ops[at]) {
				continue
			}
			if left--; left < 0 {
				return
			}
			v.note(o.place, "the answer of %s %s shows a URI of %s: does the scope %s need %s?",
				o.method, short(o.path), short(ops[at].path), o.sets[0][0], ops[at].sets[0][0])
			break
		}
	}
}

// suggestible leaves out what the catalogue file says already, and what is not one scope to one scope.
func (v *builtVersion) suggestible(from, to *built) bool {
	if len(from.sets) != 1 || len(to.sets) != 1 || len(from.sets[0]) != 1 || len(to.sets[0]) != 1 {
		return false
	}
	s, t := v.scopes[from.sets[0][0]], v.scopes[to.sets[0][0]]
	return s != nil && t != nil && s != t && !slices.Contains(s.needs, t.name)
}
