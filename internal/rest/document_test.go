package rest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/rest"
)

// operation is one of the document, as far as the tests look.
type operation struct {
	Method, Path string
	OperationID  string                `json:"operationId"`
	Summary      string                `json:"summary"`
	Tags         []string              `json:"tags"`
	Security     []map[string][]string `json:"security"`
	Responses    map[string]struct {
		Ref     string                     `json:"$ref"`
		Content map[string]json.RawMessage `json:"content"`
	} `json:"responses"`
	RequestBody *struct {
		Required bool `json:"required"`
	} `json:"requestBody"`
}

func operations(t *testing.T) []operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(rest.Document(), &document); err != nil {
		t.Fatal(err)
	}
	var all []operation
	for path, methods := range document.Paths {
		for method, op := range methods {
			op.Method, op.Path = strings.ToUpper(method), path
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	if len(all) < 30 {
		t.Fatalf("%d operations", len(all))
	}
	return all
}

func TestClientHasAMethodForEveryOperation(t *testing.T) {
	client := reflect.TypeFor[*api.Client]()
	known := map[string]bool{"For": true}
	for _, op := range operations(t) {
		var name strings.Builder
		for word := range strings.SplitSeq(op.OperationID, "-") {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		if _, ok := client.MethodByName(name.String()); !ok {
			t.Errorf("%s %s: api.Client has no %s", op.Method, op.Path, name.String())
		}
		known[name.String()] = true
	}
	for m := range client.Methods() {
		if !known[m.Name] {
			t.Errorf("api.Client.%s is no operation of the document", m.Name)
		}
	}
}

func TestCommittedDocumentIsTheOneServed(t *testing.T) {
	committed, err := os.ReadFile(filepath.Join("..", "..", "api", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, rest.Document()) {
		t.Error("api/openapi.json is not what the code says; run: make generate")
	}
	if !bytes.Equal(rest.Document(), rest.Document()) {
		t.Error("the document differs from call to call")
	}
}

func TestEveryOperationIsGuardedAndSaysSo(t *testing.T) {
	var document struct {
		OpenAPI    string `json:"openapi"`
		Components struct {
			SecuritySchemes map[string]struct{ Type, Scheme string } `json:"securitySchemes"`
			Responses       map[string]struct {
				Content map[string]json.RawMessage `json:"content"`
			} `json:"responses"`
		} `json:"components"`
	}
	if err := json.Unmarshal(rest.Document(), &document); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1.") {
		t.Errorf("the document is of OpenAPI %s", document.OpenAPI)
	}
	if _, ok := document.Components.Responses["Problem"].Content["application/problem+json"]; !ok {
		t.Error("refusals are not documented as problem+json")
	}
	tags := []string{"Self", "Tokens", "Members", "Accounts", "Catalogue", "History"}
	seen := map[string]bool{}
	for _, op := range operations(t) {
		name := op.Method + " " + op.Path
		if seen[op.OperationID] || op.OperationID == "" || op.Summary == "" {
			t.Errorf("%s: id %q, summary %q", name, op.OperationID, op.Summary)
		}
		seen[op.OperationID] = true
		if len(op.Tags) != 1 || !slices.Contains(tags, op.Tags[0]) {
			t.Errorf("%s: tags %v", name, op.Tags)
		}
		if len(op.Security) == 0 {
			t.Errorf("%s: no security, so it reads as public", name)
		}
		for _, alternative := range op.Security {
			if len(alternative) == 0 {
				t.Errorf("%s: an empty alternative makes it public", name)
			}
			for scheme := range alternative {
				if document.Components.SecuritySchemes[scheme].Type != "http" {
					t.Errorf("%s: the scheme %s is not declared", name, scheme)
				}
			}
		}
		for _, status := range []string{"401", "403", "404", "422", "default"} {
			if op.Responses[status].Ref != "#/components/responses/Problem" {
				t.Errorf("%s: the answer %s is not documented", name, status)
			}
		}
	}
}

func TestNoListOfTheDocumentIsNullable(t *testing.T) {
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if kinds, ok := v["type"].([]any); ok && slices.Contains(kinds, any("array")) {
				t.Errorf("%s may be null", at)
			}
			for name, inner := range v {
				walk(at+"/"+name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(at, inner)
			}
		}
	}
	var document any
	if err := json.Unmarshal(rest.Document(), &document); err != nil {
		t.Fatal(err)
	}
	walk("", document)
}
