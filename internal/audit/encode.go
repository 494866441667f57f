package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrIncomplete says that an event does not say who did what, to what, with what result. The act that
// it belongs to is then refused: what cannot be recorded is not done.
var ErrIncomplete = errors.New("audit: incomplete event")

// Longest values that are kept, in octets; what is longer is cut. Names and e-mail addresses are held
// shorter elsewhere, so this bounds what comes from outside: agents, and fields of refused attempts.
const (
	maxAgent = 200
	maxValue = 2000
	maxItems = 400 // details of one event
)

// Encode checks an event and writes its canonical JSON. Errors wrap [ErrIncomplete].
func Encode(e Event) ([]byte, error) {
	switch {
	case e.Seq <= 0 || e.At <= 0 || e.Account < 0 || e.Count < 0:
		return nil, fmt.Errorf("%w: position %d, time %d, account %d, count %d", ErrIncomplete, e.Seq, e.At, e.Account, e.Count)
	case !e.Actor.Kind.known():
		return nil, fmt.Errorf("%w: actor kind %q", ErrIncomplete, e.Actor.Kind)
	case !e.Action.known():
		return nil, fmt.Errorf("%w: action %q", ErrIncomplete, e.Action)
	case !e.Subject.Kind.known():
		return nil, fmt.Errorf("%w: subject kind %q", ErrIncomplete, e.Subject.Kind)
	case e.Outcome != Done && e.Outcome != Refused:
		return nil, fmt.Errorf("%w: outcome %q", ErrIncomplete, e.Outcome)
	case len(e.Details) > maxItems:
		return nil, fmt.Errorf("%w: %d details, at most %d are kept", ErrIncomplete, len(e.Details), maxItems)
	}
	body, err := json.Marshal(cleaned(e))
	if err != nil {
		return nil, fmt.Errorf("encoding an event: %w", err)
	}
	return []byte(escapeUnprintable(string(body))), nil
}

// Decode reads what [Encode] wrote. Members that a later version added are passed over.
func Decode(body []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("reading an event: %w", err)
	}
	return e, nil
}

// cleaned bounds every string and takes credentials out of them. It shares no memory with e.
func cleaned(e Event) Event {
	for _, s := range []*string{
		&e.Actor.Person, &e.Actor.Name, &e.Actor.SID, &e.Subject.ID, &e.Subject.Name,
		&e.Address, &e.RequestID, &e.Reason,
	} {
		*s = cleanText(*s, maxValue)
	}
	e.Agent = cleanText(e.Agent, maxAgent)
	details := make([]Detail, len(e.Details))
	for i, d := range e.Details {
		details[i] = Detail{cleanText(d.Field, maxValue), cleanText(d.Before, maxValue), cleanText(d.After, maxValue)}
	}
	e.Details = details
	return e
}

func cleanText(s string, limit int) string {
	s = withoutCredentials(strings.ToValidUTF8(s, "�"))
	if len(s) <= limit {
		return s
	}
	cut := limit - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// A credential is an underscore and 71 base62 characters, of which 22 are the public SID
// (internal/token). The prefix is the operator's, so any will do.
const (
	sidChars        = 22
	credentialChars = 71
)

// withoutCredentials replaces all but the SID of whatever looks like one of our credentials. The
// attack: a token pasted as its own name, or sent as a user agent, would stand in the history and in
// every export of it (SECURITY.md, class 43).
func withoutCredentials(s string) string {
	if len(s) <= credentialChars {
		return s
	}
	var out strings.Builder
	for {
		at := strings.IndexByte(s, '_')
		if at < 0 {
			out.WriteString(s)
			return out.String()
		}
		rest := s[at+1:]
		run := 0
		for run < len(rest) && isBase62(rest[run]) {
			run++
		}
		if run < credentialChars {
			out.WriteString(s[:at+1+run])
		} else {
			out.WriteString(s[:at+1+sidChars])
			out.WriteString("…")
		}
		s = rest[run:]
	}
}

func isBase62(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// escapeUnprintable writes every rune that does not print (controls, ESC, line separators, marks that
// turn the direction of text) as \uXXXX. In JSON such a rune can only stand in a string, where that is
// the same rune; in a cell of CSV it is how a person can see that it was there.
func escapeUnprintable(s string) string {
	clean := true
	for _, r := range s {
		clean = clean && unicode.IsPrint(r)
	}
	if clean {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return out.String()
}
