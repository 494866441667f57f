package audit

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample(seq int64) Event {
	return Event{
		Seq: seq, At: 1_790_000_000_000_000 + seq, Account: 1234, Action: EditToken, Outcome: Done,
		Actor:   Actor{Kind: ByPerson, Person: "p1", Name: "Ada Byron"},
		Subject: Subject{Kind: OnToken, ID: "0000000000000000000001", Name: "Reports"},
		Details: []Detail{{"name", "Report", "Reports"}, {"scopes", "", "advertisers.list-advertisers"}},
		Address: "192.0.2.7", Agent: "Browser/1.0", RequestID: "r1",
	}
}

// The bytes are a contract: history written by one version is verified by all later ones.
func TestEncodingIsCanonical(t *testing.T) {
	const want = `{"seq":7,"at":1790000000000007,"actor":{"kind":"person","person":"p1","name":"Ada Byron"},` +
		`"account":1234,"action":"token.edit","subject":{"kind":"token","id":"0000000000000000000001","name":"Reports"},` +
		`"details":[{"field":"name","before":"Report","after":"Reports"},{"field":"scopes","after":"advertisers.list-advertisers"}],` +
		`"address":"192.0.2.7","agent":"Browser/1.0","request_id":"r1","outcome":"done"}`
	got, err := Encode(sample(7))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	head := Next(Hash(nil), got)
	if want := "8f8c308416e8829cf5438ec19fed863fb96b1f2526b9faaff92479b95e3de53e"; hex.EncodeToString(head[:]) != want {
		t.Errorf("head %x, want %s", head, want)
	}
	back, err := Decode(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(7), back); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeRecordedIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Event){
		"no position":     func(e *Event) { e.Seq = 0 },
		"no time":         func(e *Event) { e.At = 0 },
		"no actor":        func(e *Event) { e.Actor.Kind = "" },
		"no action":       func(e *Event) { e.Action = "" },
		"made-up action":  func(e *Event) { e.Action = "token.frob" },
		"no subject":      func(e *Event) { e.Subject.Kind = "" },
		"no outcome":      func(e *Event) { e.Outcome = "" },
		"negative count":  func(e *Event) { e.Count = -1 },
		"no such account": func(e *Event) { e.Account = -1 },
		"endless details": func(e *Event) { e.Details = make([]Detail, maxItems+1) },
	} {
		e := sample(1)
		spoil(&e)
		if body, err := Encode(e); !errors.Is(err, ErrIncomplete) || body != nil {
			t.Errorf("%s: %s, %v", name, body, err)
		}
	}
}

func chain(t *testing.T, n int64) []Stored {
	t.Helper()
	var rows []Stored
	var head Head
	for seq := int64(1); seq <= n; seq++ {
		body, err := Encode(sample(seq))
		if err != nil {
			t.Fatal(err)
		}
		head = Next(head, body)
		rows = append(rows, Stored{seq, body, slices.Clone(head[:])})
	}
	return rows
}

func over(rows []Stored) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestVerifyNamesTheFirstBrokenEvent(t *testing.T) {
	rechain := func(rows []Stored) []Stored {
		var head Head
		for i := range rows {
			head = Next(head, rows[i].Body)
			rows[i].Hash = slices.Clone(head[:])
		}
		return rows
	}
	for name, c := range map[string]struct {
		attack func([]Stored) []Stored
		broken int64 // 0: the chain holds
	}{
		"untouched": {func(r []Stored) []Stored { return r }, 0},
		"a body edited": {func(r []Stored) []Stored {
			r[4].Body = bytes.Replace(r[4].Body, []byte("Ada"), []byte("Bob"), 1)
			return r
		}, 5},
		"a hash edited":       {func(r []Stored) []Stored { r[4].Hash[0] ^= 1; return r }, 5},
		"a hash cut":          {func(r []Stored) []Stored { r[4].Hash = r[4].Hash[:31]; return r }, 5},
		"a hash emptied":      {func(r []Stored) []Stored { r[0].Hash = nil; return r }, 1},
		"an event dropped":    {func(r []Stored) []Stored { return slices.Delete(r, 4, 5) }, 5},
		"the first dropped":   {func(r []Stored) []Stored { return r[1:] }, 1},
		"two swapped":         {func(r []Stored) []Stored { r[4], r[5] = r[5], r[4]; return r }, 5},
		"bodies swapped":      {func(r []Stored) []Stored { r[4].Body, r[5].Body = r[5].Body, r[4].Body; return r }, 5},
		"one told twice":      {func(r []Stored) []Stored { return slices.Insert(r, 4, r[4]) }, 6},
		"renumbered, chained": {func(r []Stored) []Stored { r[4].Body = r[3].Body; return rechain(r) }, 5},
		"garbage, chained":    {func(r []Stored) []Stored { r[4].Body = []byte("{"); return rechain(r) }, 5},
	} {
		end, err := Verify(Checkpoint{}, over(c.attack(chain(t, 9))))
		var broken *BrokenError
		switch {
		case c.broken == 0 && (err != nil || end.Seq != 9):
			t.Errorf("%s: %d, %v", name, end.Seq, err)
		case c.broken != 0 && (!errors.As(err, &broken) || broken.Seq != c.broken || end.Seq != c.broken-1):
			t.Errorf("%s: came to %d, %v; want a break at %d", name, end.Seq, err, c.broken)
		}
	}
}

