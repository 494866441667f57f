package catalog

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	apiName     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	versionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	headerToken = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	queryName   = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)
	hostName    = regexp.MustCompile(`^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,15}$`)
	suffixWord  = regexp.MustCompile(`^\.[A-Za-z0-9]{1,15}$`)
)

// accountKinds are the kinds that an account can have.
var accountKinds = []string{"agency", "brand", "partner"}

// headerName is stricter than RFC 9110 section 5.6.2: a header with an underscore or a dot becomes
// another one behind some proxies.
func headerName(s string) bool { return headerToken.MatchString(s) }

func unreserved(s string) bool { return queryName.MatchString(s) }

// hostOf writes a host without port as decide compares it: in lower case, an IPv6 address in brackets.
func hostOf(s string) (string, bool) {
	s = strings.ToLower(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		if a.Is6() {
			return "[" + a.String() + "]", true
		}
		return a.String(), true
	}
	return s, hostName.MatchString(s)
}

func (r *fileReader) readHosts(a *fileAPI, n *node) {
	for _, t := range r.texts(n, "hosts") {
		host, ok := hostOf(t.text)
		if !ok {
			r.fatal(t.place, "%q is no host name; write it without scheme, port and path", t.text)
			continue
		}
		a.hosts = append(a.hosts, host)
	}
	a.hosts = sortedSet(a.hosts)
}

func (r *fileReader) readSuffixes(a *fileAPI, n *node) {
	for _, t := range r.texts(n, "suffixes") {
		if !suffixWord.MatchString(t.text) {
			r.fatal(t.place, "suffix %q must be a dot and letters or digits", t.text)
			continue
		}
		a.suffixes = append(a.suffixes, t.text)
	}
	a.suffixes = sortedSet(a.suffixes)
}

