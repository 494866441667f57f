package authority_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

// A flood of refusals is a handful of events, each with its sum; they are in the account's own history.
func TestRefusalsAreSummed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	before := w.head()
	for range 500 {
		if _, err := w.CreateToken(ctx, w.analyst, agency, wants("X"), authority.Once{}); err == nil {
			t.Fatal("passed")
		}
	}
	for range 7 {
		if _, err := w.SuspendAccount(ctx, w.admin, agency, ""); err == nil {
			t.Fatal("passed")
		}
	}
	if w.head() != before {
		t.Error("refusals took positions while they came in")
	}
	w.flush()
	page, err := w.History(ctx, w.admin, agency, authority.HistoryQuery{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, e := range page.Items {
		if e.Refused {
			sums[e.Who+" "+e.Action] += e.Count
			if !strings.HasPrefix(e.Words, "was refused: ") {
				t.Errorf("reads %q", e.Words)
			}
		}
	}
	if w.head() != before+2 || sums["ann token.create"] != 500 || sums["ada account.suspend"] != 7 {
		t.Errorf("%d events: %v", w.head()-before, sums)
	}
	w.flush()
	if w.head() != before+2 {
		t.Error("refusals were written twice")
	}
}

// flush has the summed refusals written, as the end of Run does.
func (w *world) flush() {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	stop()
	if err := w.Run(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// More kinds of refusals than are kept apart: the rest is summed in nobody's name, in the operator's own
// history, and never in that of an account that had nothing to do with it.
func TestAFloodOfDifferentRefusalsLandsInNobodysHistory(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	try := func(by authority.Actor) {
		if _, err := w.CreateToken(ctx, by, by.Account, wants("X"), authority.Once{}); err == nil {
			t.Fatal("passed")
		}
	}
	own := w.analyst
	try(own)
	for n := range 5000 {
		try(authority.Actor{Person: fmt.Sprint("p", n), Name: "Mallory", Account: rival, Role: api.RoleAnalyst})
	}
	try(own)
	w.flush()
	sum := func(account int64, by authority.Actor) (n, mallory int64) {
		q := authority.HistoryQuery{Limit: 200}
		for {
			page, err := w.History(ctx, by, account, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Items {
				if e.Refused {
					n += e.Count
					if e.Who == "Mallory" {
						mallory++
					}
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return n, mallory
			}
		}
	}
	if n, m := sum(agency, w.admin); n != 2 || m != 0 {
		t.Errorf("the agency's history has %d refusals, %d events by Mallory; it had 2 of its own", n, m)
	}
	theirs, _ := sum(rival, w.rivalAdmin)
	nobody, m := sum(0, w.operator)
	if theirs+nobody != 5000 || m != 0 || nobody == 0 {
		t.Errorf("%d refusals in the rival's history, %d in nobody's, want 5000 in all", theirs, nobody)
	}
}

// The database is away just when the sums are due: they are kept and written the next time.
func TestRefusalsOutliveADatabaseThatIsAway(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for range 3 {
		if _, err := w.CreateToken(ctx, w.analyst, agency, wants("X"), authority.Once{}); err == nil {
			t.Fatal("passed")
		}
	}
	before := w.head()
	fired := w.tap.At(1, func() error { return errors.New("the disk is full") })
	ended, stop := context.WithCancel(ctx)
	stop()
	if err := w.Run(ended); err == nil {
		t.Error("refusals that could not be written were no error")
	}
	if _, did := fired(); !did {
		t.Fatal("nothing failed")
	}
	if _, err := w.CreateToken(ctx, w.analyst, agency, wants("X"), authority.Once{}); err == nil {
		t.Fatal("passed")
	}
	w.flush()
	page, err := w.History(ctx, w.admin, agency, authority.HistoryQuery{Since: time.Time{}})
	if err != nil || w.head() != before+1 || page.Items[0].Count != 4 {
		t.Errorf("%d events, the newest %+v: %v", w.head()-before, page.Items[0], err)
	}
}
