package decide

// Catalogue is what a verifier needs of all APIs: the compiled result of the OpenAPI documents and
// the catalogue file. Its canonical JSON (sorted keys as declared here, no insignificant space) is
// stored, put on the feed and named by its SHA-256.
type Catalogue struct {
	APIs []API `json:"apis"` // ascending by Name
}

// API is one API with its versions.
type API struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Base   string   `json:"base"`             // template, for example /Agencies/{AccountSID}; "" for none
	Bind   Bind     `json:"bind"`             // how the parameter in Base names the caller
	Hosts  []string `json:"hosts,omitempty"`  // lower case, without port; empty: any host
	Header string   `json:"header,omitempty"` // request header that may name a version
	Query  string   `json:"query,omitempty"`  // query parameter that may name a version
	// Override admits requests that name another version than the pinned one, judged by the scopes
	// ticked for that version.
	Override bool `json:"override,omitempty"`
	// MethodHeader names the one header (for example X-HTTP-Method-Override) that the API's backend
	// honours; then the effective method is judged. MethodInBody says that the backend takes a method
	// from a body that doors never see: POST then needs the union of all methods' scopes of its path.
	MethodHeader      string        `json:"method_header,omitempty"`
	MethodInBody      bool          `json:"method_in_body,omitempty"`
	Suffixes          []string      `json:"suffixes,omitempty"` // ".json": stripped once from the last segment
	ForwardCredential bool          `json:"forward_credential,omitempty"`
	Upstream          string        `json:"upstream,omitempty"`
	Passthrough       []Passthrough `json:"passthrough,omitempty"`
	Versions          []Version     `json:"versions"` // oldest first, as the catalogue file lists them
}

// Bind says how the parameter in an API's base names the caller. The zero value binds to nobody and refuses.
type Bind string

// Binds.
const (
	BindSID     Bind = "sid"     // the credential's own SID
	BindAnySID  Bind = "any-sid" // the SID of any live token of the same account
	BindAccount Bind = "account" // the account's id in canonical decimal
	BindNone    Bind = "none"    // an operation outside the base, or an API whose base names no caller; said aloud, never by default
)

// Passthrough nests another API's operations under a prefix that names a managed brand.
type Passthrough struct {
	Prefix string `json:"prefix"` // template that extends Base and ends in the brand parameter
	Brand  string `json:"brand"`  // that parameter's name
	API    string `json:"api"`    // the nested API; its base is replaced by Prefix
}

// Version is one released shape of an API.
type Version struct {
	Name       string `json:"name"`
	State      string `json:"state"`                // preview, current, supported, deprecated, retired
	Deprecated int64  `json:"deprecated,omitempty"` // microseconds, UTC
	Sunset     int64  `json:"sunset,omitempty"`     // from then on the version is retired
	Upstream   string `json:"upstream,omitempty"`   // overrides the API's
	// Scopes lists every scope of the version with the words that a refusal needs, ascending by name.
	Scopes []ScopeWords `json:"scopes"`
	Routes []Route      `json:"routes"` // ascending by Template, then Method
}

// ScopeWords is a scope with its category and label, as the wizard shows them.
type ScopeWords struct {
	Name     string `json:"name"`
	Category string `json:"category"`
	Label    string `json:"label"`
	Limit    *Rate  `json:"limit,omitempty"` // of the calls that it opens, for each token
}

// Route is one operation as the decision sees it.
type Route struct {
	Method string `json:"method"`
	// Template is relative to the API's base ("" is the base itself), each segment a literal, one
	// {parameter}, or literal text around one parameter. With Outside it is absolute. It is written without
	// the API's suffixes, which are cut from a request before it is matched.
	Template string `json:"template"`
	Outside  bool   `json:"outside,omitempty"`
	Bind     Bind   `json:"bind,omitempty"` // only with Outside
	// Needs is a list of alternatives; each alternative is a list of scope names that are all needed.
	// Empty means that nothing is enough, unless Public.
	Needs   [][]string `json:"needs,omitempty"`
	Public  bool       `json:"public,omitempty"`  // said by the document and confirmed by the publisher
	Strict  bool       `json:"strict,omitempty"`  // refused when the verifier has been deaf for 5 seconds
	Params  []Param    `json:"params,omitempty"`  // those that the operation narrows, in the order of the path
	Upgrade bool       `json:"upgrade,omitempty"` // admits Upgrade requests (websocket)
}

// Param narrows one path parameter. Every raw segment passes the character rule first: 1 to 128
// unreserved characters (RFC 3986, section 2.3) and the octets of Allow, never "." or ".." alone.
type Param struct {
	Name    string   `json:"name"`
	Allow   string   `json:"allow,omitempty"`   // further ASCII octets
	Percent bool     `json:"percent,omitempty"` // %XX of anything but unreserved, / \ % ; ? # and controls; decoded must be UTF-8
	Integer bool     `json:"integer,omitempty"` // -?[0-9]{1,19}
	Enum    []string `json:"enum,omitempty"`
	Pattern string   `json:"pattern,omitempty"` // RE2, matched on the whole segment, at most 256 characters
}
