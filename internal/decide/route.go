package decide

import (
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/internal/scope"
)

// version plants the routes of one version.
func (k *compiler) version(a *api, index int) {
	spec := &a.Versions[index]
	v := a.named(spec.Name)
	if v == nil || &a.Versions[v.ordinal] != spec {
		return // there twice, which is a fault already
	}
	words := make(map[string]*ScopeWords, len(spec.Scopes))
	for i := range spec.Scopes {
		words[spec.Scopes[i].Name] = &spec.Scopes[i]
	}
	planter := planter{k: k, api: a, version: v, words: words}
	for i := range spec.Routes {
		planter.plant(&spec.Routes[i])
	}
	for _, place := range planter.places {
		if place.by[methodHead] == nil && place.by[methodGet] != nil {
			place.by[methodHead] = place.by[methodGet]
			place.methods = place.methods.with(methodHead)
		}
	}
}

// planter puts the routes of one version into its API's trees.
type planter struct {
	k       *compiler
	api     *api
	version *version
	words   map[string]*ScopeWords
	places  []*place
	where   string
}

func (p *planter) fault(format string, args ...any) { p.k.fault(p.where, format, args...) }

func (p *planter) plant(route *Route) {
	p.where = "API " + p.api.Name + ", version " + p.version.key.version + ", " + route.Method + " " + route.Template
	method, known := parseMethod(route.Method)
	if !known {
		p.fault("no such method is judged")
		return
	}
	full, base, ok := p.full(route)
	if !ok {
		return
	}
	op := &operation{route: route, method: method}
	p.texts(op)
	p.parameters(op, full[base:])
	p.needs(op)

	tree := p.api.inside
	if route.Outside {
		tree = p.api.outside
	}
	leaf := tree.plant(full, base, len(p.api.Versions))
	here := leaf.places[p.version.ordinal]
	if here == nil {
		here = new(place)
		leaf.places[p.version.ordinal] = here
		p.places = append(p.places, here)
	}
	if twin := here.by[method]; twin != nil {
		p.fault("%s %s has the same shape", twin.route.Method, twin.route.Template)
		return
	}
	here.by[method] = op
	here.methods = here.methods.with(method)
}

// full returns the route's template with its base, and how many segments of it are the base.
func (p *planter) full(route *Route) (full template, base int, ok bool) {
	a := p.api
	text := route.Template
	if text == "/" && a.Base == "" {
		text = "" // the root
	}
	t, err := parseTemplate(text)
	if err != nil {
		p.fault("%v", err)
		return nil, 0, false
	}
	if !route.Outside {
		if route.Bind != "" {
			p.fault("binds by itself, which only an outside route does")
		}
		longest := len(a.base)
		for _, prefix := range a.prefixes {
			longest = max(longest, strings.Count(prefix, "/"))
		}
		if longest+len(t) > maxSegments {
			p.fault("has more than %d segments with its base or prefix", maxSegments)
			return nil, 0, false
		}
		return append(slices.Clone(a.base), t...), len(a.base), true
	}
	if route.Bind != BindNone {
		p.fault("is outside the base and must say bind none, since nothing in it names the caller")
	}
	if len(t) >= len(a.base) && t.startsLike(a.base) {
		p.fault("is said to be outside the base %s, but a path can be under both", a.Base)
	}
	return t, 0, true
}

// texts writes the operation as decisions show it, once for every place where it can be.
func (p *planter) texts(op *operation) {
	prefixes := p.api.prefixes
	if op.route.Outside {
		prefixes = []string{""}
	}
	for _, prefix := range prefixes {
		path := prefix + op.route.Template
		if path == "" {
			path = "/"
		}
		op.texts = append(op.texts, op.route.Method+" "+path)
	}
}

// parameters compiles what the operation asks of each parameter. One of the base is judged by binding
// alone: a document that describes the platform's own ids would refuse ours.
func (p *planter) parameters(op *operation, t template) {
	for _, at := range t.parameters() {
		q := param{at: at, before: len(t[at].before), after: len(t[at].after)}
		for i := range op.route.Params {
			if spec := &op.route.Params[i]; spec.Name == t[at].name {
				if err := compileParam(&q, spec); err != nil {
					p.fault("parameter %s %v", spec.Name, err)
				}
			}
		}
		op.narrowed = op.narrowed || q.narrows()
		op.variable |= 1 << at
		op.params = append(op.params, q)
	}
	for i := range op.route.Params {
		name := op.route.Params[i].Name
		named := func(s segment) bool { return s.kind != literal && s.name == name }
		if !slices.ContainsFunc(t, named) && (op.route.Outside || !slices.ContainsFunc(p.api.base, named)) {
			p.fault("parameter %s is not in the template", name)
		}
	}
}

// needs compiles the alternatives. An alternative without a name would open the route to every token, and
// is refused: only Public does that, which a publisher has confirmed.
func (p *planter) needs(op *operation) {
	for _, names := range op.route.Needs {
		if len(names) == 0 {
			p.fault("has an alternative that asks for no scope")
		}
		n := need{text: strings.Join(names, " ")}
		for _, name := range names {
			words := p.words[name]
			if words == nil {
				p.fault("asks for scope %q, which the version does not list", name)
				continue
			}
			n.bits = append(n.bits, p.version.bits[name])
			n.words = append(n.words, words)
			if words.Limit != nil {
				n.limited = append(n.limited, words)
			}
		}
		n.all = scope.Of(n.bits...)
		op.needs = append(op.needs, n)
	}
}
