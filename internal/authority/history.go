package authority

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// HistoryQuery filters and pages a history, newest first.
type HistoryQuery struct {
	Action  audit.Action
	Subject string // SID, person id or account id
	Person  string // id of who acted
	Words   string // part of the event as it is kept, as it is spelled: a name, an address
	Since   time.Time
	Until   time.Time // zero: until now
	Cursor  string
	Limit   int  // 1 to 200; 0 means 50
	All     bool // an operator's view of every account
}

func (q HistoryQuery) before() (int64, error) {
	if q.Cursor == "" {
		return math.MaxInt64, nil
	}
	n, err := strconv.ParseInt(q.Cursor, 10, 64)
	if err != nil || n < 1 {
		return 0, badCursor()
	}
	return n, nil
}

// History lists what happened in an account, or everywhere.
func (a *Authority) History(ctx context.Context, by Actor, account int64, q HistoryQuery) (api.Page[api.HistoryEvent], error) {
	page := api.Page[api.HistoryEvent]{Items: []api.HistoryEvent{}}
	if err := a.maySeeHistory(by, account, q); err != nil {
		return page, err
	}
	before, err := q.before()
	if err != nil {
		return page, err
	}
	limit := pageSize(q.Limit)
	events, err := a.historyRows(ctx, account, q, before, int64(limit)+1)
	if err != nil {
		return page, err
	}
	if len(events) > limit {
		events = events[:limit]
		page.Next = strconv.FormatInt(events[limit-1].Seq, 10)
	}
	for _, e := range events {
		page.Items = append(page.Items, historyOf(e))
	}
	return page, nil
}

func (a *Authority) maySeeHistory(by Actor, account int64, q HistoryQuery) error {
	if q.All && !by.Operator {
		return api.Forbidden(refusalWords(operator))
	}
	return by.mustSee(account)
}

func (a *Authority) historyRows(ctx context.Context, account int64, q HistoryQuery, before, n int64) ([]audit.Event, error) {
	var since, until int64
	var words string
	if q.Words != "" { // as the encoding of the event spells them
		text := jsonText(q.Words)
		words = text[1 : len(text)-1]
	}
	if !q.Since.IsZero() {
		since = q.Since.UnixMicro()
	}
	if !q.Until.IsZero() {
		until = q.Until.UnixMicro()
	}
	var bodies []string
	if q.All {
		rows, err := a.db.Read().AllEvents(ctx, store.AllEventsParams{
			Before: before, Action: string(q.Action), Subject: q.Subject, Person: q.Person, Words: words, Since: since, Until: until, N: n,
		})
		if err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
		for _, r := range rows {
			bodies = append(bodies, r.Body)
		}
	} else {
		rows, err := a.db.Read().AccountEvents(ctx, store.AccountEventsParams{
			Account: account, Before: before, Action: string(q.Action), Subject: q.Subject, Person: q.Person, Words: words, Since: since, Until: until, N: n,
		})
		if err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
		for _, r := range rows {
			bodies = append(bodies, r.Body)
		}
	}
	events := make([]audit.Event, 0, len(bodies))
	for _, body := range bodies {
		e, err := audit.Decode([]byte(body))
		if err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
		events = append(events, e)
	}
	return events, nil
}

func historyOf(e audit.Event) api.HistoryEvent {
	return api.HistoryEvent{
		Seq: api.Seq(e.Seq), At: when(e.At), Account: e.Account, Who: e.Actor.Name, Token: e.Actor.SID,
		Action: string(e.Action), Words: e.Action.WordsFor(e.Outcome), Kind: string(e.Subject.Kind), Subject: e.Subject.ID, Name: e.Subject.Name,
		Details: pairsOf(e.Details), Address: e.Address, Refused: e.Outcome == audit.Refused, Count: e.Count, Request: e.RequestID,
	}
}

// ExportHistory writes a whole history, newest first, as JSON lines or CSV. No cell of the CSV is a
// formula to a spreadsheet (SECURITY.md, class 38c).
func (a *Authority) ExportHistory(ctx context.Context, by Actor, account int64, q HistoryQuery, format string, w io.Writer) error {
	if err := a.maySeeHistory(by, account, q); err != nil {
		return err
	}
	events := a.walk(ctx, account, q)
	switch format {
	case "csv":
		return audit.WriteCSV(w, events)
	case "jsonl", "":
		return audit.WriteJSONLines(w, events)
	default:
		return api.Invalid("format", "must be csv or jsonl")
	}
}

func (a *Authority) walk(ctx context.Context, account int64, q HistoryQuery) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		before := int64(math.MaxInt64)
		for {
			events, err := a.historyRows(ctx, account, q, before, 1000)
			if err != nil {
				yield(audit.Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
				before = e.Seq
			}
			if len(events) == 0 {
				return
			}
		}
	}
}

// VerifyHistory walks the whole chain and names the first event that does not match. Only the operator
// sees every event, so only the operator can.
func (a *Authority) VerifyHistory(ctx context.Context, by Actor) (api.ChainVerified, error) {
	if !by.Operator {
		return api.ChainVerified{}, api.Forbidden(refusalWords(operator))
	}
	var out api.ChainVerified
	err := a.db.View(ctx, func(q *store.Queries) error {
		head, err := q.Head(ctx)
		if err != nil {
			return fmt.Errorf("reading the head of the log: %w", err)
		}
		out.Seq, out.Hash = api.Seq(head.Seq), hex.EncodeToString(head.Hash)
		end, err := audit.Verify(audit.Checkpoint{}, stored(ctx, q, &out.Events))
		var broken *audit.BrokenError
		switch {
		case errors.As(err, &broken):
			out.Broken = api.Seq(broken.Seq)
			return nil
		case err != nil:
			return fmt.Errorf("walking the audit chain: %w", err)
		case end.Seq != head.Seq || end.Head != audit.Hash(head.Hash):
			out.Broken = api.Seq(end.Seq + 1) // events were cut off at the end
		}
		return nil
	})
	return out, err
}

func stored(ctx context.Context, q *store.Queries, count *int64) iter.Seq2[audit.Stored, error] {
	return func(yield func(audit.Stored, error) bool) {
		var after int64
		for {
			rows, err := q.EventsAfter(ctx, store.EventsAfterParams{After: after, N: 1000})
			if err != nil {
				yield(audit.Stored{}, err)
				return
			}
			if len(rows) == 0 {
				return
			}
			for _, r := range rows {
				*count++
				after = r.Seq
				if !yield(audit.Stored{Seq: r.Seq, Body: []byte(r.Body), Hash: r.Hash}, nil) {
					return
				}
			}
		}
	}
}