// Rewriting all that follows makes a chain that holds; a checkpoint from before shows it.
func TestACheckpointShowsARewrittenHistory(t *testing.T) {
	rows := chain(t, 9)
	kept, err := Verify(Checkpoint{}, over(rows[:6]))
	if err != nil {
		t.Fatal(err)
	}
	end, err := Verify(kept, over(rows[6:]))
	if err != nil || end.Seq != 9 {
		t.Fatalf("going on from a checkpoint: %d, %v", end.Seq, err)
	}
	var head Head
	for i := range rows {
		rows[i].Body = bytes.Replace(rows[i].Body, []byte("Ada"), []byte("Bob"), 1)
		head = Next(head, rows[i].Body)
		rows[i].Hash = slices.Clone(head[:])
	}
	if _, err := Verify(Checkpoint{}, over(rows)); err != nil {
		t.Fatalf("the rewritten history does not hold in itself: %v", err)
	}
	var broken *BrokenError
	if _, err := Verify(kept, over(rows[6:])); !errors.As(err, &broken) || broken.Seq != 7 {
		t.Errorf("the checkpoint did not show it: %v", err)
	}
	gone := errors.New("disk gone")
	if _, err := Verify(Checkpoint{}, func(yield func(Stored, error) bool) { yield(Stored{}, gone) }); !errors.Is(err, gone) {
		t.Errorf("an iterator's error became %v", err)
	}
}

var hostileNames = []string{
	`=HYPERLINK("https://evil.example","x")`, "+1", "-1", "@x", "\tTAB", "\x00NUL", "\rCR", "\nLF", "  =1+1", "＝1+1",
	"a;=1+1", "a,@x", "a\t=1", `"=1+1`, `'=1`, "two\nlines\r\nand \"quotes\"", "\x1b[31mred", "\u2028\u2029\u202e\u0085", "\xff\xfe",
	"<svg onload=alert(1)>", "{{7*7}}", "plain", "", "Émile — 日本", "\U000e0001tag",
}

func hostile(yield func(Event, error) bool) {
	for i, n := range hostileNames {
		e := sample(int64(i + 1))
		e.Subject.Name, e.Agent, e.Actor.Name, e.Reason = n, n, n, n
		e.Details = []Detail{{n, n, n}}
		if !yield(e, nil) {
			return
		}
	}
}

func TestNoCellOfTheExportIsAFormula(t *testing.T) {
	var out bytes.Buffer
	if err := WriteCSV(&out, hostile); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(out.String(), "\n"), len(hostileNames)+1; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(hostileNames)+1 {
		t.Fatalf("%d rows, want %d", len(rows), len(hostileNames)+1)
	}
	for i, row := range rows[1:] {
		if len(row) != len(csvHeader) || row[0] != strconv.Itoa(i+1) {
			t.Errorf("row %d has %d cells and begins with %s", i+1, len(row), row[0])
		}
		for col, cell := range row {
			for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(";,|\t\"", r) }) {
				if part = strings.TrimLeft(part, " "); strings.IndexAny(part, "=+-@＝＋－＠\t\r\n\x00") == 0 {
					t.Errorf("row %d, %s: %q begins a formula in %q", i+1, csvHeader[col], part, cell)
				}
			}
			if strings.ContainsAny(cell, "\x1b\x00\n\r\t\u2028\u202e\u0085") {
				t.Errorf("row %d, %s: %q holds a control", i+1, csvHeader[col], cell)
			}
		}
	}
	if got := rows[22][11]; got != "plain" {
		t.Errorf("a harmless name became %q", got)
	}
	if got := rows[1][11]; got != `'=HYPERLINK("https://evil.example","x")` {
		t.Errorf("the first name became %q", got)
	}
}

