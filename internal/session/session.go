package session

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// Person is who is signed in.
type Person struct {
	ID       string
	Email    string
	Name     string
	Operator bool
}

// Membership is an account that the person is a member of, now.
type Membership struct {
	Account        int64
	Kind           string
	Name           string
	Role           api.Role
	AllowSensitive bool
	Suspended      bool
}

// Session is one person on one browser, as of this request. The zero Session is nobody.
type Session struct {
	Person      Person
	Memberships []Membership // by name, suspended accounts included
	Account     int64        // the current account; never a suspended one; 0 for an operator without one
	CSRF        string       // what every form must carry
	Factors     []string     // what was given: "password", "link"
	SignedIn    time.Time    // when a factor was last given, for step-up
	Created     time.Time
	Ends        time.Time // at the latest
	Address     string    // at sign-in
	Agent       string    // at sign-in
	digest      []byte
}

const (
	maxSessions = 20          // of one person; the one longest unused goes (OWASP ASVS 5.0, 7.1.2)
	seenEvery   = time.Minute // how fine the idle time is kept, so that it may end a minute early: a write a minute, not one a request
)

// Current is the membership in the current account.
func (s Session) Current() (Membership, bool) {
	for _, m := range s.Memberships {
		if m.Account == s.Account && s.Account != 0 {
			return m, true
		}
	}
	return Membership{}, false
}

// FormOK says whether a form carries the session's token. The zero Session's forms are never right.
func (s Session) FormOK(sent string) bool {
	return s.CSRF != "" && subtle.ConstantTimeCompare([]byte(sent), []byte(s.CSRF)) == 1
}

// Recent says whether a password or another factor was given within the time before now.
func (s Session) Recent(now time.Time, within time.Duration) bool {
	return !s.SignedIn.IsZero() && now.Sub(s.SignedIn) < within
}

// digest is what is kept of a session's cookie.
func digest(secret string) []byte {
	sum := sha256.Sum256([]byte("counterfoil session\x00" + secret))
	return sum[:]
}

// Resolve says who a visitor is. Anything but a session in force is an *api.Error of code
// sign_in_required: no cookie, an unknown one, one that has ended, a person who was disabled or has no
// account left that is not suspended. All of that is read anew at every request, so it holds at once.
func (p *People) Resolve(ctx context.Context, v Visitor) (Session, error) {
	if v.ticket.session == nil {
		return Session{}, signInRequired()
	}
	var s Session
	var seen time.Time
	err := p.db.View(ctx, func(q *store.Queries) error {
		row, err := q.Session(ctx, digest(*v.ticket.session))
		if row, err = store.One(row, err); errors.Is(err, store.ErrNotFound) {
			return signInRequired()
		} else if err != nil {
			return fmt.Errorf("reading a session: %w", err)
		}
		seen = when(row.SeenAt)
		if now := p.now(); !now.Before(when(row.ExpiresAt)) || !now.Before(seen.Add(p.idle)) {
			return signInRequired()
		}
		person, err := q.Person(ctx, row.Person)
		if err != nil {
			return fmt.Errorf("reading a person: %w", err)
		}
		memberships, err := membershipsOf(ctx, q, person)
		if err != nil {
			return err
		}
		if person.DisabledAt != nil || !admitted(person, memberships) {
			return signInRequired()
		}
		s = sessionOf(row, person, memberships)
		return nil
	})
	if err != nil {
		return Session{}, public("resolving a session", err)
	}
	if p.now().Sub(seen) >= seenEvery {
		_, err := p.db.Act(ctx, func(tx *store.Tx) error {
			return tx.SeeSession(ctx, store.SeeSessionParams{Digest: s.digest, At: p.now().UnixMicro()})
		})
		if err != nil {
			return Session{}, public("keeping a session alive", err)
		}
	}
	return s, nil
}

func sessionOf(row store.Session, person store.Person, memberships []Membership) Session {
	s := Session{
		Person:      Person{ID: person.ID, Email: person.Email, Name: person.Name, Operator: person.Operator == 1},
		Memberships: memberships, CSRF: row.Csrf, Factors: strings.Split(row.Factors, ","),
		SignedIn: when(row.SignedInAt), Created: when(row.CreatedAt), Ends: when(row.ExpiresAt),
		Address: row.Address, Agent: row.Agent, digest: row.Digest,
	}
	s.Account = home(memberships)
	for _, m := range memberships {
		if row.Account != nil && m.Account == *row.Account && !m.Suspended {
			s.Account = m.Account
		}
	}
	return s
}

func membershipsOf(ctx context.Context, q *store.Queries, person store.Person) ([]Membership, error) {
	rows, err := q.Memberships(ctx, person.ID)
	if err != nil {
		return nil, fmt.Errorf("reading memberships: %w", err)
	}
	memberships := make([]Membership, 0, len(rows))
	for _, r := range rows {
		memberships = append(memberships, Membership{
			Account: r.Account, Kind: r.Kind, Name: r.Name, Role: api.Role(r.Role),
			AllowSensitive: r.AllowSensitive == 1, Suspended: r.SuspendedAt != nil,
		})
	}
	return memberships, nil
}

// admitted says whether somebody has anything to sign in to.
func admitted(person store.Person, memberships []Membership) bool {
	return person.Operator == 1 || home(memberships) != 0
}

// home is the account that a person begins in, or 0.
func home(memberships []Membership) int64 {
	for _, m := range memberships {
		if !m.Suspended {
			return m.Account
		}
	}
	return 0
}

