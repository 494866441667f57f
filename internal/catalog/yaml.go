package catalog

import (
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/internal/decide"
)

// catalogFile is catalog.yaml as written: checked for shape, not yet for sense.
type catalogFile struct {
	apis []*fileAPI // in the order of the file
}

type fileAPI struct {
	place
	name, title, base string
	basePlace         place
	accounts          []string
	bind              string
	bindPlace         place
	hosts             []string
	hostsGiven        bool
	upstream          string
	header, query     string
	override          bool // version override
	methodHeader      string
	methodInBody      bool
	suffixes          []string
	forwardCredential bool
	outside           []fileOutside
	passthrough       []filePassthrough
	scopes            []fileScope
	parameters        []fileParameter
	operations        []fileOperation
	versions          []*fileVersion
}

type fileVersion struct {
	place
	name, state, upstream        string
	released, deprecated, sunset fileDate
	patterns                     []fileText // of documents
	documents                    []string   // what the patterns matched, ascending
}

// fileText is a word with its line.
type fileText struct {
	place
	text string
}

// fileOutside admits an operation that is not under the base. Nothing in its path names the caller, and
// the file must say so aloud: bind none.
type fileOutside struct {
	place
	path, bind string
}

type filePassthrough struct {
	place
	prefix, brand, api string
}

// fileScope is one entry under scopes: what to do with the scope of that name.
type fileScope struct {
	place
	name                         string
	rename                       string
	merge                        []string
	label, description, category string
	access, sensitive            string
	limit                        *decide.Rate
	needs                        []string
	add                          []fileText // operations that the scope opens too, "GET /path"
	hide                         bool
}

type fileParameter struct {
	place
	name, allow string
	percent     bool
}

// fileOperation overrides what the document says of one operation.
type fileOperation struct {
	place
	key     string     // "GET /path"
	scopes  [][]string // nil: as the document says
	access  string
	strict  bool
	upgrade bool
}

// fileReader decodes catalog.yaml. It goes on after a fault, so that all are told at once.
type fileReader struct {
	report
	file string
}

// field is what to do with the value of one key.
type field func(n *node)

// fields reads a mapping whose keys are all known; any other key is fatal, because a misspelt mark
// would silently mark nothing.
func (r *fileReader) fields(n *node, what string, known map[string]field) {
	if !r.entries(n, what) {
		return
	}
	n.each(func(key string, line int, v *node) {
		f, ok := known[key]
		if !ok {
			r.fatal(place{r.file, line}, "unknown key %q in %s; the known ones are %s", key, what, knownKeys(known))
			return
		}
		f(v)
	})
}

// entries checks that n is a mapping without repeated keys.
func (r *fileReader) entries(n *node, what string) bool {
	if !n.is(mapKind) {
		r.fatal(r.at(n), "%s must be a mapping", what)
		return false
	}
	if key, line, twice := n.repeated(); twice {
		r.fatal(place{r.file, line}, "%s has the key %q twice", what, key)
	}
	return true
}

