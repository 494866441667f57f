package catalog

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxHops bounds a chain of references.
const maxHops = 32

// located is a value with the file it stands in; references inside it are relative to that file.
type located struct {
	*node
	file string
}

func (l located) place() place { return place{l.file, l.row()} }

// in is a value of the same file.
func (l located) in(n *node) located { return located{n, l.file} }

// refs follows references among the listed documents of one version. No network, no other file.
type refs struct {
	docs  map[string]*node
	names []string // listed, ascending
}

// follow resolves n while it is a reference. The error says why a reference leads nowhere; ref tells
// whether n was one at all.
func (r refs) follow(n located) (out located, ref bool, err error) {
	var seen []*node
	for {
		target := n.get("$ref")
		if !target.is(textKind) {
			return n, ref, nil
		}
		ref = true
		next, err := r.step(n, target.text)
		if err != nil {
			return n, true, err
		}
		if slices.Contains(seen, next.node) || len(seen) >= maxHops {
			return n, true, fmt.Errorf("reference %s leads back to itself", short(target.text))
		}
		seen = append(seen, next.node)
		n = next
	}
}

func (r refs) step(from located, target string) (located, error) {
	file, fragment, _ := strings.Cut(target, "#")
	name := from.file
	if file != "" {
		if strings.Contains(file, ":") || strings.HasPrefix(file, "/") {
			return located{}, fmt.Errorf("reference %s is not followed: only the listed files are read", short(target))
		}
		decoded, err := url.PathUnescape(file)
		if err != nil {
			return located{}, fmt.Errorf("reference %s is malformed", short(target))
		}
		name = path.Join(path.Dir(from.file), decoded)
	}
	root := r.docs[name]
	if root == nil || !r.listed(name) {
		return located{}, fmt.Errorf("reference %s names a file that is not listed", short(target))
	}
	n, err := pointer(root, fragment)
	if err != nil {
		return located{}, fmt.Errorf("reference %s %w", short(target), err)
	}
	return located{n, name}, nil
}

func (r refs) listed(name string) bool {
	_, ok := slices.BinarySearch(r.names, name)
	return ok
}

// pointer walks a JSON pointer in a URI fragment (RFC 6901, section 6).
func pointer(n *node, fragment string) (*node, error) {
	if fragment == "" {
		return n, nil
	}
	decoded, err := url.PathUnescape(fragment)
	if err != nil || decoded[0] != '/' {
		return nil, fmt.Errorf("is malformed")
	}
	for _, token := range strings.Split(decoded[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch {
		case n.is(mapKind):
			n = n.get(token)
		case n.is(listKind):
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(n.kids) {
				return nil, fmt.Errorf("leads nowhere")
			}
			n = n.kids[i]
		default:
			n = nil
		}
		if n == nil {
			return nil, fmt.Errorf("leads nowhere")
		}
	}
	return n, nil
}

// short keeps what a document says within a line.
func short(s string) string { return cleanLine(s, 120) }
