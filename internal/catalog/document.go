package catalog

import (
	"net/url"
	"slices"
	"strings"
)

// Limits of one version.
const (
	maxOperations = 10_000
	// maxSteps bounds parameters, tags, requirements and references looked at: references let a small
	// document name one long list ten thousand times.
	maxSteps = 2_000_000
)

// methods are the keys of a path item that are operations, and what they are called.
var methods = []struct{ key, name string }{
	{"get", "GET"},
	{"put", "PUT"},
	{"post", "POST"},
	{"delete", "DELETE"},
	{"options", "OPTIONS"},
	{"head", "HEAD"},
	{"patch", "PATCH"},
}

// operation is one method of one path, as its document says it: references resolved, nothing judged.
type operation struct {
	place
	method, path string // path as the document writes it
	id           string
	summary      string
	description  string
	tags         []string
	docTitle     string
	deprecated   bool
	servers      []server
	params       []parameter // of the path
	queries      []string    // names of query parameters
	body         located
	requirements [][]string // names per alternative; an empty alternative asks for nothing
	public       bool       // an explicit empty security, or an empty alternative
	unnamed      bool       // some requirement has no names (or there is no security at all): the default scope
	scopeTexts   map[string]string
	item         *node // for the example URIs within
}

// server is where an operation lives: the host without port ("" for the API's own) and a path to
// prepend.
type server struct{ host, path string }

// parameter is a path parameter of an operation.
type parameter struct {
	place
	name   string
	schema located
}

// reader reads the documents of one version.
type reader struct {
	report
	refs
	ops     []*operation
	steps   int
	texts   map[*node]string // plain descriptions, so that a shared one is made once
	checked map[*node]bool   // large mappings whose keys sameKeys has looked at
	full    bool             // a limit is passed and told
	caller  []string         // the parameters of the API's base, which a server's URL may name too
}

func newReader(r report, src *Source, v *fileVersion, base template) *reader {
	return &reader{report: r, refs: refs{src.docs, v.documents}, texts: map[*node]string{}, checked: map[*node]bool{}, caller: base.params()}
}

// read goes through the listed documents in the order of their names.
func (r *reader) read(v *fileVersion) {
	var infos []fileText
	for _, name := range v.documents {
		root := r.docs[name]
		if root == nil {
			continue // told when it was loaded
		}
		if info, ok := r.document(located{root, name}); ok {
			infos = append(infos, info)
		}
	}
	oddVersions(r.report, v.name, infos)
}

// document reads one file; the text is its info.version.
func (r *reader) document(doc located) (fileText, bool) {
	at := place{doc.file, 1}
	if doc.get("swagger") != nil {
		r.fatal(place{doc.file, doc.get("swagger").row()}, "OpenAPI 2 (swagger) is not read; 3.0 and 3.1 are")
		return fileText{}, false
	}
	version := doc.get("openapi")
	if version == nil {
		if doc.get("paths") != nil {
			r.trouble(at, "the file has paths but no openapi, so it is only a source of references")
		}
		return fileText{}, false
	}
	number, _ := version.scalar()
	switch {
	case strings.HasPrefix(number, "3.0") || strings.HasPrefix(number, "3.1"):
	case strings.HasPrefix(number, "3."):
		r.trouble(place{doc.file, version.row()}, "OpenAPI %s is read as 3.1", short(number))
	default:
		r.fatal(place{doc.file, version.row()}, "OpenAPI %s is not read; 3.0 and 3.1 are", short(number))
		return fileText{}, false
	}
	before := len(r.ops)
	r.paths(doc)
	if len(r.ops) == before && !r.full {
		r.note(at, "the document has no operations")
	}
	r.undeclaredTags(doc, r.ops[before:])
	info := doc.get("info").get("version")
	text, ok := info.scalar()
	return fileText{place{doc.file, info.row()}, text}, ok
}

func (r *reader) paths(doc located) {
	paths := doc.get("paths")
	if paths == nil {
		return
	}
	r.sameKeys(doc.in(paths), "paths")
	shared := r.shared(doc)
	paths.each(func(path string, line int, n *node) {
		switch {
		case strings.HasPrefix(path, "x-") || r.full:
		case len(path) > maxTemplate:
			r.fatal(place{doc.file, line}, "path %s is longer than %d octets", short(path), maxTemplate)
		case !strings.HasPrefix(path, "/"):
			r.trouble(place{doc.file, line}, "path %s does not begin with a slash and is left out", short(path))
		default:
			r.pathItem(shared, path, place{doc.file, line}, doc.in(n))
		}
	})
}

// sameKeys refuses a key that stands twice in a mapping that matters. It looks once at a large one: ten
// thousand references to it must not cost ten thousand looks.
func (r *reader) sameKeys(n located, what string) {
	if n.node == nil || r.checked[n.node] {
		return
	}
	if len(n.keys) > 16 {
		r.checked[n.node] = true
	}
	if key, line, twice := n.repeated(); twice {
		r.fatal(place{n.file, line}, "%s has the key %q twice", what, short(key))
	}
}

// step counts work; false means that the limit is passed.
func (r *reader) step(at place) bool {
	if r.steps++; r.steps > maxSteps && !r.full {
		r.full = true
		r.fatal(at, "the documents of this version make more than %d steps of work", maxSteps)
	}
	return !r.full
}

