package decide

import (
	"fmt"
	"slices"
	"strings"
)

// maxHost is the longest host with port that is read, in bytes: a DNS name has 253.
const maxHost = 260

// hostName returns the host of a Host field or an authority without its port, in the case in which it
// was sent. It refuses what two programs could read as different hosts: userinfo, a path, a trailing dot,
// an empty or odd port, escapes and other octets that no name has (SECURITY.md, class 17).
func hostName(s string) (string, bool) {
	if len(s) > maxHost {
		return "", false
	}
	name, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", false
		}
		name, port = s[:end+1], s[end+1:]
		if !addressLiteral(name) {
			return "", false
		}
	} else {
		if colon := strings.IndexByte(s, ':'); colon >= 0 {
			name, port = s[:colon], s[colon:]
		}
		if !registeredName(name) {
			return "", false
		}
	}
	return name, port == "" || portNumber(port[1:]) && port[0] == ':'
}

// registeredName accepts labels of letters, digits, hyphens and underscores with single dots between.
func registeredName(s string) bool {
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case alphanumeric(c), c == '-', c == '_':
			label++
		case c == '.' && label > 0:
			label = 0
		default:
			return false
		}
	}
	return label > 0
}

// addressLiteral accepts an IPv6 address in brackets, by its alphabet: it is only ever compared.
func addressLiteral(s string) bool {
	inner := s[1 : len(s)-1]
	for i := range len(inner) {
		if c := inner[i]; unhex(c) == 0xff && c != ':' && c != '.' {
			return false
		}
	}
	return inner != ""
}

func portNumber(s string) bool {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i == 5 {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return s != "" && s[0] != '0' && n <= 65535
}

// requestHost judges the authority of an absolute-form target and the Host field together. Both present
// must be the same, port included: a proxy routes by one and a backend by the other (class 7).
func (t *Table) requestHost(authority, field string) (string, bool) {
	if authority == "" {
		if field == "" {
			return "", true // HTTP/1.0, or a door that was told no host: no API with hosts will take it
		}
		if slices.Contains(t.hosts, field) {
			return field, true
		}
		return hostName(field)
	}
	if field != "" && !equalFold(authority, field) {
		return "", false
	}
	return hostName(authority)
}

// hosts are the hosts of one API, lower case. Empty means any.
type hosts []string

func (h hosts) admit(name string) bool {
	if len(h) == 0 {
		return true
	}
	for _, host := range h {
		if host == name || equalFold(host, name) {
			return true
		}
	}
	return false
}

// validHost reports what is wrong with a host in a catalogue.
func validHost(s string) error {
	name, ok := hostName(s)
	switch {
	case !ok:
		return fmt.Errorf("host %q is not a host", s)
	case name != s:
		return fmt.Errorf("host %q has a port", s)
	case strings.ToLower(s) != s:
		return fmt.Errorf("host %q is not in lower case", s)
	}
	return nil
}

// equalFold compares without regard to the case of ASCII letters, and of nothing else: Unicode folding
// would make the Kelvin sign a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
