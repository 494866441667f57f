package catalog

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of a path template; a request path has room for no more.
const (
	maxSegments = 32
	maxTemplate = 2048 // octets
	maxLiteral  = 128  // octets of literal text in one segment
)

// segment is one part of a path between slashes: a literal (param is ""), one parameter (before and
// after are ""), or literal text around one parameter.
type segment struct {
	before string // a literal's text
	param  string
	after  string
}

// template is a path as segments; the empty path has none. A trailing slash is an empty literal at the end.
type template []segment

// parseTemplate takes a path template of a document or the catalogue file apart. What has more than
// one parameter in a segment is refused: where one ends and the other begins would be a guess.
func parseTemplate(s string) (template, error) {
	if s == "" || s == "/" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, errors.New("it must begin with a slash")
	}
	if len(s) > maxTemplate || strings.Count(s, "/") > maxSegments {
		return nil, fmt.Errorf("it is longer than %d octets or %d segments", maxTemplate, maxSegments)
	}
	parts := strings.Split(s[1:], "/")
	t := make(template, 0, len(parts))
	for _, p := range parts {
		seg, err := parseSegment(p)
		if err != nil {
			return nil, err
		}
		t = append(t, seg)
	}
	return t, nil
}

func parseSegment(s string) (segment, error) {
	before, rest, ok := strings.Cut(s, "{")
	if !ok {
		if strings.Contains(s, "}") {
			return segment{}, fmt.Errorf("segment %q closes a brace that it does not open", s)
		}
		return segment{before: s}, nil
	}
	name, after, ok := strings.Cut(rest, "}")
	switch {
	case !ok || strings.Contains(before, "}"):
		return segment{}, fmt.Errorf("segment %q has braces that do not match", s)
	case name == "" || strings.Contains(name, "{"):
		return segment{}, fmt.Errorf("segment %q has a parameter without a proper name", s)
	case strings.ContainsAny(after, "{}"):
		return segment{}, fmt.Errorf("segment %q has more than one parameter", s)
	}
	return segment{before, name, after}, nil
}

func (s segment) literal() bool { return s.param == "" }

func (s segment) part() bool { return s.param != "" && s.before+s.after != "" }

// rank orders how specific a segment is: literal, literal text around a parameter, parameter.
func (s segment) rank() int {
	switch {
	case s.literal():
		return 0
	case s.part():
		return 1
	}
	return 2
}

func (s segment) String() string {
	if s.literal() {
		return s.before
	}
	return s.before + "{" + s.param + "}" + s.after
}

// shape is the segment without the parameter's name.
func (s segment) shape() string {
	if s.literal() {
		return s.before
	}
	return s.before + "{}" + s.after
}

func (t template) String() string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString("/" + s.String())
	}
	return b.String()
}

func (t template) shape() string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString("/" + s.shape())
	}
	return b.String()
}

// params are the names of the parameters, in the order of the path.
func (t template) params() []string {
	var out []string
	for _, s := range t {
		if s.param != "" {
			out = append(out, s.param)
		}
	}
	return out
}

// whole reports that a parameter is a segment by itself.
func (t template) whole(name string) bool {
	for _, s := range t {
		if s == (segment{param: name}) {
			return true
		}
	}
	return false
}

// isPrefixOf compares by position: literals must be equal, a parameter stands for a parameter of any name.
func (t template) isPrefixOf(u template) bool {
	if len(t) > len(u) {
		return false
	}
	for i, s := range t {
		if s.shape() != u[i].shape() {
			return false
		}
	}
	return true
}

// meetsStart reports that some path can be at or under both t and u.
func (t template) meetsStart(u template) bool {
	for i := range min(len(t), len(u)) {
		if !overlap(t[i], u[i]) {
			return false
		}
	}
	return true
}

// withoutSuffix strips one known suffix from the last segment, as decide does with a request before it
// matches; a segment that is nothing else keeps it.
func (t template) withoutSuffix(suffixes []string) template {
	if len(t) == 0 {
		return t
	}
	last := t[len(t)-1]
	text := &last.before
	if last.param != "" {
		text = &last.after
	}
	for _, suffix := range suffixes {
		rest, ok := strings.CutSuffix(*text, suffix)
		if ok && (rest != "" || last.param != "") {
			*text = rest
			return append(append(template{}, t[:len(t)-1]...), last)
		}
	}
	return t
}

// odd looks at the literal octets. bad says that no request can have such a path: decide refuses it
// before it matches. Otherwise what is not "" is a character that proxies treat differently.
func (t template) odd() (what string, bad bool) {
	for i, s := range t {
		if s.literal() && (s.before == "." || s.before == "..") {
			return "a dot segment is never matched", true
		}
		if s.literal() && s.before == "" {
			if i == len(t)-1 {
				return "it ends in a slash, which no request may", true
			}
			return "an empty segment is never matched", true
		}
		if len(s.before+s.after) > maxLiteral {
			return "a segment of more than 128 octets is never matched", true
		}
		for _, c := range []byte(s.before + s.after) {
			switch {
			case alphanumeric(c) || strings.IndexByte("._~-", c) >= 0:
			case strings.IndexByte(allowable, c) >= 0:
				what = fmt.Sprintf("the character %q is read differently by different proxies", c)
			default:
				return fmt.Sprintf("the character %q never passes in a path", c), true
			}
		}
	}
	return what, false
}
