package decide_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"counterfoil.dev/counterfoil/internal/decide"
)

// TestGolden reads testdata/*.txtar: a catalogue, callers, and requests each with the decision that is due:
//
//	CALLER METHOD TARGET [Field: value] => reason; key=value; key=value
//
// The caller - has shown no credential. A request is judged twice with the same Match and Verdict, since
// verifiers use them again.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			golden(t, archive)
		})
	}
}

func golden(t *testing.T, archive *txtar.Archive) {
	var table *decide.Table
	var callers map[string]callerLine
	var used struct {
		m decide.Match
		v decide.Verdict
	}
	for _, f := range archive.Files {
		switch f.Name {
		case "catalogue":
			table = compile(t, parseCatalogue(t, string(f.Data)))
			continue
		case "callers":
			callers = parseCallers(t, string(f.Data))
			continue
		}
		for line := range strings.Lines(string(f.Data)) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			request, want, found := strings.Cut(line, " => ")
			if !found {
				t.Fatalf("%q has no decision", line)
			}
			name, rest, _ := strings.Cut(request, " ")
			r := parseRequest(t, rest)
			caller := (*decide.Caller)(nil)
			if name != "-" {
				known, ok := callers[name]
				if !ok {
					t.Fatalf("%q has no known caller", line)
				}
				caller = known.in(table)
			}
			var keys []string
			for pair := range strings.SplitSeq(want, "; ") {
				if key, _, isPair := strings.Cut(pair, "="); isPair {
					keys = append(keys, key)
				}
			}
			reason, m, v := ask(table, r, caller)
			if got := outcome(reason, m, v, keys); got != want {
				t.Errorf("%s: %s\n got %s\nwant %s", f.Name, request, got, want)
			}
			if caller == nil && m.Public() != (reason == decide.Allow) {
				t.Errorf("%s: %s\n %v, but Public is %v", f.Name, request, reason, m.Public())
			}
			again := table.Match(r, &used.m)
			if again == decide.Allow {
				again = table.Decide(&used.m, caller, &used.v)
			}
			if again != reason {
				t.Errorf("%s: %s\n %v, but %v with a Match that was used before", f.Name, request, reason, again)
			}
		}
	}
}
