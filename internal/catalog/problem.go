package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a problem means for publishing.
type Severity string

// Severities, worst first.
const (
	Fatal   Severity = "fatal"   // publishing is refused
	Trouble Severity = "problem" // publishing goes on without the thing that the problem names
	Note    Severity = "note"    // worth knowing, never in the way
)

// maxProblems bounds what one run reports, so that ten thousand bad operations do not become a
// hundred megabytes of text; the last entry then says how many more there are.
const maxProblems = 5000

// Problem is one finding about the catalogue file or a document.
type Problem struct {
	API      string   `json:"api,omitempty"`
	Version  string   `json:"version,omitempty"`
	File     string   `json:"file"`
	Line     int      `json:"line"` // from 1; 0 when the finding is about the file as a whole
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
}

// String is "file:line: severity: text".
func (p Problem) String() string {
	file := clean(p.File, false) // a file's name may hold what a terminal obeys
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", file, p.Severity, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", file, p.Line, p.Severity, p.Text)
}

// HasFatal reports whether any of the problems refuses publishing.
func HasFatal(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Fatal })
}

// SortProblems orders by file, line, severity (worst first) and text, and drops what is said twice.
func SortProblems(problems []Problem) []Problem {
	slices.SortFunc(problems, compareProblems)
	return slices.Compact(problems)
}

func compareProblems(a, b Problem) int {
	return cmp.Or(
		strings.Compare(a.File, b.File),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Severity.rank(), b.Severity.rank()),
		strings.Compare(a.Text, b.Text),
		strings.Compare(a.API, b.API),
		strings.Compare(a.Version, b.Version),
	)
}

func (s Severity) rank() int {
	switch s {
	case Note:
		return 2
	case Trouble:
		return 1
	}
	return 0
}

// report collects problems for one API and version.
type report struct {
	list *problems
	api  string
	ver  string
}

// problems is the shared list behind all reports of a run.
type problems struct {
	items   []Problem
	dropped int // beyond maxProblems
	fatal   bool
}

func (l *problems) add(p Problem) {
	p.Text = cleanLine(p.Text, maxProblemText)
	if p.Severity == Fatal {
		l.fatal = true
	}
	if len(l.items) >= maxProblems {
		// A fatal finding is never the one that falls off the end.
		if p.Severity != Fatal || l.fatalAtEnd() {
			l.dropped++
			return
		}
		l.dropped++
		l.items[len(l.items)-1] = p
		return
	}
	l.items = append(l.items, p)
}

func (l *problems) fatalAtEnd() bool { return l.items[len(l.items)-1].Severity == Fatal }

// sorted returns the list in order; file names where the count of what was left out is put.
func (l *problems) sorted(file string) []Problem {
	out := SortProblems(l.items)
	if l.dropped > 0 {
		out = append(out, Problem{File: file, Severity: Trouble, Text: fmt.Sprintf("%d further problems are not listed", l.dropped)})
	}
	return out
}

func (r report) at(s Severity, file string, line int, format string, args ...any) {
	if s != Fatal && len(r.list.items) >= maxProblems {
		r.list.dropped++ // without the work of putting it in words
		return
	}
	r.list.add(Problem{API: r.api, Version: r.ver, File: file, Line: line, Severity: s, Text: fmt.Sprintf(format, args...)})
}

func (r report) fatal(p place, format string, args ...any) {
	r.at(Fatal, p.file, p.line, format, args...)
}

func (r report) trouble(p place, format string, args ...any) {
	r.at(Trouble, p.file, p.line, format, args...)
}

func (r report) note(p place, format string, args ...any) {
	r.at(Note, p.file, p.line, format, args...)
}

// place is a line of a file.
type place struct {
	file string
	line int
}
