package catalog

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSlugs(t *testing.T) {
	for in, want := range map[string]string{
		"ReportExport":           "report-export",
		"Report Export":          "report-export",
		"AccountSID":             "account-sid",
		"APISubmissions":         "api-submissions",
		"listAPISubmissionsV2":   "list-api-submissions-v2",
		"Reports (Legacy)":       "reports-legacy",
		"getMFA":                 "get-mfa",
		"log_call--data/GET":     "log-call-data-get",
		"v2Id":                   "v2-id",
		"":                       "",
		"Отчёты":                 "",
		"  trailing  ":           "trailing",
		"ReportId_or_Handle":     "report-id-or-handle",
		"listAllSKUs":            "list-all-sk-us", // the last capital of a run begins a word: the rule is blind to plurals
		"GET /Jobs/{JobId}/Item": "get-jobs-job-id-item",
	} {
		if got := slug(in); got != want {
			t.Errorf("slug(%q) = %q, want %q", in, got, want)
		}
		if again := slug(want); again != want {
			t.Errorf("slug(%q) = %q: a slug is its own slug", want, again)
		}
	}
}

func TestNamesKeepTheirLimits(t *testing.T) {
	long := strings.Repeat("LongName", 50)
	a, b := scopeName(long+"A"), scopeName(long+"B")
	if !validScopeName(a) || !validScopeName(b) || a == b {
		t.Errorf("%q and %q must be two valid names", a, b)
	}
	if got := scopeName("https://www.example.com/auth/drive.file"); got != "https:-www.example.com-auth-drive.file" {
		t.Errorf("got %q", got)
	}
	if got := cleanLine(strings.Repeat("ä", 200), maxLabel); utf8.RuneCountInString(got) != maxLabel {
		t.Errorf("a label has %d characters", utf8.RuneCountInString(got))
	}
}

// TestLabelsCannotPretend: bidirectional overrides, zero-width characters and line ends could make one
// box look like another (SECURITY.md 38b).
func TestLabelsCannotPretend(t *testing.T) {
	if got := cleanLine("List\u202e\u200b all\r\n\u2028jobs\x00\xff", maxLabel); got != "List all jobs" {
		t.Errorf("got %q", got)
	}
}

func TestPlainText(t *testing.T) {
	for in, want := range map[string]string{
		"**Bold** and `code` and [a link](https://x.example/y).": "Bold and code and a link.",
		"<p>One</p>\n\n<p>Two</p>":                               "One\n\nTwo",
		"# Head\ntext":                                           "Head text",
		"a < b and c > d":                                        "a < b and c > d",
		"<script>alert(1)</script>":                              "alert(1)",
		"![pic](x.png \"title\")":                                "pic",
		"5 * 3 * 2":                                              "5 * 3 * 2",
	} {
		if got := plain(in, maxDescription); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"Lists jobs. Then more.":        "Lists jobs",
		"Use e.g. this. Not that.":      "Use e.g. this",
		"Really? Yes.":                  "Really?",
		"One paragraph\n\nand another.": "One paragraph",
		"Version 1.2 of it":             "Version 1.2 of it",
	} {
		if got := firstSentence(in); got != want {
			t.Errorf("firstSentence(%q) = %q, want %q", in, got, want)
		}
	}
}
