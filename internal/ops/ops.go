// Package ops answers the people who run the product: is it alive, is it ready, how much does it do, and
// where does its time go. Its listener is bound to this machine; nothing on it is for callers of an API,
// and no check of a request ever looks at it (SECURITY.md, class 18).
//
//	/healthz        the process answers
//	/readyz         every named check holds; else 503 with the names of those that do not
//	/metrics        Prometheus; no label carries a SID, an account or anything that a client wrote
//	/debug/pprof/   profiles
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of readiness.
type Check struct {
	Name string
	Run  func(ctx context.Context) error // nil: it holds
}

// checkTime bounds all checks of one question together.
const checkTime = 2 * time.Second

// Config says what the listener answers.
type Config struct {
	Checks  []Check
	Metrics prometheus.Gatherer // required
}

// New makes the handler.
func New(c Config) (http.Handler, error) {
	if c.Metrics == nil {
		return nil, errors.New("ops: metrics are required")
	}
	for _, check := range c.Checks {
		if check.Name == "" || check.Run == nil {
			return nil, errors.New("ops: a check needs a name and something to run")
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { ready(w, r, c.Checks) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux, nil
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"` // "ok", or what is wrong
}

// ready runs all checks at once. One that does not end in time does not hold.
func ready(w http.ResponseWriter, r *http.Request, checks []Check) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	results := make([]chan error, len(checks))
	for i, check := range checks {
		results[i] = make(chan error, 1)
		go func() { results[i] <- check.Run(ctx) }()
	}
	out := readiness{Ready: true, Checks: make(map[string]string, len(checks))}
	for i, check := range checks {
		var err error
		select {
		case err = <-results[i]:
		case <-ctx.Done():
			err = errors.New("no answer in time")
		}
		out.Checks[check.Name] = "ok"
		if err != nil {
			out.Ready, out.Checks[check.Name] = false, err.Error()
		}
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, out)
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "internal", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(append(text, '\n')); err != nil {
		return // whoever asked is gone
	}
}

// Verifier is what is told of the verifier of this process.
type Verifier struct {
	Ready     bool
	Position  int64         // on the feed, up to which everything is in force
	Deaf      time.Duration // since the authority was heard
	Grants    int
	Aside     int64            // feed entries that could not be read
	Dropped   int64            // calls that usage reports do not count
	AskFailed int64            // unknown tokens that the authority could not be asked about
	Unread    bool             // the newest catalogue cannot be read
	Decisions map[string]int64 // by code; "" is allowed
}

// VerifierMetrics reads the verifier at every scrape.
func VerifierMetrics(read func() Verifier) prometheus.Collector { return &verifierMetrics{read: read} }

type verifierMetrics struct {
	mu   sync.Mutex
	read func() Verifier
}

var (
	readyDesc     = desc("ready", "1 if requests are judged.")
	positionDesc  = desc("position", "Feed position up to which everything is in force.")
	deafDesc      = desc("deaf_seconds", "Time since the authority was heard.")
	grantsDesc    = desc("grants", "Tokens known.")
	asideDesc     = desc("unreadable_entries", "Feed entries that could not be read; their tokens are refused.")
	droppedDesc   = desc("uncounted_calls_total", "Calls that usage reports do not count.")
	askFailedDesc = desc("failed_questions_total", "Unknown tokens that the authority could not be asked about.")
	unreadDesc    = desc("catalogue_unreadable", "1 if the newest catalogue cannot be read.")
	decisionsDesc = desc("decisions_total", "Requests judged, by code; allowed is the code of those that passed.", "code")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("counterfoil_verifier_"+name, help, labels, nil)
}

func (m *verifierMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		readyDesc, positionDesc, deafDesc, grantsDesc, asideDesc, droppedDesc, askFailedDesc, unreadDesc, decisionsDesc,
	} {
		out <- d
	}
}

func (m *verifierMetrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	v := m.read()
	m.mu.Unlock()
	gauge := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	counter := func(d *prometheus.Desc, value int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(readyDesc, truth(v.Ready))
	gauge(positionDesc, float64(v.Position))
	gauge(deafDesc, v.Deaf.Seconds())
	gauge(grantsDesc, float64(v.Grants))
	gauge(asideDesc, float64(v.Aside))
	gauge(unreadDesc, truth(v.Unread))
	counter(droppedDesc, v.Dropped)
	counter(askFailedDesc, v.AskFailed)
	for code, n := range v.Decisions {
		if code == "" {
			code = "allowed"
		}
		counter(decisionsDesc, n, code)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
