package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"counterfoil.dev/counterfoil/internal/ops"
)

func ask(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func TestReadinessNamesWhatDoesNotHold(t *testing.T) {
	broken := errors.New("deaf for 20m0s")
	var failing error
	stuck := false
	h, err := ops.New(ops.Config{Metrics: prometheus.NewRegistry(), Checks: []ops.Check{
		{Name: "verifier", Run: func(context.Context) error { return failing }},
		{Name: "database", Run: func(ctx context.Context) error {
			if stuck {
				<-ctx.Done()
				<-make(chan struct{}) // a check that does not heed its time limit
			}
			return nil
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		Ready  bool
		Checks map[string]string
	}
	want := func(status int, want answer) {
		t.Helper()
		w := ask(t, h, "/readyz")
		var got answer
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || w.Code != status {
			t.Errorf("%d (-want +got):\n%s", w.Code, diff)
		}
	}
	want(200, answer{true, map[string]string{"verifier": "ok", "database": "ok"}})
	failing = broken
	want(503, answer{false, map[string]string{"verifier": "deaf for 20m0s", "database": "ok"}})
	failing, stuck = nil, true
	want(503, answer{false, map[string]string{"verifier": "ok", "database": "no answer in time"}})
	if w := ask(t, h, "/healthz"); w.Code != 200 {
		t.Errorf("a process that is not ready is not dead: %d", w.Code)
	}
}

func TestMetricsOfTheVerifier(t *testing.T) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(ops.VerifierMetrics(func() ops.Verifier {
		return ops.Verifier{
			Ready: true, Position: 41, Deaf: 1500 * time.Millisecond, Grants: 3, Dropped: 2,
			Decisions: map[string]int64{"": 7, "no_route": 1},
		}
	})); err != nil {
		t.Fatal(err)
	}
	h, err := ops.New(ops.Config{Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	text := ask(t, h, "/metrics").Body.String()
	for _, line := range []string{
		"counterfoil_verifier_ready 1", "counterfoil_verifier_position 41", "counterfoil_verifier_deaf_seconds 1.5",
		"counterfoil_verifier_grants 3", "counterfoil_verifier_uncounted_calls_total 2", "counterfoil_verifier_catalogue_unreadable 0",
		`counterfoil_verifier_decisions_total{code="allowed"} 7`, `counterfoil_verifier_decisions_total{code="no_route"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s in:\n%s", line, text)
		}
	}
}

func TestNothingElseIsAnswered(t *testing.T) {
	h, err := ops.New(ops.Config{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/": 404, "/debug/pprof/": 200, "/debug/pprof/cmdline": 404, "/authorize": 404} {
		if w := ask(t, h, path); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
	if _, err := ops.New(ops.Config{Metrics: prometheus.NewRegistry(), Checks: []ops.Check{{Name: "x"}}}); err == nil {
		t.Error("a check without anything to run was taken")
	}
}
