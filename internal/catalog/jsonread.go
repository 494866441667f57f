package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// jsonReader turns a stream of tokens into nodes. It stops at the first limit, so a hostile document
// costs no more than the part before it.
type jsonReader struct {
	budget
	dec  *json.Decoder
	data []byte
	off  int // how far lines are counted
	line int
}

func parseJSON(data []byte) (*node, error) {
	r := &jsonReader{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	r.dec.UseNumber()
	n, err := r.value(1)
	if err != nil {
		return nil, r.explain(err)
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, faultAt(r.here(), "there is something after the end of the JSON document")
	}
	return n, nil
}

// explain gives a syntax error the line it happened on. The library's words, and the very octet that it
// names, differ from one release of Go to the next, so neither is repeated.
func (r *jsonReader) explain(err error) error {
	var fault *faultError
	if errors.As(err, &fault) {
		return err
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := min(max(int(syntax.Offset), 0), len(r.data))
		line := 1 + bytes.Count(r.data[:at], []byte("\n"))
		if len(bytes.TrimSpace(r.data[at:])) == 0 {
			return faultAt(line, "not JSON: the document ends too early")
		}
		return faultAt(line, "not JSON: something on this line cannot stand where it does")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return faultAt(1+bytes.Count(r.data, []byte("\n")), "not JSON: the document ends too early")
	}
	return faultAt(r.here(), "not JSON: %v", err)
}

// here is the line of the token that was read last; a token never spans lines.
func (r *jsonReader) here() int {
	to := min(int(r.dec.InputOffset()), len(r.data))
	if to > r.off {
		r.line += bytes.Count(r.data[r.off:to], []byte("\n"))
		r.off = to
	}
	return r.line
}

func (r *jsonReader) value(depth int) (*node, error) {
	t, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	return r.from(t, depth)
}

func (r *jsonReader) from(t json.Token, depth int) (*node, error) {
	line := r.here()
	if err := r.take(line, depth); err != nil {
		return nil, err
	}
	n := &node{line: int32(line)}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			n.kind = mapKind
			return n, r.members(n, depth)
		}
		n.kind = listKind
		return n, r.items(n, depth)
	case string:
		n.kind, n.text = textKind, t
	case json.Number:
		n.kind, n.text = numberKind, t.String()
	case bool:
		n.kind, n.text = boolKind, fmt.Sprint(t)
	case nil:
		n.kind = nullKind
	}
	return n, nil
}

func (r *jsonReader) members(n *node, depth int) error {
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return faultAt(r.here(), "not JSON: a key is no string")
		}
		line := r.here()
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.keys, n.rows, n.kids = append(n.keys, key), append(n.rows, int32(line)), append(n.kids, v)
	}
	_, err := r.dec.Token()
	return err
}

func (r *jsonReader) items(n *node, depth int) error {
	for r.dec.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.kids = append(n.kids, v)
	}
	_, err := r.dec.Token()
	return err
}
