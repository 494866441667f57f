package catalog

import (
	"errors"
	"slices"
	"strings"
)

var errNoMapping = errors.New("it is no mapping")

// sharedParts are what all operations of a document fall back on.
type sharedParts struct {
	title      string
	servers    []server
	security   located
	schemes    map[string]bool
	scopeTexts map[string]string // what OAuth flows say of their scopes
	undeclared map[string]bool   // schemes named by a requirement but not declared, told once
}

func (r *reader) shared(doc located) *sharedParts {
	p := &sharedParts{
		title:      cleanLine(doc.get("info").get("title").str(), maxTitle),
		security:   doc.in(doc.get("security")),
		schemes:    map[string]bool{},
		scopeTexts: map[string]string{},
		undeclared: map[string]bool{},
	}
	if s := doc.get("servers"); len(s.list()) > 0 {
		p.servers = r.serverList(doc.in(s))
	}
	schemes := doc.get("components").get("securitySchemes")
	schemes.each(func(name string, line int, n *node) {
		scheme, _, err := r.follow(doc.in(n))
		if err != nil {
			r.trouble(place{doc.file, line}, "security scheme %s is not read: %v", short(name), err)
			return
		}
		p.schemes[name] = true
		scheme.get("flows").each(func(_ string, _ int, flow *node) {
			flow.get("scopes").each(func(scope string, _ int, text *node) {
				if r.step(place{doc.file, line}) {
					p.scopeTexts[scope] = cleanLine(text.str(), maxLabel)
				}
			})
		})
	})
	return p
}

// security reads the requirements of an operation. Of one requirement all names are needed, whatever
// scheme they belong to; of several requirements one is enough. No security at all is not public: it
// is a document that does not say.
func (r *reader) security(o *operation, doc *sharedParts, n located) {
	if !n.is(listKind) {
		o.unnamed = true
		return
	}
	if len(n.kids) == 0 {
		o.public = true
		return
	}
	for _, alternative := range n.kids {
		if !r.step(o.place) {
			return
		}
		if !alternative.is(mapKind) {
			r.trouble(place{n.file, alternative.row()}, "a security requirement of %s %s is no mapping", o.method, short(o.path))
			continue
		}
		if len(alternative.keys) == 0 {
			o.public = true
			continue
		}
		if set := r.names(o, doc, n.in(alternative)); len(set) > 0 {
			o.requirements = append(o.requirements, set)
		} else {
			o.unnamed = true
		}
	}
	if !o.public && len(o.requirements) == 0 {
		o.unnamed = true
	}
}

// maxDocumentScope bounds a scope's name in a document, in octets.
const maxDocumentScope = 1024

// names are all scope names of one requirement, made printable.
func (r *reader) names(o *operation, doc *sharedParts, alternative located) []string {
	var set []string
	alternative.each(func(scheme string, line int, names *node) {
		if !doc.schemes[scheme] && !doc.undeclared[scheme] {
			doc.undeclared[scheme] = true
			r.note(place{alternative.file, line}, "security names the scheme %s, which the document does not declare", short(scheme))
		}
		for _, n := range names.list() {
			text, ok := n.scalar()
			switch {
			case !r.step(o.place):
			case !ok || text == "" || len(text) > maxDocumentScope:
				// Leaving it out would ask for less than the document does.
				r.fatal(place{alternative.file, n.row()}, "a scope of %s %s is no name", o.method, short(o.path))
			default:
				set = append(set, text)
			}
		}
	})
	return set
}

// undeclaredTags notes the tags that operations use and the document does not list.
func (r *reader) undeclaredTags(doc located, ops []*operation) {
	declared := map[string]bool{}
	for _, t := range doc.get("tags").list() {
		declared[cleanLine(t.get("name").str(), maxLabel)] = true
	}
	var missing []string
	for _, o := range ops {
		for _, t := range o.tags {
			if !declared[t] {
				declared[t] = true
				missing = append(missing, t)
			}
		}
	}
	if len(missing) > 0 {
		r.note(place{doc.file, 1}, "the document does not declare the tags %s", strings.Join(missing, ", "))
	}
}

// oddVersions notes documents whose info.version is another than the version's name, "3.0" and "v3"
// being 3. If all documents agree on another numbering it is theirs, and one note is enough.
func oddVersions(r report, name string, infos []fileText) {
	var odd []fileText
	for _, i := range infos {
		if !sameVersion(i.text, name) {
			odd = append(odd, i)
		}
	}
	if len(odd) > 1 && len(odd) == len(infos) && !slices.ContainsFunc(odd, func(i fileText) bool { return i.text != odd[0].text }) {
		odd = odd[:1]
	}
	for _, i := range odd {
		r.note(i.place, "info.version is %s in a document of version %s", short(i.text), name)
	}
}

func sameVersion(said, name string) bool {
	said, name = strings.TrimLeft(said, "vV"), strings.TrimLeft(name, "vV")
	return said == name || strings.HasPrefix(said, name+".")
}