func TestJSONLinesAreOneLineAnEvent(t *testing.T) {
	var out bytes.Buffer
	if err := WriteJSONLines(&out, hostile); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\x00\r\t\u2028\u2029\u202e\u0085\U000e0001") {
		t.Error("a control reached the output")
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(hostileNames) {
		t.Fatalf("%d lines, want %d", len(lines), len(hostileNames))
	}
	for i, l := range lines {
		var e Event
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		if want := strings.ToValidUTF8(hostileNames[i], "�"); e.Subject.Name != want {
			t.Errorf("%q came back as %q", want, e.Subject.Name)
		}
	}
	gone := errors.New("disk gone")
	for name, write := range map[string]func() error{
		"json": func() error {
			return WriteJSONLines(&out, func(yield func(Event, error) bool) { yield(Event{}, gone) })
		},
		"csv": func() error { return WriteCSV(&out, func(yield func(Event, error) bool) { yield(Event{}, gone) }) },
	} {
		if err := write(); !errors.Is(err, gone) {
			t.Errorf("%s: a reader's error became %v", name, err)
		}
	}
}

// The attack: a token pasted as its own name would stay in the history for ever.
func TestCredentialsDoNotEnterTheHistory(t *testing.T) {
	const sid, secret = "3mILLasCcBjnMk8oPwDOXF", "cK3cxRSH07XLExZZ3qoDmoizRISwItFeCOdEJx02RBk"
	credential := "cfoil_" + sid + secret + "3w2JDD"
	e := sample(1)
	e.Agent, e.Subject.Name, e.Reason = "curl "+credential, credential, "a_"+credential
	e.Details = []Detail{{"description", "Authorization: Bearer " + credential + ".", strings.Repeat("é", 3000)}}
	body, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte(secret[:8])) || !bytes.Contains(body, []byte(sid)) {
		t.Errorf("%s", body)
	}
	got, err := Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if want := "Authorization: Bearer cfoil_" + sid + "…."; got.Details[0].Before != want {
		t.Errorf("%q, want %q", got.Details[0].Before, want)
	}
	if n := len(got.Details[0].After); n > maxValue || n < maxValue-4 {
		t.Errorf("a value of 6000 octets was cut to %d, want %d", n, maxValue)
	}
	var out bytes.Buffer
	if err := WriteCSV(&out, func(yield func(Event, error) bool) { yield(e, nil) }); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), secret[:8]) {
		t.Errorf("%s", &out)
	}
	for _, ordinary := range []string{"a_b", "_", strings.Repeat("_x", 60), strings.Repeat("x", 200), "x_" + strings.Repeat("y", 70)} {
		if got := withoutCredentials(ordinary); got != ordinary {
			t.Errorf("%q became %q", ordinary, got)
		}
	}
}

// The list is closed: what the constants say, the words must know.
func TestEveryActionHasWords(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "action.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[Action]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Action" {
			s, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil || declared[Action(s)] {
				t.Errorf("%s: %v, or declared twice", s, err)
			}
			declared[Action(s)] = true
		}
		return true
	})
	if len(declared) != len(Actions()) || len(declared) < 30 {
		t.Errorf("%d actions declared, %d have words", len(declared), len(Actions()))
	}
	for a := range declared {
		if !a.known() || a.Words() == string(a) || a.WordsFor(Refused) == a.Words() {
			t.Errorf("%s has no words", a)
		}
	}
	if got := Action("x.y").Words(); got != "x.y" {
		t.Errorf("an unknown action reads %q", got)
	}
}
