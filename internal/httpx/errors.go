package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/api"
)

// WriteError answers with what a caller may read of err. An *api.Error anywhere in its chain goes out
// as it is, with the request id; a body over the limit and a database or peer that did not answer in
// time have answers of their own; everything else is the code internal, and err is logged, once, under
// the request id. It writes nothing when an answer has begun, and logs err in any case that is ours.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	f := factsOf(r.Context())
	answer := Answer(err)
	if answer.Code == api.CodeInternal || answer.Code == api.CodeUnavailable {
		level := slog.LevelError
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			level = slog.LevelDebug // the caller went away, which is no fault of ours
		}
		f.log.Log(r.Context(), level, "request failed", "request_id", f.id, "method", logged(r.Method), "path", loggedPath(r), "error", err.Error())
	}
	if out, ok := w.(*recorder); ok && out.status != 0 {
		return
	}
	writeProblem(w, r, answer)
}

// Answer is what a caller may read of err, for surfaces that answer with a page. The result is a copy.
func Answer(err error) *api.Error {
	var ours *api.Error
	if errors.As(err, &ours) {
		answer := *ours
		if answer.Status < 400 || answer.Status > 599 {
			answer.Status = http.StatusInternalServerError // a refusal never goes out as a success
		}
		return &answer
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &api.Error{
			Code: api.CodeUnsupported, Status: http.StatusRequestEntityTooLarge, Title: "Too large",
			Detail: fmt.Sprintf("A request body may be %d octets long here.", tooLarge.Limit),
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &api.Error{
			Code: api.CodeUnavailable, Status: http.StatusServiceUnavailable, Title: "Not available now",
			Detail: "It took too long. Try again in a moment.",
		}
	}
	return internal()
}

func internal() *api.Error {
	return &api.Error{
		Code: api.CodeInternal, Status: http.StatusInternalServerError, Title: "Something went wrong on our side",
		Detail: "Nothing is known to be wrong with the request. The request id finds it in our log.",
	}
}

func writeProblem(w http.ResponseWriter, r *http.Request, answer *api.Error) {
	f := factsOf(r.Context())
	answer.RequestID = f.id
	body, err := json.Marshal(answer)
	if err != nil {
		f.log.ErrorContext(r.Context(), "encoding a problem", "request_id", f.id, "error", err.Error())
		http.Error(w, "internal", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Del("Content-Length") // of an answer that did not come about
	h.Del("Content-Encoding")
	h.Del("Etag")
	w.WriteHeader(answer.Status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		f.log.DebugContext(r.Context(), "the caller was gone before the answer", "request_id", f.id, "error", err.Error())
	}
}

// CheckType refuses a body that is not of one of the given media types (415). Parameters are passed
// over, except that a charset must be UTF-8.
func CheckType(r *http.Request, types ...string) error {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	one := len(r.Header.Values("Content-Type")) == 1
	if err == nil && one && slices.Contains(types, media) && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	return &api.Error{
		Code: api.CodeUnsupported, Status: http.StatusUnsupportedMediaType, Title: "Content type not taken",
		Detail: "Send the body as " + strings.Join(types, " or ") + " in UTF-8.",
	}
}
