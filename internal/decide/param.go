package decide

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxPattern is the longest pattern that is enforced, in bytes (SECURITY.md, class 44c).
const maxPattern = 256

// param is what one operation asks of the parameter at one position.
type param struct {
	at      int // position, counted from the root of the tree
	before  int // bytes of literal text in front of it
	after   int // and behind it
	allow   [2]uint64
	percent bool
	integer bool
	enum    []string
	pattern *regexp.Regexp
}

// value returns the parameter's part of a raw segment.
func (p *param) value(raw string) string { return raw[p.before : len(raw)-p.after] }

// narrows reports whether the operation asks more than the character rule.
func (p *param) narrows() bool { return p.integer || p.enum != nil || p.pattern != nil }

// spelt applies the character rule to a value that path.parse has read.
func (p *param) spelt(value string) bool {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; octets[c] {
		case unreserved:
		case percent:
			if !p.percent {
				return false
			}
			i += 2
		default:
			if p.allow[c>>6&1]>>(c&63)&1 == 0 {
				return false
			}
		}
	}
	return true
}

// takes applies the operation's own schema to the raw value. Leading zeros pass as an integer.
func (p *param) takes(value string) bool {
	if p.integer && !integer(value) {
		return false
	}
	if p.enum != nil && !slices.Contains(p.enum, value) {
		return false
	}
	return p.pattern == nil || p.pattern.MatchString(value)
}

// integer accepts -?[0-9]{1,19}.
func integer(s string) bool {
	s = strings.TrimPrefix(s, "-")
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 19
}

// accountID reads an account id in canonical decimal: above zero, no leading zero, no sign. One account
// must not have two spellings, or what was judged and what a backend reads could differ.
func accountID(s string) (id int64, ok bool) {
	if s == "" || len(s) > 19 || s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		id = id*10 + int64(d) // 19 digits overflow into the sign bit at most
	}
	return id, id > 0
}

// compileParam adds the narrowing of q to p.
func compileParam(p *param, q *Param) error {
	for i := range len(q.Allow) {
		c := q.Allow[i]
		if octets[c] != special {
			return fmt.Errorf("allows %q; only ! $ & ' ( ) * + , = : @ can be allowed", c)
		}
		p.allow[c>>6] |= 1 << (c & 63)
	}
	p.percent, p.integer = q.Percent, q.Integer
	if q.Enum != nil {
		p.enum = slices.Clone(q.Enum)
	}
	if q.Pattern == "" {
		return nil
	}
	if len(q.Pattern) > maxPattern {
		return fmt.Errorf("has a pattern of more than %d bytes", maxPattern)
	}
	// It must be a pattern by itself: a)|(b would break out of the anchors. Both ends are anchored, since a
	// pattern that matches some of a segment admits anything around it (SECURITY.md, class 46).
	_, err := regexp.Compile(q.Pattern)
	if err != nil {
		return errors.New("has a pattern that RE2 does not take")
	}
	p.pattern, err = regexp.Compile(`\A(?:` + q.Pattern + `)\z`)
	if err != nil {
		return errors.New("has a pattern that RE2 does not take")
	}
	return nil
}
