package catalog

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Limits of one document. They bound memory before anything is built: a document at every limit at
// once stays under about half a gigabyte while it is read.
const (
	maxDocument = 32 << 20  // octets
	maxDepth    = 64        // nested mappings and lists
	maxNodes    = 1_000_000 // values: mappings, lists and scalars; keys do not count
)

// kind is the shape of a value.
type kind uint8

// Kinds.
const (
	textKind kind = iota + 1 // a string
	numberKind
	boolKind
	nullKind
	mapKind
	listKind
)

// node is one value of a document, the same for JSON and YAML: a tree without aliases, with the line
// of every value. All methods take nil for a value that is not there.
type node struct {
	kind kind
	line int32
	text string   // scalars, as written
	keys []string // mappings: keys[i] belongs to kids[i]
	rows []int32  // mappings: the line of each key
	kids []*node

	index map[string]int // large mappings: made when a key is first asked for
}

// faultError is what is wrong with a document as a whole.
type faultError struct {
	line int
	text string
}

func (e *faultError) Error() string { return e.text }

func faultAt(line int, format string, args ...any) error {
	return &faultError{line, fmt.Sprintf(format, args...)}
}

// asFault gives the line of an error from a reader, 0 if it has none.
func asFault(err error) (int, string) {
	var f *faultError
	if errors.As(err, &f) {
		return f.line, f.text
	}
	return 0, err.Error()
}

// parse reads a document: JSON if its first character says so, else YAML. JSON is never given to the
// YAML reader, which needs seven times the memory for it.
func parse(data []byte) (*node, error) {
	if len(data) > maxDocument {
		return nil, faultAt(0, "the document has %d octets; the limit is %d", len(data), maxDocument)
	}
	if len(data) >= 3 && data[0] == 0xEF && data[1] == 0xBB && data[2] == 0xBF {
		data = data[3:]
	}
	if !utf8.Valid(data) {
		return nil, faultAt(0, "the document is not UTF-8")
	}
	for _, c := range data {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{', '[':
			return parseJSON(data)
		}
		return parseYAML(data)
	}
	return nil, faultAt(0, "the document is empty")
}

// get returns the value of a key; nil if there is none or n is no mapping. Large mappings are indexed,
// or many references into one of them would cost its square.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	if len(n.keys) > 16 {
		if n.index == nil {
			n.index = make(map[string]int, len(n.keys))
			for i, k := range slices.Backward(n.keys) {
				n.index[k] = i
			}
		}
		if i, ok := n.index[key]; ok {
			return n.kids[i]
		}
		return nil
	}
	for i, k := range n.keys {
		if k == key {
			return n.kids[i]
		}
	}
	return nil
}

func (n *node) is(k kind) bool { return n != nil && n.kind == k }

// str is the text of a string, "" for anything else.
func (n *node) str() string {
	if n.is(textKind) {
		return n.text
	}
	return ""
}

// truth reports a literal true.
func (n *node) truth() bool {
	return n.is(boolKind) && (n.text == "true" || n.text == "True" || n.text == "TRUE")
}

// scalar is the text of a string, number or boolean as written.
func (n *node) scalar() (string, bool) {
	if n.is(textKind) || n.is(numberKind) || n.is(boolKind) {
		return n.text, true
	}
	return "", false
}

// list returns the items of a list, nil for anything else.
func (n *node) list() []*node {
	if n.is(listKind) {
		return n.kids
	}
	return nil
}

// row is the line of the value, 0 for nil.
func (n *node) row() int {
	if n == nil {
		return 0
	}
	return int(n.line)
}

// each calls f for every key of a mapping, in the order of the document.
func (n *node) each(f func(key string, line int, value *node)) {
	if !n.is(mapKind) {
		return
	}
	for i, k := range n.keys {
		f(k, int(n.rows[i]), n.kids[i])
	}
}

// repeated returns a key that a mapping has twice, and its second line. Readers differ in which of
// the two they take, so a mapping that matters may not have one.
func (n *node) repeated() (string, int, bool) {
	if !n.is(mapKind) {
		return "", 0, false
	}
	if len(n.keys) < 16 {
		for i, k := range n.keys {
			for _, earlier := range n.keys[:i] {
				if earlier == k {
					return k, int(n.rows[i]), true
				}
			}
		}
		return "", 0, false
	}
	seen := make(map[string]bool, len(n.keys))
	for i, k := range n.keys {
		if seen[k] {
			return k, int(n.rows[i]), true
		}
		seen[k] = true
	}
	return "", 0, false
}

// budget counts values and depth while a tree is made.
type budget struct{ nodes int }

func (b *budget) take(line, depth int) error {
	b.nodes++
	if b.nodes > maxNodes {
		return faultAt(line, "the document has more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return faultAt(line, "the document nests deeper than %d levels", maxDepth)
	}
	return nil
}
