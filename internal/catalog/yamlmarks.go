package catalog

import (
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/internal/decide"
)

// readScopes reads what the file does with scopes: rename, merge, hide, mark, relate, add.
func (r *fileReader) readScopes(a *fileAPI, n *node) {
	if !r.entries(n, "scopes") {
		return
	}
	n.each(func(name string, line int, n *node) {
		s := fileScope{place: place{r.file, line}, name: name}
		r.fields(n, "scope "+name, map[string]field{
			"rename":      r.into(&s.rename, "rename"),
			"merge":       r.intoList(&s.merge, "merge"),
			"hide":        r.intoTruth(&s.hide, "hide"),
			"label":       r.into(&s.label, "label"),
			"description": r.into(&s.description, "description"),
			"category":    r.into(&s.category, "category"),
			"access":      r.oneOf(&s.access, "access", "read", "write"),
			"sensitive":   func(n *node) { s.sensitive = r.sensitive(n) },
			"limit":       func(n *node) { s.limit = r.rate(n) },
			"needs":       r.intoList(&s.needs, "needs"),
			"add":         func(n *node) { s.add = r.texts(n, "add") },
		})
		s.label, s.category = cleanLine(s.label, maxLabel), cleanLine(s.category, maxLabel)
		s.description = plain(s.description, maxDescription)
		for _, word := range append([]string{name, s.rename}, s.merge...) {
			if word != "" && !validScopeName(word) {
				r.fatal(s.place, "scope name %q: only A-Z, a-z, 0-9 and . _ : - are allowed, at most %d", word, maxScopeName)
			}
		}
		if s.rename != "" && len(s.merge) > 0 {
			r.fatal(s.place, "scope %s has both rename and merge", name)
			return
		}
		a.scopes = append(a.scopes, s)
	})
}

// sensitive must say why: the wizard shows the reason beside the box.
func (r *fileReader) sensitive(n *node) string {
	if n.is(boolKind) {
		r.fatal(r.at(n), "sensitive must be the reason, as people will read it")
		return ""
	}
	s := cleanLine(r.text(n, "sensitive"), maxProblemText)
	if s == "" {
		r.fatal(r.at(n), "sensitive must be the reason, as people will read it")
	}
	return s
}

// rate is what the calls that a scope opens are held to.
func (r *fileReader) rate(n *node) *decide.Rate {
	text := r.text(n, "limit")
	rate, err := decide.ParseRate(text)
	if err != nil {
		r.fatal(r.at(n), "limit %q %v", text, err)
		return nil
	}
	return &rate
}

// allowable are the ASCII octets that the file may admit in a path parameter: what RFC 3986 section
// 3.3 lets stand in a segment, but the semicolon, at which some servers cut, and the characters that
// pass anyway.
const allowable = "!$&'()*+,=:@"

func (r *fileReader) readParameters(a *fileAPI, n *node) {
	if !r.entries(n, "parameters") {
		return
	}
	n.each(func(name string, line int, n *node) {
		p := fileParameter{place: place{r.file, line}, name: name}
		r.fields(n, "parameter "+name, map[string]field{
			"allow":   r.into(&p.allow, "allow"),
			"percent": r.intoTruth(&p.percent, "percent"),
		})
		p.allow = strings.Join(sortedSet(strings.Split(p.allow, "")), "")
		for _, c := range p.allow {
			if !strings.ContainsRune(allowable, c) {
				r.fatal(p.place, "parameter %s may not allow %q; only %s can be allowed", name, c, allowable)
			}
		}
		a.parameters = append(a.parameters, p)
	})
}

func (r *fileReader) readOperations(a *fileAPI, n *node) {
	if !r.entries(n, "operations") {
		return
	}
	n.each(func(key string, line int, n *node) {
		o := fileOperation{place: place{r.file, line}, key: key}
		r.fields(n, "operation "+key, map[string]field{
			"scopes":  func(n *node) { o.scopes = r.requirement(n) },
			"access":  r.oneOf(&o.access, "access", "read", "write"),
			"strict":  r.intoTruth(&o.strict, "strict"),
			"upgrade": r.intoTruth(&o.upgrade, "upgrade"),
		})
		a.operations = append(a.operations, o)
	})
}

// requirement takes a list of names that are all needed, or a list of such lists of which one is enough.
func (r *fileReader) requirement(n *node) [][]string {
	if !n.is(listKind) || len(n.kids) == 0 {
		r.fatal(r.at(n), "scopes must be a list of names, or a list of such lists")
		return nil
	}
	var out [][]string
	if n.kids[0].is(listKind) {
		for _, set := range n.kids {
			out = append(out, r.scopeSet(set))
		}
	} else {
		out = append(out, r.scopeSet(n))
	}
	return tidySets(out)
}

func (r *fileReader) scopeSet(n *node) []string {
	set := r.strings(n, "scopes")
	if len(set) == 0 {
		r.fatal(r.at(n), "an empty list of scopes would make the operation public, which this file cannot do")
		return nil
	}
	for _, name := range set {
		if !validScopeName(name) {
			r.fatal(r.at(n), "scope name %q: only A-Z, a-z, 0-9 and . _ : - are allowed, at most %d", name, maxScopeName)
		}
	}
	return set
}

// tidySets sorts names within sets, then sets, and drops repeats; empty sets stay out.
func tidySets(sets [][]string) [][]string {
	var out [][]string
	for _, set := range sets {
		if set = sortedSet(slices.Clone(set)); len(set) > 0 {
			out = append(out, set)
		}
	}
	slices.SortFunc(out, slices.Compare[[]string])
	return slices.CompactFunc(out, slices.Equal[[]string])
}
