package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"counterfoil.dev/counterfoil/internal/ops"
	"counterfoil.dev/counterfoil/internal/verify"
)

// operations is the listener of who runs this: alive, ready, metrics, profiles.
func (n *node) operations() (http.Handler, error) {
	metrics := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), verifierMetrics{n.verifier},
	} {
		if err := metrics.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return ops.New(ops.Config{
		Metrics: metrics,
		Checks: []ops.Check{
			{Name: "database", Run: n.db.Ping},
			{Name: "verifier", Run: func(context.Context) error {
				if !n.verifier.Ready() {
					return errors.New("the first state is not in yet, or the authority was not heard for too long")
				}
				return nil
			}},
		},
	})
}

// verifierMetrics reads the verifier when it is asked. No label carries a SID, an account or anything that
// a client wrote (SECURITY.md, class 43).
type verifierMetrics struct{ verifier *verify.Verifier }

var (
	metricDecisions = prometheus.NewDesc("counterfoil_decisions_total", "Decisions by their precise code; an empty code is allowed.", []string{"code"}, nil)
	metricPosition  = prometheus.NewDesc("counterfoil_verifier_position", "Position on the feed up to which everything is in force.", nil, nil)
	metricDeaf      = prometheus.NewDesc("counterfoil_verifier_deaf_seconds", "Seconds since the authority was heard.", nil, nil)
	metricGrants    = prometheus.NewDesc("counterfoil_verifier_grants", "Tokens known.", nil, nil)
	metricAside     = prometheus.NewDesc("counterfoil_verifier_unreadable_entries", "Feed entries kept aside because they could not be read; their tokens are refused.", nil, nil)
	metricDropped   = prometheus.NewDesc("counterfoil_usage_dropped_total", "Calls that usage reports do not count.", nil, nil)
)

// Describe names what Collect gives.
func (m verifierMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{metricDecisions, metricPosition, metricDeaf, metricGrants, metricAside, metricDropped} {
		out <- d
	}
}

// Collect reads the present state.
func (m verifierMetrics) Collect(out chan<- prometheus.Metric) {
	s := m.verifier.Status()
	for code, n := range s.Decisions {
		out <- prometheus.MustNewConstMetric(metricDecisions, prometheus.CounterValue, float64(n), string(code))
	}
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	gauge(metricPosition, float64(s.Seq))
	gauge(metricDeaf, s.Deaf.Seconds())
	gauge(metricGrants, float64(s.Grants))
	gauge(metricAside, float64(s.Aside))
	out <- prometheus.MustNewConstMetric(metricDropped, prometheus.CounterValue, float64(s.Dropped))
}
