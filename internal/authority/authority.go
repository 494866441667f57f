package authority

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/token"
)

// confirmWait is how long an act waits for the connected verifiers before it answers all the same.
const confirmWait = 300 * time.Millisecond

// Config is what an Authority needs.
type Config struct {
	DB      *store.DB    // required
	Prefix  token.Prefix // of credentials; empty means the default
	BaseURL string       // of the console, without a slash at the end; links in messages start with it
	Key     *seal.Key    // required: seals messages that hold a link
	// ExpiryDefault and ExpiryMax are days, for accounts that have none of their own; 0 means no end
	// and no limit.
	ExpiryDefault, ExpiryMax int64
	// Zero is the OpenAPI document of the management API, which is catalogued like any other.
	Zero []byte
	Log  *slog.Logger     // nil means slog.Default
	Now  func() time.Time // nil means time.Now
}

// Authority issues, changes and revokes. It is safe for use by many goroutines.
type Authority struct {
	db        *store.DB
	prefix    token.Prefix
	baseURL   string
	key       *seal.Key
	expDef    int64
	expMax    int64
	zero      zeroAPI
	log       *slog.Logger
	now       func() time.Time
	live      atomic.Pointer[catalogue]
	followers *followers
	refusals  *refusals
}

// Open reads the live catalogue and, when the program's own API has changed since, publishes it anew.
func Open(ctx context.Context, c Config) (*Authority, error) {
	if c.DB == nil || c.Key == nil {
		return nil, errors.New("authority: a database and a key are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Prefix == token.Prefix("") {
		c.Prefix = token.DefaultPrefix
	}
	a := &Authority{
		db: c.DB, prefix: c.Prefix, baseURL: c.BaseURL, key: c.Key,
		expDef: c.ExpiryDefault, expMax: c.ExpiryMax, log: c.Log, now: c.Now,
		followers: newFollowers(), refusals: newRefusals(),
	}
	var err error
	if a.zero, err = buildZero(c.Zero, c.BaseURL); err != nil {
		return nil, err
	}
	if err := a.loadCatalogue(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// Run does the timed work until the context ends: summed refusals are written, dead drafts dropped.
func (a *Authority) Run(ctx context.Context) error {
	tick := time.NewTicker(refusalEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return a.writeRefusals(last)
		case <-tick.C:
			if err := a.writeRefusals(ctx); err != nil && ctx.Err() == nil {
				a.log.ErrorContext(ctx, "writing summed refusals", "error", err)
			}
			if err := errors.Join(a.dropDrafts(ctx), a.dropQuotas(ctx)); err != nil && ctx.Err() == nil {
				a.log.ErrorContext(ctx, "dropping what has ended", "error", err)
			}
		}
	}
}

// Prefix is the prefix of this installation's credentials.
func (a *Authority) Prefix() token.Prefix { return a.prefix }

// BaseURL is the console's address, without a slash at the end.
func (a *Authority) BaseURL() string { return a.baseURL }

// act is the shape of every act: the gate, one transaction that first asks whether the actor still stands,
// the wake-up, the confirmation.
func (a *Authority) act(ctx context.Context, by Actor, action audit.Action, account int64, f func(tx *store.Tx) error) (api.Seq, error) {
	if err := a.gate(by, action, account); err != nil {
		return 0, err
	}
	seq, err := a.db.Act(ctx, func(tx *store.Tx) error {
		if err := a.standing(ctx, tx.Queries, by, account); err != nil {
			return err
		}
		return f(tx)
	})
	if err != nil {
		return 0, a.public(by, action, account, err)
	}
	a.followers.wake()
	a.followers.await(ctx, api.Seq(seq), confirmWait)
	return api.Seq(seq), nil
}

// event begins the audit event of an act.
func (a *Authority) event(by Actor, action audit.Action, account int64, subject audit.Subject, details ...audit.Detail) audit.Event {
	return audit.Event{
		At: a.now().UnixMicro(), Account: account, Action: action, Subject: subject, Details: details,
		Actor: by.audit(), Outcome: audit.Done,
		Address: by.Address, Agent: by.Agent, RequestID: by.RequestID,
	}
}

// public turns what the store says into what a caller may read, and counts refusals.
func (a *Authority) public(by Actor, action audit.Action, account int64, err error) error {
	var refusal *api.Error
	switch {
	case errors.As(err, &refusal):
		if refusal.Code == api.CodeForbidden {
			a.refusals.add(by, action, account, a.now())
		}
		return refusal
	case errors.Is(err, store.ErrBusy):
		return &api.Error{
			Code: api.CodeUnavailable, Status: http.StatusServiceUnavailable, Title: "The database is busy",
			Detail: "Nothing was changed. Try again in a moment.",
		}
	default:
		return fmt.Errorf("%s: %w", action, err)
	}
}

// read maps a missing row to the one answer that tells nothing.
func read[T any](noun string, row T, err error) (T, error) {
	if _, err = store.One(row, err); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return row, api.NotFound(noun)
		}
		return row, fmt.Errorf("reading a %s: %w", noun, err)
	}
	return row, nil
}

func when(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func whenever(micros *int64) *time.Time {
	if micros == nil {
		return nil
	}
	t := when(*micros)
	return &t
}
