package authority

import (
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"counterfoil.dev/counterfoil/api"
)

// Limits of what people write.
const (
	MaxName        = 100 // characters
	MaxDescription = 500 // characters
	MaxEmails      = 20
	maxEmail       = 254 // octets (RFC 5321, section 4.5.3.1.3, less the brackets)
	maxLocal       = 64  // octets (RFC 5321, section 4.5.3.1.1)
)

// faults collects what is wrong with a form, so that it is mended in one round.
type faults []api.Field

func (f *faults) add(field, message string) {
	*f = append(*f, api.Field{Name: field, Message: message})
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return api.InvalidFields(f)
}

// CleanName reads a name: NFC, trimmed, 1 to [MaxName] characters, and none that hides or reorders
// others (SECURITY.md, class 38b).
func CleanName(s string) (string, string) {
	if !utf8.ValidString(s) {
		return "", "must be valid UTF-8 text"
	}
	s = strings.TrimSpace(norm.NFC.String(s))
	switch n := utf8.RuneCountInString(s); {
	case n == 0:
		return "", "is required"
	case n > MaxName:
		return "", fmt.Sprintf("is %d characters long; at most %d are allowed", n, MaxName)
	}
	for _, r := range s {
		if hidden(r) {
			return "", fmt.Sprintf("holds the invisible character U+%04X; use visible characters and spaces only", r)
		}
	}
	return s, ""
}

// cleanDescription is CleanName for longer text, which may be empty and may have lines.
func cleanDescription(s string) (string, string) {
	if !utf8.ValidString(s) {
		return "", "must be valid UTF-8 text"
	}
	s = strings.TrimSpace(norm.NFC.String(strings.ReplaceAll(s, "\r\n", "\n")))
	if n := utf8.RuneCountInString(s); n > MaxDescription {
		return "", fmt.Sprintf("is %d characters long; at most %d are allowed", n, MaxDescription)
	}
	for _, r := range s {
		if r != '\n' && hidden(r) {
			return "", fmt.Sprintf("holds the invisible character U+%04X; use visible characters, spaces and line breaks only", r)
		}
	}
	return s, ""
}

// hidden is a control, a bidirectional mark or another character that shows nothing of itself.
func hidden(r rune) bool {
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return true
	case r == '\u200c' || r == '\u200d': // joiners, which some scripts and emoji need
		return false
	case unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
		return true
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r): // fillers: letters and marks by class, blank on every page
		return true
	default:
		return r == utf8.RuneError
	}
}

// fold is the key by which names are equal without regard to case.
func fold(s string) string { return cases.Fold().String(norm.NFKC.String(s)) }

// hosts refuses empty labels, which idna.Lookup lets pass, and over-long names.
var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.VerifyDNSLength(true), idna.StrictDomainName(true))

// CleanEmail reads one plain address (RFC 5321): no display name, no quoted local part, no address
// literal. An international domain is kept as written; the key has its ASCII form and is folded, so that
// two spellings of one address are one.
func CleanEmail(s string) (address, key, fault string) {
	s = strings.TrimSpace(norm.NFC.String(s))
	switch {
	case s == "":
		return "", "", "is required"
	case len(s) > maxEmail:
		return "", "", fmt.Sprintf("is longer than %d octets", maxEmail)
	case strings.ContainsFunc(s, hidden):
		return "", "", "holds an invisible character"
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Name != "" || strings.ContainsAny(s, "<>\"(),:; \\") {
		return "", "", "is not an e-mail address; write it like name@example.com"
	}
	at := strings.LastIndexByte(parsed.Address, '@')
	local, domain := parsed.Address[:at], parsed.Address[at+1:]
	if len(local) > maxLocal {
		return "", "", fmt.Sprintf("has more than %d octets before the @", maxLocal)
	}
	ascii, err := hosts.ToASCII(domain)
	if err != nil || !strings.Contains(ascii, ".") {
		return "", "", "has no usable domain after the @; write it like name@example.com"
	}
	return local + "@" + strings.ToLower(domain), fold(local) + "@" + ascii, ""
}

// oneSpelling is an address as it reads whoever wrote it down: two accounts that invite one person in
// letters of their own cannot see each other's by it.
func oneSpelling(address string) string {
	at := strings.LastIndexByte(address, '@')
	domain, err := idna.ToUnicode(address[at+1:])
	if err != nil {
		domain = address[at+1:]
	}
	return fold(address[:at+1]) + domain
}

// SplitEmails takes a typed or pasted list apart: by commas, semicolons and white space, with display
// names around angle brackets left out.
func SplitEmails(s string) []string {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) })
	bracketed := strings.ContainsRune(s, '<')
	var out []string
	for _, p := range parts {
		inner := strings.Trim(p, "<>\"'")
		if inner == "" || bracketed && !strings.Contains(inner, "@") {
			continue
		}
		out = append(out, inner)
	}
	return out
}

// cleanEmails validates and deduplicates developer e-mails.
func cleanEmails(in []string, bad *faults) []string {
	out := make([]string, 0, len(in))
	seen := make(map[string]bool, len(in))
	for _, s := range in {
		address, key, fault := CleanEmail(s)
		if fault != "" {
			bad.add("developer_emails", fmt.Sprintf("%q %s", clip(s), fault))
			continue
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, address)
		}
	}
	if len(out) > MaxEmails {
		bad.add("developer_emails", fmt.Sprintf("holds %d addresses; at most %d are allowed", len(out), MaxEmails))
	}
	return out
}

// longRun is a run of letters and digits longer than words and SIDs are: it may be a secret in the wrong field.
var longRun = regexp.MustCompile(`([0-9A-Za-z]{8})[0-9A-Za-z]{23,}`)

// clip shortens and cleans what a message quotes back. Nothing of a secret is quoted but its beginning,
// which is the public part (SECURITY.md, class 43).
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if hidden(r) {
			return -1
		}
		return r
	}, s)
	s = longRun.ReplaceAllString(s, "$1…")
	if utf8.RuneCountInString(s) > 60 {
		return string([]rune(s)[:60]) + "…"
	}
	return s
}

const day = 24 * time.Hour

// expiry reads when a token shall end. wanted is nil when nobody chose and never is false.
func (a *Authority) expiry(by Actor, terms terms, wanted *time.Time, never bool, bad *faults) *int64 {
	now := a.now()
	var end *int64
	switch {
	case wanted != nil && never:
		bad.add("expires", "and never_expires exclude each other; give one of them")
		return nil
	case wanted != nil:
		if !wanted.After(now) {
			bad.add("expires", "lies in the past; choose a later time")
			return nil
		}
		at := wanted.UnixMicro()
		end = &at
	case !never && terms.def > 0:
		at := now.Add(time.Duration(terms.def) * day).UnixMicro()
		end = &at
	}
	if terms.max > 0 {
		// A day of grace, since people choose dates and not instants.
		limit := now.Add(time.Duration(terms.max+1) * day).UnixMicro()
		if end == nil {
			bad.add("expires", fmt.Sprintf("is required: tokens of this account may live at most %d days", terms.max))
			return nil
		}
		if *end > limit {
			bad.add("expires", fmt.Sprintf("is too late: tokens of this account may live at most %d days, until %s",
				terms.max, when(limit).Format("2006-01-02")))
			return nil
		}
	}
	// A token never mints one that outlives it (SECURITY.md, class 33).
	if by.Until != 0 && (end == nil || *end > by.Until) {
		if wanted == nil && !never {
			return &by.Until
		}
		bad.add("expires", "is later than the end of the token that asks; choose "+when(by.Until).Format(time.RFC3339)+" or earlier")
		return nil
	}
	return end
}
