package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fault is one thing that is wrong with a configuration.
type fault struct {
	key  string
	text string
	line int // 0: the key is not in the file
	// unread: the value could not be read, so that any other judgement of this key is one of the default.
	unread bool
}

// faults are all that is wrong, in the order of the file.
type faults []fault

func (f faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		if one.key != "" {
			lines[i] = one.key + ": "
		}
		lines[i] += one.text
		if one.line > 0 {
			lines[i] = "line " + strconv.Itoa(one.line) + ": " + lines[i]
		}
	}
	return strings.Join(lines, "\n  ")
}

// readConfig reads a file over the defaults and reports all faults at once.
func readConfig(path string) (config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := parseConfig(raw, path)
	if err != nil {
		return config{}, fmt.Errorf("the configuration %s is wrong:\n  %w", path, err)
	}
	return c, nil
}

// parseConfig reads a configuration that lies at path. What is relative in it is relative to its folder.
func parseConfig(raw []byte, path string) (config, error) {
	c := defaultConfig()
	var document yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&document); errors.Is(err, io.EOF) {
		return c, c.check().err(nil)
	} else if err != nil {
		return c, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return c, errors.New("the file holds more than one YAML document, and only one would count")
	}
	// A file of comments alone is a document that holds null.
	root := document.Content[0]
	if root.Kind != yaml.MappingNode && root.Tag != "!!null" {
		return c, faults{{text: "must be keys with values", line: root.Line}}
	}
	lines := make(map[string]int)
	wrong := readKeys(root, "", keyPaths(), lines)
	var mismatch *yaml.TypeError
	if err := document.Decode(&c); errors.As(err, &mismatch) {
		for _, text := range mismatch.Errors {
			wrong = append(wrong, typeFault(text, lines))
		}
	} else if err != nil {
		return c, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	c = c.beside(path)
	if c.isVerifier() {
		wrong = append(wrong, misplaced(lines)...)
	}
	for _, f := range c.check() {
		if !slices.ContainsFunc(wrong, func(w fault) bool { return w.unread && w.key == f.key }) {
			wrong = append(wrong, f)
		}
	}
	return c, wrong.err(lines)
}

// misplaced are keys of the desk in the file of a verifier.
func misplaced(lines map[string]int) faults {
	var wrong faults
	for _, key := range ofTheDesk {
		if line := lines[key]; line > 0 {
			wrong = append(wrong, fault{key: key, text: "is for counterfoil serve; this file has authority, so it is one of counterfoil verifier or gateway", line: line})
		}
	}
	return wrong
}

// err sorts the faults by line; those whose key is not there come first.
func (f faults) err(lines map[string]int) error {
	if len(f) == 0 {
		return nil
	}
	for i := range f {
		if f[i].line == 0 {
			f[i].line = lines[f[i].key]
		}
	}
	slices.SortStableFunc(f, func(a, b fault) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return strings.Compare(a.key, b.key)
	})
	return f
}

// readKeys notes the line of every key below a mapping, and finds and takes out those that there are not:
// a misspelt guard must not read as one that was never wanted. known says of each path whether it holds
// others.
func readKeys(node *yaml.Node, prefix string, known map[string]bool, lines map[string]int) faults {
	var wrong faults
	var kept []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		path := prefix + key.Value
		section, ok := known[path]
		switch {
		case !ok:
			wrong = append(wrong, fault{key: path, text: "there is no such key", line: key.Line})
			continue
		case lines[path] > 0:
			wrong = append(wrong, fault{key: path, text: "is there already, on line " + strconv.Itoa(lines[path]), line: key.Line})
			continue
		}
		lines[path] = key.Line
		if section && value.Kind != yaml.MappingNode && value.Tag != "!!null" {
			wrong = append(wrong, fault{key: path, text: "must hold keys of its own", line: key.Line})
			continue
		}
		if section {
			wrong = append(wrong, readKeys(value, path+".", known, lines)...)
		}
		kept = append(kept, key, value)
	}
	node.Content = kept
	return wrong
}

var typeLine = regexp.MustCompile("^line (\\d+): (cannot unmarshal \\S+ (`.*` )?into (\\S+))?")

// typeFault says in our words what the decoder says in those of Go.
func typeFault(text string, lines map[string]int) fault {
	m := typeLine.FindStringSubmatch(text)
	if m == nil {
		return fault{text: text}
	}
	line, err := strconv.Atoi(m[1])
	if err != nil {
		return fault{text: text}
	}
	f := fault{line: line, unread: true, text: strings.TrimPrefix(text, "line "+m[1]+": ")}
	for path, at := range lines { // a value begins on the line of its key, or of its section in a flow
		if at == line && len(path) > len(f.key) {
			f.key = path
		}
	}
	if want, ok := map[string]string{
		"int64": "a whole number", "string": "text", "[]string": "a list of texts", "time.Duration": "a time such as 90s or 15m",
	}[m[4]]; ok {
		f.text = "must be " + want
	}
	return f
}

// configKey is one key of the configuration file, as its documentation shows it.
type configKey struct{ path, value, meaning string }

// configKeys lists all keys in the order of the struct.
func configKeys() []configKey { return keysOf(reflect.TypeFor[config](), "") }

func keysOf(t reflect.Type, prefix string) []configKey {
	var out []configKey
	for f := range t.Fields() {
		path := prefix + f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			out = append(out, keysOf(f.Type, path+".")...)
			continue
		}
		out = append(out, configKey{path, f.Tag.Get("default"), f.Tag.Get("doc")})
	}
	return out
}

// keyPaths are all paths that may stand in a file; true for those that hold others.
func keyPaths() map[string]bool {
	out := make(map[string]bool)
	for _, k := range configKeys() {
		out[k.path] = false
		for i, r := range k.path {
			if r == '.' {
				out[k.path[:i]] = true
			}
		}
	}
	return out
}

// keyTable is the table of docs/operate/configuration.md.
func keyTable(w io.Writer) error {
	if _, err := io.WriteString(w, "| key | default | meaning |\n| --- | --- | --- |\n"); err != nil {
		return fmt.Errorf("writing the table of keys: %w", err)
	}
	for _, k := range configKeys() {
		value := ""
		if k.value != "" {
			value = "`" + k.value + "`"
		}
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s |\n", k.path, value, strings.ReplaceAll(k.meaning, "|", `\|`)); err != nil {
			return fmt.Errorf("writing the table of keys: %w", err)
		}
	}
	return nil
}
