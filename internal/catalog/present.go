package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"counterfoil.dev/counterfoil/internal/decide"
)

// Result is the published form of a catalogue.
type Result struct {
	Catalogue decide.Catalogue // for verifiers
	APIs      []API            // for the console and the API reference; ascending by Name
	Counts    []Count          // one per API and version, in the order of APIs
	// Unconfirmed lists, as Confirmation writes them, the operations that a document calls public and
	// that the publisher has not confirmed; ascending.
	Unconfirmed []string
}

// Count says how much of the documents of one version became part of the catalogue.
type Count struct {
	API        string `json:"api"`
	Version    string `json:"version"`
	Operations int    `json:"operations"` // read from the documents
	Published  int    `json:"published"`  // have a route
	Nested     int    `json:"nested"`     // of those, reachable under a passthrough prefix of another API
}

// API is what people see of one API. Dates are civil dates, written YYYY-MM-DD, or "" for none; a
// date takes effect at 00:00 UTC of its day.
type API struct {
	Name        string        `json:"name"`
	Title       string        `json:"title"`
	Accounts    []string      `json:"accounts"` // account kinds that may hold tokens for it
	Base        string        `json:"base"`     // template; "" for none
	Bind        string        `json:"bind"`     // sid, any-sid, account or none
	Hosts       []string      `json:"hosts,omitempty"`
	Upstream    string        `json:"upstream,omitempty"` // for the gateway
	Header      string        `json:"header,omitempty"`   // request header that may name a version
	Query       string        `json:"query,omitempty"`    // query parameter that may name a version
	Override    bool          `json:"override,omitempty"` // a request may name another version than the pinned one
	Passthrough []Passthrough `json:"passthrough,omitempty"`
	Versions    []Version     `json:"versions"` // oldest first, as the catalogue file lists them
}

// Passthrough nests another API under a prefix that names a managed brand.
type Passthrough struct {
	Prefix string `json:"prefix"`
	Brand  string `json:"brand"` // the parameter of Prefix that names the brand
	API    string `json:"api"`
}

// Version is one released shape of an API.
type Version struct {
	Name       string      `json:"name"`
	State      string      `json:"state"` // preview, current, supported, deprecated, retired
	Released   string      `json:"released,omitempty"`
	Deprecated string      `json:"deprecated,omitempty"`
	Sunset     string      `json:"sunset,omitempty"`
	Upstream   string      `json:"upstream,omitempty"` // overrides the API's
	Categories []Category  `json:"categories"`         // by name, without regard to case
	Operations []Operation `json:"operations"`         // by path, then method
}

// Category is a group of scopes as the console shows it.
type Category struct {
	Name   string  `json:"name"`
	Slug   string  `json:"slug"`
	Scopes []Scope `json:"scopes"` // in the order of their first operation
}

// Scope is one check box.
type Scope struct {
	Name        string   `json:"name"`
	Category    string   `json:"category"` // the category's name
	Label       string   `json:"label"`
	Description string   `json:"description,omitempty"`
	Access      string   `json:"access"`              // read or write
	Sensitive   string   `json:"sensitive,omitempty"` // why; "" when it is not
	Limit       string   `json:"limit,omitempty"`     // of the calls that it opens, for each token: 10/second
	Needs       []string `json:"needs,omitempty"`     // all that it needs, directly or not; ascending
	Operations  []int    `json:"operations"`          // indexes in Version.Operations, ascending
	Hidden      bool     `json:"hidden,omitempty"`    // exists, but the console does not offer it
}

// Operation is one method and path template.
type Operation struct {
	ID          string       `json:"id,omitempty"` // operationId, "" if the document has none
	Method      string       `json:"method"`
	Path        string       `json:"path"`              // the full template
	Template    string       `json:"template"`          // as the route has it: relative to the base, or Path if Outside
	Outside     bool         `json:"outside,omitempty"` // not under the base, admitted by the catalogue file
	Nested      []NestedPath `json:"nested,omitempty"`  // where other APIs nest it
	Category    string       `json:"category"`
	Summary     string       `json:"summary"` // one line, never empty
	Description string       `json:"description,omitempty"`
	Access      string       `json:"access"` // read or write
	// Scopes is a list of alternatives; of each alternative all names are needed. Empty only if Public.
	Scopes [][]string `json:"scopes,omitempty"`
	Public bool       `json:"public,omitempty"`
	// BodyBrands names parameters in the body or the query that look like the brand parameter of a
	// passthrough: reach cannot see them, and the page says so.
	BodyBrands []string `json:"body_brands,omitempty"`
	Deprecated bool     `json:"deprecated,omitempty"` // said by the document
	File       string   `json:"file"`                 // where it comes from, relative to the catalogue's folder
	Line       int      `json:"line"`
}

// NestedPath is the place of an operation under a passthrough prefix.
type NestedPath struct {
	API  string `json:"api"` // the API that nests it
	Path string `json:"path"`
}

// presentation is the stored form: a number for its shape, then the APIs.
type presentation struct {
	Form int   `json:"form"`
	APIs []API `json:"apis"`
}

const presentationForm = 1

// Marshal writes the presentation as JSON. The same input gives the same octets.
func (r *Result) Marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(presentation{presentationForm, r.APIs}); err != nil {
		return nil, fmt.Errorf("writing the catalogue's presentation: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ParsePresentation reads what Marshal wrote.
func ParsePresentation(data []byte) ([]API, error) {
	var p presentation
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("reading the catalogue's presentation: %w", err)
	}
	if p.Form != presentationForm {
		return nil, fmt.Errorf("reading the catalogue's presentation: form %d, this program knows %d", p.Form, presentationForm)
	}
	return p.APIs, nil
}

// Latest is the newest current version: by release date, then by place in the list. A release date
// in the file's future still counts: the publisher decides by the state.
func (a API) Latest() (Version, bool) {
	best := -1
	for i, v := range a.Versions {
		if v.State == "current" && (best < 0 || v.Released >= a.Versions[best].Released) {
			best = i
		}
	}
	if best < 0 {
		return Version{}, false
	}
	return a.Versions[best], true
}

// Version finds a version by name.
func (a API) Version(name string) (Version, bool) {
	for _, v := range a.Versions {
		if v.Name == name {
			return v, true
		}
	}
	return Version{}, false
}

// Find returns the API of that name.
func Find(apis []API, name string) (API, bool) {
	for _, a := range apis {
		if a.Name == name {
			return a, true
		}
	}
	return API{}, false
}

// Scope finds a scope by name, hidden ones included.
func (v Version) Scope(name string) (Scope, bool) {
	for _, c := range v.Categories {
		for _, s := range c.Scopes {
			if s.Name == name {
				return s, true
			}
		}
	}
	return Scope{}, false
}

// Qualified is the scope's name outside its own API: brand/jobs.replay-job.
func Qualified(api, scope string) string { return api + "/" + scope }

// ParseQualified takes brand/jobs.replay-job apart. A scope name never holds a slash.
func ParseQualified(name string) (api, scope string, ok bool) {
	api, scope, ok = strings.Cut(name, "/")
	return api, scope, ok && api != "" && validScopeName(scope)
}
