package audit

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// WriteJSONLines writes the canonical JSON of each event on a line of its own (ndjson).
func WriteJSONLines(w io.Writer, events iter.Seq2[Event, error]) error {
	return export(w, events, func(out *bufio.Writer, e Event) error {
		body, err := Encode(e)
		if err != nil {
			return err
		}
		_, err = out.Write(append(body, '\n'))
		return err
	})
}

// csvHeader names the columns of [WriteCSV].
var csvHeader = []string{
	"seq", "time", "actor_kind", "actor_id", "actor_name", "actor_sid", "account", "action", "words",
	"subject_kind", "subject_id", "subject_name", "outcome", "reason", "count", "details",
	"address", "agent", "request_id",
}

// WriteCSV writes a header and one line for each event (RFC 4180, UTF-8, CRLF, every cell quoted).
// Times are RFC 3339 in UTC. What is in a cell stays in its cell and is never a formula.
func WriteCSV(w io.Writer, events iter.Seq2[Event, error]) error {
	if _, err := io.WriteString(w, csvLine(csvHeader)); err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	return export(w, events, func(out *bufio.Writer, e Event) error {
		e = cleaned(e)
		_, err := out.WriteString(csvLine([]string{
			strconv.FormatInt(e.Seq, 10),
			time.UnixMicro(e.At).UTC().Format("2006-01-02T15:04:05.000000Z"),
			string(e.Actor.Kind), e.Actor.Person, e.Actor.Name, e.Actor.SID,
			strconv.FormatInt(e.Account, 10), string(e.Action), e.Action.WordsFor(e.Outcome),
			string(e.Subject.Kind), e.Subject.ID, e.Subject.Name,
			string(e.Outcome), e.Reason, strconv.FormatInt(max(e.Count, 1), 10), csvDetails(e.Details),
			e.Address, e.Agent, e.RequestID,
		}))
		return err
	})
}

func export(w io.Writer, events iter.Seq2[Event, error], line func(*bufio.Writer, Event) error) error {
	out := bufio.NewWriter(w)
	for e, err := range events {
		if err != nil {
			return fmt.Errorf("reading the events to export: %w", err)
		}
		if err := line(out, e); err != nil {
			return fmt.Errorf("exporting event %d: %w", e.Seq, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("exporting events: %w", err)
	}
	return nil
}

func csvDetails(details []Detail) string {
	words := make([]string, len(details))
	for i, d := range details {
		words[i] = d.Field + ": " + strconv.Quote(d.Before) + " → " + strconv.Quote(d.After)
	}
	return strings.Join(words, "; ")
}

func csvLine(cells []string) string {
	var out strings.Builder
	for i, c := range cells {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('"')
		out.WriteString(strings.ReplaceAll(csvCell(c), `"`, `""`))
		out.WriteByte('"')
	}
	out.WriteString("\r\n")
	return out.String()
}

// csvCell makes a cell that no spreadsheet runs: an apostrophe goes before a formula character that
// begins the cell, or follows a separator in it, for a spreadsheet that splits at another separator
// than the comma (OWASP ASVS 5.0, 1.2.10; SECURITY.md, class 38c). The attack: a token named
// =HYPERLINK("https://…") opens in the security person's spreadsheet.
func csvCell(s string) string {
	var out strings.Builder
	begins := true
	for _, r := range s {
		if begins && isFormula(r) {
			out.WriteByte('\'')
		}
		switch r {
		case ',', ';', '\t', '\r', '\n', '|', '"', '\'':
			begins = true // of what another program may take for a cell
		case ' ':
			// still before the first character that counts
		default:
			begins = false
		}
		out.WriteRune(r)
	}
	return escapeUnprintable(out.String())
}

// isFormula knows the characters that begin a formula, also as East Asian spreadsheets type them, and
// those that a spreadsheet drops before it looks.
func isFormula(r rune) bool {
	return strings.ContainsRune("=+-@＝＋－＠\t\r\n\x00", r)
}
