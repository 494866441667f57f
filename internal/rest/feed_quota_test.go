package rest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

// What one verifier reports, another one on another machine hears, at the position that it has, and a new
// one finds in its snapshot.
func TestTotalsOfQuotasReachVerifiersElsewhere(t *testing.T) {
	w := newWorld(t)
	made, err := w.authority.CreateToken(t.Context(), operator, agency, api.TokenCreate{
		Name: "Counted", API: "agency", Version: "3", Scopes: []string{"advertisers.list-advertisers"}, PrimaryContact: w.contact(agency),
		Limits: &api.Limits{Daily: 10},
	}, authority.Once{})
	if err != nil {
		t.Fatal(err)
	}
	one, two := w.remote("one"), w.remote("two")
	snapshot, err := two.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	day := api.QuotaDay(now)
	want := api.QuotaUse{SID: made.Token.SID, Day: day, DayCalls: 4, Month: day / 100, MonthCalls: 4}
	found := errors.New("found")
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	reported := false
	at := snapshot.Seq
	err = two.Follow(ctx, at, func(entries []api.Entry) error {
		for _, e := range entries {
			if len(e.Quotas) > 0 && e.Seq != at {
				t.Errorf("totals came at position %d, the follower is at %d", e.Seq, at)
			}
			at = e.Seq
			for _, use := range e.Quotas {
				if use == want {
					return found
				}
			}
		}
		if reported {
			return nil
		}
		reported = true
		return one.Report(t.Context(), &api.UsageBatch{
			Node: "one", Number: 1, Uses: []api.Usage{{SID: made.Token.SID, At: api.Micros(now.UnixMicro()), Calls: 4}},
		})
	})
	if !errors.Is(err, found) {
		t.Fatal(err)
	}
	if snapshot, err = one.Snapshot(t.Context()); err != nil || len(snapshot.Quotas) != 1 || snapshot.Quotas[0] != want {
		t.Errorf("a snapshot says %+v, %v", snapshot.Quotas, err)
	}
}
