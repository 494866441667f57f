package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// GetCatalogue is the published catalogue in short.
func (c *Client) GetCatalogue(ctx context.Context) (out CatalogueState, err error) {
	err = c.get(ctx, &out, false, nil, "catalog")
	return out, err
}

// DiffCatalogue says what publishing would change, and for whom. Nothing is changed.
func (c *Client) DiffCatalogue(ctx context.Context, in CatalogUpload) (out CatalogDiff, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"catalog", "diff"}, body: in}, &out)
	return out, err
}

// PublishCatalogue makes these documents the live catalogue.
func (c *Client) PublishCatalogue(ctx context.Context, in CatalogUpload) (out CatalogDiff, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"catalog", "publish"}, body: in}, &out)
	return out, err
}

// HistoryFilter narrows and pages a history, newest first. The zero value is the first page of all.
type HistoryFilter struct {
	Action  string // for example token.create
	Subject string // SID, person id or account id
	Since   time.Time
	All     bool   // of every account; for the operator's tokens
	Cursor  string // Next of the page before; not for an export
	Limit   int    // 1 to 200; 0 means 50; not for an export
}

func (in HistoryFilter) query() filter {
	q := newFilter()
	q.text("action", in.Action)
	q.text("subject", in.Subject)
	q.time("since", in.Since)
	q.flag("all", in.All)
	q.text("cursor", in.Cursor)
	q.number("limit", in.Limit)
	return q
}

// ListHistory lists what happened in the account.
func (c *Client) ListHistory(ctx context.Context, in HistoryFilter) (out Page[HistoryEvent], err error) {
	err = c.get(ctx, &out, true, in.query().Values, "history")
	return out, err
}

// ExportHistory writes the whole history that the filter leaves to w, as csv or jsonl. An error after the
// first octet means that what was written is a part only.
func (c *Client) ExportHistory(ctx context.Context, in HistoryFilter, format string, w io.Writer) (err error) {
	in.Cursor, in.Limit = "", 0
	q := in.query()
	q.text("format", format)
	whole := *c
	patient := *c.http
	patient.Timeout = 0 // a long history takes its time; ctx ends it
	whole.http = &patient
	answer, err := whole.send(ctx, call{method: http.MethodGet, parts: []string{"history", "export"}, query: q.Values, owned: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if _, err := io.Copy(w, answer.Body); err != nil {
		return fmt.Errorf("reading the export: %w", err)
	}
	return nil
}

// VerifyHistory walks the whole audit chain and names the first event that does not match its hash.
func (c *Client) VerifyHistory(ctx context.Context) (out ChainVerified, err error) {
	err = c.get(ctx, &out, false, nil, "history", "verify")
	return out, err
}
