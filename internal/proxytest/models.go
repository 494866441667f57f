package proxytest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// models are ways in which some backend reads a path as another one. Each was somebody's
// (SECURITY.md, classes 1 to 5); they are applied one after the other, up to four of them.
var models = []struct {
	name string
	read func(string) string
}{
	{"decode_once", decode},
	{"overlong_utf8", overlong},
	{"iis_percent_u", percentU},
	{"dot_segments", dotSegments},
	{"naive_strip", func(p string) string { return strings.ReplaceAll(p, "../", "") }},
	{"legacy_dots", func(p string) string { return dotSegments(strings.ReplaceAll(p, "/.../", "/../../")) }},
	{"merge_slashes", func(p string) string { return slashes.ReplaceAllString(p, "/") }},
	{"strip_trailing_slash", func(p string) string { return strings.TrimSuffix(p, "/") }},
	{"backslash_as_slash", func(p string) string { return strings.ReplaceAll(p, `\`, "/") }},
	{"strip_semicolon", func(p string) string { return semicolon.ReplaceAllString(p, "") }},
	{"nfkc", norm.NFKC.String},
	{"nul_truncate", func(p string) string { before, _, _ := strings.Cut(p, "\x00"); return before }},
	{"strip_controls", func(p string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, p)
	}},
	{"trim_space", trimSegments},
	{"strip_suffix", func(p string) string { return suffix.ReplaceAllString(p, "") }},
	{"strip_prefix", func(p string) string {
		if at := strings.IndexByte(strings.TrimPrefix(p, "/"), '/'); at >= 0 {
			return p[at+1:]
		}
		return p
	}},
	{"cut_fragment", func(p string) string { before, _, _ := strings.Cut(p, "#"); return before }},
	{"cut_query", func(p string) string { before, _, _ := strings.Cut(p, "?"); return before }},
	{"invalid_utf8", func(p string) string { return strings.ToValidUTF8(p, "") }},
	{"confusable", confusable.Replace},
}

var (
	slashes    = regexp.MustCompile(`/{2,}`)
	semicolon  = regexp.MustCompile(`;[^/]*`)
	suffix     = regexp.MustCompile(`\.[A-Za-z0-9]{1,5}$`)
	confusable = strings.NewReplacer("а", "a", "А", "A", "е", "e", "о", "o", "с", "c", "і", "i", "ı", "i", "İ", "I", "ſ", "s", "／", "/", "∕", "/", "．", ".")
)

func decode(p string) string {
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			if c, err := strconv.ParseUint(p[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(c))
				i += 2
				continue
			}
		}
		out = append(out, p[i]) // an invalid escape passes, as lenient backends let it
	}
	return string(out)
}

func overlong(p string) string {
	return strings.NewReplacer("\xc0\xae", ".", "\xc0\xaf", "/", "\xe0\x80\xaf", "/", "\xe0\x80\xae", ".", "\xc1\x9c", `\`).Replace(decode(p))
}

var percentUnicode = regexp.MustCompile(`%[uU]([0-9a-fA-F]{4})`)

func percentU(p string) string {
	return percentUnicode.ReplaceAllStringFunc(p, func(found string) string {
		r, err := strconv.ParseUint(found[2:], 16, 32)
		if err != nil {
			return found
		}
		return string(rune(r))
	})
}

func dotSegments(p string) string {
	var out []string
	segments := strings.Split(p, "/")
	for i, s := range segments {
		switch {
		case s == ".":
		case s == "..":
			if len(out) > 1 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, s)
			continue
		}
		if i == len(segments)-1 {
			out = append(out, "")
		}
	}
	return strings.Join(out, "/")
}

func trimSegments(p string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i] = strings.TrimSpace(segments[i])
	}
	return strings.Join(segments, "/")
}

// Readings are all paths that a target is to some backend, with the models that make it so. The query is
// no part of the path to any of them.
func Readings(target string) map[string]string {
	path, _, _ := strings.Cut(target, "?")
	found := map[string]string{path: "as it is"}
	latest := []string{path}
	for range 4 {
		var next []string
		for _, p := range latest {
			for _, m := range models {
				read := m.read(p)
				if _, seen := found[read]; !seen && read != "" {
					found[read] = found[p] + ", " + m.name
					next = append(next, read)
				}
			}
		}
		latest = next
	}
	return found
}

// Methods are those that a request has to some backend: its own, and what it names to replace it.
func Methods(r *Seen) []string {
	list := []string{r.Method, strings.ToUpper(r.Method)}
	if r.Method == http.MethodHead {
		list = append(list, http.MethodGet) // a HEAD is answered as its GET
	}
	for name, values := range r.Header {
		folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
		if folded == "x-http-method-override" || folded == "x-http-method" || folded == "x-method-override" {
			for _, v := range values {
				list = append(list, strings.ToUpper(strings.TrimSpace(v)))
			}
		}
	}
	if _, query, ok := strings.Cut(r.Target, "?"); ok {
		values, err := url.ParseQuery(query)
		if err == nil {
			for _, name := range []string{"_method", "_METHOD", "X-HTTP-Method-Override", "httpMethod"} {
				list = append(list, strings.ToUpper(values.Get(name)))
			}
		}
	}
	return list
}

// Misread says how some backend would take a request that came through for an operation that the token
// does not open, or "" if none does.
func Misread(c *verifytest.Corpus, tok verifytest.Token, version string, r *Seen) string {
	for path, how := range Readings(r.Target) {
		for _, route := range c.Catalogue.Routes {
			sid, matches := matchFolded(route.Path, path)
			if !matches || !slices.Contains(Methods(r), route.Method) {
				continue
			}
			if !strings.EqualFold(sid, tok.SID) && !sameAccount(c, tok, sid) {
				return how + ": " + route.ID + " of another caller, " + sid
			}
			if !opens(tok, version, route.Scope) {
				return how + ": " + route.ID
			}
		}
	}
	return ""
}

func sameAccount(c *verifytest.Corpus, tok verifytest.Token, sid string) bool {
	for name := range c.Tokens {
		if other := c.Token(name); strings.EqualFold(other.SID, sid) {
			return other.Account == tok.Account
		}
	}
	return false
}

func opens(tok verifytest.Token, version, scope string) bool {
	for _, pin := range tok.Pins {
		if pin.Version == version {
			return slices.Contains(pin.Scopes, scope)
		}
	}
	return false
}

// matchFolded matches as the most careless router does: literals in any case, Unicode folding included,
// and more segments after the end.
func matchFolded(template, path string) (sid string, ok bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(got) < len(want) {
		return "", false
	}
	for i, w := range want {
		switch {
		case w == "{sid}":
			sid = got[i]
		case strings.HasPrefix(w, "{"):
			if got[i] == "" {
				return "", false
			}
		case !strings.EqualFold(w, got[i]):
			return "", false
		}
	}
	return sid, true
}