// begin makes a new session in an act, and ends the one that the browser had: whoever knew its cookie
// before the sign-in has nothing after it (class 42).
func (p *People) begin(ctx context.Context, tx *store.Tx, v Visitor, person store.Person, account int64, factors string) (Ticket, error) {
	if err := p.endOld(ctx, tx, v); err != nil {
		return Ticket{}, err
	}
	open, err := tx.Sessions(ctx, person.ID)
	if err != nil {
		return Ticket{}, fmt.Errorf("listing sessions: %w", err)
	}
	for i := maxSessions - 1; i < len(open); i++ {
		if _, err := tx.DropSession(ctx, store.DropSessionParams{Digest: open[i].Digest, Person: person.ID}); err != nil {
			return Ticket{}, fmt.Errorf("dropping a session: %w", err)
		}
	}
	secret, now := randomText(), p.now()
	row := store.AddSessionParams{
		Digest: digest(secret), Person: person.ID, Csrf: randomText(), CreatedAt: now.UnixMicro(),
		ExpiresAt: now.Add(p.absolute).UnixMicro(), Factors: factors, Address: v.Address, Agent: v.Agent,
	}
	if account != 0 {
		row.Account = &account
	}
	if err := tx.AddSession(ctx, row); err != nil {
		return Ticket{}, fmt.Errorf("adding a session: %w", err)
	}
	return Ticket{session: &secret, device: p.newDevice(person.EmailKey)}, nil
}

func (p *People) endOld(ctx context.Context, tx *store.Tx, v Visitor) error {
	if v.ticket.session == nil {
		return nil
	}
	row, err := tx.Session(ctx, digest(*v.ticket.session))
	if row, err = store.One(row, err); errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading a session: %w", err)
	}
	if _, err := tx.DropSession(ctx, store.DropSessionParams{Digest: row.Digest, Person: row.Person}); err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return nil
}

// SignOut ends this session. Ending it twice is no error.
func (p *People) SignOut(ctx context.Context, v Visitor, s Session) error {
	return p.end(ctx, v, s, audit.SignOut, func(tx *store.Tx) (int64, error) {
		return tx.DropSession(ctx, store.DropSessionParams{Digest: s.digest, Person: s.Person.ID})
	})
}

// SignOutEverywhere ends all sessions of the person, this one included.
func (p *People) SignOutEverywhere(ctx context.Context, v Visitor, s Session) error {
	return p.end(ctx, v, s, audit.SignOutEverywhere, func(tx *store.Tx) (int64, error) {
		return tx.DropSessions(ctx, s.Person.ID)
	})
}

// EndSession ends one session of the person's own, by the id that [People.Sessions] gives. One that is
// not there, or another person's, is an *api.Error of code not_found.
func (p *People) EndSession(ctx context.Context, v Visitor, s Session, id string) error {
	target, err := hex.DecodeString(id)
	if err != nil {
		return api.NotFound("session")
	}
	return p.end(ctx, v, s, audit.SignOut, func(tx *store.Tx) (int64, error) {
		n, err := tx.DropSession(ctx, store.DropSessionParams{Digest: target, Person: s.Person.ID})
		if err == nil && n == 0 {
			return 0, api.NotFound("session")
		}
		return n, err
	})
}

func (p *People) end(ctx context.Context, v Visitor, s Session, action audit.Action, drop func(*store.Tx) (int64, error)) error {
	_, err := p.db.Act(ctx, func(tx *store.Tx) error {
		n, err := drop(tx)
		if err != nil {
			return fmt.Errorf("ending sessions: %w", err)
		}
		if n > 0 {
			person := store.Person{ID: s.Person.ID, Name: s.Person.Name, Email: s.Person.Email}
			tx.Record(p.event(v, action, person, s.Account, audit.Detail{Field: "sessions ended", After: fmt.Sprint(n)}), nil)
		}
		return nil
	})
	return public("signing out", err)
}

// Place is one browser on which a person is signed in.
type Place struct {
	ID      string // for [People.EndSession]
	Started time.Time
	Seen    time.Time
	Address string
	Agent   string
	This    bool
}

// Sessions lists where the person is signed in, the one last used first.
func (p *People) Sessions(ctx context.Context, s Session) ([]Place, error) {
	rows, err := p.db.Read().Sessions(ctx, s.Person.ID)
	if err != nil {
		return nil, public("listing sessions", err)
	}
	now := p.now()
	places := make([]Place, 0, len(rows))
	for _, r := range rows {
		if !now.Before(when(r.ExpiresAt)) || !now.Before(when(r.SeenAt).Add(p.idle)) {
			continue // ended, and not swept yet
		}
		places = append(places, Place{
			ID: hex.EncodeToString(r.Digest), Started: when(r.CreatedAt), Seen: when(r.SeenAt),
			Address: r.Address, Agent: r.Agent, This: slices.Equal(r.Digest, s.digest),
		})
	}
	return places, nil
}

// Choose makes another of the person's accounts the current one. One that they are no member of, or that
// is suspended, is an *api.Error of code not_found.
func (p *People) Choose(ctx context.Context, s Session, account int64) error {
	for _, m := range s.Memberships {
		if m.Account != account || m.Suspended {
			continue
		}
		_, err := p.db.Act(ctx, func(tx *store.Tx) error {
			return tx.ChooseAccount(ctx, store.ChooseAccountParams{Digest: s.digest, Account: &account})
		})
		return public("choosing an account", err)
	}
	return api.NotFound("account")
}

func when(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
