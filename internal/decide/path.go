package decide

import (
	"strings"
	"unicode/utf8"
)

const (
	maxTarget   = 8 << 10 // bytes of a request target
	maxSegment  = 128     // bytes of one path segment, escapes counted as they are written
	maxSegments = 32      // segments of a path that can match; a template has no more
)

// path is the path of a request target in its one spelling, cut into segments. Nothing in it was decoded:
// two programs that decode differently must still see the same segments (SECURITY.md, classes 1 to 7).
type path struct {
	text    string
	starts  [maxSegments + 1]uint16 // of segment i; starts[count] is one past the slash that would follow the last
	count   int
	special uint32 // bit i: segment i has an octet that is not unreserved, so its parameter must allow it
	escaped bool   // some segment has an escape
	long    bool   // more segments than any template has: well formed, but no route
}

// segment returns raw segment i.
func (p *path) segment(i int) string { return p.text[p.starts[i] : p.starts[i+1]-1] }

// Classes of octets in a path, each a bit, so that several octets can be looked at together.
const (
	unreserved uint8 = 1 << iota // RFC 3986, section 2.3
	special                      // ! $ & ' ( ) * + , = : @ (sub-delims without the semicolon, which Java cuts at)
	slash
	percent
	question // ends the path
	illegal  // controls, space, non-ASCII, and # ; \ " < > [ ] ^ ` { | }
)

var octets = func() (class [256]uint8) {
	for c := range class {
		switch c := byte(c); {
		case alphanumeric(c), c == '-', c == '.', c == '_', c == '~':
			class[c] = unreserved
		case strings.IndexByte("!$&'()*+,=:@", c) >= 0:
			class[c] = special
		case c == '/':
			class[c] = slash
		case c == '%':
			class[c] = percent
		case c == '?':
			class[c] = question
		default:
			class[c] = illegal
		}
	}
	return class
}()

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// parse reads text, which begins with a slash, up to the first question mark, and returns what follows
// that. It reports false for whatever some server would read as another path: a dot segment, an empty
// segment (so a double or a trailing slash), an octet outside the path alphabet, an escape that has another
// spelling or hides a delimiter. Such a path is refused, never repaired.
func (p *path) parse(text string) (query string, ok bool) {
	p.text, p.count, p.special, p.escaped, p.long = text, 0, 0, false, false
	start, marked := 1, false
	for i := 1; i < len(text); i++ {
		// Most octets are unreserved: four at a time halve what reading a path takes.
		for rest := text[i:]; len(rest) >= 4 && octets[rest[0]]|octets[rest[1]]|octets[rest[2]]|octets[rest[3]] == unreserved; rest = rest[4:] {
			i += 4
		}
		if i == len(text) {
			break
		}
		switch octets[text[i]] {
		case unreserved:
		case slash:
			if !p.end(start, i, marked) {
				return "", false
			}
			start, marked = i+1, false
		case special:
			marked = true
		case percent:
			n := escape(text[i:])
			if n == 0 {
				return "", false
			}
			marked, p.escaped = true, true
			i += n - 1
		case question:
			p.text, query = text[:i], text[i+1:]
			return query, p.last(start, marked)
		default:
			return "", false
		}
	}
	return "", p.last(start, marked)
}

// last ends the path with the segment that begins at start. The root alone has none.
func (p *path) last(start int, marked bool) bool {
	if p.text == "/" {
		p.starts[0] = 2
		return true
	}
	return p.end(start, len(p.text), marked)
}

// end takes the segment text[start:end].
func (p *path) end(start, end int, marked bool) bool {
	n := end - start
	if n == 0 || n > maxSegment || climbs(p.text[start:end]) {
		return false
	}
	if p.count == maxSegments {
		p.long = true
		return true
	}
	if marked {
		p.special |= 1 << p.count
	}
	p.starts[p.count] = uint16(start)
	p.count++
	p.starts[p.count] = uint16(end + 1)
	return true
}

// dots reports a segment that climbs or stays (RFC 3986, section 5.2.4).
func dots[T string | []byte](s T) bool { return string(s) == "." || string(s) == ".." }

// climbs reports a dot segment, and what is one to a server that cuts a format off first, such as ...json
// (SECURITY.md, classes 1 and 4): whatever begins with two dots.
func climbs(s string) bool { return s[0] == '.' && (len(s) == 1 || s[1] == '.') }

// escape returns the length of the escapes of one character at the start of s, or 0 if no parameter can
// allow them: bad hex, an unreserved octet (which has a shorter spelling), a delimiter or a control in
// disguise, the percent sign (double encoding), bytes that are no UTF-8 (overlong forms too), and
// characters that compatibility folding turns into a delimiter or dots (SECURITY.md, classes 2 and 3).
func escape(s string) int {
	first, ok := unescape(s)
	if !ok {
		return 0
	}
	if first < utf8.RuneSelf {
		if octets[first] == unreserved || first < ' ' || first == 0x7f || strings.IndexByte(`/\%;?#`, first) >= 0 {
			return 0
		}
		return 3
	}
	var char [utf8.UTFMax]byte
	n := 0
	for n < len(char) {
		c, ok := unescape(s[3*n:])
		if !ok || n > 0 && utf8.RuneStart(c) {
			break
		}
		char[n] = c
		n++
	}
	r, size := utf8.DecodeRune(char[:n])
	if r == utf8.RuneError || size != n || r < 0xa0 || foldsToDelimiter(r) {
		return 0
	}
	return 3 * n
}

// unescape reads %XX.
func unescape(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := unhex(s[1]), unhex(s[2])
	return high<<4 | low&0xf, high < 16 && low < 16
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// foldsToDelimiter reports a character whose NFKC form, or best fit in a Windows code page, has a slash,
// a backslash or a percent sign, or is dots alone.
func foldsToDelimiter(r rune) bool {
	switch r {
	case 0x2100, 0x2101, 0x2105, 0x2106, // a/c a/s c/o c/u
		0x2044, 0x2215, 0x2216, 0xff0f, 0xff3c, 0xfe68, // slashes and backslashes
		0xff05, 0xfe6a, // percent signs
		0x2024, 0x2025, 0x2026, 0xfe52, 0xff0e, 0xfe19: // dots
		return true
	}
	return false
}

// splitTarget takes the authority off a request target; it is empty for origin-form. Only
// origin-form and absolute-form with http or https are read (RFC 9112, section 3.2); "*" and the
// authority-form of CONNECT have no path to judge. Everything outside the path must be visible ASCII
// without #, so that it is the same line in HTTP/1 and HTTP/2 (class 20).
func splitTarget(target string) (authority, rest string, ok bool) {
	if target == "" || len(target) > maxTarget {
		return "", "", false
	}
	if target[0] == '/' {
		return "", target, true
	}
	after, isHTTP := strings.CutPrefix(target, "http://")
	if !isHTTP {
		after, isHTTP = strings.CutPrefix(target, "https://")
	}
	at := strings.IndexByte(after, '/')
	if !isHTTP || at <= 0 {
		return "", "", false
	}
	return after[:at], after[at:], true
}
