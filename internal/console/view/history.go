package view

import "time"

// Event is one row of a history.
type Event struct {
	Seq     string // number in the chain
	At      time.Time
	Who     string // a person's name, a token's name, "Clock", "Verifier"
	Via     string // "console", "API", "CLI"; "" is not drawn
	Address string
	What    string // "Reset the token"
	Subject Link   // the token, member or account
	Details []Fact
	Refused bool
}

// HistoryPage is GET PathHistory, TokenPath(sid, "history") (Token set) and PathOperatorHistory
// (Operator in the frame). The filter is a GET with q, what, who, from, to (YYYY-MM-DD).
type HistoryPage struct {
	Frame  Frame
	Token  *TokenCard
	Events []Event
	Pager  Pager
	Filter HistoryFilter
	CSV    string // export links, the filter's query included
	JSONL  string
	Chain  string // "The chain of 1,204 events is whole." or ""
}

// HistoryFilter is what the history was filtered by.
type HistoryFilter struct {
	Action string // where the GET goes
	Query  string
	What   []Choice // kinds of act; without "any"
	Who    []Choice // people; without "any"
	From   string
	To     string
}

// Set says whether any filter is in use.
func (f HistoryFilter) Set() bool {
	return f.Query != "" || f.From != "" || f.To != "" || chosen(f.What) != "" || chosen(f.Who) != ""
}
