package authority

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// Actor is whoever asks for an act. The zero Actor may do nothing.
type Actor struct {
	Person         string // person id; "" for a token
	Name           string // as the history shows it
	Token          string // SID of an API-zero token; "" for a person
	Operator       bool   // may act in every account
	Account        int64  // the account acted for; 0 only for an operator
	Role           api.Role
	AllowSensitive bool
	// Until is the end of an API-zero token's own life, in microseconds: what it mints ends no later.
	Until int64

	Address, Agent, RequestID string
}

func (by Actor) audit() audit.Actor {
	switch {
	case by.Token != "":
		return audit.Actor{Kind: audit.ByToken, SID: by.Token, Name: by.Name}
	case by.Person != "":
		return audit.Actor{Kind: audit.ByPerson, Person: by.Person, Name: by.Name}
	default:
		return audit.Actor{Kind: audit.ByClock, Name: by.Name}
	}
}

// level is how much of a role an action needs. The zero value lets nobody pass.
type level uint8

const (
	nobody level = iota
	operator
	administrator
	specialist
	analyst
)

func (by Actor) level() level {
	switch {
	case by.Operator:
		return operator
	case by.Role == api.RoleAdministrator:
		return administrator
	case by.Role == api.RoleSpecialist:
		return specialist
	case by.Role == api.RoleAnalyst:
		return analyst
	default:
		return nobody
	}
}

// gates is the role × action table (ASVS 8.1.1): the least that each action asks for. What is not
// here nobody may do. Reading is analyst; it has no action, since reads are not audited.
var gates = map[audit.Action]level{
	audit.CreateAccount:        operator,
	audit.EditAccount:          operator,
	audit.SuspendAccount:       operator,
	audit.ResumeAccount:        operator,
	audit.CreateManagement:     operator,
	audit.EndManagement:        operator,
	audit.WithholdScope:        operator,
	audit.ReleaseScope:         operator,
	audit.PublishCatalogue:     operator,
	audit.InviteOperator:       operator,
	audit.InviteMember:         administrator,
	audit.ChangeRole:           administrator,
	audit.ChangeAllowSensitive: administrator,
	audit.RemoveMember:         administrator,
	audit.CreateToken:          specialist,
	audit.DuplicateToken:       specialist,
	audit.EditToken:            specialist,
	audit.ResetToken:           specialist,
	audit.UpgradeToken:         specialist,
	audit.DisableToken:         specialist,
	audit.EnableToken:          specialist,
	audit.DeleteToken:          specialist,
}

// Gates is the table for documentation and for the generated matrix test: action to role, in words.
func Gates() map[audit.Action]string {
	words := map[level]string{operator: "Operator", administrator: "Account Administrator", specialist: "Implementation Specialist"}
	out := make(map[audit.Action]string, len(gates))
	for action, l := range gates {
		out[action] = words[l]
	}
	return out
}

// gate refuses what this actor may not do. Another account is never told apart from none at all
// (SECURITY.md, class 35).
func (a *Authority) gate(by Actor, action audit.Action, account int64) error {
	if !by.sees(account) {
		return api.NotFound("account")
	}
	needs, known := gates[action]
	if l := by.level(); !known || l == nobody || l > needs {
		a.refusals.add(by, action, account, a.now())
		return api.Forbidden(refusalWords(needs))
	}
	return nil
}

func refusalWords(needs level) string {
	switch needs {
	case operator:
		return "Only the operator may do this."
	case administrator:
		return "Only an Account Administrator may do this. Ask one of your account's."
	default:
		return "Your role reads only. Ask an Account Administrator or an Implementation Specialist of your account."
	}
}

// sees says whether the actor may know of this account at all.
func (by Actor) sees(account int64) bool {
	if by.Operator {
		return true
	}
	return by.level() != nobody && account != 0 && by.Account == account
}

// mustSee is the gate of reads.
func (by Actor) mustSee(account int64) error {
	if !by.sees(account) {
		return api.NotFound("account")
	}
	return nil
}

// Refusals are recorded apart from acts, summed per actor and action, so that a flood of them cannot
// queue on the log's one row.
const (
	refusalEvery = 10 * time.Second
	refusalKinds = 4096 // distinct sums kept between two writings; more are summed under one
)

type refusals struct {
	mu   sync.Mutex
	sums map[refusalKey]*audit.Event
}

type refusalKey struct {
	person, token string
	account       int64
	action        audit.Action
}

func newRefusals() *refusals { return &refusals{sums: make(map[refusalKey]*audit.Event)} }

func (r *refusals) add(by Actor, action audit.Action, account int64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := refusalKey{by.Person, by.Token, account, action}
	e := r.sums[key]
	if e == nil && len(r.sums) >= refusalKinds {
		// The rest is summed in nobody's name: in an account's history it would stand against the wrong people.
		by, account, key = Actor{}, 0, refusalKey{}
		e = r.sums[key]
	}
	if e == nil {
		e = &audit.Event{
			Account: account, Action: action, Outcome: audit.Refused,
			Actor: by.audit(), Subject: audit.Subject{Kind: audit.OnAccount, ID: strconv.FormatInt(account, 10)},
			Reason:  string(api.CodeForbidden),
			Address: by.Address, Agent: by.Agent, RequestID: by.RequestID,
		}
		if key == (refusalKey{}) {
			e.Actor, e.Subject = audit.Actor{Kind: audit.ByNobody, Name: "Various"}, audit.Subject{Kind: audit.OnDesk}
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

// giveBack adds sums that could not be written to those that came in meanwhile.
func (r *refusals) giveBack(taken map[refusalKey]*audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, e := range taken {
		if newer := r.sums[key]; newer != nil {
			newer.Count += e.Count
		} else {
			r.sums[key] = e
		}
	}
}

// writeRefusals appends what was summed since the last time, in one act.
func (a *Authority) writeRefusals(ctx context.Context) error {
	sums := a.refusals.take()
	if len(sums) == 0 {
		return nil
	}
	if _, err := a.db.Act(ctx, func(tx *store.Tx) error {
		for _, e := range sums {
			tx.Record(*e, nil)
		}
		return nil
	}); err != nil {
		a.refusals.giveBack(sums)
		return fmt.Errorf("recording %d summed refusals: %w", len(sums), err)
	}
	a.followers.wake()
	return nil
}