// upstream takes the origin that the gateway forwards to. User information in it would be a secret in
// a file that everybody sees.
func (r *fileReader) upstream(n *node) string {
	s := r.text(n, "upstream")
	u, err := url.Parse(s)
	switch {
	case err != nil:
		r.fatal(r.at(n), "upstream is no URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		r.fatal(r.at(n), "upstream %q must begin with http:// or https:// and a host", s)
	case u.User != nil:
		r.fatal(r.at(n), "upstream must not hold a user or a password")
	case u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		r.fatal(r.at(n), "upstream %q must end after host and port", s)
	}
	return strings.TrimSuffix(s, "/")
}

// checkAPI holds what one API must say by itself. accounts tells that the key was there.
func (r *fileReader) checkAPI(a *fileAPI, accounts bool) {
	if !apiName.MatchString(a.name) {
		r.fatal(a.place, "API name %q: small letters, digits and hyphens, beginning with a letter, at most 32", a.name)
	}
	if !accounts {
		r.fatal(a.place, "API %s does not say which account kinds may hold tokens for it (accounts)", a.name)
	}
	for _, k := range a.accounts {
		if !slices.Contains(accountKinds, k) {
			r.fatal(a.place, "account kind %q is none of %s", k, strings.Join(accountKinds, ", "))
		}
	}
	a.accounts = sortedSet(a.accounts)
	if len(a.versions) == 0 {
		r.fatal(a.place, "API %s has no versions", a.name)
	}
	if len(a.hosts) == 0 {
		r.trouble(a.place, "API %s names no hosts: serve refuses to start without them, and servers of documents are not compared", a.name)
	}
	r.checkBase(a)
	r.checkOutside(a)
	seen := map[string]bool{}
	for _, s := range a.scopes {
		for _, from := range append(slices.Clone(s.merge), s.renamed()...) {
			if seen[from] {
				r.fatal(s.place, "scope %s is renamed or merged twice", from)
			}
			seen[from] = true
		}
	}
}

// renamed is the old name of a rename, as a list of none or one.
func (s fileScope) renamed() []string {
	if s.rename == "" {
		return nil
	}
	return []string{s.name}
}

// checkBase holds that the base names the caller in exactly one way or not at all.
func (r *fileReader) checkBase(a *fileAPI) {
	if a.base == "/" {
		a.base = ""
	}
	t, err := parseTemplate(a.base)
	if err != nil {
		r.fatal(a.basePlace, "base %s: %v", a.base, err)
		return
	}
	if strings.HasSuffix(a.base, "/") {
		r.fatal(a.basePlace, "base %s must not end in a slash", a.base)
	}
	if odd, bad := t.odd(); bad {
		r.fatal(a.basePlace, "base %s: %s", a.base, odd)
	}
	params := t.params()
	switch {
	case len(params) > 1:
		r.fatal(a.basePlace, "base %s has %d parameters; exactly one can name the caller", a.base, len(params))
	case len(params) == 0 && a.bind != "" && a.bind != "none":
		r.fatal(a.bindPlace, "bind is %s, but base %q has no parameter that could name the caller", a.bind, a.base)
	case len(params) == 1 && a.bind == "none":
		r.fatal(a.bindPlace, "bind none would let every caller put any account into {%s}; use sid, any-sid or account", params[0])
	}
	if a.bind == "" {
		a.bind = "sid"
		if len(params) == 0 {
			a.bind = "none"
		}
	}
	if len(params) == 1 && !t.whole(params[0]) {
		r.fatal(a.basePlace, "base %s: the parameter that names the caller must be a whole segment", a.base)
	}
}

// checkOutside holds that what is outside is outside: under the base, the caller must be bound.
func (r *fileReader) checkOutside(a *fileAPI) {
	base, err := parseTemplate(a.base)
	if err != nil {
		return // told already
	}
	for _, o := range a.outside {
		t, err := parseTemplate(o.path)
		switch {
		case err != nil:
			r.fatal(o.place, "outside path %s: %v", o.path, err)
		case len(t) >= len(base) && base.meetsStart(t):
			r.fatal(o.place, "outside path %s: a path can be both there and under the base %s", o.path, a.base)
		}
	}
}

func (r *fileReader) checkVersion(v *fileVersion) {
	if !versionName.MatchString(v.name) {
		r.fatal(v.place, "version name %q: letters, digits, dot, underscore and hyphen, at most 32", v.name)
	}
	if v.state == "" {
		r.fatal(v.place, "version %s does not say its state", v.name)
	}
	if len(v.patterns) == 0 {
		r.fatal(v.place, "version %s names no documents", v.name)
	}
}

// crossCheck holds what APIs say of each other.
func (r *fileReader) crossCheck(c *catalogFile) {
	names := map[string]*fileAPI{}
	for _, a := range c.apis {
		names[a.name] = a
	}
	for i, a := range c.apis {
		for _, other := range c.apis[:i] {
			if unnamed(other.base) == unnamed(a.base) && shareHost(a, other) {
				r.forAPI(a.name).trouble(a.basePlace, "APIs %s and %s have the same base and hosts, so a path of both is refused", other.name, a.name)
			}
		}
		for _, p := range a.passthrough {
			r.forAPI(a.name).checkPassthrough(a, p, names[p.api])
		}
	}
}

// shareHost reports that a request can be for both APIs.
func shareHost(a, b *fileAPI) bool {
	return len(a.hosts) == 0 || len(b.hosts) == 0 || slices.ContainsFunc(a.hosts, func(h string) bool { return slices.Contains(b.hosts, h) })
}

func (r *fileReader) checkPassthrough(a *fileAPI, p filePassthrough, nested *fileAPI) {
	switch {
	case nested == nil:
		r.fatal(p.place, "passthrough names API %s, which is not in this file", p.api)
		return
	case nested == a:
		r.fatal(p.place, "API %s cannot nest itself", p.api)
		return
	}
	if len(nested.passthrough) > 0 {
		r.note(p.place, "API %s has passthroughs of its own; they do not nest", p.api)
	}
	prefix, err := parseTemplate(p.prefix)
	base, baseErr := parseTemplate(a.base)
	if err != nil {
		r.fatal(p.place, "passthrough prefix %s: %v", p.prefix, err)
		return
	}
	if baseErr != nil {
		return // told already
	}
	last := len(prefix) - 1
	if len(prefix) <= len(base) || !base.isPrefixOf(prefix) {
		r.fatal(p.place, "passthrough prefix %s does not extend base %s", p.prefix, a.base)
	} else if prefix[last] != (segment{param: p.brand}) {
		r.fatal(p.place, "passthrough prefix %s does not end in {%s}", p.prefix, p.brand)
	} else if n := len(prefix[len(base):].params()); n != 1 {
		r.fatal(p.place, "passthrough prefix %s has %d parameters after the base; only {%s} can be judged", p.prefix, n, p.brand)
	}
	for _, q := range a.passthrough {
		other, err := parseTemplate(q.prefix)
		if err == nil && q != p && unnamed(q.prefix) == unnamed(p.prefix) {
			r.fatal(p.place, "two passthroughs have the prefix %s", p.prefix)
		} else if err == nil && q != p && other.isPrefixOf(prefix) {
			r.fatal(p.place, "passthrough prefix %s lies under the prefix %s", p.prefix, q.prefix)
		}
	}
}
