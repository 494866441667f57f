package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/internal/decide"
)

// Options are what a build needs beside the files.
type Options struct {
	// Confirmed lists the public operations that the publisher confirmed, as Confirmation writes them.
	// An operation that its document calls public but that is not here asks for its scope.
	Confirmed []string
	// Now is what today means in relative dates; zero means the present.
	Now time.Time
}

// Confirmation is how an operation is named in Options.Confirmed: "api/version METHOD /full/{path}".
func Confirmation(api, version, method, path string) string {
	return api + "/" + version + " " + method + " " + path
}

// Build turns a source into the published form. The result is never nil; a fatal problem among the
// sorted problems (of Load or of Build) means that it must not be published. The same source and
// options give the same octets. A source must not be built by two goroutines at once.
func Build(src *Source, opts Options) (*Result, []Problem) {
	b := &builder{src: src, list: &problems{}, now: opts.Now, confirmed: map[string]bool{}}
	if b.now.IsZero() {
		b.now = time.Now()
	}
	for _, c := range opts.Confirmed {
		b.confirmed[c] = false
	}
	for _, f := range src.desc.apis {
		b.apis = append(b.apis, b.api(f))
	}
	slices.SortStableFunc(b.apis, func(x, y *builtAPI) int { return strings.Compare(x.name, y.name) })
	for _, a := range b.apis {
		b.nest(a)
	}
	for _, a := range b.apis {
		for _, v := range a.versions {
			v.examples()
			v.bodies()
		}
	}
	for _, c := range opts.Confirmed {
		if !b.confirmed[c] {
			report{list: b.list}.trouble(place{file: src.file}, "%s is confirmed as public, but no document says so", short(c))
		}
	}
	res := b.result()
	if !b.list.fatal {
		// The rules above are meant to leave nothing that a verifier would refuse. If one of them has a
		// hole, publishing is where that must show, not every verifier at once.
		if _, err := decide.Compile(&res.Catalogue, nil); err != nil {
			report{list: b.list}.fatal(place{file: src.file}, "verifiers would refuse this: %v", err)
		}
	}
	return res, b.list.sorted(src.file)
}

type builder struct {
	src       *Source
	list      *problems
	now       time.Time
	confirmed map[string]bool // true: such an operation was met
	// unconfirmed are the operations that a document calls public and nobody confirmed.
	unconfirmed []string
	apis        []*builtAPI
}

type builtAPI struct {
	*fileAPI
	report    report
	baseT     template
	renames   map[string]string        // scope names: old → new
	overrides map[string]fileOperation // by "METHOD /path"
	versions  []*builtVersion
}

type builtVersion struct {
	*fileVersion
	report
	api        *builtAPI
	dates      dates
	read       int // operations in the documents
	ops        []*built
	byKey      map[string]*built // by "METHOD /path", as written and with its server's path
	texts      map[string]string // what documents say of the scopes that they name
	leftOut    map[string]bool   // default scope names of operations without a route
	raw        map[string]bool   // scope names before rename and merge
	scopes     map[string]*builtScope
	order      []*builtScope     // by first operation
	categories map[string]string // slug → name as first written
	routes     *tree             // all of them
	nests      []*tree           // of the operations that nest under this API's passthroughs, a tree for each version of theirs
	nested     int               // operations that nest elsewhere
	reader     *reader

	patterns     map[string]patternFound
	exampleSteps int // work done on example URIs
}

// built is an operation that has a route.
type built struct {
	*operation
	seq       int      // in the order of the documents
	shown     string   // the whole path as the document writes it, its server's path before it
	full, rel template // without a known suffix; rel is full if outside
	outside   bool
	category  string // display name
	label     string
	standard  string     // default scope name
	sets      [][]string // alternatives, as the route has them
	bodySets  [][]string // of POST, when its body may name another method: what really is asked; else nil
	isPublic  bool
	access    string
	over      fileOperation
	params    []decide.Param
	nested    []NestedPath
	bodyNames []string
}

