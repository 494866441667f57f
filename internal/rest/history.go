package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/httpx"
)

// HistoryParams narrow a history.
type HistoryParams struct {
	AccountParam
	Action  string    `query:"action" maxLength:"100" doc:"For example token.create."`
	Subject string    `query:"subject" maxLength:"100" doc:"SID, person id or account id."`
	Since   time.Time `query:"since"`
	All     bool      `query:"all" doc:"Of every account; for the operator's tokens."`
}

func (p HistoryParams) query() authority.HistoryQuery {
	return authority.HistoryQuery{Action: audit.Action(p.Action), Subject: p.Subject, Since: p.Since, All: p.All}
}

type listHistoryInput struct {
	HistoryParams
	PageParams
}

func (s *server) listHistory(ctx context.Context, by authority.Actor, in *listHistoryInput) (*answer[api.Page[api.HistoryEvent]], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	q := in.query()
	q.Cursor, q.Limit = in.Cursor, in.Limit
	return body(s.authority.History(ctx, by, account, q))
}

func (s *server) verifyHistory(ctx context.Context, by authority.Actor, _ *noInput) (*answer[api.ChainVerified], error) {
	return body(s.authority.VerifyHistory(ctx, by))
}

type exportHistoryInput struct {
	HistoryParams
	Format string `query:"format" enum:"csv,jsonl" doc:"Absent: jsonl."`
}

// exportTime is how long one export may take.
const exportTime = 15 * time.Minute

// exportHistory streams: a history does not fit into memory. What fails before the first octet is a
// refusal like any other; what fails later cuts the connection, so that nobody takes a part for the whole.
func (s *server) exportHistory(ctx context.Context, by authority.Actor, in *exportHistoryInput) (*huma.StreamResponse, error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(stream huma.Context) {
		r, w := unwrap(stream)
		out := &exported{w: w, format: in.Format}
		if err := out.patience(); err != nil {
			httpx.WriteError(w, r, err)
			return
		}
		err := s.authority.ExportHistory(r.Context(), by, account, in.query(), in.Format, out)
		switch {
		case err == nil:
			out.begin()
		case !out.begun:
			httpx.WriteError(w, r, err)
		default:
			s.log.ErrorContext(r.Context(), "an export broke off", "request_id", by.RequestID, "error", err.Error())
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// exported sends the headers with the first octet.
type exported struct {
	w      http.ResponseWriter
	format string
	begun  bool
}

// patience lifts the listener's limits on time, which are for answers of ordinary size. A deadline for
// reading would end the request's context while the answer is written.
func (e *exported) patience() error {
	control := http.NewResponseController(e.w)
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	return control.SetWriteDeadline(time.Now().Add(exportTime))
}

func (e *exported) begin() {
	if e.begun {
		return
	}
	e.begun = true
	media, name := "application/jsonl", "history.jsonl"
	if e.format == "csv" {
		media, name = "text/csv; charset=utf-8", "history.csv"
	}
	e.w.Header().Set("Content-Type", media)
	e.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	e.w.WriteHeader(http.StatusOK)
}

func (e *exported) Write(b []byte) (int, error) {
	e.begin()
	return e.w.Write(b)
}
