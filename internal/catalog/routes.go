package catalog

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/internal/decide"
)

// usedMarks tells which entries of the catalogue file met an operation in some version: the others
// are spelt wrong, and a mark that marks nothing must not look as if it did.
type usedMarks struct {
	operations map[string]bool // by key as written
	outside    map[int]bool
	parameters map[string]bool
}

// admit gives an operation its place: under the base, outside by permission, or nowhere.
func (v *builtVersion) admit(o *operation, used *usedMarks) {
	b := &built{operation: o}
	out := func(format string, args ...any) {
		v.leftOut[v.standardName(b)] = true
		v.trouble(o.place, "%s %s is left out: %s", o.method, short(o.path), fmt.Sprintf(format, args...))
	}
	host, prefix, ok := v.server(o)
	b.shown = prefix + o.path
	t, err := parseTemplate(b.shown)
	if err != nil {
		v.fatal(o.place, "%s %s: %v", o.method, short(o.path), err)
		return
	}
	b.full = t.withoutSuffix(v.api.suffixes)
	b.rel = b.full
	under := v.api.baseT.isPrefixOf(b.full)
	if under {
		b.rel = b.full[len(v.api.baseT):]
	}
	odd, bad := t.odd()
	if bad {
		out("%s", odd)
		return
	}
	permit := slices.IndexFunc(v.api.outside, func(e fileOutside) bool { return unnamed(e.path) == unnamed(b.shown) })
	switch {
	case permit >= 0:
		used.outside[permit] = true
		b.outside, b.rel = true, b.full
		if !ok {
			v.note(o.place, "%s %s is admitted, but requests to %s are refused until hosts names it", o.method, short(o.path), host)
		}
	case !under && !ok:
		out("it is not under the base %s, and its server %s is none of the API's hosts", v.api.base, host)
		return
	case !under:
		out("it is not under the base %s", v.api.base)
		return
	case !ok:
		out("its server %s is none of the API's hosts", host)
		return
	}
	if odd != "" {
		v.note(o.place, "%s %s: %s", o.method, short(o.path), odd)
	}
	for _, key := range []string{o.method + " " + o.path, o.method + " " + b.shown} {
		if e, ok := v.api.overrides[key]; ok {
			used.operations[key], b.over = true, e
		}
		v.byKey[key] = b
	}
	b.standard, b.seq = v.standardName(b), len(v.ops)
	v.ops = append(v.ops, b)
}

// server picks the first server of the operation whose host is one of the API's; a server without a
// host is the API's own. Without hosts in the catalogue file any server will do. If there is none, ok
// is false and host names the first.
func (v *builtVersion) server(o *operation) (host, prefix string, ok bool) {
	if len(o.servers) == 0 {
		return "", "", true
	}
	for _, s := range o.servers {
		if s.host == "" || len(v.api.hosts) == 0 || slices.Contains(v.api.hosts, s.host) {
			return s.host, s.path, true
		}
	}
	return o.servers[0].host, o.servers[0].path, false
}

// Bounds of patterns. A pattern goes to every verifier, so what it compiles to is bounded before
// anything compiles it (SECURITY.md class 46).
const (
	maxPattern      = 256
	maxPatternSize  = 2000      // instructions of one, repetitions written out
	maxPatternTotal = 1_000_000 // of one version
	maxEnum         = 1000
)

// parameters narrows the path parameters of every operation by its own schema.
func (v *builtVersion) parameters(used *usedMarks) {
	allow := map[string]fileParameter{}
	for _, p := range v.api.fileAPI.parameters {
		allow[p.name] = p
	}
	total := 0
	for _, o := range v.ops {
		names := o.rel.params()
		for i, name := range names {
			if slices.Contains(names[:i], name) {
				v.trouble(o.place, "%s %s has the parameter {%s} twice", o.method, short(o.path), short(name))
				continue
			}
			p := decide.Param{Name: name}
			if e, ok := allow[name]; ok {
				used.parameters[name] = true
				p.Allow, p.Percent = e.allow, e.percent
			}
			at := slices.IndexFunc(o.operation.params, func(q parameter) bool { return q.name == name })
			if at < 0 {
				v.note(o.place, "%s %s does not declare its parameter {%s}", o.method, short(o.path), short(name))
			} else {
				v.narrow(o, &p, o.operation.params[at], &total)
			}
			if p.Allow != "" || p.Percent || p.Integer || len(p.Enum) > 0 || p.Pattern != "" {
				o.params = append(o.params, p)
			}
		}
	}
}

