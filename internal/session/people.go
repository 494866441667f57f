package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
)

// Config is what People needs.
type Config struct {
	DB      *store.DB // required
	Key     *seal.Key // required: seals messages that hold a link, and the cookie of a known device
	BaseURL string    // required: https, or http on loopback; without a slash at the end
	// CleanEmail and CleanName are the house's rules on addresses and names (internal/authority). The key
	// of an address is the same for all its spellings, so that limits cannot be split (class 41b).
	CleanEmail func(string) (address, key, fault string) // required
	CleanName  func(string) (name, fault string)         // required
	Idle       time.Duration                             // a session without requests ends; zero means 30 minutes
	Absolute   time.Duration                             // every session ends; zero means 12 hours
	Log        *slog.Logger                              // nil means slog.Default
	Now        func() time.Time                          // nil means time.Now
}

// People signs people in and out. It is safe for use by many goroutines.
type People struct {
	db         *store.DB
	key        *seal.Key
	baseURL    string
	secure     bool // cookies: https only
	cleanEmail func(string) (address, key, fault string)
	cleanName  func(string) (name, fault string)
	idle       time.Duration
	absolute   time.Duration
	log        *slog.Logger
	now        func() time.Time
	hasher     *hasher
	limits     *limits
	refusals   *refusals
	forgotten  chan forgotten
}

// How long the one-time links of this package are good.
const (
	setUpLife    = 24 * time.Hour
	passwordLife = 30 * time.Minute
	signInLife   = 24 * time.Hour
)

const (
	forgottenQueue = 256 // requests for password links that wait for the database
	refusalsEvery  = 10 * time.Second
	sweepEvery     = 10 * time.Minute
	finishWithin   = 5 * time.Second
)

// New checks the configuration; it starts nothing. [People.Run] does the timed work.
func New(c Config) (*People, error) {
	if c.DB == nil || c.Key == nil || c.CleanEmail == nil || c.CleanName == nil {
		return nil, errors.New("session: a database, a key and the rules on addresses and names are required")
	}
	secure, err := checkBaseURL(c.BaseURL)
	if err != nil {
		return nil, err
	}
	p := &People{
		db: c.DB, key: c.Key, baseURL: c.BaseURL, secure: secure, cleanEmail: c.CleanEmail, cleanName: c.CleanName,
		idle: c.Idle, absolute: c.Absolute, log: c.Log, now: c.Now,
		hasher: newHasher(), refusals: newRefusals(), forgotten: make(chan forgotten, forgottenQueue),
	}
	if p.idle == 0 {
		p.idle = 30 * time.Minute
	}
	if p.absolute == 0 {
		p.absolute = 12 * time.Hour
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.limits = newLimits(p.now)
	return p, nil
}

// checkBaseURL says whether cookies are for https only. Plain http is for loopback alone: anywhere else
// a session could be read off the wire.
func checkBaseURL(base string) (secure bool, err error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(base, "/") {
		return false, fmt.Errorf("base URL %q: want https://HOST, without a slash at the end", base)
	}
	switch u.Scheme {
	case "https":
		return true, nil
	case "http":
		addr, err := netip.ParseAddr(u.Hostname())
		if u.Hostname() == "localhost" || err == nil && addr.IsLoopback() {
			return false, nil
		}
	}
	return false, fmt.Errorf("base URL %q: want https; plain http is for loopback only", base)
}

// Run does the timed work until ctx ends: it sends what was asked of [People.ForgotPassword], writes
// summed refusals, and drops what has ended. What it has begun it finishes, and before it returns it does
// what still waits.
func (p *People) Run(ctx context.Context) error {
	refusals, sweep := time.NewTicker(refusalsEvery), time.NewTicker(sweepEvery)
	defer refusals.Stop()
	defer sweep.Stop()
	work := context.WithoutCancel(ctx)
	for {
		select {
		case f := <-p.forgotten:
			p.logFailure(work, "making a password link", p.sendPasswordLink(work, f))
		case <-refusals.C:
			p.logFailure(work, "recording refusals", p.writeRefusals(work))
		case <-sweep.C:
			p.logFailure(work, "dropping what has ended", p.sweep(work))
		case <-ctx.Done():
			return p.finish(work)
		}
	}
}

func (p *People) finish(work context.Context) error {
	ctx, cancel := context.WithTimeout(work, finishWithin)
	defer cancel()
	for {
		select {
		case f := <-p.forgotten:
			p.logFailure(ctx, "making a password link", p.sendPasswordLink(ctx, f))
		default:
			return p.writeRefusals(ctx)
		}
	}
}

// logFailure is where errors of the timed work end: nobody waits for an answer.
func (p *People) logFailure(ctx context.Context, what string, err error) {
	if err != nil {
		p.log.ErrorContext(ctx, what, "error", err.Error())
	}
}

// sweep drops sessions and links that have ended. They are refused from their end on in any case.
func (p *People) sweep(ctx context.Context) error {
	now := p.now()
	_, err := p.db.Act(ctx, func(tx *store.Tx) error {
		if _, err := tx.DropDeadSessions(ctx, store.DropDeadSessionsParams{
			Now: now.UnixMicro(), IdleSince: now.Add(-p.idle).UnixMicro(),
		}); err != nil {
			return fmt.Errorf("dropping ended sessions: %w", err)
		}
		// A spent or ended link is kept for a day, so that its page can still say what it was.
		if _, err := tx.DropDeadLinks(ctx, now.Add(-24*time.Hour).UnixMicro()); err != nil {
			return fmt.Errorf("dropping ended links: %w", err)
		}
		return nil
	})
	return err
}

// public turns what the store says into what a caller may read.
func public(doing string, err error) error {
	var refusal *api.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, store.ErrBusy):
		return &api.Error{
			Code: api.CodeUnavailable, Status: http.StatusServiceUnavailable, Title: "The database is busy",
			Detail: "Nothing was changed. Try again in a moment.",
		}
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

func signInRequired() *api.Error {
	return &api.Error{
		Code: api.CodeSignInRequired, Status: http.StatusUnauthorized, Title: "Sign in first",
		Detail: "There is no session, or it has ended.",
	}
}

// wrongPair is the one answer to a sign-in that failed, whoever exists (class 41a).
func wrongPair() *api.Error {
	return api.Invalid("email", "and password do not go together; check both")
}

// linkEnded is the one answer for a link that was spent, has ended or never was.
func linkEnded() *api.Error {
	return &api.Error{
		Code: api.CodeNotFound, Status: http.StatusNotFound, Title: "This link works no more",
		Detail: "It was used already, is too old, or was replaced by a newer one. Ask for a new one.",
	}
}

func tooMany(wait time.Duration) *api.Error {
	minutes := int(wait.Minutes()) + 1
	return &api.Error{
		Code: api.CodeTooMany, Status: http.StatusTooManyRequests, Title: "Too many attempts",
		Detail: fmt.Sprintf("Try again in %d minutes, or on a device where you signed in before.", minutes),
	}
}

// event begins the audit event of something that a person does to themselves.
func (p *People) event(v Visitor, action audit.Action, person store.Person, account int64, details ...audit.Detail) audit.Event {
	return audit.Event{
		At: p.now().UnixMicro(), Account: account, Action: action, Outcome: audit.Done,
		Actor:   audit.Actor{Kind: audit.ByPerson, Person: person.ID, Name: person.Name},
		Subject: audit.Subject{Kind: audit.OnPerson, ID: person.ID, Name: person.Email},
		Details: details, Address: v.Address, Agent: v.Agent, RequestID: v.RequestID,
	}
}
