package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// output writes the answer of a command to standard output, and hints to standard error.
type output struct {
	asJSON bool
	w      io.Writer
	hints  io.Writer
}

func outputOf(c *cobra.Command) *output {
	asJSON, err := c.Flags().GetBool("json")
	return &output{asJSON: asJSON && err == nil, w: c.OutOrStdout(), hints: c.ErrOrStderr()}
}

// show writes v as JSON, or what people fills in as an aligned table.
func (o *output) show(v any, people func(t *table)) error {
	if o.asJSON {
		e := json.NewEncoder(o.w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
		return nil
	}
	t := &table{w: tabwriter.NewWriter(o.w, 0, 4, 2, ' ', 0)}
	people(t)
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return t.err
}

// hint tells people something that is not the answer.
func (o *output) hint(format string, args ...any) {
	if !o.asJSON {
		complain(o.hints, format+"\n", args...)
	}
}

// table aligns rows of cells. Cells hold what strangers wrote, so nothing in them reaches the terminal but
// what prints (SECURITY.md, class 38e).
type table struct {
	w   *tabwriter.Writer
	err error
}

func (t *table) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = printable(words(c))
	}
	// The last cell ends the line without a tab, so that no line ends in blanks.
	if _, err := fmt.Fprintln(t.w, strings.Join(texts, "\t")); err != nil && t.err == nil {
		t.err = err
	}
}

// fact is a row of a name and a value, left out when there is none.
func (t *table) fact(name string, value any) {
	if text := words(value); text != "" {
		t.row(name, text)
	}
}

const minute = "2006-01-02 15:04"

func words(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(minute)
	case *time.Time:
		if v == nil {
			return ""
		}
		return v.UTC().Format(minute)
	case []string:
		return strings.Join(v, ", ")
	case bool:
		if v {
			return "yes"
		}
		return "no"
	default:
		return fmt.Sprint(v)
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}
