package decide

// methodParameter is the query parameter by which Rails, Laravel, Symfony and others replace the method.
const methodParameter = "_method"

// scanQuery reads the raw query once, from left to right, and notes where it names a parameter of names.
// It reports false for octets that no request line may have. The rest of the query is opaque: no value is
// decoded, so nothing in it can stand for a path (SECURITY.md, class 6).
func scanQuery(query string, names []string, notes *notes) bool {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	// Some servers part pairs at a semicolon too. There the value of a&b is one thing and of a;b another,
	// so a name behind a semicolon is noted as odd.
	for odd := false; query != ""; {
		pair, rest, separator := cutPair(query)
		if name, _ := cutName(pair); name != "" {
			for k := range names {
				if match := spelling(name, names[k]); match != different {
					notes.add(k, odd || match == alias, valueOf(query))
				}
			}
		}
		query, odd = rest, separator == ';'
	}
	return true
}

// cutPair cuts before the first & or ;.
func cutPair(query string) (pair, rest string, separator byte) {
	for i := range len(query) {
		if c := query[i]; c == '&' || c == ';' {
			return query[:i], query[i+1:], c
		}
	}
	return query, "", 0
}

func cutName(pair string) (name, value string) {
	for i := range len(pair) {
		if pair[i] == '=' {
			return pair[:i], pair[i+1:]
		}
	}
	return pair, ""
}

// valueOf returns the raw value of the pair at the start of query as a server reads it that knows only &.
func valueOf(query string) string {
	for i := range len(query) {
		if query[i] == '&' {
			query = query[:i]
			break
		}
	}
	_, value := cutName(query)
	return value
}

// Ways in which a name can be spelt.
const (
	different = iota
	alias     // some server takes it for the name: escaped, other case, _ for - or . and so on
	exact
)

// spelling compares the raw name of a query parameter with a name that is watched. What servers do to
// names before they look: decode escapes and plus signs, fold case, drop leading blanks, turn dots, blanks
// and open brackets into underscores, read name[...] as name, and cut at NUL.
func spelling(raw, name string) int {
	if raw == name {
		return exact
	}
	k := 0
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if decoded, ok := unescape(raw[i:]); ok {
			c = decoded
			i += 2
		} else if c == '+' {
			c = ' '
		}
		switch {
		case k == 0 && c == ' ':
		case k == len(name):
			if c == '[' || c == 0 {
				return alias
			}
			return different
		case folded(c) != folded(name[k]):
			return different
		default:
			k++
		}
	}
	if k < len(name) {
		return different
	}
	return alias
}

// folded maps octets that some server does not tell apart in a name.
func folded(c byte) byte {
	if c == '.' || c == ' ' || c == '[' {
		return '_'
	}
	return lower(c)
}
