package catalog

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxMarks bounds what a YAML document can turn into. The library builds its whole tree before we may
// count it, at some 220 octets a key or value, so we count what could be one first: thirty megabytes of
// "[a,a,a,…" would otherwise become seven gigabytes. Half a million lines pass, more than the longest API
// descriptions have.
const maxMarks = maxNodes

// parseYAML reads one YAML document. Aliases, merge keys and second documents are refused: none of
// them occurs in real API descriptions, and aliases are how a small file becomes a large one.
func parseYAML(data []byte) (*node, error) {
	if line, ok := tooManyMarks(data); ok {
		return nil, faultAt(line, "the document may have more than %d values", maxNodes)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, faultAt(0, "the document is empty")
		}
		return nil, yamlFault(err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return nil, faultAt(second.Line, "the file holds a second YAML document")
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlFault(err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, faultAt(doc.Line, "the file holds no YAML document")
	}
	var b budget
	return b.fromYAML(doc.Content[0], 1)
}

// tooManyMarks counts keys and values by the characters that can begin them, and gives the line on which
// they pass maxMarks. A line counts as a key and a value; so does what follows a comma or an opening
// bracket; a further colon, hyphen or question mark before a space adds one.
func tooManyMarks(data []byte) (int, bool) {
	marks, line, first := 0, 1, true
	for i, c := range data {
		spaced := i+1 < len(data) && (data[i+1] == ' ' || data[i+1] == '\t')
		switch c {
		case '\n':
			line++
			marks += 2
			first = true
		case ',', '[', '{':
			marks += 2
		case ':':
			if spaced && !first {
				marks++
			}
			first = first && !spaced
		case '-', '?':
			if spaced {
				marks++
			}
		case '"', '\'':
			if i+1 < len(data) && data[i+1] == ':' { // {"a":1} needs no space
				marks++
			}
		}
		if marks > maxMarks {
			return line, true
		}
	}
	return 0, false
}

// yamlFault takes the line out of the library's words: "yaml: line 12: did not find …".
func yamlFault(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, words, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return faultAt(line, "not YAML: %s", words)
			}
		}
	}
	return faultAt(0, "not YAML: %s", text)
}

func (b *budget) fromYAML(y *yaml.Node, depth int) (*node, error) {
	if err := b.take(y.Line, depth); err != nil {
		return nil, err
	}
	n := &node{line: int32(y.Line)}
	switch y.Kind {
	case yaml.AliasNode:
		return nil, faultAt(y.Line, "a YAML alias (*%s) is not taken: write the value out", y.Value)
	case yaml.ScalarNode:
		n.text, n.kind = y.Value, scalarKind(y)
	case yaml.SequenceNode:
		n.kind = listKind
		for _, item := range y.Content {
			kid, err := b.fromYAML(item, depth+1)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
	case yaml.MappingNode:
		n.kind = mapKind
		return n, b.pairs(n, y, depth)
	default:
		return nil, faultAt(y.Line, "the YAML document has a value that is none")
	}
	return n, nil
}

func (b *budget) pairs(n *node, y *yaml.Node, depth int) error {
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		switch {
		case key.Kind == yaml.AliasNode:
			return faultAt(key.Line, "a YAML alias (*%s) is not taken: write the value out", key.Value)
		case key.Kind != yaml.ScalarNode:
			return faultAt(key.Line, "a key of the YAML document is no plain word")
		case key.ShortTag() == "!!merge":
			return faultAt(key.Line, "a YAML merge key (<<) is not taken: write the values out")
		}
		kid, err := b.fromYAML(y.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		n.keys, n.rows, n.kids = append(n.keys, key.Value), append(n.rows, int32(key.Line)), append(n.kids, kid)
	}
	return nil
}

// scalarKind follows the library's resolution; what is neither number, truth nor null is text, dates included.
func scalarKind(y *yaml.Node) kind {
	switch y.ShortTag() {
	case "!!int", "!!float":
		return numberKind
	case "!!bool":
		return boolKind
	case "!!null":
		return nullKind
	}
	return textKind
}
