package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"counterfoil.dev/counterfoil/internal/scope"
)

// Lengths of what people read, in characters.
const (
	maxLabel       = 120
	maxScopeName   = scope.MaxName // octets; names are ASCII
	maxTitle       = 120
	maxDescription = 4000
	maxProblemText = 600
)

func validScopeName(s string) bool {
	_, err := scope.ParseName(s)
	return err == nil
}

func scopeOctet(c byte) bool {
	return alphanumeric(c) || c == '.' || c == '_' || c == ':' || c == '-'
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// scopeName makes a name that a document uses printable in ours: each run of other characters becomes
// one hyphen, and what is too long is cut and ends in a digest, so that two long names stay two.
func scopeName(s string) string {
	var b strings.Builder
	gap := false
	for i := range len(s) {
		if !scopeOctet(s[i]) {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		b.WriteByte(s[i])
	}
	return shorten(b.String(), s)
}

// shorten cuts a name to maxScopeName octets; whole is what the digest at the end is taken of.
func shorten(name, whole string) string {
	if len(name) <= maxScopeName {
		return name
	}
	return name[:maxScopeName-9] + "-" + digest(whole)
}

// digest is eight hexadecimal characters that tell long or foreign names apart.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// slug writes a name in lower case with hyphens: a break before a capital that follows a small letter
// or a digit and before the last capital of a run when a small letter follows it; every other run of
// characters than letters and digits is one hyphen. ReportExport and Report Export are report-export,
// AccountSID is account-sid, APISubmissions is api-submissions. Characters outside ASCII have no
// lower case that all agree on, so they separate; a name of nothing else has an empty slug.
func slug(s string) string {
	var b strings.Builder
	gap := false
	for i := range len(s) {
		c := s[i]
		if !alphanumeric(c) {
			gap = true
			continue
		}
		if upper(c) && i > 0 && !gap {
			prev := s[i-1]
			lastOfRun := upper(prev) && i+1 < len(s) && lower(s[i+1])
			gap = lower(prev) || digitOctet(prev) || lastOfRun
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		if upper(c) {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

func upper(c byte) bool      { return c >= 'A' && c <= 'Z' }
func lower(c byte) bool      { return c >= 'a' && c <= 'z' }
func digitOctet(c byte) bool { return c >= '0' && c <= '9' }

// slugOr is slug, or a digest for a name that has no ASCII letter or digit.
func slugOr(s string) string {
	if out := slug(s); out != "" {
		return out
	}
	return "x" + digest(s)
}

// words writes an operationId as a label: listAllJobs is "List all jobs".
func words(id string) string {
	s := strings.ReplaceAll(slug(id), "-", " ")
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// clean drops what has no place in a name: control and format characters (among them the
// bidirectional overrides with which one label can look like another, SECURITY.md 38b) and octets
// that are no UTF-8. Line ends and tabs stay only if keepLines says so.
func clean(s string, keepLines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && keepLines:
			return r
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029' || r == '\u00a0':
			return ' '
		case r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
}

// cleanLine is one line of at most limit characters, without double spaces.
// Text beyond sixteen times the limit in octets is not looked at: a reference can bring one long text
// to ten thousand places.
func cleanLine(s string, limit int) string {
	if len(s) > 16*limit {
		s = strings.ToValidUTF8(s[:16*limit], "")
	}
	return truncate(strings.Join(strings.Fields(clean(s, false)), " "), limit)
}

func truncate(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	r := []rune(s)
	return strings.TrimRight(string(r[:limit-1]), " ") + "…"
}

// Marks of Markdown and HTML that a plain text does without. The patterns are ours and run over text
// of bounded length.
var (
	markTag  = regexp.MustCompile(`</?[A-Za-z][^<>]{0,200}>|<!--[^<>]{0,900}-->`)
	markLink = regexp.MustCompile(`!?\[([^\[\]]{0,300})\]\([^()\s]{0,500}(?:\s+"[^"]{0,200}")?\)`)
	markBold = regexp.MustCompile("[*]{1,3}([^*\\s](?:[^*\n]{0,300}[^*\\s])?)[*]{1,3}|__([^_\n]{1,300})__")
	markHead = regexp.MustCompile(`(?m)^[ \t]{0,3}(?:#{1,6}[ \t]+|>[ \t]?)`)
)

// plain is a description as plain text: paragraphs stay apart, marks of Markdown and HTML go.
func plain(s string, limit int) string {
	if len(s) > 8*maxDescription { // nobody reads on; the patterns need a bound
		s = strings.ToValidUTF8(s[:8*maxDescription], "")
	}
	s = clean(strings.ReplaceAll(s, "\r\n", "\n"), true)
	s = markTag.ReplaceAllString(s, " ")
	s = markLink.ReplaceAllString(s, "$1")
	s = markHead.ReplaceAllString(s, "")
	s = markBold.ReplaceAllString(s, "$1$2")
	s = strings.ReplaceAll(s, "`", "")
	var out []string
	for _, paragraph := range strings.Split(s, "\n\n") {
		if p := strings.Join(strings.Fields(paragraph), " "); p != "" {
			out = append(out, p)
		}
	}
	return truncate(strings.Join(out, "\n\n"), limit)
}

// firstSentence takes plain text. It ends at the first full stop, question or exclamation mark before a space, or at the
// end of the first paragraph. A single letter before the stop ("e.g. this") does not end it.
func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	for i := 0; i+1 < len(s); i++ {
		if (s[i] != '.' && s[i] != '?' && s[i] != '!') || s[i+1] != ' ' {
			continue
		}
		if i >= 2 && s[i] == '.' && (s[i-2] == '.' || s[i-2] == ' ') {
			continue
		}
		return strings.TrimSuffix(s[:i+1], ".")
	}
	return strings.TrimSuffix(s, ".")
}