func (b *builder) api(f *fileAPI) *builtAPI {
	a := &builtAPI{fileAPI: f, report: report{b.list, f.name, ""}}
	a.baseT, _ = parseTemplate(f.base) // a fault in it was fatal when the file was read
	a.renames, a.overrides = renamesOf(f), map[string]fileOperation{}
	for _, e := range f.operations {
		a.overrides[e.key] = e
	}
	used := &usedMarks{operations: map[string]bool{}, outside: map[int]bool{}, parameters: map[string]bool{}}
	for _, v := range f.versions {
		a.versions = append(a.versions, b.version(a, v, used))
	}
	a.checkMarks(used)
	if !slices.ContainsFunc(f.versions, func(v *fileVersion) bool { return v.state == "current" }) {
		a.report.trouble(a.place, "API %s has no current version, so none is suggested to who makes a token", a.name)
	}
	return a
}

func (b *builder) version(a *builtAPI, f *fileVersion, used *usedMarks) *builtVersion {
	v := &builtVersion{
		fileVersion: f, report: report{b.list, a.name, f.name}, api: a,
		leftOut: map[string]bool{}, raw: map[string]bool{}, scopes: map[string]*builtScope{}, byKey: map[string]*built{}, texts: map[string]string{}, patterns: map[string]patternFound{}, categories: map[string]string{},
		dates: f.dates(b.now),
	}
	checkDates(v.report, f, v.dates)
	r := newReader(v.report, b.src, f, a.baseT)
	r.read(f)
	v.reader = r
	v.read = len(r.ops)
	for _, o := range r.ops {
		v.admit(o, used)
	}
	if v.read > 0 && len(v.ops) == 0 {
		v.trouble(v.fileVersion.place, "none of the %d operations of version %s is published", v.read, v.name)
	}
	v.requirements(b)
	v.collect()
	v.mark()
	v.parameters(used)
	v.overlaps()
	return v
}

// result makes both published forms.
func (b *builder) result() *Result {
	res := &Result{Catalogue: decide.Catalogue{APIs: []decide.API{}}, APIs: []API{}, Unconfirmed: sortedSet(b.unconfirmed)}
	for _, a := range b.apis {
		res.Catalogue.APIs = append(res.Catalogue.APIs, policyOf(a))
		res.APIs = append(res.APIs, b.presentAPI(a))
		for _, v := range a.versions {
			res.Counts = append(res.Counts, Count{a.name, v.name, v.read, len(v.ops), v.nested})
		}
	}
	return res
}

func policyOf(a *builtAPI) decide.API {
	out := decide.API{
		Name: a.name, Title: a.title, Base: a.base, Bind: decide.Bind(a.bind), Hosts: a.hosts,
		Header: a.header, Query: a.query, Override: a.override,
		MethodHeader: a.methodHeader, MethodInBody: a.methodInBody, Suffixes: a.suffixes,
		ForwardCredential: a.forwardCredential, Upstream: a.upstream, Versions: []decide.Version{},
	}
	for _, p := range a.passthrough {
		out.Passthrough = append(out.Passthrough, decide.Passthrough{Prefix: p.prefix, Brand: p.brand, API: p.api})
	}
	for _, v := range a.versions {
		out.Versions = append(out.Versions, policyVersion(v))
	}
	return out
}

func policyVersion(v *builtVersion) decide.Version {
	out := decide.Version{
		Name: v.name, State: v.state, Deprecated: micros(v.dates.deprecated), Sunset: micros(v.dates.sunset),
		Upstream: v.upstream,
		Scopes:   []decide.ScopeWords{}, Routes: []decide.Route{},
	}
	for _, s := range v.order {
		out.Scopes = append(out.Scopes, decide.ScopeWords{Name: s.name, Category: s.category, Label: s.label, Limit: s.limit})
	}
	slices.SortFunc(out.Scopes, func(x, y decide.ScopeWords) int { return strings.Compare(x.Name, y.Name) })
	for _, o := range v.ops {
		out.Routes = append(out.Routes, o.route())
	}
	slices.SortFunc(out.Routes, func(x, y decide.Route) int {
		return cmp.Or(strings.Compare(x.Template, y.Template), strings.Compare(x.Method, y.Method), cmp.Compare(fmt.Sprint(x.Outside), fmt.Sprint(y.Outside)))
	})
	return out
}

