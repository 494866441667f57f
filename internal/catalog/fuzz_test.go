package catalog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/decide"
)

// FuzzBuild holds for every catalogue file and document: no panic, a published route's template parses,
// what is published is taken by verifiers and read back from the store, and the same input gives the
// same octets.
func FuzzBuild(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if a := parseArchive(string(data)); len(a.names) == 3 { // catalog.yaml, one document, want
			f.Add(a.files["catalog.yaml"], a.files[a.names[1]], a.names[1] == "v1.json")
		}
	}
	f.Fuzz(func(t *testing.T, catalogue, document string, isJSON bool) {
		if len(catalogue)+len(document) > 1<<16 {
			t.Skip("longer inputs only slow the search down")
		}
		name := "v1.yaml"
		if isJSON {
			name = "v1.json"
		}
		files := fstest.MapFS{"catalog.yaml": {Data: []byte(catalogue)}, name: {Data: []byte(document)}}
		first, problems := buildFuzzed(t, files)
		second, again := buildFuzzed(t, files)
		if !bytes.Equal(first, second) || len(problems) != len(again) {
			t.Fatal("two builds of the same input differ")
		}
	})
}

func buildFuzzed(t *testing.T, files fstest.MapFS) ([]byte, []Problem) {
	src, loaded, err := Load(files, "")
	if err != nil {
		t.Fatal(err)
	}
	res, built := Build(src, Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	problems := append(loaded, built...)
	if again, _ := Build(src, Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}); !cmp.Equal(res, again) {
		t.Fatalf("a second build of one source differs:\n%s", cmp.Diff(res, again))
	}
	shown, err := res.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	apis, err := ParsePresentation(shown)
	if err != nil {
		t.Fatal(err)
	}
	if d := Compare(res.APIs, apis); !HasFatal(problems) && !d.Empty() {
		t.Fatalf("what was stored is not what was built:\n%s", d)
	}
	policy, err := json.Marshal(res.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	if HasFatal(problems) {
		return append(shown, policy...), problems
	}
	if _, err := decide.Compile(&res.Catalogue, nil); err != nil {
		t.Fatalf("verifiers refuse what was built: %v", err)
	}
	for _, a := range res.Catalogue.APIs {
		for _, v := range a.Versions {
			for _, r := range v.Routes {
				if tmpl, err := parseTemplate(r.Template); err != nil || tmpl.String() != r.Template && r.Template != "/" {
					t.Fatalf("template %q: %v", r.Template, err)
				}
				if !r.Public && len(r.Needs) == 0 {
					t.Fatalf("%s %s asks for nothing and is not public", r.Method, r.Template)
				}
				for _, set := range r.Needs {
					if len(set) == 0 {
						t.Fatalf("%s %s has an alternative that asks for nothing", r.Method, r.Template)
					}
				}
			}
		}
	}
	return append(shown, policy...), problems
}
