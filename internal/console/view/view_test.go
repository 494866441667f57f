package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/console/view"
)

var update = flag.Bool("update", false, "write the golden files anew")

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatalf("rendering: %v", err)
	}
	return b.String()
}

// hashes in asset names change with every drawing; golden files are about the HTML.
var assetHash = regexp.MustCompile(`(/assets/[a-z]+)\.[0-9a-f]{10}\.`)

// lines makes a golden file readable in a review: one tag a line.
func lines(html string) string {
	return strings.ReplaceAll(assetHash.ReplaceAllString(html, "$1."), "><", ">\n<") + "\n"
}

func TestEveryStateHasItsGoldenHTML(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range states() {
		if seen[s.name] {
			t.Fatalf("two states are named %s", s.name)
		}
		seen[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			got := lines(render(t, s.page))
			file := filepath.Join("testdata", s.name+".html")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v (go test -update writes it)", err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("the page changed (-golden +now):\n%s", d)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".html"); !seen[name] {
			t.Errorf("%s belongs to no state", f)
		}
	}
}

// A strict Content-Security-Policy would break, silently, whatever is inline (SECURITY.md 38b).
func TestNoPageHasInlineScriptOrStyle(t *testing.T) {
	inline := []*regexp.Regexp{
		regexp.MustCompile(`(?i)<style`),
		regexp.MustCompile(`(?i)<[^>]*\sstyle=`),
		regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]`),
		regexp.MustCompile(`(?i)<script[^>]*\ssrc="(?:https?:)?//`),
		regexp.MustCompile(`(?i)<[a-z][^<>]*\son[a-z]+\s*=`),
		regexp.MustCompile(`(?i)(?:href|action|src)="javascript:`),
	}
	for _, s := range states() {
		html := withoutText(render(t, s.page))
		for _, re := range inline {
			if m := re.FindString(html); m != "" {
				t.Errorf("%s: %q matches %s", s.name, m, re)
			}
		}
	}
}

// withoutText empties attribute values that hold escaped user text, so that the words in them
// ("onload=") are not taken for attributes. Attributes that could act keep theirs.
func withoutText(html string) string {
	return regexp.MustCompile(`\s(value|aria-label|data-what|data-ask|download)="[^"]*"`).ReplaceAllString(html, "")
}

func TestUserTextIsEscapedOnEveryPage(t *testing.T) {
	met := 0
	for _, s := range states() {
		html := render(t, s.page)
		if strings.Contains(html, "<svg onload") {
			t.Errorf("%s: the name came through as markup", s.name)
		}
		if strings.Contains(html, "&lt;svg onload=alert(1)&gt;{{7*7}} &#34;quotes&#34; &amp; &#39;more&#39;") {
			met++
		}
	}
	if met < 12 {
		t.Errorf("the hostile name stands on %d states only: the test looks at too little", met)
	}
}

func TestLinksOfForeignSchemesAreDropped(t *testing.T) {
	p := view.HistoryPage{Frame: frame(), Events: []view.Event{{At: now, Who: "x", What: "y", Subject: view.Link{Text: "z", Href: "javascript:alert(1)"}}}}
	if html := render(t, view.History(p)); strings.Contains(html, "javascript:") {
		t.Error("a javascript: link reached the page")
	}
}

func TestEveryPostCarriesTheCSRFToken(t *testing.T) {
	form := regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*>(.*?)</form>`)
	met := 0
	for _, s := range states() {
		for _, m := range form.FindAllStringSubmatch(render(t, s.page), -1) {
			met++
			if !strings.Contains(m[1], `name="csrf" value="csrf-`) {
				t.Errorf("%s: a form posts without csrf: %.120s", s.name, m[0])
			}
		}
	}
	if met < 100 {
		t.Errorf("only %d forms were looked at", met)
	}
}

// The Auth Token is drawn by TokenReveal alone, and there never in a link that is sent to anybody.
func TestASecretIsOnTheRevealPageOnly(t *testing.T) {
	for _, s := range states() {
		html := render(t, s.page)
		has := strings.Contains(html, authToken)
		if reveals := strings.HasPrefix(s.name, "reveal"); has != reveals {
			t.Errorf("%s: the secret is on the page: %v", s.name, has)
		}
		for _, m := range regexp.MustCompile(`(?:href|action|src)="([^"]*)"`).FindAllStringSubmatch(html, -1) {
			if strings.Contains(m[1], authToken) && !strings.HasPrefix(m[1], "data:") {
				t.Errorf("%s: the secret is in a URL", s.name)
			}
		}
	}
}

