package catalog

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// hostile is a catalogue of one API without a base, with one document.
func hostile(name string, document []byte) fstest.MapFS {
	return fstest.MapFS{
		"catalog.yaml": {Data: fmt.Appendf(nil, "apis:\n  a:\n    accounts: [brand]\n    hosts: [h.example]\n    versions: {\"1\": {state: current, documents: [\"%s\"]}}\n", name)},
		name:           {Data: document},
	}
}

// mustRefuse loads and builds, and wants a fatal problem with the words.
func mustRefuse(t *testing.T, files fstest.MapFS, words string) {
	t.Helper()
	src, loaded, err := Load(files, "")
	if err != nil {
		t.Fatal(err)
	}
	_, built := Build(src, Options{})
	for _, p := range append(loaded, built...) {
		if p.Severity == Fatal && strings.Contains(p.Text, words) {
			return
		}
	}
	t.Errorf("no fatal problem says %q; there are %d, the first %v", words, len(loaded)+len(built), append(loaded, built...)[:min(3, len(loaded)+len(built))])
}

// operationsJSON is a document with n operations, each on a path of its own.
func operationsJSON(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"openapi":"3.1.0","info":{"title":"T","version":"1"},"paths":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n\"/p%d/{id}\":{\"get\":{\"operationId\":\"op%d\",\"tags\":[\"T%d\"]}}", i, i, i%50)
	}
	b.WriteString("}}")
	return b.Bytes()
}

func TestTenThousandOperationsAreTheLimit(t *testing.T) {
	src, loaded, err := Load(hostile("d.json", operationsJSON(maxOperations)), "")
	if err != nil || HasFatal(loaded) {
		t.Fatal(err, loaded)
	}
	res, built := Build(src, Options{})
	if HasFatal(built) || res.Counts[0].Published != maxOperations {
		t.Fatalf("%v, fatal: %v", res.Counts, HasFatal(built))
	}
	if len(built) > maxProblems+1 {
		t.Errorf("%d problems are listed", len(built))
	}
	if last := built[len(built)-1]; !strings.Contains(last.Text, "further problems") {
		t.Errorf("the list does not say that it is cut: %v", last)
	}
	mustRefuse(t, hostile("d.json", operationsJSON(maxOperations+1)), "more than 10000 operations")
}

func TestDeepNestingIsRefused(t *testing.T) {
	for _, depth := range []int{maxDepth + 1, 200_000} {
		open, shut := strings.Repeat("[", depth), strings.Repeat("]", depth)
		words := "nests deeper than 64 levels"
		mustRefuse(t, hostile("d.json", []byte(`{"openapi":"3.1.0","x":`+open+shut+`}`)), words)
		if depth > 10_000 {
			words = "not YAML"
		}
		mustRefuse(t, hostile("d.yaml", []byte("openapi: 3.1.0\nx: "+open+shut+"\n")), words)
	}
	mustRefuse(t, hostile("d.yaml", []byte("openapi: 3.1.0\nx:\n "+strings.Repeat("- ", 70)+"a\n")), "nests deeper")
}

func TestDepthSixtyFourIsRead(t *testing.T) {
	// The mapping and the list's own levels are 64 together.
	open, shut := strings.Repeat("[", maxDepth-1), strings.Repeat("]", maxDepth-1)
	for name, doc := range map[string]string{"d.json": `{"openapi":"3.1.0","x":` + open + shut + `}`, "d.yaml": "openapi: 3.1.0\nx: " + open + shut + "\n"} {
		_, loaded, err := Load(hostile(name, []byte(doc)), "")
		if err != nil || HasFatal(loaded) {
			t.Errorf("%s: %v %v", name, err, loaded)
		}
	}
}

func TestTooManyValuesAreRefused(t *testing.T) {
	many := strings.Repeat("0,", maxNodes)
	mustRefuse(t, hostile("d.json", []byte(`{"openapi":"3.1.0","x":[`+many+`0]}`)), "more than 1000000 values")
	mustRefuse(t, hostile("d.yaml", []byte("openapi: 3.1.0\nx: ["+many+"0]\n")), "more than 1000000 values")
}

func TestYAMLBombIsRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\na0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 8), i-1)
	}
	mustRefuse(t, hostile("d.yaml", []byte(b.String())), "alias")
}

func TestFiftyMegabytesAreRefusedUnread(t *testing.T) {
	mustRefuse(t, hostile("d.yaml", bytes.Repeat([]byte("a"), 50<<20)), "longer than the limit")
	mustRefuse(t, hostile("d.json", append([]byte(`{"openapi":"3.1.0","x":"`), bytes.Repeat([]byte("a"), 50<<20)...)), "longer than the limit")
}

func TestDocumentsTogetherAreBounded(t *testing.T) {
	files := hostile("*.json", nil)
	delete(files, "*.json")
	big := append([]byte(`{"x":"`), bytes.Repeat([]byte("a"), 30<<20)...)
	big = append(big, `"}`...)
	for _, name := range []string{"a.json", "b.json", "c.json"} {
		files[name] = &fstest.MapFile{Data: big}
	}
	mustRefuse(t, files, "longer than the limit")

	files = hostile("*.yaml", nil)
	delete(files, "*.yaml")
	for i := range maxFiles + 1 {
		files[fmt.Sprintf("d%d.yaml", i)] = &fstest.MapFile{Data: []byte("x: 1\n")}
	}
	mustRefuse(t, files, "more than 4000 documents")
}

