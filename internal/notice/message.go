package notice

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	netmail "net/mail"
	"strconv"
	"strings"
	text "text/template"
	"time"

	"counterfoil.dev/counterfoil/internal/store"
)

//go:embed templates/*.txt templates/*.html
var files embed.FS

var (
	texts = text.Must(text.New("").Option("missingkey=error").ParseFS(files, "templates/*.txt"))
	pages = template.Must(template.New("").Option("missingkey=error").ParseFS(files, "templates/*.html"))
)

// kinds are the messages that we know: a subject that holds nothing a person wrote, the values that the
// templates need, and the value that says how long the link lives, with its unit.
var kinds = map[string]struct {
	subject string
	values  []string
	life    string
	unit    time.Duration
}{
	store.MessageInvitation: {"Your invitation to Counterfoil", []string{"account", "inviter", "days", "link"}, "days", 24 * time.Hour},
	store.MessagePassword:   {"Choose a new password for Counterfoil", []string{"link", "minutes"}, "minutes", time.Minute},
}

// render makes the e-mail of a message, and says how long after it was queued its link is good.
func render(row store.Outbox, m store.Message, from netmail.Address) (Mail, time.Duration, error) {
	kind, ok := kinds[m.Kind]
	if !ok {
		return Mail{}, 0, fmt.Errorf("%w: a message of the unknown kind %q", ErrRefused, clip(m.Kind))
	}
	to, err := plainAddress(m.To)
	if err != nil {
		return Mail{}, 0, err
	}
	values := map[string]string{"name": displayName(m.Name)}
	for _, key := range kind.values {
		v := strings.Join(strings.Fields(m.Values[key]), " ") // a value is one line: it cannot pretend to be more of our text
		if v == "" {
			return Mail{}, 0, fmt.Errorf("%w: a message of kind %s without %q", ErrRefused, m.Kind, key)
		}
		values[key] = v
	}
	n, err := strconv.Atoi(values[kind.life])
	if err != nil || n < 1 {
		return Mail{}, 0, fmt.Errorf("%w: a message of kind %s whose %q is no number", ErrRefused, m.Kind, kind.life)
	}
	out := Mail{
		ID: row.ID, From: from, To: netmail.Address{Name: displayName(m.Name), Address: to},
		Subject: kind.subject, Date: time.UnixMicro(row.CreatedAt).UTC(),
	}
	var plain, page bytes.Buffer
	if err := texts.ExecuteTemplate(&plain, m.Kind+".txt", values); err != nil {
		return Mail{}, 0, fmt.Errorf("rendering the text of a message of kind %s: %w", m.Kind, err)
	}
	if err := pages.ExecuteTemplate(&page, m.Kind+".html", values); err != nil {
		return Mail{}, 0, fmt.Errorf("rendering the page of a message of kind %s: %w", m.Kind, err)
	}
	out.Text, out.HTML = plain.String(), page.String()
	return out, time.Duration(n) * kind.unit, nil
}
