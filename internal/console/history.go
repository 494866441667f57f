package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// events puts acts into rows.
func events(list []api.HistoryEvent) []view.Event {
	out := make([]view.Event, 0, len(list))
	for _, h := range list {
		e := view.Event{
			Seq: strconv.FormatInt(int64(h.Seq), 10), At: h.At, Who: h.Who, Address: h.Address,
			What: strings.ToUpper(h.Words[:1]) + h.Words[1:], Refused: h.Refused, Subject: view.Link{Text: h.Name},
		}
		if e.Who == "" {
			e.Who = "Somebody unknown"
		}
		if h.Token != "" {
			e.Via = "API"
		}
		if h.Action == string(audit.FirstCall) {
			e.Who = "Verifier " + h.Who
		}
		if h.Kind == string(audit.OnToken) && h.Action != string(audit.DeleteToken) {
			e.Subject.Href = view.TokenPath(h.Subject)
		}
		if h.Count > 1 {
			e.Details = append(e.Details, view.Fact{Label: "Times", Text: strconv.FormatInt(h.Count, 10)})
		}
		for _, d := range h.Details {
			e.Details = append(e.Details, view.Fact{Label: d.Name, Text: change(d)})
		}
		out = append(out, e)
	}
	return out
}

func change(d api.HistoryPair) string {
	switch {
	case d.Before == "":
		return d.After
	case d.After == "":
		return "was " + d.Before
	default:
		return d.Before + " → " + d.After
	}
}

// historyQuery reads the filter of a history page.
func historyQuery(query url.Values) (authority.HistoryQuery, view.HistoryFilter) {
	q := authority.HistoryQuery{
		Cursor: query.Get("page"), Limit: pageSize, Subject: query.Get("of"), Words: strings.TrimSpace(query.Get("q")), Person: query.Get("who"),
	}
	f := view.HistoryFilter{Query: q.Words, From: query.Get("from"), To: query.Get("to")}
	for _, a := range audit.Actions() {
		chosen := string(a) == query.Get("what")
		if chosen {
			q.Action = a
		}
		words := a.Words()
		f.What = append(f.What, view.Choice{Value: string(a), Label: strings.ToUpper(words[:1]) + words[1:], Selected: chosen})
	}
	if t, err := time.Parse(time.DateOnly, f.From); err == nil {
		q.Since = t
	}
	if t, err := time.Parse(time.DateOnly, f.To); err == nil {
		q.Until = t.AddDate(0, 0, 1)
	}
	return q, f
}

// actors are the people whose acts can be picked: the members, or the operators.
func (c *Console) actors(v *visit, chosen string) ([]view.Choice, error) {
	var out []view.Choice
	if v.account == 0 {
		people, err := c.authority.Operators(v.r.Context(), v.by)
		for _, p := range people {
			out = append(out, view.Choice{Value: p.Person, Label: p.Name, Selected: p.Person == chosen})
		}
		return out, err
	}
	members, err := c.authority.Members(v.r.Context(), v.by, v.account)
	for _, m := range members {
		out = append(out, view.Choice{Value: m.Person, Label: m.Name, Selected: m.Person == chosen})
	}
	return out, err
}

func (c *Console) drawHistory(v *visit, token *view.TokenCard, q authority.HistoryQuery, f view.HistoryFilter) error {
	page, err := c.authority.History(v.r.Context(), v.by, v.account, q)
	if err != nil {
		return err
	}
	if f.Who, err = c.actors(v, q.Person); err != nil {
		return err
	}
	query := v.r.URL.Query()
	query.Del("page")
	query.Del(shownBefore)
	export := url.Values{}
	for name, values := range query {
		export[name] = values
	}
	if q.Subject != "" {
		export.Set("of", q.Subject)
	}
	f.Action = v.r.URL.Path
	p := view.HistoryPage{
		Frame: v.frame(), Token: token, Events: events(page.Items), Filter: f,
		CSV: view.PathHistoryCSV + "?" + export.Encode(), JSONL: view.PathHistoryJSONL + "?" + export.Encode(),
		Pager: forward(v.r.URL, len(page.Items), page.Next),
	}
	if v.by.Operator && q.Cursor == "" {
		if p.Chain, err = c.chain(v); err != nil {
			return err
		}
	}
	return v.draw(http.StatusOK, view.History(p))
}

// chainWithin is how long a page waits for the walk over all events there ever were.
const chainWithin = 300 * time.Millisecond

// chain says whether the audit chain is whole. A long one is not walked at every look at the page.
func (c *Console) chain(v *visit) (string, error) {
	ctx, cancel := context.WithTimeout(v.r.Context(), chainWithin)
	defer cancel()
	chain, err := c.authority.VerifyHistory(ctx, v.by)
	switch {
	case err != nil && ctx.Err() != nil && v.r.Context().Err() == nil:
		return "The chain is too long to be walked while the page is drawn: counterfoil audit verify does it.", nil
	case err != nil:
		return "", err
	case chain.Broken != 0:
		return fmt.Sprintf("The chain is broken at event %d: it was changed after it was written.", chain.Broken), nil
	default:
		return fmt.Sprintf("The chain of %d events is whole.", chain.Events), nil
	}
}

func (c *Console) history(v *visit) error {
	q, f := historyQuery(v.r.URL.Query())
	return c.drawHistory(v, nil, q, f)
}

func (c *Console) operatorHistory(v *visit) error {
	q, f := historyQuery(v.r.URL.Query())
	q.All = true
	return c.drawHistory(v, nil, q, f)
}

func (c *Console) tokenHistory(v *visit) error {
	e, err := c.editing(v)
	if err != nil {
		return err
	}
	q, f := historyQuery(v.r.URL.Query())
	q.Subject = e.token.SID
	card := v.card(e.token, e.offer)
	return c.drawHistory(v, &card, q, f)
}

func (c *Console) historyCSV(v *visit) error { return c.export(v, "csv", "text/csv; charset=utf-8") }

func (c *Console) historyJSONL(v *visit) error { return c.export(v, "jsonl", "application/x-ndjson") }

// export streams a history as a file. An error after the first octet cuts the file off, which the
// browser reports.
func (c *Console) export(v *visit, format, contentType string) error {
	q, _ := historyQuery(v.r.URL.Query())
	q.All = v.by.Operator && v.account == 0
	h := v.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", `attachment; filename="history.`+format+`"`)
	return c.authority.ExportHistory(v.r.Context(), v.by, v.account, q, format, v.w)
}