// TestReferencesDoNotMultiplyWork: a small document names one long parameter list ten thousand times.
func TestReferencesDoNotMultiplyWork(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`{"openapi":"3.1.0","paths":{`)
	for i := range 9000 {
		fmt.Fprintf(&b, `"/p%d":{"$ref":"#/x"},`, i)
	}
	b.WriteString(`"/last":{"$ref":"#/x"}},"x":{"get":{"operationId":"o"},"parameters":[`)
	b.WriteString(strings.TrimSuffix(strings.Repeat(`{"name":"a","in":"query"},`, 20_000), ","))
	b.WriteString(`]}}`)
	mustRefuse(t, hostile("d.json", b.Bytes()), "steps of work")
}

// TestCrossingTemplatesAreBounded: 4,096 templates of which every two cross or contain each other.
func TestCrossingTemplatesAreBounded(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("openapi: 3.1.0\npaths:\n")
	for i := range 1 << 12 {
		for bit := range 12 {
			if i>>bit&1 == 0 {
				b.WriteString(map[bool]string{true: "  /a", false: "/a"}[bit == 0])
			} else {
				b.WriteString(map[bool]string{true: "  /{x}", false: "/{x}"}[bit == 0])
			}
		}
		fmt.Fprintf(&b, ": {get: {operationId: o%d}}\n", i)
	}
	mustRefuse(t, hostile("d.yaml", b.Bytes()), "too many ways")
}

func TestManyPatternsAreBounded(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("openapi: 3.1.0\npaths:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "  /p%d/{x}: {get: {operationId: o%d, parameters: [{name: x, in: path, schema: {pattern: \"a{900}b%d\"}}]}}\n", i, i, i)
	}
	src, loaded, err := Load(hostile("d.yaml", b.Bytes()), "")
	if err != nil || HasFatal(loaded) {
		t.Fatal(err, loaded)
	}
	res, built := Build(src, Options{})
	enforced := 0
	for _, r := range res.Catalogue.APIs[0].Versions[0].Routes {
		for _, p := range r.Params {
			if p.Pattern != "" {
				enforced++
			}
		}
	}
	if HasFatal(built) || enforced == 0 || enforced >= 1200 {
		t.Errorf("%d of 2000 patterns are enforced, fatal: %v", enforced, HasFatal(built))
	}
}

func TestNeedsAreBounded(t *testing.T) {
	files := hostile("d.json", operationsJSON(300))
	var b bytes.Buffer
	b.Write(files["catalog.yaml"].Data)
	b.WriteString("    scopes:\n")
	for i := range 299 {
		fmt.Fprintf(&b, "      t%d.op%d: {needs: [t%d.op%d]}\n", i%50, i, (i+1)%50, i+1)
	}
	files["catalog.yaml"].Data = b.Bytes()
	mustRefuse(t, files, "needs more than 200 others")
}

func TestExamplesAreBounded(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`{"openapi":"3.1.0","paths":{`)
	for i := range 1 << 8 {
		for bit := range 8 {
			b.WriteString(map[bool]string{true: `"/`, false: "/"}[bit == 0])
			fmt.Fprintf(&b, "%c{x%d}", 'a'+i>>bit&1, bit)
		}
		fmt.Fprintf(&b, "/%d\":{\"get\":{\"operationId\":\"o%d\"}},", i, i)
	}
	b.WriteString(`"/last":{}},"components":{"example":{`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `"u%dUri":"/<a>/<a>/<a>/<a>/<a>/<a>/<a>/<a>/%d",`, i, i+5000)
	}
	b.WriteString(`"z":1}}}`)
	src, loaded, err := Load(hostile("d.json", b.Bytes()), "")
	if err != nil || HasFatal(loaded) {
		t.Fatal(err, loaded)
	}
	_, built := Build(src, Options{})
	notes := 0
	for _, p := range built {
		if strings.Contains(p.Text, "example URI") {
			notes++
		}
	}
	if notes == 0 || notes > maxExampleNotes {
		t.Errorf("%d notes about examples", notes)
	}
}

// TestLongWordsDoNotMultiply: nine thousand references to one operation with long words and many keys.
func TestLongWordsDoNotMultiply(t *testing.T) {
	long := strings.Repeat("Long words ", 300_000)
	var b bytes.Buffer
	b.WriteString(`{"openapi":"3.1.0","paths":{`)
	for i := range 9000 {
		fmt.Fprintf(&b, `"/p%d/{id}":{"get":{"$ref":"#/x"}},`, i)
	}
	fmt.Fprintf(&b, `"/last":{}},"x":{"summary":%q,"description":%q,"tags":[%q],"parameters":[{"in":"path","name":"id","schema":{"pattern":"a{900}b"}}]`, long, long, long)
	for i := range 50_000 {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	b.WriteString(`}}`)
	src, loaded, err := Load(hostile("d.json", b.Bytes()), "")
	if err != nil || HasFatal(loaded) {
		t.Fatal(err, loaded)
	}
	res, built := Build(src, Options{})
	if HasFatal(built) || res.Counts[0].Published != 9000 {
		t.Fatal(res.Counts, built[:min(3, len(built))])
	}
	for _, c := range res.APIs[0].Versions[0].Categories {
		for _, s := range c.Scopes {
			if len(s.Label) > 2*maxLabel+20 || len(s.Description) > maxDescription+3 {
				t.Fatalf("a label of %d and a description of %d octets", len(s.Label), len(s.Description))
			}
		}
	}
}

func TestPathsHaveALimit(t *testing.T) {
	mustRefuse(t, hostile("d.json", []byte(`{"openapi":"3.1.0","paths":{"/`+strings.Repeat("a", maxTemplate)+`":{"get":{}}}}`)), "longer than 2048 octets")
}
