package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// maxRefusals bounds the sums kept between two writings; more go into one without a person.
const maxRefusals = 1024

// refusals sums failed attempts per person, network and reason, so that a flood of them is a few events
// and never queues on the log's one row.
type refusals struct {
	mu   sync.Mutex
	sums map[refusalKey]*audit.Event
}

type refusalKey struct {
	person, network, reason string
	action                  audit.Action
}

func newRefusals() *refusals { return &refusals{sums: make(map[refusalKey]*audit.Event)} }

// add counts a refusal. The person is zero when nobody has the address: what was typed there is not
// kept, since it may be a password in the wrong field (class 43).
func (r *refusals) add(now time.Time, v Visitor, action audit.Action, person store.Person, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := refusalKey{person.ID, v.network, reason, action}
	if _, found := r.sums[key]; !found && len(r.sums) >= maxRefusals {
		key = refusalKey{reason: reason, action: action}
		person, v = store.Person{}, Visitor{}
	}
	e := r.sums[key]
	if e == nil {
		e = &audit.Event{
			Action: action, Outcome: audit.Refused, Reason: reason,
			Actor:   audit.Actor{Kind: audit.ByNobody},
			Subject: audit.Subject{Kind: audit.OnPerson, ID: person.ID, Name: person.Email},
			Address: v.Address, Agent: v.Agent, RequestID: v.RequestID,
		}
		r.sums[key] = e
	}
	e.At = now.UnixMicro()
	e.Count++
}

func (r *refusals) take() map[refusalKey]*audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.sums
	r.sums = make(map[refusalKey]*audit.Event)
	return taken
}

// putBack adds sums again that could not be written, so that a database that is away hides no attack.
func (r *refusals) putBack(taken map[refusalKey]*audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, e := range taken {
		if since := r.sums[key]; since != nil {
			since.Count += e.Count
		} else if len(r.sums) < maxRefusals {
			r.sums[key] = e
		}
	}
}

// writeRefusals records what was summed since the last time, in one act.
func (p *People) writeRefusals(ctx context.Context) error {
	events := p.refusals.take()
	if len(events) == 0 {
		return nil
	}
	_, err := p.db.Act(ctx, func(tx *store.Tx) error {
		for _, e := range events {
			if e.Subject.ID != "" {
				memberships, err := membershipsOf(ctx, tx.Queries, store.Person{ID: e.Subject.ID})
				if err != nil {
					return err
				}
				e.Account = home(memberships)
			}
			tx.Record(*e, nil)
		}
		return nil
	})
	if err != nil {
		p.refusals.putBack(events)
		return fmt.Errorf("recording %d summed refusals: %w", len(events), err)
	}
	return nil
}