// narrow reads integer, enum and pattern. Anything else of a schema, format above all, is not
// enforced: documents say uuid where the real identifiers are none.
func (v *builtVersion) narrow(o *built, p *decide.Param, q parameter, total *int) {
	schema := q.schema
	p.Integer = isInteger(schema.get("type"))
	for _, n := range schema.get("enum").list() {
		text, ok := n.scalar()
		if !ok {
			continue // null in an enum names no segment
		}
		if len(p.Enum) >= maxEnum || len(text) > 128 {
			v.trouble(place{schema.file, n.row()}, "the enum of parameter %s is too long and is not enforced", short(q.name))
			p.Enum = nil
			break
		}
		p.Enum = append(p.Enum, text)
	}
	p.Enum = sortedSet(p.Enum)
	pattern := schema.get("pattern")
	if pattern.str() == "" {
		return
	}
	size, why := v.patternSize(pattern.text)
	if why != "" {
		v.trouble(place{schema.file, pattern.row()}, "the pattern of parameter %s in %s %s is not enforced: %s", short(q.name), o.method, short(o.path), why)
	} else if *total += size; *total > maxPatternTotal {
		v.trouble(place{schema.file, pattern.row()}, "the pattern of parameter %s in %s %s is not enforced: the patterns of this version are too much together", short(q.name), o.method, short(o.path))
	} else {
		p.Pattern = pattern.text
	}
}

// isInteger takes integer, and in 3.1 a list of nothing else than integer and null.
func isInteger(n *node) bool {
	if n.is(textKind) {
		return n.text == "integer"
	}
	found := false
	for _, t := range n.list() {
		switch t.str() {
		case "integer":
			found = true
		case "null":
		default:
			return false
		}
	}
	return found
}

// patternSize remembers what it found: many parameters share a pattern.
func (v *builtVersion) patternSize(p string) (int, string) {
	found, known := v.patterns[p]
	if !known {
		found.size, found.why = patternSize(p)
		v.patterns[p] = found
	}
	return found.size, found.why
}

// patternFound is what patternSize says of one pattern.
type patternFound struct {
	size int
	why  string
}

// patternSize estimates what a pattern compiles to; why says why it cannot be enforced.
func patternSize(p string) (size int, why string) {
	if len(p) > maxPattern {
		return 0, "it is longer than 256 characters"
	}
	whole := `\A(?:` + p + `)\z`
	re, err := syntax.Parse(whole, syntax.Perl)
	if err != nil {
		return 0, "RE2 cannot take it: " + err.Error()
	}
	if size = weigh(re); size > maxPatternSize {
		return 0, "it is too large when its repetitions are written out"
	}
	if _, err := regexp.Compile(whole); err != nil {
		return 0, "RE2 cannot take it: " + err.Error()
	}
	return size, ""
}

// weigh counts the parts of a pattern with repetitions multiplied out.
func weigh(re *syntax.Regexp) int {
	sum := 1 + len(re.Rune)/16
	if re.Op == syntax.OpLiteral {
		sum = len(re.Rune)
	}
	for _, sub := range re.Sub {
		sum += weigh(sub)
	}
	if re.Op == syntax.OpRepeat {
		sum *= max(re.Min, re.Max, 1)
	}
	return sum
}

// checkMarks tells entries of the catalogue file that met nothing in any version.
func (a *builtAPI) checkMarks(used *usedMarks) {
	for _, e := range a.operations {
		if !used.operations[e.key] {
			a.report.fatal(e.place, "operation %q is in no version; write METHOD and the path as the document has it", e.key)
		}
	}
	for i, e := range a.outside {
		if !used.outside[i] {
			a.report.trouble(e.place, "outside path %s is in no document", e.path)
		}
	}
	for _, e := range a.parameters {
		if !used.parameters[e.name] {
			a.report.trouble(e.place, "parameter %s is in no path, so what it may hold is not widened", e.name)
		}
	}
	for _, s := range a.scopes {
		a.checkScope(s)
	}
}

// checkScope holds that every scope that an entry names exists somewhere.
func (a *builtAPI) checkScope(s fileScope) {
	exists := func(name string, in func(*builtVersion) bool) {
		if slices.ContainsFunc(a.versions, in) {
			return
		}
		if slices.ContainsFunc(a.versions, func(v *builtVersion) bool { return v.leftOut[name] }) {
			a.report.trouble(s.place, "scope %s belongs to an operation that is left out", name)
			return
		}
		a.report.fatal(s.place, "scope %s is in no version%s", name, a.near(name))
	}
	raw := func(name string) func(*builtVersion) bool { return func(v *builtVersion) bool { return v.raw[name] } }
	final := func(name string) func(*builtVersion) bool {
		return func(v *builtVersion) bool { return v.scopes[v.api.renamed(name)] != nil }
	}
	if s.rename != "" {
		exists(s.name, raw(s.name))
	} else if len(s.merge) == 0 {
		exists(s.name, final(s.name))
	}
	for _, m := range s.merge {
		exists(m, raw(m))
	}
	for _, n := range s.needs {
		exists(n, final(n))
	}
	for _, op := range s.add {
		if !slices.ContainsFunc(a.versions, func(v *builtVersion) bool { return v.byKey[op.text] != nil }) {
			a.report.fatal(op.place, "operation %q is in no version; write METHOD and the path as the document has it", op.text)
		}
	}
}

// near suggests a name that differs only in punctuation or case.
func (a *builtAPI) near(name string) string {
	fold := func(s string) string {
		return strings.NewReplacer("-", "", ".", "", "_", "", ":", "").Replace(strings.ToLower(s))
	}
	for _, v := range a.versions {
		for _, s := range v.order {
			if fold(s.name) == fold(name) {
				return "; is " + s.name + " meant?"
			}
		}
	}
	return ""
}
