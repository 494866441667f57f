package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/danielgtaylor/huma/v2"
)

// strictJSON is how bodies are read and written. Huma reads a body twice: first whole, as plain values, to
// check it against its schema, and then into its struct. The first reading refuses what the second would
// read in its own way.
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if err := json.Unmarshal(data, v); err != nil {
			return err
		}
		if _, first := v.(*any); first {
			return uniqueMembers(data)
		}
		return nil
	},
}

var errTwice = errors.New("a member comes twice")

// uniqueMembers refuses an object with two members of one name, of which encoding/json takes the last and
// others the first. The data is known to be JSON, nested no deeper than encoding/json goes.
func uniqueMembers(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var open []map[string]bool // of each array or object that is open; nil for an array
	isName := false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading the members: %w", err)
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		name, isText := token.(string)
		switch {
		case token == json.Delim('{'):
			open, isName = append(open, map[string]bool{}), true
			continue
		case token == json.Delim('['):
			open = append(open, nil)
			continue
		case token == json.Delim('}') || token == json.Delim(']'):
			open = open[:len(open)-1]
			isName = true // behind a value, if that is in an object
			continue
		case inObject && isName && isText:
			if open[len(open)-1][name] {
				return errTwice
			}
			open[len(open)-1][name] = true
			isName = false
			continue
		}
		isName = true
	}
}
