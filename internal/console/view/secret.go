package view

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Secret is an Auth Token on its way to the one page that shows it. It prints as dots in every verb,
// log and encoder (SECURITY.md 43); only TokenReveal draws what it holds. The value sits behind a
// pointer because fmt reads unexported fields without asking String.
type Secret struct{ value *string }

// Once makes a Secret. Render it and drop it.
func Once(value string) Secret { return Secret{&value} }

const dots = "••••••••"

// String prints dots.
func (Secret) String() string { return dots }

// GoString prints dots.
func (Secret) GoString() string { return dots }

// Format prints dots for every verb, %x and %#v among them.
func (Secret) Format(f fmt.State, _ rune) {
	fmt.Fprint(f, dots)
}

// LogValue logs dots.
func (Secret) LogValue() slog.Value { return slog.StringValue(dots) }

// ErrSecret is the answer of a Secret to every encoder.
var ErrSecret = errors.New("view: a secret is not encoded")

// MarshalJSON refuses.
func (Secret) MarshalJSON() ([]byte, error) { return nil, ErrSecret }

// MarshalText refuses.
func (Secret) MarshalText() ([]byte, error) { return nil, ErrSecret }

func (s Secret) reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Call is the request that a fresh token is tried with.
type Call struct {
	URL     string   // with the SID in its place; printable ASCII
	Headers []string // "IR-Version: 3"
}

// curl is a command that works when pasted into a POSIX shell. Every word is single-quoted: a URL
// comes from the catalogue, and a shell must not read it.
func curl(c Call, sid string, auth Secret) string {
	var b strings.Builder
	b.WriteString("curl --user " + quote(sid+":"+auth.reveal()))
	for _, h := range c.Headers {
		b.WriteString(" \\\n  --header " + quote(h))
	}
	b.WriteString(" \\\n  " + quote(c.URL))
	return b.String()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// env is the file that the page offers. No value needs quoting: SID and Auth Token are base62 with
// one underscore; the URL is quoted all the same.
func env(c Call, sid string, auth Secret) string {
	return "ACCOUNT_SID=" + sid + "\nAUTH_TOKEN=" + auth.reveal() + "\nFIRST_CALL=" + quote(c.URL) + "\n"
}

// envLink is the file as a data: link, so that the download needs neither a script nor a second
// request: the secret appears in no URL that is sent to anybody (SECURITY.md 43).
func envLink(c Call, sid string, auth Secret) string {
	return "data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(env(c, sid, auth)))
}
