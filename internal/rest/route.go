package rest

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/httpx"
)

// route declares one operation. Its id names the scope and the client's method, its summary is what people
// read on the box in the wizard.
type route struct {
	method, path string // path below Base
	id           string
	category     category
	summary      string
	status       int      // of success; 0 means 200, or 204 where there is no body
	replays      bool     // answers 200 when it is sent again
	upload       bool     // takes a catalogue
	media        []string // of an answer that is streamed; nil means JSON
}

func op(method, path, id string, in category, summary string) route {
	return route{method: method, path: path, id: id, category: in, summary: summary}
}

func (r route) created() route { r.status = http.StatusCreated; return r }

// issues is a create that shows a secret, and answers 200 without it when it is sent again.
func (r route) issues() route { r.status, r.replays = http.StatusCreated, true; return r }

func (r route) uploads() route { r.upload = true; return r }

func (r route) streams(media ...string) route { r.media = media; return r }

// category is the group of boxes that an operation is in.
type category string

const (
	self      category = "Self"
	tokens    category = "Tokens"
	members   category = "Members"
	accounts  category = "Accounts"
	catalogue category = "Catalogue"
	history   category = "History"
)

var categories = []*huma.Tag{
	{Name: string(self), Description: "What a live token may ask about itself."},
	{Name: string(tokens), Description: "Access tokens of an account."},
	{Name: string(members), Description: "People of an account."},
	{Name: string(accounts), Description: "Accounts and what they manage; for the operator."},
	{Name: string(catalogue), Description: "What tokens can open; for the operator."},
	{Name: string(history), Description: "What was done, by whom."},
}

// uploadTime is how long a catalogue may be on its way.
const uploadTime = 2 * time.Minute

// add registers an operation. f gets what was decoded and answers with what is encoded; its error becomes
// the refusal.
func add[I, O any](s *server, h huma.API, r route, f func(context.Context, authority.Actor, *I) (*O, error)) {
	declared := huma.Operation{
		OperationID: r.id, Method: r.method, Path: Base + r.path, Summary: r.summary, Tags: []string{string(r.category)},
		DefaultStatus: r.status,
		Security:      []map[string][]string{{"basic": {}}, {"bearer": {}}},
		Responses:     map[string]*huma.Response{"default": {Ref: problemRef}},
		MaxBodyBytes:  maxBody, BodyReadTimeout: 30 * time.Second,
	}
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity} {
		declared.Responses[strconv.Itoa(status)] = &huma.Response{Ref: problemRef}
	}
	if r.method != http.MethodGet {
		declared.Responses[strconv.Itoa(http.StatusConflict)] = &huma.Response{Ref: problemRef}
	}
	for _, media := range r.media {
		ok := declared.Responses["200"]
		if ok == nil {
			ok = &huma.Response{Description: "The whole, as it comes.", Content: map[string]*huma.MediaType{}}
			declared.Responses["200"] = ok
		}
		ok.Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	}
	if r.replays {
		declared.Responses["200"] = &huma.Response{
			Description: "What an earlier sending of the same request made, without its secret.",
			Content: map[string]*huma.MediaType{
				"application/json": {Schema: h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.TokenIssued](), true, "TokenIssued")},
			},
		}
	}
	if r.upload {
		declared.MaxBodyBytes, declared.BodyReadTimeout = maxUpload, uploadTime
		declared.Middlewares = huma.Middlewares{s.oneUpload}
	}
	huma.Register(h, declared, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, actorOf(ctx), in)
		if err != nil {
			return nil, s.refusal(ctx, err)
		}
		return out, nil
	})
}

// oneUpload lets one catalogue in at a time, before its body is read: decoded it takes several times its
// size in memory (SECURITY.md, class 44b).
func (s *server) oneUpload(ctx huma.Context, next func(huma.Context)) {
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
		r, w := unwrap(ctx)
		// The listener's limit is for answers of ordinary size, and counts from before the upload.
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * uploadTime)); err != nil {
			httpx.WriteError(w, r, err)
			return
		}
		next(ctx)
	default:
		r, w := unwrap(ctx)
		httpx.WriteError(w, r, &api.Error{
			Code: api.CodeTooMany, Status: http.StatusTooManyRequests, Title: "Another catalogue is being read",
			Detail: "Catalogues are read one at a time. Try again when the other is done.",
		})
	}
}

// AccountParam names the account that is acted for.
type AccountParam struct {
	Account int64 `query:"account" minimum:"1" maximum:"9007199254740991" doc:"The account acted for, with a token of the operator. Others act for their own, and may leave this out."`
}

// account settles which account is meant: the own, or for the operator any that there is. Another's reads
// as one that does not exist (SECURITY.md, class 35).
func (s *server) account(ctx context.Context, by authority.Actor, asked int64) (int64, error) {
	switch {
	case asked == 0 || asked == by.Account:
		return by.Account, nil
	case by.Operator:
		found, err := s.authority.Account(ctx, by, asked)
		return found.ID, err
	default:
		return 0, api.NotFound("account")
	}
}

// PageParams page a list.
type PageParams struct {
	Cursor string `query:"cursor" maxLength:"200" doc:"Where the page starts: next of the page before. Absent: the first page."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"Items on a page. Absent: 50."`
}

// answer is a body on its way out.
type answer[T any] struct{ Body T }

func body[T any](v T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{Body: v}, nil
}

// page is a list that is never longer than one page.
func page[T any](items []T, err error) (*answer[api.Page[T]], error) {
	return body(api.Page[T]{Items: items}, err)
}

// nothing is the answer of an act that leaves nothing to show.
type nothing struct{}

func done(err error) (*nothing, error) {
	if err != nil {
		return nil, err
	}
	return &nothing{}, nil
}
