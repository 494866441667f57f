package rest

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/httpx"
)

const problemRef = "#/components/responses/Problem"

// problem is an [api.Error] as huma wants one: with a schema. Its members are those of api.Error's wire
// form; a test holds the two together.
type problem struct {
	Type      string             `json:"type" doc:"A path on the desk where the code is explained."`
	Title     string             `json:"title"`
	Status    int                `json:"status"`
	Detail    string             `json:"detail,omitempty"`
	Code      api.Code           `json:"code" doc:"Stable: never renamed or reused."`
	Fields    []api.Field        `json:"errors,omitempty" doc:"The inputs that were refused. Their values are never quoted."`
	Missing   []api.MissingScope `json:"missing,omitempty" doc:"The boxes that are not ticked."`
	Fix       string             `json:"fix,omitempty" doc:"Where this is put right."`
	RequestID string             `json:"request_id,omitempty"`
}

func problemOf(e *api.Error) *problem {
	return &problem{
		Type: api.ProblemType(e.Code), Title: e.Title, Status: e.Status, Detail: e.Detail, Code: e.Code,
		Fields: e.Fields, Missing: e.Missing, Fix: e.Fix, RequestID: e.RequestID,
	}
}

// Error, GetStatus and ContentType are what huma asks of an error.
func (p *problem) Error() string           { return p.Title }
func (p *problem) GetStatus() int          { return p.Status }
func (*problem) ContentType(string) string { return "application/problem+json" }

func problemResponse(registry huma.Registry) *huma.Response {
	return &huma.Response{
		Description: "Refused, and why (RFC 9457).",
		Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: registry.Schema(reflect.TypeFor[problem](), true, "Problem")},
		},
	}
}

// refusal is what a caller may read of an error of the authority. What is ours goes to the log, under the
// request id.
func (s *server) refusal(ctx context.Context, err error) *problem {
	answer := httpx.Answer(err)
	answer.RequestID = httpx.RequestID(ctx)
	if answer.Code == api.CodeInternal || answer.Code == api.CodeUnavailable {
		s.log.ErrorContext(ctx, "request failed", "request_id", answer.RequestID, "error", err.Error())
	}
	return problemOf(answer)
}

// setUpHuma sets what huma keeps in package variables: lists are never null, members are spelled exactly
// one way, and what huma refuses is said in our form.
var setUpHuma = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		return problemOf(misread(status, errs))
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
		e := misread(status, errs)
		e.RequestID = httpx.RequestID(ctx.Context())
		return problemOf(e)
	}
})

// misread says what was wrong with a request that could not be decoded. Huma's own words hold what was
// sent, for an unknown member even the whole body; ours never do (SECURITY.md, class 43).
func misread(status int, errs []error) *api.Error {
	var tooLarge *http.MaxBytesError
	if errors.As(errors.Join(errs...), &tooLarge) {
		return httpx.Answer(tooLarge)
	}
	switch status {
	case http.StatusBadRequest:
		return &api.Error{Code: api.CodeInvalid, Status: status, Title: "The body cannot be read", Detail: "Send one JSON object, as the API's document describes it."}
	case http.StatusRequestTimeout:
		return &api.Error{Code: api.CodeInvalid, Status: status, Title: "The body took too long", Detail: "It did not arrive whole in time. Send it again."}
	case http.StatusRequestEntityTooLarge:
		return &api.Error{Code: api.CodeUnsupported, Status: status, Title: "Too large", Detail: "A body may be 1 MiB long, and 64 MiB where a catalogue is uploaded."}
	case http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return &api.Error{Code: api.CodeUnsupported, Status: status, Title: "Content type not taken", Detail: "Bodies are application/json in UTF-8, both ways."}
	case http.StatusUnprocessableEntity:
		return api.InvalidFields(fields(errs))
	default:
		return httpx.Answer(errors.New("a request that huma could not decode"))
	}
}

func fields(errs []error) []api.Field {
	out := make([]api.Field, 0, len(errs))
	for _, err := range errs {
		var detail huma.ErrorDetailer
		if !errors.As(err, &detail) {
			out = append(out, api.Field{Name: "body", Message: "cannot be read as what the document describes"})
			continue
		}
		d := detail.ErrorDetail()
		where := d.Location
		for _, part := range []string{"body.", "query.", "path.", "header."} {
			where = strings.TrimPrefix(where, part)
		}
		out = append(out, api.Field{Name: plain(where), Message: plain(d.Message)})
	}
	return out
}

// plain shortens what names a member that the client made up, and takes out what is not printed.
func plain(s string) string {
	const most = 100
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

func unwrap(ctx huma.Context) (*http.Request, http.ResponseWriter) { return humago.Unwrap(ctx) }
