package session

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// What a password may be (NIST SP 800-63B-4, section 3.1.1.2): long enough, and not what anybody would
// try first. There are no rules on kinds of characters, and none may be added.
const (
	MinPassword = 15  // code points
	MaxPassword = 256 // code points
	// ownPart is how many different characters of its own a password needs beside expected words.
	ownPart = 5
)

// expected are words that guessers begin with; with them taken out something must be left. Rows of the
// keyboard and sequences are found by the rows below, in both directions.
var expected = []string{
	"counterfoil", "cfoil", "administrator", "admin", "operator", "password", "passwort", "passwd", "passphrase", "passw0rd", "p@ssw0rd",
	"pa55word", "letmein", "welcome", "changeme", "default", "secret", "iloveyou", "trustno1", "monkey", "dragon", "sunshine", "princess",
	"football", "baseball", "superman", "batman", "starwars", "master", "shadow", "whatever", "qazwsx", "1q2w3e4r", "zaq12wsx",
	"abc123", "test", "testing", "temp", "guest", "login", "signin", "hello", "freedom", "michael", "jordan", "ninja", "mustang",
	"access", "token", "winter", "spring", "summer", "autumn", "monday", "friday", "correcthorsebatterystaple",
	"tobeornottobe", "thequickbrownfox", "jumpsoverthelazydog", "maytheforcebewithyou", "openthepodbaydoors",
}

var rows = []string{
	"01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn",
	"asdfghjkl", "zxcvbnm", "yxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
}

// minRun is how long a piece of a row must be to count as one.
const minRun = 4

// passwordFault says what is wrong with a new password, in words that follow "The password"; "" means
// nothing. Facts are what is known of the person: address, name.
func passwordFault(password string, facts ...string) string {
	if len(password) > maxTyped || utf8.RuneCountInString(password) > MaxPassword {
		return fmt.Sprintf("is longer than %d characters", MaxPassword)
	}
	if !utf8.ValidString(password) {
		return "is not valid UTF-8 text"
	}
	password = norm.NFC.String(password)
	if strings.ContainsFunc(password, unicode.IsControl) {
		return "holds a control character"
	}
	if n := utf8.RuneCountInString(password); n < MinPassword {
		return fmt.Sprintf("is %d characters long; it needs at least %d. A few words that only you would put together are easy to remember", n, MinPassword)
	}
	plain := letters(password)
	if piece := period([]rune(password)); piece <= MinPassword/2 {
		return "repeats one short piece; choose something longer of your own"
	}
	left := without(plain, factWords(facts))
	if distinct(left) < ownPart && len(left) < len(plain) {
		return "is little more than your own name or e-mail address, which anybody would try first"
	}
	left = without(left, expected)
	left = withoutRuns(left)
	if distinct(left) < ownPart {
		return "is little more than common words, the name of this product, or a row of keys, which anybody would try first"
	}
	return ""
}

// letters folds a password to what its words are made of.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("-_.,;:!?'\"+*/&()[]", r) {
			return -1
		}
		return r
	}, cases.Fold().String(norm.NFKC.String(s)))
}

// factWords are the parts of an address or name that are long enough to be told from chance.
func factWords(facts []string) []string {
	var words []string
	for _, fact := range facts {
		words = append(words, letters(fact))
		for _, part := range strings.FieldsFunc(fact, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			words = append(words, letters(part))
		}
	}
	return slices.DeleteFunc(words, func(w string) bool { return utf8.RuneCountInString(w) < 4 })
}

// without takes words out, longest first. What they leave between them is kept apart, so that taking one
// out does not make another.
func without(s string, words []string) string {
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	for _, w := range words {
		s = strings.ReplaceAll(s, w, " ")
	}
	return s
}

// withoutRuns takes out pieces of rows, forwards and backwards, and repeated characters.
func withoutRuns(s string) string {
	runes := []rune(s)
	var left strings.Builder
	for i := 0; i < len(runes); {
		n := 1
		for i+n < len(runes) && runes[i+n] == runes[i] {
			n++
		}
		for _, row := range rows {
			n = max(n, runIn([]rune(row), runes[i:], 1), runIn([]rune(row), runes[i:], -1))
		}
		if n < minRun {
			left.WriteString(string(runes[i : i+1]))
			i++
			continue
		}
		left.WriteByte(' ')
		i += n
	}
	return left.String()
}

// runIn is how much of the beginning of s goes along a row in one direction.
func runIn(row, s []rune, step int) int {
	best := 0
	for start := range row {
		n := 0
		for at := start; n < len(s) && at >= 0 && at < len(row) && row[at] == s[n]; at += step {
			n++
		}
		best = max(best, n)
	}
	return best
}

// distinct counts different characters, blanks left out.
func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		if r != ' ' {
			seen[r] = true
		}
	}
	return len(seen)
}

// period is the length of the shortest piece that s repeats from its beginning to its end.
func period(s []rune) int {
	// The failure function of Knuth, Morris and Pratt.
	border := make([]int, len(s))
	for i := 1; i < len(s); i++ {
		k := border[i-1]
		for k > 0 && s[i] != s[k] {
			k = border[k-1]
		}
		if s[i] == s[k] {
			k++
		}
		border[i] = k
	}
	if len(s) == 0 {
		return 0
	}
	return len(s) - border[len(s)-1]
}
