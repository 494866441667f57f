package notice

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// ErrRefused says that a message will never be taken: the recipient's address, or this very message, was
// refused with a 5xx (RFC 5321, section 4.2.1), or it cannot be sent at all. It is not tried again.
var ErrRefused = errors.New("notice: refused for good")

// Mail is one e-mail, ready to go. It may hold a one-time link, so it prints as its id alone.
type Mail struct {
	ID       string // of the outbox; the Message-ID and the boundary derive from it
	From, To netmail.Address
	Subject  string // never holds what a person wrote
	Text     string
	HTML     string
	Date     time.Time // when the message was put into the outbox, so that a repeat is the same
}

// Format prints the id.
func (m Mail) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "mail %s", m.ID) }

// LogValue is the id.
func (m Mail) LogValue() slog.Value { return slog.StringValue("mail " + m.ID) }

// MarshalJSON refuses.
func (m Mail) MarshalJSON() ([]byte, error) {
	return nil, errors.New("notice: a mail cannot be marshalled; it may hold a link")
}

// WriteTo writes the message as RFC 5322 has it.
func (m Mail) WriteTo(w io.Writer) (int64, error) { return m.message().WriteTo(w) }

func (m Mail) message() *mail.Msg {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithEncoding(mail.EncodingQP), mail.WithCharset(mail.CharsetUTF8))
	from, to := m.From, m.To
	msg.FromMailAddress(&from)
	msg.ToMailAddress(&to)
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(messageID(m.ID, m.From.Address))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no out-of-office answers (RFC 3834, section 5)
	msg.SetBoundary("counterfoil-" + plainID(m.ID))
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	return msg
}

// messageID is the same for every try of one message.
func messageID(id, from string) string {
	return plainID(id) + from[strings.LastIndexByte(from, '@'):]
}

// plainID is an id that may stand in a header and in a file's name as it is; any other becomes a hash.
func plainID(id string) string {
	plain := id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if plain {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// plainAddress reads one address without a display name, and writes an international domain as the wire
// has it. What could end a header or a command early, or name a second recipient, is refused.
func plainAddress(s string) (string, error) {
	bad := fmt.Errorf("%w: the recipient is not one plain e-mail address", ErrRefused)
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`<>"(),:;\[]`, r)
	}) {
		return "", bad
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return "", bad
	}
	domain, err := idna.Lookup.ToASCII(s[at+1:])
	if err != nil || domain == "" {
		return "", bad
	}
	address := s[:at+1] + domain
	parsed, err := netmail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.Address != address {
		return "", bad
	}
	return address, nil
}

const maxDisplayName = 100 // characters

// displayName cleans what stands before an address. Encoded words (RFC 2047) that somebody typed are
// broken: a reader that decodes them where it should not would show a forged address.
func displayName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError || unicode.Is(unicode.Cf, r):
			return -1
		case unicode.IsControl(r) || unicode.IsSpace(r):
			return ' '
		default:
			return r
		}
	}, s)
	s = strings.Join(strings.Fields(strings.NewReplacer("=?", "", "?=", "").Replace(s)), " ")
	if utf8.RuneCountInString(s) > maxDisplayName {
		s = string([]rune(s)[:maxDisplayName])
	}
	return s
}
