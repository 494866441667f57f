package agencyapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/examples/catalogue"
)

const sid = "0123456789ABCDEFGHIJKL"

// document is as much of an OpenAPI document as is needed to call its operations.
type document struct {
	Paths      map[string]map[string]yaml.Node `yaml:"paths"`
	Components struct {
		Parameters map[string]struct {
			Name    string    `yaml:"name"`
			Example yaml.Node `yaml:"example"`
		} `yaml:"parameters"`
	} `yaml:"components"`
}

type described struct {
	Responses   map[string]yaml.Node `yaml:"responses"`
	RequestBody struct {
		Content map[string]struct {
			Example any `yaml:"example"`
		} `yaml:"content"`
	} `yaml:"requestBody"`
}

// documentedCall is one documented operation with its examples filled in.
type documentedCall struct {
	method, template, target string
	body                     []byte
	status                   int
}

// documented reads all calls of one version from its documents (JSON is YAML too).
func documented(t *testing.T, dir, base string) []documentedCall {
	t.Helper()
	files, err := fs.ReadDir(catalogue.FS, dir)
	if err != nil {
		t.Fatal(err)
	}
	var calls []documentedCall
	for _, f := range files {
		raw, err := fs.ReadFile(catalogue.FS, path.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		var doc document
		if err := yaml.Unmarshal(raw, &doc); err != nil {
			t.Fatalf("%s/%s: %v", dir, f.Name(), err)
		}
		for template, item := range doc.Paths {
			for method, node := range item {
				if method == "parameters" {
					continue
				}
				calls = append(calls, doc.call(t, method, template, node, base))
			}
		}
	}
	return calls
}

func (doc *document) call(t *testing.T, method, template string, node yaml.Node, base string) documentedCall {
	t.Helper()
	var op described
	if err := node.Decode(&op); err != nil {
		t.Fatalf("%s %s: %v", method, template, err)
	}
	c := documentedCall{method: strings.ToUpper(method), target: template}
	var ok bool
	if c.template, ok = strings.CutPrefix(template, base); !ok {
		t.Fatalf("%s is not below %s", template, base)
	}
	for _, p := range doc.Components.Parameters {
		value := p.Example.Value
		if p.Name == "AccountSID" {
			value = sid
		}
		if value == "" {
			t.Fatalf("%s: parameter %s has no example", template, p.Name)
		}
		c.target = strings.ReplaceAll(c.target, "{"+p.Name+"}", value)
	}
	if media, ok := op.RequestBody.Content["application/json"]; ok {
		var err error
		if c.body, err = json.Marshal(media.Example); err != nil {
			t.Fatal(err)
		}
	}
	for code := range op.Responses {
		if strings.HasPrefix(code, "2") {
			if _, err := fmt.Sscan(code, &c.status); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

func request(method, target string, body []byte) *http.Request {
	r := httptest.NewRequest(method, target, bytes.NewReader(body))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

var versions = []struct {
	api, version, dir, base string
	table                   []operation
}{
	{agencyAPI, "2", "agency/v2", "/Agencies/{AccountSID}", agencyV2()},
	{agencyAPI, "3", "agency/v3", "/Agencies/{AccountSID}", agencyV3()},
	{brandAPI, "7", "brand/v7", "/Advertisers/{AccountSID}", brandV7()},
	{brandAPI, "8", "brand/v8", "/Advertisers/{AccountSID}", brandV8()},
}

// Every operation of the documents is answered as the documents say, with their own examples, each
// on a platform of its own so that the order does not matter.
func TestEveryDocumentedOperationIsAnswered(t *testing.T) {
	for _, v := range versions {
		t.Run(v.dir, func(t *testing.T) {
			for _, c := range documented(t, v.dir, v.base) {
				targets := []string{c.target}
				if v.api == brandAPI { // nested too, as the agency acting for a brand
					targets = append(targets, strings.Replace(c.target, "/Advertisers/"+sid, "/Agencies/"+sid+"/Advertisers/2104", 1))
				}
				for _, target := range targets {
					r := request(c.method, target, c.body)
					r.Header.Set("IR-Version", v.version)
					w := httptest.NewRecorder()
					Handler().ServeHTTP(w, r)
					if w.Code != c.status {
						t.Errorf("%s %s: got %d, want %d\n%s", c.method, target, w.Code, c.status, w.Body)
					}
				}
			}
		})
	}
}

// And the other way round: the tables have nothing that the documents leave out.
func TestEveryOperationIsDocumented(t *testing.T) {
	for _, v := range versions {
		var written, built []string
		for _, c := range documented(t, v.dir, v.base) {
			written = append(written, c.method+" "+c.template)
		}
		for _, o := range v.table {
			built = append(built, o.method+" "+o.template)
		}
		slices.Sort(written)
		slices.Sort(built)
		if diff := cmp.Diff(written, built); diff != "" {
			t.Errorf("%s: documents (-), handler (+)\n%s", v.dir, diff)
		}
	}
}
