package token

import (
	"errors"
	"strings"
)

// Kind is what a credential is for. A door looks at the kind before anything else and refuses every
// kind but its own (SECURITY.md, class 36).
type Kind uint8

// Kinds of credential. The zero kind is none of them and is refused everywhere.
const (
	_             Kind = iota
	Access             // opens the operator's APIs
	Zero               // opens API zero, the management API, and nothing else
	Node               // a verifier node
	Introspection      // a client of the introspection endpoint
	Join               // enrols one new node, once
)

// kindWords follow the operator's prefix. None holds an underscore, so the first underscore ends them.
var kindWords = [...]string{Access: "", Zero: "zero", Node: "node", Introspection: "rs", Join: "join"}

// String is the kind in words.
func (k Kind) String() string {
	switch k {
	case Access:
		return "access token"
	case Zero:
		return "API-zero token"
	case Node:
		return "node credential"
	case Introspection:
		return "introspection credential"
	case Join:
		return "join code"
	default:
		return "no credential"
	}
}

func (k Kind) known() bool { return k >= Access && int(k) < len(kindWords) }

// Prefix is the operator's own word at the front of every credential of an installation:
// [a-z][a-z0-9]{1,11}. The zero Prefix mints nothing and parses nothing.
type Prefix string

// DefaultPrefix is what an operator who chooses nothing gets.
const DefaultPrefix Prefix = "cfoil"

const (
	minPrefixLen = 2
	maxPrefixLen = 12
)

// ErrPrefix says what a prefix must look like.
var ErrPrefix = errors.New("token: a prefix is 2 to 12 characters of a-z and 0-9 and begins with a letter")

// ParsePrefix reads the operator's prefix. The only error is [ErrPrefix].
func ParsePrefix(s string) (Prefix, error) {
	if len(s) < minPrefixLen || len(s) > maxPrefixLen || s[0] < 'a' || s[0] > 'z' {
		return "", ErrPrefix
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", ErrPrefix
		}
	}
	return Prefix(s), nil
}

// Of is the fixed beginning of every credential of a kind, underscore included: cfoilzero_. It is what
// a secret scanner looks for. It is "" for the zero kind.
func (p Prefix) Of(k Kind) string {
	if !k.known() {
		return ""
	}
	return string(p) + kindWords[k] + "_"
}

// cut takes the prefix and the kind's word off s and returns what follows the underscore. The zero
// kind means that s begins with neither of ours.
func (p Prefix) cut(s string) (Kind, string) {
	if len(p) < minPrefixLen || !strings.HasPrefix(s, string(p)) {
		return 0, ""
	}
	word, body, found := strings.Cut(s[len(p):], "_")
	if !found {
		return 0, ""
	}
	switch word {
	case kindWords[Access]:
		return Access, body
	case kindWords[Zero]:
		return Zero, body
	case kindWords[Node]:
		return Node, body
	case kindWords[Introspection]:
		return Introspection, body
	case kindWords[Join]:
		return Join, body
	default:
		return 0, ""
	}
}
