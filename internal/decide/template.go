package decide

import (
	"errors"
	"fmt"
	"strings"
)

// kind is how specific one segment of a template is; a higher one wins (CATALOGUE.md, Overlap).
type kind uint8

const (
	parameter kind = iota // {Id}: any segment
	partial               // v{Id}.json: literal text around one parameter
	literal               // Actions
)

// segment is one segment of a template.
type segment struct {
	kind   kind
	before string // the literal, or the text before the parameter
	name   string // the parameter's
	after  string // the text after it
}

// template is a path template, cut into segments; the empty one is the base itself.
type template []segment

// fits reports whether a raw segment has the shape of s. The parameter takes at least one octet, and no
// dot segment, which is what a server that cuts the text off would be left with.
func (s *segment) fits(raw string) bool {
	switch s.kind {
	case literal:
		return raw == s.before
	case partial:
		return surrounds(s.before, s.after, raw)
	}
	return true
}

// surrounds reports whether raw is before, a parameter and after.
func surrounds[T string | []byte](before, after string, raw T) bool {
	end := len(raw) - len(after)
	return end > len(before) && string(raw[:len(before)]) == before && string(raw[end:]) == after &&
		!dots(raw[len(before):end])
}

// shape is s without the parameter's name: templates of one shape match the same paths.
func (s *segment) shape() string {
	if s.kind == literal {
		return s.before
	}
	return s.before + "{}" + s.after
}

func (t template) shape() string {
	var b strings.Builder
	for i := range t {
		b.WriteByte('/')
		b.WriteString(t[i].shape())
	}
	return b.String()
}

// parameters returns the positions of the parameters of t.
func (t template) parameters() []int {
	var at []int
	for i := range t {
		if t[i].kind != literal {
			at = append(at, i)
		}
	}
	return at
}

// startsLike reports whether a path can be at or under both t and u: no position of the shorter one
// holds two literals that differ.
func (t template) startsLike(u template) bool {
	for i := range min(len(t), len(u)) {
		if t[i].kind == literal && u[i].kind == literal && t[i].before != u[i].before {
			return false
		}
	}
	return true
}

// extends reports whether t begins with u, compared by position: parameter names may differ.
func (t template) extends(u template) bool {
	return len(t) >= len(u) && t[:len(u)].shape() == u.shape()
}

// parseTemplate reads a path template: "" or segments that each begin with a slash.
func parseTemplate(s string) (template, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, errors.New("does not begin with a slash")
	}
	if strings.HasSuffix(s, "/") {
		return nil, errors.New("ends in a slash, which no request may")
	}
	var t template
	for text := range strings.SplitSeq(s[1:], "/") {
		segment, err := parseSegment(text)
		if err != nil {
			return nil, fmt.Errorf("segment %q %w", text, err)
		}
		t = append(t, segment)
	}
	if len(t) > maxSegments {
		return nil, fmt.Errorf("has more than %d segments", maxSegments)
	}
	return t, nil
}

func parseSegment(text string) (segment, error) {
	before, rest, found := strings.Cut(text, "{")
	if !found {
		if strings.Contains(text, "}") {
			return segment{}, errors.New("closes a parameter that is not open")
		}
		if text == "" || dots(text) {
			return segment{}, errors.New("is empty or a dot segment, which no request may have")
		}
		return segment{kind: literal, before: text}, literalText(text)
	}
	name, after, closed := strings.Cut(rest, "}")
	switch {
	case !closed:
		return segment{}, errors.New("does not close its parameter")
	case name == "" || strings.Contains(name, "{"):
		return segment{}, errors.New("has a parameter without a proper name")
	case strings.ContainsAny(before+after, "{}"):
		return segment{}, errors.New("has more than one parameter")
	case before == "" && after == "":
		return segment{kind: parameter, name: name}, nil
	}
	return segment{kind: partial, before: before, name: name, after: after}, literalText(before + after)
}

// literalText refuses literals that no request in canonical spelling can have.
func literalText(s string) error {
	if len(s) > maxSegment {
		return fmt.Errorf("is longer than %d bytes", maxSegment)
	}
	for i := range len(s) {
		if class := octets[s[i]]; class != unreserved && class != special {
			return fmt.Errorf("has %q, which no request may have there", s[i])
		}
	}
	return nil
}
