package catalog

import (
	"regexp"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/internal/decide"
)

// builtScope is a scope on its way to both published forms.
type builtScope struct {
	place
	name, category, slug string
	label, description   string
	access, sensitive    string
	limit                *decide.Rate
	needs                []string
	hidden               bool
	ops                  []*built // that name it, in the order of the documents
}

// versionSegment is a first segment that says a version and nothing else: v1, v2.1, 2010-04-01.
var versionSegment = regexp.MustCompile(`^(?:[vV][0-9]+[A-Za-z0-9._-]*|[0-9][0-9._-]*)$`)

// categoryOf is the first tag; else the first literal segment after the base or a version prefix; else
// the title of the document. The second rule keeps a document without tags from being one category.
func (v *builtVersion) categoryOf(o *built) string {
	if len(o.tags) > 0 {
		return o.tags[0]
	}
	for i, s := range o.rel {
		if s.literal() && s.before != "" && !(i == 0 && versionSegment.MatchString(s.before)) {
			return cleanLine(s.before, maxLabel)
		}
	}
	if o.docTitle != "" {
		return o.docTitle
	}
	return v.api.title
}

// standardName is category.operation-id, each a slug; without an operationId it is method and path.
func (v *builtVersion) standardName(o *built) string {
	id := o.id
	if id == "" {
		id = o.method + " " + o.rel.String()
	}
	name := slugOr(v.categoryOf(o)) + "." + slugOr(id)
	return shorten(name, name)
}

// labelOf is what a person reads for an operation.
func (o *built) labelOf() string {
	for _, s := range []string{o.summary, firstSentence(o.description), words(o.id)} {
		if s = cleanLine(s, maxLabel); s != "" {
			return s
		}
	}
	return cleanLine(o.method+" "+o.shown, maxLabel)
}

// requirements settles what each operation asks for: what the document names, the default scope where
// it names none, or what the catalogue file says instead.
func (v *builtVersion) requirements(b *builder) {
	seen := map[string]*built{}
	named := map[string]string{} // printable name → the document's name
	for _, o := range v.ops {
		o.category, o.label = v.categoryOf(o), o.labelOf()
		if first, taken := v.categories[slugOr(o.category)]; !taken {
			v.categories[slugOr(o.category)] = o.category
		} else if first != o.category {
			v.note(o.place, "category %s is shown as %s, which has the same short name", o.category, first)
			o.category = first
		}
		if o.access = "write"; o.method == "GET" || o.method == "HEAD" || o.method == "OPTIONS" {
			o.access = "read"
		}
		if o.over.access != "" {
			o.access = o.over.access
		}
		standard := v.askFor(o, b, named)
		if !standard {
			continue
		}
		if first, taken := seen[o.standard]; taken {
			v.fatal(o.place, "%s %s and %s %s (%s:%d) both have the default scope %s", o.method, short(o.path), first.method, short(first.path), first.file, first.line, o.standard)
		}
		seen[o.standard] = o
	}
	for name, raw := range named {
		if o := seen[name]; o != nil {
			v.fatal(o.place, "the default scope %s has the name of a scope that a document names (%s)", name, short(raw))
		}
	}
	v.renameAll()
	v.addAll()
	v.unionBodies()
}

// askFor fills o.sets; standard tells that the default scope is among them.
func (v *builtVersion) askFor(o *built, b *builder, named map[string]string) (standard bool) {
	switch {
	case o.over.scopes != nil:
		for _, set := range o.over.scopes {
			o.sets = append(o.sets, slices.Clone(set)) // renameAll writes into them, and the file is read once for all versions
			for _, n := range set {
				v.raw[n] = true
			}
		}
		return slices.ContainsFunc(o.sets, func(set []string) bool { return slices.Contains(set, o.standard) })
	case o.public:
		key := Confirmation(v.api.name, v.name, o.method, o.shown)
		if _, ok := b.confirmed[key]; ok {
			b.confirmed[key], o.isPublic = true, true
			return false
		}
		b.unconfirmed = append(b.unconfirmed, key)
		v.trouble(o.place, "the document calls %s %s public; until the publisher confirms that, it asks for a scope", o.method, short(o.path))
	}
	for _, set := range o.operation.requirements {
		names := make([]string, 0, len(set))
		for _, raw := range set {
			names = append(names, v.printable(o, raw, named))
		}
		o.sets = append(o.sets, names)
	}
	if o.unnamed || len(o.sets) == 0 {
		o.sets = append(o.sets, []string{o.standard})
		v.raw[o.standard] = true
		standard = true
	}
	o.sets = tidySets(o.sets)
	return standard
}