func TestASecretPrintsAsDotsAndIsNotEncoded(t *testing.T) {
	s := view.Once(authToken)
	p := view.TokenRevealPage{AuthToken: s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, x := range []any{s, &s, p, &p} {
			if out := fmt.Sprintf(verb, x); strings.Contains(out, "cfoil_") || strings.Contains(out, "63666f696c5f") {
				t.Errorf("%s of %T prints the secret", verb, x)
			}
		}
	}
	if _, err := json.Marshal(p); !errors.Is(err, view.ErrSecret) {
		t.Errorf("a secret was encoded: %v", err)
	}
}

// Page, style sheet, script and drawings together stay under 60 KB as they are sent.
func TestPagesAreUnder60KBCompressed(t *testing.T) {
	assets := 0
	for _, f := range view.Assets() {
		assets += len(f.Gzip)
	}
	page := func(c templ.Component) int { return len(zipped(t, []byte(render(t, c)))) }
	for _, s := range states() {
		if n := assets + page(s.page); n > 60<<10 {
			t.Errorf("%s: %d octets with assets", s.name, n)
		}
	}
	full := view.TokenListPage{Frame: frame(), Any: true, CanMake: true, Pager: view.Pager{First: 1, Last: 50, Total: 10000, Next: "?after=50"}}
	for i := range 50 {
		card := tokens()[i%5]
		card.SID = fmt.Sprintf("%022d", i)
		full.Tokens = append(full.Tokens, card)
	}
	n := page(view.TokenList(full))
	t.Logf("assets %d octets, a page of 50 tokens %d octets", assets, n)
	if assets+n > 60<<10 {
		t.Errorf("50 tokens: %d octets with assets", assets+n)
	}
}

func TestAssetsAreNamedByTheirContent(t *testing.T) {
	for _, name := range []string{"app.css", "app.js", "icons.svg", "mark.svg"} {
		path := view.Asset(name)
		f, ok := view.Assets()[path]
		if !ok || len(f.Bytes) == 0 || f.Type == "" || f.Name != name {
			t.Errorf("%s: %q is not served", name, path)
		}
		if string(unzipped(t, f.Gzip)) != string(f.Bytes) {
			t.Errorf("%s: the compressed form differs", name)
		}
	}
	if got := view.Asset("other.js"); got != "" {
		t.Errorf("an unknown asset has the path %q", got)
	}
}

// Each icon that a page uses is in the sprite; each in the sprite is used.
func TestIconsAreDrawnAndUsed(t *testing.T) {
	sprite := string(view.Assets()[view.Asset("icons.svg")].Bytes)
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile(`<symbol id="([a-z]+)"`).FindAllStringSubmatch(sprite, -1) {
		drawn[m[1]] = false
	}
	for _, s := range states() {
		for _, m := range regexp.MustCompile(`icons\.[0-9a-f]{10}\.svg#([a-z]*)"`).FindAllStringSubmatch(render(t, s.page), -1) {
			if _, ok := drawn[m[1]]; !ok {
				t.Errorf("%s: no icon is named %q", s.name, m[1])
			}
			drawn[m[1]] = true
		}
	}
	for name, used := range drawn {
		if !used {
			t.Errorf("nobody uses the icon %s", name)
		}
	}
}

// Ids are unique, and what a label, a description or a fragment names is there.
func TestIdsAreUniqueAndReferencesLead(t *testing.T) {
	ids := regexp.MustCompile(`\sid="([^"]*)"`)
	refs := regexp.MustCompile(`\s(?:for|aria-labelledby|aria-describedby|data-copy|popovertarget)="([^"]*)"|href="#([^"]*)"`)
	for _, s := range states() {
		html := render(t, s.page)
		have := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(html, -1) {
			if have[m[1]] {
				t.Errorf("%s: two elements have the id %q", s.name, m[1])
			}
			have[m[1]] = true
		}
		for _, m := range refs.FindAllStringSubmatch(html, -1) {
			for _, id := range strings.Fields(m[1] + " " + m[2]) {
				if !have[id] {
					t.Errorf("%s: nothing has the id %q", s.name, id)
				}
			}
		}
	}
}

func TestKeepFormKeepsAllButWhatIsLeftOut(t *testing.T) {
	got := view.KeepForm(url.Values{"scope": {"b", "a"}, "csrf": {"x"}, "password": {"y"}, "name": {"n"}}, "password")
	want := []view.Kept{{Name: "name", Value: "n"}, {Name: "scope", Value: "b"}, {Name: "scope", Value: "a"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func BenchmarkTokenList(b *testing.B) {
	p := view.TokenListPage{Frame: frame(), Any: true, CanMake: true}
	for i := range 50 {
		p.Tokens = append(p.Tokens, tokens()[i%5])
	}
	for b.Loop() {
		var out bytes.Buffer
		if err := view.TokenList(p).Render(b.Context(), &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Duration(b.Elapsed().Nanoseconds()/int64(b.N)).Microseconds()), "µs/page")
}
