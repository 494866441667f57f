package counterfoil_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
)

// errorCodes reads the constants of type Code out of api/errors.go.
func errorCodes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "api/errors.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		for _, v := range spec.Values {
			code, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	if len(codes) == 0 {
		t.Fatal("no constant of type Code in api/errors.go")
	}
	return codes
}

// Whoever follows the type of a problem document must land on words about that code.
func TestEveryErrorCodeIsExplained(t *testing.T) {
	raw, err := os.ReadFile("docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	statusLine := regexp.MustCompile(`(?m)^(Status: gateway [45]\d\d, forward-auth ([45]\d\d|none)\.|Status: [45]\d\d.*\.|Never sent: .*\.)$`)
	var headings []string
	for _, section := range strings.Split(string(raw), "\n## ")[1:] {
		code, body, _ := strings.Cut(section, "\n")
		headings = append(headings, code)
		if len(statusLine.FindAllString(body, -1)) != 1 {
			t.Errorf("%s: no line, or more than one, that says the status", code)
		}
		if strings.Count(body, "\nWhat to do: ") != 1 {
			t.Errorf("%s: no line, or more than one, that says what to do", code)
		}
	}
	codes := errorCodes(t)
	slices.Sort(codes)
	slices.Sort(headings)
	if diff := cmp.Diff(codes, headings); diff != "" {
		t.Errorf("api/errors.go (-), docs/errors.md (+)\n%s", diff)
	}
}

// The problem document that developers are shown has exactly the members that our type reads and writes.
func TestTheProblemShownToDevelopersIsReal(t *testing.T) {
	raw, err := os.ReadFile("docs/develop/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "```json\n")
	if !ok {
		t.Fatal("docs/develop/errors.md shows no problem document")
	}
	shown, _, _ := strings.Cut(rest, "```")
	var problem api.Error
	if err := json.Unmarshal([]byte(shown), &problem); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&problem)
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal([]byte(shown), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shown (-), written by api.Error (+)\n%s", diff)
	}
}

// A link between our own documents that leads nowhere is found here, not by a reader.
func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)
	documents, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir("docs", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			documents = append(documents, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, document := range documents {
		raw, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", document, m[1])
			}
		}
	}
	if links == 0 {
		t.Error("no link was looked at")
	}
}