func (o *built) route() decide.Route {
	r := decide.Route{
		Method: o.method, Template: o.rel.String(), Outside: o.outside, Needs: o.sets, Public: o.isPublic,
		Strict: o.over.strict, Params: o.params, Upgrade: o.over.upgrade,
	}
	if o.outside {
		r.Bind = decide.BindNone
	}
	return r
}

// presentAPI makes what people see.
func (b *builder) presentAPI(a *builtAPI) API {
	out := API{
		Name: a.name, Title: a.title, Accounts: append([]string{}, a.accounts...), Base: a.base, Bind: a.bind, Hosts: a.hosts,
		Upstream: a.upstream, Header: a.header, Query: a.query, Override: a.override, Versions: []Version{},
	}
	for _, p := range a.passthrough {
		out.Passthrough = append(out.Passthrough, Passthrough{p.prefix, p.brand, p.api})
	}
	for _, v := range a.versions {
		out.Versions = append(out.Versions, v.present())
	}
	return out
}

func (v *builtVersion) present() Version {
	out := Version{
		Name: v.name, State: v.state, Upstream: v.upstream,
		Released: written(v.dates.released), Deprecated: written(v.dates.deprecated), Sunset: written(v.dates.sunset),
		Categories: []Category{}, Operations: []Operation{},
	}
	sorted := slices.Clone(v.ops)
	slices.SortStableFunc(sorted, func(x, y *built) int {
		return cmp.Or(strings.Compare(x.shown, y.shown), cmp.Compare(methodOrder(x.method), methodOrder(y.method)))
	})
	covers := map[string][]int{}
	for i, o := range sorted {
		out.Operations = append(out.Operations, o.present())
		for _, set := range o.sets {
			for _, name := range set {
				if n := covers[name]; len(n) == 0 || n[len(n)-1] != i {
					covers[name] = append(n, i)
				}
			}
		}
	}
	groups := map[string]*Category{}
	for _, s := range v.order {
		g := groups[s.slug]
		if g == nil {
			g = &Category{Name: s.category, Slug: s.slug}
			groups[s.slug] = g
		}
		limit := ""
		if s.limit != nil {
			limit = s.limit.String()
		}
		g.Scopes = append(g.Scopes, Scope{
			Name: s.name, Category: s.category, Label: s.label, Description: s.description, Access: s.access,
			Sensitive: s.sensitive, Limit: limit, Needs: s.needs, Operations: append([]int{}, covers[s.name]...), Hidden: s.hidden,
		})
	}
	for _, g := range groups {
		slices.SortStableFunc(g.Scopes, func(x, y Scope) int { return slices.Compare(x.Operations, y.Operations) })
		out.Categories = append(out.Categories, *g)
	}
	slices.SortFunc(out.Categories, func(x, y Category) int {
		return cmp.Or(strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), strings.Compare(x.Slug, y.Slug))
	})
	return out
}

func (o *built) present() Operation {
	asks, public := o.sets, o.isPublic
	if o.bodySets != nil {
		asks, public = o.bodySets, false
	}
	return Operation{
		ID: o.id, Method: o.method, Path: o.shown, Template: o.rel.String(), Outside: o.outside,
		Nested: o.nested, Category: o.category, Summary: o.label, Description: o.description, Access: o.access,
		Scopes: asks, Public: public, BodyBrands: o.bodyNames, Deprecated: o.deprecated,
		File: o.file, Line: o.line,
	}
}

// methodOrder is the order in which people read the methods of a path.
func methodOrder(m string) int {
	return slices.Index([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, m)
}