// pathItem reads the operations of one path.
func (r *reader) pathItem(doc *sharedParts, path string, at place, n located) {
	item, ref, err := r.follow(n)
	if err != nil {
		r.trouble(at, "path %s is left out: %v", short(path), err)
		return
	}
	if !item.is(mapKind) {
		r.trouble(at, "path %s is left out: it is no mapping", short(path))
		return
	}
	if ref && len(n.keys) > 1 {
		r.note(at, "what stands beside the reference of path %s is not read", short(path))
	}
	r.sameKeys(item, "path "+short(path))
	for _, m := range methods {
		value := item.get(m.key)
		if value == nil || !r.step(at) {
			continue
		}
		if len(r.ops) >= maxOperations {
			r.full = true
			r.fatal(at, "the documents of this version have more than %d operations", maxOperations)
			return
		}
		op, _, err := r.follow(item.in(value))
		if err != nil || !op.is(mapKind) {
			if err == nil {
				err = errNoMapping
			}
			r.trouble(at, "%s %s is left out: %v", m.name, short(path), err)
			continue
		}
		place := at
		if !ref {
			place.line = int(item.rows[slices.Index(item.keys, m.key)])
		}
		r.ops = append(r.ops, r.operation(doc, item, op, m.name, path, place))
	}
	if item.get("trace") != nil {
		r.trouble(at, "TRACE %s is left out: no proxy may pass it on", short(path))
	}
}

// operation reads what one operation says; item is its path item.
func (r *reader) operation(doc *sharedParts, item, n located, method, path string, at place) *operation {
	what := method + " " + short(path)
	r.sameKeys(n, what)
	o := &operation{
		place: at, method: method, path: path, docTitle: doc.title, item: n.node,
		id:         cleanLine(n.get("operationId").str(), 200),
		summary:    cleanLine(n.get("summary").str(), maxLabel),
		deprecated: n.get("deprecated").truth(),
		scopeTexts: doc.scopeTexts,
		servers:    doc.servers,
	}
	if o.description = r.plain(n.get("description")); o.description == "" {
		o.description = r.plain(item.get("description"))
	}
	for _, t := range n.get("tags").list() {
		if s := cleanLine(t.str(), maxLabel); s != "" && r.step(at) {
			o.tags = append(o.tags, s)
		}
	}
	if s := item.get("servers"); len(s.list()) > 0 {
		o.servers = r.serverList(item.in(s))
	}
	if s := n.get("servers"); len(s.list()) > 0 {
		o.servers = r.serverList(n.in(s))
	}
	r.parameters(o, item.in(item.get("parameters")))
	r.parameters(o, n.in(n.get("parameters")))
	if body, _, err := r.follow(n.in(n.get("requestBody"))); err == nil {
		o.body = body
	}
	security := n.in(n.get("security"))
	if security.node == nil {
		security = doc.security
	}
	r.security(o, doc, security)
	return o
}

func (r *reader) plain(n *node) string {
	if n.str() == "" {
		return ""
	}
	s, ok := r.texts[n]
	if !ok {
		s = plain(n.text, maxDescription)
		r.texts[n] = s
	}
	return s
}

// parameters adds to an operation; a later one of the same name and place replaces an earlier one, as
// an operation's replaces its path item's.
func (r *reader) parameters(o *operation, list located) {
	for _, n := range list.list() {
		if !r.step(o.place) {
			return
		}
		p, _, err := r.follow(list.in(n))
		if err != nil {
			r.trouble(place{list.file, n.row()}, "a parameter of %s %s is not read: %v", o.method, short(o.path), err)
			continue
		}
		r.sameKeys(p, "a parameter of "+o.method+" "+short(o.path))
		name := p.get("name").str()
		switch in := p.get("in").str(); {
		case in == "query" && len(name) <= maxTemplate:
			o.queries = append(o.queries, name)
		case in == "path" && strings.Contains(o.path, "{"+name+"}"): // any other narrows nothing
			schema, _, err := r.follow(p.in(p.get("schema")))
			if err != nil {
				r.trouble(p.place(), "the schema of parameter %s is not read: %v", short(name), err)
				schema = located{}
			}
			o.params = slices.DeleteFunc(o.params, func(q parameter) bool { return q.name == name })
			o.params = append(o.params, parameter{p.place(), name, schema})
		}
	}
}

// serverList reads servers with their variables at their defaults; one that names the caller stays a
// parameter.
func (r *reader) serverList(n located) []server {
	var out []server
	for _, s := range n.list() {
		if !r.step(n.place()) {
			break
		}
		raw := s.get("url").str()
		s.get("variables").each(func(name string, _ int, v *node) {
			if !r.step(n.place()) {
				return
			}
			if text, ok := v.get("default").scalar(); ok && len(raw) < maxTemplate && !slices.Contains(r.caller, name) {
				raw = strings.ReplaceAll(raw, "{"+name+"}", text)
			}
		})
		parsed, ok := parseServer(raw)
		if !ok {
			r.trouble(place{n.file, s.row()}, "server %s is no URL", short(raw))
			parsed.host = "(no URL)" // is nobody's host: what we cannot read we do not take for the API's own
		}
		out = append(out, parsed)
	}
	return out
}

// parseServer takes an absolute URL or a path.
func parseServer(raw string) (server, bool) {
	if len(raw) > maxTemplate {
		return server{}, false
	}
	u, err := url.Parse(strings.NewReplacer("{", "%7B", "}", "%7D").Replace(raw))
	if err != nil || u.Opaque != "" {
		return server{}, false
	}
	host, ok := "", true
	if u.Host != "" {
		host, ok = hostOf(u.Hostname())
	}
	p := strings.TrimRight(u.Path, "/")
	if p == "." {
		p = ""
	}
	if p != "" && p[0] != '/' {
		p = "/" + p
	}
	return server{host, p}, ok
}
