package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
)

func TestProblemIsTheWireFormOfAnError(t *testing.T) {
	for _, e := range []*api.Error{
		api.NotFound("token"),
		api.InvalidFields([]api.Field{{Name: "name", Message: "is required"}}),
		{
			Code: api.CodeInsufficientScope, Status: 403, Title: "A scope is missing", Detail: "d", Fix: "/x", RequestID: "r",
			Missing: []api.MissingScope{{API: "a", Version: "1", Scope: "s", Category: "c", Label: "l"}},
		},
	} {
		want, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(problemOf(e))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Error(diff)
		}
	}
}

// The attack: a secret sent in the wrong place comes back in the refusal, and from there into the logs of
// whoever called (SECURITY.md, class 43).
func TestWhatHumaRefusesIsNeverQuoted(t *testing.T) {
	const secret = "cfoilzero_hunter2hunter2hunter2"
	errs := []error{
		&huma.ErrorDetail{Location: "body.name", Message: "expected string", Value: secret},
		&huma.ErrorDetail{Location: "body", Message: "unexpected property", Value: map[string]any{"password": secret}},
		errors.New("cannot unmarshal " + secret),
	}
	for _, status := range []int{400, 406, 408, 413, 415, 422, 500} {
		e := misread(status, errs)
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), secret) {
			t.Errorf("%d: %s", status, raw)
		}
		if e.Status != status || e.Code == "" || e.Title == "" {
			t.Errorf("%d: %s", status, raw)
		}
	}
	if got := misread(422, errs).Fields; len(got) != 3 || got[0].Name != "name" {
		t.Errorf("%+v", got)
	}
}

func TestBodiesOverTheListenersLimitAreTooLarge(t *testing.T) {
	e := misread(http.StatusInternalServerError, []error{&http.MaxBytesError{Limit: 7}})
	if e.Status != http.StatusRequestEntityTooLarge || e.Code != api.CodeUnsupported {
		t.Errorf("%+v", e)
	}
}

func TestMadeUpNamesAreShortAndPrintable(t *testing.T) {
	got := plain("a\x1b[31m\n\u202e" + strings.Repeat("x", 300))
	if strings.ContainsAny(got, "\x1b\n\u202e") || len(got) > 110 {
		t.Errorf("%q", got)
	}
}
