package attack_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
)

// How the oracle reads what is written: templates and paths, fields and queries.

// mount is an operation where a request finds it; own is the API whose base or prefix the path lies under.
type mount struct {
	api, own *decide.API
	version  *decide.Version
	route    *decide.Route
	segments []string
	path     []string // that it was found for
}

var hole = regexp.MustCompile(`\{[^}]*\}`)

func split(path string) []string {
	if path == "" || path == "/" {
		return nil
	}
	return strings.Split(strings.TrimPrefix(path, "/"), "/")
}

func shapes(segments []string) (out []string) {
	for _, s := range segments {
		out = append(out, hole.ReplaceAllString(s, "{}"))
	}
	return out
}

// mounts lists every operation in every place.
func (o *oracle) mounts() (all []mount) {
	add := func(own, a *decide.API, prefix string) {
		for i := range a.Versions {
			for j := range a.Versions[i].Routes {
				m := mount{api: a, own: own, version: &a.Versions[i], route: &a.Versions[i].Routes[j]}
				switch {
				case own != a && (m.route.Outside || m.route.Template == ""):
					continue // nothing nests at the prefix itself, nor what lies outside
				case m.route.Outside:
					m.segments = split(m.route.Template)
				default:
					m.segments = split(prefix + m.route.Template)
				}
				all = append(all, m)
			}
		}
	}
	for i := range o.catalogue.APIs {
		a := &o.catalogue.APIs[i]
		add(a, a, a.Base)
		for _, p := range a.Passthrough {
			n := slices.IndexFunc(o.catalogue.APIs, func(n decide.API) bool { return n.Name == p.API })
			add(a, &o.catalogue.APIs[n], p.Prefix)
		}
	}
	return all
}

// find lists the operations, of any version and method, whose templates take the path, and says whether
// the host is one of the catalogue's.
func (o *oracle) find(path []string, host string) (found []mount, known bool) {
	for _, a := range o.catalogue.APIs {
		known = known || len(a.Hosts) == 0 || slices.Contains(a.Hosts, host)
	}
	for _, m := range o.mounts() {
		if len(m.own.Hosts) > 0 && !slices.Contains(m.own.Hosts, host) {
			continue
		}
		if m.path = m.cut(path); !m.matches(m.path) {
			continue
		}
		if brand, _ := m.brand(path); m.own != m.api && !accountID.MatchString(brand) {
			continue
		}
		if named, bind := m.bound(); bind != decide.BindNone && !plainValue.MatchString(named) {
			continue // an account is named in unreserved octets alone
		}
		found = append(found, m)
	}
	return found, known
}

var accountID = regexp.MustCompile(`^(0|[1-9][0-9]{0,18})$`)

// cut takes one known suffix from the last segment.
func (m *mount) cut(path []string) []string {
	for _, suffix := range m.api.Suffixes {
		base := split(m.own.Base)
		if len(path) == 0 || !m.route.Outside && len(path) == len(base) && !strings.Contains(base[len(base)-1], "{") {
			break // a literal base has no format
		}
		if last := path[len(path)-1]; strings.HasSuffix(last, suffix) && last != suffix {
			return append(slices.Clone(path[:len(path)-1]), strings.TrimSuffix(last, suffix))
		}
	}
	return path
}

// value cuts a parameter's value out of a segment.
func value(template, segment string) (string, bool) {
	at := hole.FindStringIndex(template)
	if at == nil {
		return "", template == segment
	}
	before, after := template[:at[0]], template[at[1]:]
	if len(segment) <= len(before)+len(after) || !strings.HasPrefix(segment, before) || !strings.HasSuffix(segment, after) {
		return "", false
	}
	v := segment[len(before) : len(segment)-len(after)]
	return v, v != "." && v != ".."
}

func (m *mount) matches(path []string) bool {
	if len(path) != len(m.segments) {
		return false
	}
	for i := range m.segments {
		if _, ok := value(m.segments[i], path[i]); !ok {
			return false
		}
	}
	return true
}

// near is matches as careless servers do it: decoded, in any case, without the last segment's format.
func (m *mount) near(path []string) bool {
	if len(path) != len(m.segments) {
		return false
	}
	for i, s := range path {
		if decoded, err := url.PathUnescape(s); err == nil {
			s = decoded
		}
		t := strings.ToLower(hole.ReplaceAllString(m.segments[i], "{}"))
		s = strings.ToLower(s)
		_, ok := value(t, s)
		if dot := strings.LastIndexByte(s, '.'); dot > 0 && i == len(path)-1 && !ok {
			_, ok = value(t, s[:dot])
		}
		if !ok {
			return false
		}
	}
	return true
}