func knownKeys(known map[string]field) string {
	keys := make([]string, 0, len(known))
	for k := range known {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

func (r *fileReader) at(n *node) place { return place{r.file, n.row()} }

// text takes a string or a number as written ("2" and 2 name the same version).
func (r *fileReader) text(n *node, what string) string {
	s, ok := n.scalar()
	if !ok {
		r.fatal(r.at(n), "%s must be one word or text", what)
	}
	return s
}

func (r *fileReader) texts(n *node, what string) []fileText {
	if !n.is(listKind) {
		r.fatal(r.at(n), "%s must be a list", what)
		return nil
	}
	out := make([]fileText, 0, len(n.kids))
	for _, item := range n.kids {
		out = append(out, fileText{r.at(item), r.text(item, "an item of "+what)})
	}
	return out
}

func (r *fileReader) strings(n *node, what string) []string {
	var out []string
	for _, t := range r.texts(n, what) {
		out = append(out, t.text)
	}
	return out
}

func (r *fileReader) truth(n *node, what string) bool {
	if !n.is(boolKind) {
		r.fatal(r.at(n), "%s must be true or false", what)
	}
	return n.truth()
}

// into and its kin are fields that store one value.
func (r *fileReader) into(to *string, what string) field {
	return func(n *node) { *to = r.text(n, what) }
}

func (r *fileReader) intoList(to *[]string, what string) field {
	return func(n *node) { *to = r.strings(n, what) }
}

func (r *fileReader) intoTruth(to *bool, what string) field {
	return func(n *node) { *to = r.truth(n, what) }
}

// oneOf stores a word of a fixed set.
func (r *fileReader) oneOf(to *string, what string, allowed ...string) field {
	return func(n *node) {
		s := r.text(n, what)
		if !slices.Contains(allowed, s) {
			r.fatal(r.at(n), "%s is %q; it must be one of %s", what, s, strings.Join(allowed, ", "))
			return
		}
		*to = s
	}
}

// readFile decodes the tree of catalog.yaml.
func (r *fileReader) readFile(root *node) *catalogFile {
	c := &catalogFile{}
	r.fields(root, "the catalogue file", map[string]field{
		"apis": func(n *node) {
			if !r.entries(n, "apis") {
				return
			}
			n.each(func(name string, line int, v *node) {
				c.apis = append(c.apis, r.forAPI(name).readAPI(name, line, v))
			})
		},
	})
	if len(c.apis) == 0 {
		r.fatal(place{r.file, root.row()}, "the catalogue names no API")
	}
	r.crossCheck(c)
	return c
}

func (r *fileReader) forAPI(name string) *fileReader {
	out := *r
	out.report.api = name
	return &out
}

func (r *fileReader) readAPI(name string, line int, n *node) *fileAPI {
	a := &fileAPI{place: place{r.file, line}, name: name, title: name}
	a.basePlace, a.bindPlace = a.place, a.place
	accounts := false
	r.fields(n, "API "+name, map[string]field{
		"title":    r.into(&a.title, "title"),
		"accounts": func(n *node) { accounts = true; a.accounts = r.strings(n, "accounts") },
		"base":     func(n *node) { a.basePlace = r.at(n); a.base = r.text(n, "base") },
		"bind": func(n *node) {
			a.bindPlace = r.at(n)
			r.oneOf(&a.bind, "bind", "sid", "any-sid", "account", "none")(n)
		},
		"hosts":              func(n *node) { a.hostsGiven = true; r.readHosts(a, n) },
		"upstream":           func(n *node) { a.upstream = r.upstream(n) },
		"version":            func(n *node) { r.readVersionField(a, n) },
		"override":           func(n *node) { r.readOverride(a, n) },
		"suffixes":           func(n *node) { r.readSuffixes(a, n) },
		"forward_credential": r.intoTruth(&a.forwardCredential, "forward_credential"),
		"outside":            func(n *node) { r.readOutside(a, n) },
		"passthrough":        func(n *node) { r.readPassthrough(a, n) },
		"scopes":             func(n *node) { r.readScopes(a, n) },
		"parameters":         func(n *node) { r.readParameters(a, n) },
		"operations":         func(n *node) { r.readOperations(a, n) },
		"versions":           func(n *node) { r.readVersions(a, n) },
	})
	if a.title = cleanLine(a.title, maxTitle); a.title == "" {
		a.title = name
	}
	r.checkAPI(a, accounts)
	return a
}

func (r *fileReader) readVersionField(a *fileAPI, n *node) {
	override := "refuse"
	r.fields(n, "version", map[string]field{
		"header": func(n *node) {
			if a.header = r.text(n, "version header"); !headerName(a.header) {
				r.fatal(r.at(n), "version header %q is no header name", a.header)
			}
		},
		"query": func(n *node) {
			if a.query = r.text(n, "version query"); !unreserved(a.query) {
				r.fatal(r.at(n), "version query %q has characters that would need escaping", a.query)
			}
		},
		"override": r.oneOf(&override, "version override", "refuse", "allow"),
	})
	a.override = override == "allow"
}

// readOverride takes "body" or {header: NAME, body: true}.
func (r *fileReader) readOverride(a *fileAPI, n *node) {
	if n.is(mapKind) {
		r.fields(n, "override", map[string]field{
			"header": func(n *node) {
				if a.methodHeader = r.text(n, "override header"); !headerName(a.methodHeader) {
					r.fatal(r.at(n), "override header %q is no header name", a.methodHeader)
				}
			},
			"body": r.intoTruth(&a.methodInBody, "override body"),
		})
		return
	}
	if s := r.text(n, "override"); s != "body" {
		r.fatal(r.at(n), "override is %q; it must be body or a mapping with header or body", s)
		return
	}
	a.methodInBody = true
}

func (r *fileReader) readOutside(a *fileAPI, n *node) {
	r.items(n, "outside", func(n *node) {
		o := fileOutside{place: r.at(n)}
		r.fields(n, "outside", map[string]field{
			"path": r.into(&o.path, "outside path"),
			"bind": r.oneOf(&o.bind, "outside bind", "none"),
		})
		if o.path == "" || o.bind == "" {
			r.fatal(o.place, "an outside entry needs path and bind")
			return
		}
		a.outside = append(a.outside, o)
	})
}

func (r *fileReader) readPassthrough(a *fileAPI, n *node) {
	r.items(n, "passthrough", func(n *node) {
		p := filePassthrough{place: r.at(n)}
		r.fields(n, "passthrough", map[string]field{
			"prefix": r.into(&p.prefix, "passthrough prefix"),
			"brand":  r.into(&p.brand, "passthrough brand"),
			"api":    r.into(&p.api, "passthrough api"),
		})
		if p.prefix == "" || p.brand == "" || p.api == "" {
			r.fatal(p.place, "a passthrough needs prefix, brand and api")
			return
		}
		a.passthrough = append(a.passthrough, p)
	})
}

func (r *fileReader) items(n *node, what string, f func(*node)) {
	if !n.is(listKind) {
		r.fatal(r.at(n), "%s must be a list", what)
		return
	}
	for _, item := range n.kids {
		f(item)
	}
}

func (r *fileReader) readVersions(a *fileAPI, n *node) {
	if !r.entries(n, "versions") {
		return
	}
	n.each(func(name string, line int, n *node) {
		v := &fileVersion{place: place{r.file, line}, name: name}
		vr := *r
		vr.report.ver = name
		vr.fields(n, "version "+name, map[string]field{
			"state":      vr.oneOf(&v.state, "state", "preview", "current", "supported", "deprecated", "retired"),
			"released":   vr.intoDate(&v.released, "released"),
			"deprecated": vr.intoDate(&v.deprecated, "deprecated"),
			"sunset":     vr.intoDate(&v.sunset, "sunset"),
			"upstream":   func(n *node) { v.upstream = vr.upstream(n) },
			"documents":  func(n *node) { v.patterns = vr.texts(n, "documents") },
		})
		vr.checkVersion(v)
		a.versions = append(a.versions, v)
	})
}