// printable is the name under which we keep a scope that a document names.
func (v *builtVersion) printable(o *built, raw string, named map[string]string) string {
	name := scopeName(raw)
	if name == "" {
		name = "x" + digest(raw)
	}
	first, taken := named[name]
	switch {
	case !taken:
		named[name] = raw
		if name != raw {
			v.trouble(o.place, "the document's scope %q is kept as %s", short(raw), name)
		}
	case first != raw:
		v.fatal(o.place, "the document's scopes %q and %q would both be kept as %s", short(first), short(raw), name)
	}
	v.raw[name] = true
	if to := v.api.renamed(name); v.texts[to] == "" {
		v.texts[to] = o.scopeTexts[raw]
	}
	return name
}

// renamed is the name of a scope after rename and merge.
func (a *builtAPI) renamed(name string) string {
	if to, ok := a.renames[name]; ok {
		return to
	}
	return name
}

// renamesOf reads rename and merge of the catalogue file: old name → new name.
func renamesOf(f *fileAPI) map[string]string {
	out := map[string]string{}
	for _, e := range f.scopes {
		if e.rename != "" {
			out[e.name] = e.rename
		}
		for _, m := range e.merge {
			out[m] = e.name
		}
	}
	return out
}

// renameAll applies rename and merge. A rename onto a name that stays is refused: it would be a merge
// that nobody asked for, and would widen what stays.
func (v *builtVersion) renameAll() {
	to := map[string]string{}
	for name := range v.raw {
		to[name] = v.api.renamed(name)
	}
	for _, e := range v.api.fileAPI.scopes {
		if e.rename == "" || !v.raw[e.name] {
			continue
		}
		for _, other := range sortedNames(to) {
			if other != e.name && to[other] == e.rename {
				v.fatal(e.place, "scope %s cannot be renamed to %s: %s has that name; use merge", e.name, e.rename, other)
			}
		}
	}
	for _, o := range v.ops {
		for _, set := range o.sets {
			for i, name := range set {
				if t, ok := to[name]; ok {
					set[i] = t
				}
			}
		}
		o.sets = tidySets(o.sets)
	}
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// addAll gives operations the further scopes of the catalogue file, as alternatives.
func (v *builtVersion) addAll() {
	for _, e := range v.api.fileAPI.scopes {
		for _, op := range e.add {
			if o := v.byKey[op.text]; o != nil && !o.isPublic {
				o.sets = tidySets(append(o.sets, []string{v.api.renamed(e.name)}))
			}
		}
	}
}

// maxAlternatives bounds the product of alternatives that a method in the body makes.
const maxAlternatives = 64

// unionBodies tells people what decide asks of a POST whose body may name another method: what all
// methods of its path ask for, else the scope of POST would open DELETE (SECURITY.md class 8).
func (v *builtVersion) unionBodies() {
	if !v.api.methodInBody {
		return
	}
	paths := map[string][]*built{}
	for _, o := range v.ops {
		paths[o.full.shape()] = append(paths[o.full.shape()], o)
	}
	for _, ops := range paths {
		at := slices.IndexFunc(ops, func(o *built) bool { return o.method == "POST" })
		sets := [][]string{{}}
		for _, o := range ops {
			if !o.isPublic {
				sets = product(sets, o.sets)
			}
		}
		if at >= 0 && len(ops) > 1 && len(sets[0]) > 0 {
			ops[at].bodySets = tidySets(sets)
		}
	}
}

// product pairs every alternative with every other; too many become the one that needs everything.
func product(a, b [][]string) [][]string {
	var out [][]string
	if len(a)*len(b) > maxAlternatives {
		return [][]string{sortedSet(slices.Concat(append(slices.Clone(a), b...)...))} // asks too much, never too little
	}
	for _, x := range a {
		for _, y := range b {
			out = append(out, sortedSet(slices.Concat(x, y)))
		}
	}
	return out
}

// collect lists the scopes that operations name, in the order of the documents.
func (v *builtVersion) collect() {
	for _, o := range v.ops {
		for _, set := range o.sets {
			for _, name := range set {
				s := v.scopes[name]
				if s == nil {
					s = v.newScope(name, o)
				}
				if len(s.ops) == 0 || s.ops[len(s.ops)-1] != o {
					s.ops = append(s.ops, o)
				}
			}
		}
	}
}

// newScope takes category and words from the first operation that names the scope: label and
// description are the operation's for a default scope, else what the document says of the name.
func (v *builtVersion) newScope(name string, o *built) *builtScope {
	s := &builtScope{place: o.place, name: name, category: o.category, slug: slugOr(o.category), label: name}
	switch {
	case v.texts[name] != "":
		s.label = v.texts[name]
	case v.api.renamed(o.standard) == name:
		s.label, s.description = o.label, o.description
	}
	v.scopes[name] = s
	v.order = append(v.order, s)
	return s
}

// mark applies the catalogue file's words to scopes, then closes needs and tells equal labels apart.
func (v *builtVersion) mark() {
	for _, s := range v.order {
		s.access = "read"
		for _, o := range s.ops {
			if o.access != "read" {
				s.access = "write"
			}
		}
	}
	for _, e := range v.api.fileAPI.scopes {
		name := e.name
		if len(e.merge) == 0 {
			name = v.api.renamed(name)
		}
		if s := v.scopes[name]; s != nil {
			v.markOne(s, e)
		}
	}
	v.closeNeeds()
	v.tellApart()
}

func (v *builtVersion) markOne(s *builtScope, e fileScope) {
	set := func(to *string, text string) {
		if text != "" {
			*to = text
		}
	}
	set(&s.label, e.label)
	set(&s.description, e.description)
	set(&s.access, e.access)
	set(&s.sensitive, e.sensitive)
	if e.limit != nil {
		s.limit = e.limit
	}
	if e.category != "" {
		s.category, s.slug = e.category, slugOr(e.category)
		if first, taken := v.categories[s.slug]; taken {
			s.category = first
		} else {
			v.categories[s.slug] = e.category
		}
	}
	s.hidden = s.hidden || e.hide
	for _, n := range e.needs {
		n = v.api.renamed(n)
		if v.scopes[n] == nil {
			v.note(e.place, "scope %s needs %s, which version %s does not have", s.name, n, v.name)
			continue
		}
		s.needs = append(s.needs, n)
	}
}

// maxNeeds bounds what one box may tick with it.
const maxNeeds = 200

// closeNeeds makes needs transitive: what a needed scope needs is needed too. Circles are allowed; a
// scope never lists itself.
func (v *builtVersion) closeNeeds() {
	direct := map[string][]string{}
	for _, s := range v.order {
		direct[s.name] = s.needs
	}
	for _, s := range v.order {
		if len(s.needs) == 0 {
			continue
		}
		seen := map[string]bool{s.name: true}
		var all []string
		todo := slices.Clone(s.needs)
		for len(todo) > 0 {
			n := todo[0]
			todo = todo[1:]
			if !seen[n] && len(all) <= maxNeeds {
				seen[n] = true
				all = append(all, n)
				todo = append(todo, direct[n]...)
			}
		}
		if s.needs = sortedSet(all); len(all) > maxNeeds {
			v.fatal(s.place, "scope %s needs more than %d others", s.name, maxNeeds)
		}
	}
}

// tellApart appends method and path to a label that its category has already.
func (v *builtVersion) tellApart() {
	seen := map[string]bool{}
	for _, s := range v.order {
		key := s.slug + "\x00" + strings.ToLower(s.label)
		if seen[key] && len(s.ops) > 0 {
			s.label += " (" + s.ops[0].method + " " + cleanLine(s.ops[0].shown, maxLabel) + ")"
			if key = s.slug + "\x00" + strings.ToLower(s.label); seen[key] { // two names of one operation
				s.label += " " + s.name
			}
		}
		seen[key] = true
	}
}