func rank(s string) int { // literal before literal text around a parameter before a parameter
	if !strings.Contains(s, "{") {
		return 2
	}
	return min(1, len(hole.ReplaceAllString(s, "")))
}

func (m *mount) beats(o *mount) bool {
	more := false
	for i := range m.segments {
		a, b := m.segments[i], o.segments[i]
		if rank(a) < rank(b) || rank(a) == 1 && rank(b) == 1 && hole.ReplaceAllString(a, "{}") != hole.ReplaceAllString(b, "{}") {
			return false
		}
		more = more || rank(a) > rank(b)
	}
	return more
}

var (
	plainValue = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)
	integer    = regexp.MustCompile(`^-?[0-9]{1,19}$`)
	escape     = regexp.MustCompile(`%..`)
)

// takes says whether the operation's own parameters take the path.
func (m *mount) takes(path []string) bool {
	if brand, is := m.brand(path); is && !accountID.MatchString(brand) {
		return false // the brand is named by the canonical decimal id of an account
	}
	for i, s := range m.segments {
		v, _ := value(s, m.path[i])
		name := strings.Trim(hole.FindString(s), "{}")
		if name == "" {
			continue
		}
		var p decide.Param
		if k := slices.IndexFunc(m.route.Params, func(p decide.Param) bool { return p.Name == name }); k >= 0 {
			p = m.route.Params[k]
		}
		reduced := v
		if p.Percent {
			reduced = escape.ReplaceAllString(reduced, "xxx")
		}
		for _, c := range p.Allow {
			reduced = strings.ReplaceAll(reduced, string(c), "x")
		}
		if !plainValue.MatchString(reduced) || p.Integer && !integer.MatchString(v) || len(p.Enum) > 0 && !slices.Contains(p.Enum, v) ||
			p.Pattern != "" && !regexp.MustCompile(`^(?:`+p.Pattern+`)$`).MatchString(v) {
			return false
		}
	}
	return true
}

// version is one of an API's; one that has gone from the catalogue has no state, and counts as retired.
func version(a *decide.API, name string) *decide.Version {
	for i := range a.Versions {
		if a.Versions[i].Name == name {
			return &a.Versions[i]
		}
	}
	return &decide.Version{Name: name}
}

// first is the version that a token pins for an API, "" for none.
func first(g *api.Grant, a *decide.API) string {
	at := slices.IndexFunc(g.Pins, func(p api.Pin) bool { return p.API == a.Name })
	if at < 0 {
		return ""
	}
	return g.Pins[at].Version
}

// bound is the segment that names the caller, and how.
func (m *mount) bound() (string, decide.Bind) {
	if m.route.Outside {
		return "", decide.BindNone
	}
	for i, s := range split(m.own.Base) {
		if strings.Contains(s, "{") {
			return m.path[i], m.own.Bind
		}
	}
	return "", m.own.Bind
}

// brand is the managed brand that the path names: it lies at or under a passthrough, and the operation has a
// parameter in the brand's place.
func (m *mount) brand(path []string) (string, bool) {
	for _, p := range m.own.Passthrough {
		prefix := split(p.Prefix)
		at := len(prefix) - 1
		under := at < len(path) && !m.route.Outside
		for i := range prefix {
			under = under && (strings.Contains(prefix[i], "{") || prefix[i] == path[i])
		}
		if under && strings.Contains(m.segments[at], "{") {
			v, _ := value(m.segments[at], m.path[at])
			return v, true
		}
	}
	return "", false
}

