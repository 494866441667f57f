package view

import (
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// keep lists a form's values in the order of their names.
func keep(form url.Values, leaveOut []string) []Kept {
	names := make([]string, 0, len(form))
	for n := range form {
		if !slices.Contains(leaveOut, n) {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	var out []Kept
	for _, n := range names {
		for _, v := range form[n] {
			out = append(out, Kept{n, v})
		}
	}
	return out
}

// chosen is the value of the selected choice, or "".
func chosen(cs []Choice) string {
	for _, c := range cs {
		if c.Selected {
			return c.Value
		}
	}
	return ""
}

// number writes 10000 as 10,000.
func number(n int) string {
	s := strconv.Itoa(n)
	if n < 0 {
		return s
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count writes "1 token", "2 tokens".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// day writes a date; moment a date with its time. Both are UTC, as every time on the desk is.
func day(t time.Time) string    { return t.UTC().Format("2 Jan 2006") }
func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// ago writes how long ago or ahead a time is, in its largest unit.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	future := d < 0
	if future {
		d = -d
	}
	var s string
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		s = count(int(d/time.Minute), "minute", "minutes")
	case d < 24*time.Hour:
		s = count(int(d/time.Hour), "hour", "hours")
	case d < 60*24*time.Hour:
		s = count(int(d/(24*time.Hour)), "day", "days")
	case d < 2*365*24*time.Hour:
		s = count(int(d/(30*24*time.Hour)), "month", "months")
	default:
		s = count(int(d/(365*24*time.Hour)), "year", "years")
	}
	if future {
		return "in " + s
	}
	return s + " ago"
}

// list joins words: "a", "a and b", "a, b and c".
func list(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// capital makes the first letter of a word of ours (ASCII) a capital.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// withSID puts the shell variable in the place of the SID in a path template.
func withSID(base string) string { return strings.ReplaceAll(base, "{AccountSID}", "$ACCOUNT_SID") }
