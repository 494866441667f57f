package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"counterfoil.dev/counterfoil/internal/ops"
)

// operations is the listener of who runs this: alive, ready, metrics, profiles. What must hold besides the
// verifier comes in more.
func (k *verifierNode) operations(more ...ops.Check) (http.Handler, error) {
	metrics := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), ops.VerifierMetrics(k.verifierFacts),
	} {
		if err := metrics.Register(c); err != nil {
			return nil, fmt.Errorf("setting up metrics: %w", err)
		}
	}
	return ops.New(ops.Config{Metrics: metrics, Checks: append(more, ops.Check{
		Name: "verifier", Run: func(context.Context) error {
			if !k.verifier.Ready() {
				return errors.New("has not heard the authority for too long, and refuses")
			}
			return nil
		},
	})})
}

func (k *verifierNode) verifierFacts() ops.Verifier {
	s := k.verifier.Status()
	v := ops.Verifier{
		Ready: s.Ready, Position: int64(s.Seq), Deaf: s.Deaf, Grants: s.Grants, Aside: s.Aside,
		Dropped: s.Dropped, AskFailed: s.AskFailed, Unread: s.Unread, Decisions: make(map[string]int64, len(s.Decisions)),
	}
	for code, count := range s.Decisions {
		v.Decisions[string(code)] = count
	}
	return v
}