var (
	target    = regexp.MustCompile(`^(/|(/([A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+)+)$`)
	ambiguous = regexp.MustCompile(`(?i)%([01].|2[35def]|3[0-9bf]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef])`)
	absolute  = regexp.MustCompile(`^https?://[^/?]*`)
	hosted    = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(:[0-9]{1,5})?$`)
	queried   = regexp.MustCompile(`^[!-"$-~]*$`)
)

func (q *ask) path() string {
	path, _, _ := strings.Cut(strings.TrimPrefix(q.target, absolute.FindString(q.target)), "?")
	return path
}

func (q *ask) query() string {
	_, query, _ := strings.Cut(q.target, "?")
	return query
}

// read looks at target, host and method: whatever has two readings is refused.
func (q *ask) read() (path []string, host string, sound bool) {
	p := q.path()
	decoded, err := url.PathUnescape(p)
	_, authority, _ := strings.Cut(absolute.FindString(q.target), "://")
	path = split(p)
	host, _, _ = strings.Cut(strings.ToLower(q.host), ":")
	sound = err == nil && !strings.ContainsFunc(decoded, disguised) && target.MatchString(p) && !ambiguous.MatchString(p) && utf8.ValidString(decoded) && len(q.target) <= 8<<10 &&
		!slices.ContainsFunc(path, func(s string) bool { return s == "." || strings.HasPrefix(s, "..") || len(s) > 128 }) && hosted.MatchString(q.host) &&
		(authority == "" || strings.EqualFold(authority, q.host)) && queried.MatchString(q.query()) &&
		decide.KnownMethod(q.method) && len(q.named("_method")) == 0
	return path, host, sound
}

// disguised is a character that some backend folds into a delimiter, a dot or a control.
func disguised(r rune) bool {
	plain := norm.NFKC.String(string(r))
	return r > 0x7f && (r < 0xa0 || strings.ContainsAny(plain, `/\%`) || strings.Trim(plain, ".") == "" || strings.ContainsRune("⁄∕∖", r))
}

func (q *ask) values(name string) (values []string) {
	for _, f := range q.fields {
		if strings.EqualFold(f[0], name) {
			values = append(values, f[1])
		}
	}
	return values
}

var folded = strings.NewReplacer("_", "-", ".", "-", " ", "-", "[", "-")

func fold(name string) string { return folded.Replace(strings.ToLower(name)) }

// named lists the values of a query parameter as the most careless server finds it. One that is spelt
// otherwise than name is "\x00".
func (q *ask) named(name string) (values []string) {
	for pair := range strings.SplitSeq(q.query(), "&") {
		_, whole, _ := strings.Cut(pair, "=")
		for i, sub := range strings.Split(pair, ";") {
			raw, _, _ := strings.Cut(sub, "=")
			decoded, err := url.QueryUnescape(raw)
			if err != nil {
				decoded = raw
			}
			decoded = strings.TrimLeft(decoded, " ")
			switch {
			case raw == name && i == 0:
				values = append(values, whole)
			case len(decoded) >= len(name) && fold(decoded[:len(name)]) == fold(name) && (len(decoded) == len(name) || decoded[len(name)] == '[' || decoded[len(name)] == 0):
				values = append(values, "\x00")
			}
		}
	}
	return values
}

// version is the one that the request names by field or query; false if it has two readings.
func (q *ask) version(found []mount) (version string, once bool) {
	for _, m := range found {
		for _, a := range []*decide.API{m.own, m.api} {
			var values []string
			for _, f := range q.fields {
				switch {
				case a.Header == "" || len(f[0]) != len(a.Header) || fold(f[0]) != fold(a.Header):
				case !strings.EqualFold(f[0], a.Header):
					return "", false
				default:
					values = append(values, f[1])
				}
			}
			if len(values) > 1 {
				return "", false
			}
			if a.Query != "" {
				in := q.named(a.Query)
				if len(in) > 1 || len(in) == 1 && in[0] == "\x00" {
					return "", false
				}
				values = append(values, in...)
			}
			for _, v := range values {
				if v == "" {
					v = "\x00" // named, and none is called so
				}
				if version != "" && v != version {
					return "", false
				}
				version = v
			}
		}
	}
	return version, true
}

var overrides = []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"}

// effective is the method that is judged; false if it has two readings.
func (q *ask) effective(found []mount) (method string, once bool) {
	method = q.method
	for _, f := range q.fields {
		isOverride := slices.ContainsFunc(overrides, func(name string) bool { return fold(f[0]) == fold(name) && len(f[0]) == len(name) })
		if !isOverride || len(found) == 0 {
			continue
		}
		declared := true
		for _, m := range found {
			declared = declared && strings.EqualFold(f[0], m.own.MethodHeader) && m.api.MethodHeader == m.own.MethodHeader
		}
		if !declared || q.method != "POST" || len(q.values(f[0])) > 1 || !decide.KnownMethod(f[1]) {
			return "", false
		}
		method = f[1]
	}
	return method, true
}
