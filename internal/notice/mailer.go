package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	netmail "net/mail"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
)

// Sender delivers one mail. An error that is [ErrRefused] is for good; every other one is tried again.
type Sender interface {
	Send(ctx context.Context, m Mail) error
}

const (
	// patience is how long a message is tried.
	patience = 72 * time.Hour
	// maxAttempt bounds one try, and lease is longer: while one sender may still be at it, no other is.
	maxAttempt = 4 * time.Minute
	lease      = 5 * time.Minute
	// firstPause doubles with each try, up to longestPause.
	firstPause   = time.Minute
	longestPause = 2 * time.Hour

	batch  = 50
	atOnce = 4 // so that one server that stalls does not hold up the others
	noting = 10 * time.Second
)

// Config is what a Mailer needs.
type Config struct {
	DB     *store.DB // required
	Key    *seal.Key // required: opens the messages
	Sender Sender    // required
	From   string    // required: Name <address> or an address
	// Poll is how often the outbox is looked at without a [Mailer.Wake]; zero means 10 seconds.
	Poll time.Duration
	Log  *slog.Logger     // nil means slog.Default
	Now  func() time.Time // nil means time.Now
}

// Mailer empties the outbox. Several may run on one database.
type Mailer struct {
	db     *store.DB
	key    *seal.Key
	sender Sender
	from   netmail.Address
	poll   time.Duration
	log    *slog.Logger
	now    func() time.Time
	wake   chan struct{}
}

// New checks a configuration.
func New(c Config) (*Mailer, error) {
	if c.DB == nil || c.Key == nil || c.Sender == nil {
		return nil, errors.New("notice: a database, a key and a sender are required")
	}
	from, err := netmail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("mail sender %q: want an address like desk@example.com: %w", c.From, err)
	}
	if from.Address, err = plainAddress(from.Address); err != nil {
		return nil, fmt.Errorf("mail sender %q: want an address like desk@example.com", c.From)
	}
	from.Name = displayName(from.Name)
	if from.Name == "" {
		from.Name = "Counterfoil"
	}
	m := &Mailer{db: c.DB, key: c.Key, sender: c.Sender, from: *from, poll: c.Poll, log: c.Log, now: c.Now, wake: make(chan struct{}, 1)}
	if m.poll <= 0 {
		m.poll = 10 * time.Second
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	if m.now == nil {
		m.now = time.Now
	}
	return m, nil
}

// Wake has the outbox looked at now. It never waits.
func (m *Mailer) Wake() {
	select {
	case m.wake <- struct{}{}:
	default: // it is awake
	}
}

// Run sends what comes due until the context ends. It waits for the attempts under way, which end with
// the context too.
func (m *Mailer) Run(ctx context.Context) error {
	poll := time.NewTicker(m.poll)
	defer poll.Stop()
	for {
		if err := m.Deliver(ctx); err != nil && ctx.Err() == nil {
			m.log.ErrorContext(ctx, "emptying the outbox", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.wake:
		case <-poll.C:
		}
	}
}

// Deliver makes one attempt at every message that is due. An error means that the outbox could not be
// read or written; what became of single messages is in the outbox.
func (m *Mailer) Deliver(ctx context.Context) error {
	for {
		rows, err := m.db.Read().DueOutbox(ctx, store.DueOutboxParams{Now: m.now().UnixMicro(), N: batch})
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		var wg sync.WaitGroup
		places := make(chan struct{}, atOnce)
		faults := make([]error, len(rows))
		for i, row := range rows {
			places <- struct{}{}
			wg.Go(func() {
				defer func() { <-places }()
				faults[i] = m.attempt(ctx, row)
			})
		}
		wg.Wait()
		if err := errors.Join(faults...); err != nil {
			return err
		}
		if len(rows) < batch {
			return nil
		}
	}
}

// attempt leases one message, tries it and notes the outcome.
func (m *Mailer) attempt(ctx context.Context, row store.Outbox) error {
	var taken int64
	if _, err := m.db.Act(ctx, func(tx *store.Tx) (err error) {
		taken, err = tx.TakeOutbox(ctx, store.TakeOutboxParams{ID: row.ID, NextAt: row.NextAt, UntilAt: m.now().Add(lease).UnixMicro()})
		return err
	}); err != nil {
		return fmt.Errorf("taking message %s: %w", row.ID, err)
	}
	if taken == 0 {
		return nil // another sender has it
	}
	tries := row.Tries + 1
	end, words, err := m.try(ctx, row)

	// What was sent is noted even when the program is told to stop just then; or it would be sent again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noting)
	defer cancel()
	now := m.now()
	switch {
	case err == nil:
		m.log.InfoContext(ctx, "mail sent", "message", row.ID, "kind", row.Kind, "tries", tries)
	case errors.Is(err, ErrRefused):
		m.log.WarnContext(ctx, "mail refused for good", "message", row.ID, "kind", row.Kind, "tries", tries, "why", words)
	case !now.Before(end):
		m.log.WarnContext(ctx, "mail given up", "message", row.ID, "kind", row.Kind, "tries", tries, "why", words)
		words = "given up: " + words
	default:
		m.log.WarnContext(ctx, "mail delayed", "message", row.ID, "kind", row.Kind, "tries", tries, "why", words)
	}
	_, noted := m.db.Act(ctx, func(tx *store.Tx) error {
		at := now.UnixMicro()
		switch {
		case err == nil:
			return tx.SentOutbox(ctx, store.SentOutboxParams{ID: row.ID, At: &at})
		case errors.Is(err, ErrRefused) || !now.Before(end):
			return tx.FailOutbox(ctx, store.FailOutboxParams{ID: row.ID, At: &at, LastError: words})
		default:
			return tx.DelayOutbox(ctx, store.DelayOutboxParams{ID: row.ID, NextAt: nextTry(now, end, tries).UnixMicro(), LastError: words})
		}
	})
	if noted != nil {
		return fmt.Errorf("noting what became of message %s: %w", row.ID, noted)
	}
	return nil
}

// try opens, renders and sends. It says until when the message may be tried, and tells a failure in
// words that hold nothing of the message.
func (m *Mailer) try(ctx context.Context, row store.Outbox) (end time.Time, words string, err error) {
	queued := time.UnixMicro(row.CreatedAt)
	end = queued.Add(patience)
	message, err := store.OpenMessage(row, m.key.Open)
	if err != nil {
		if !errors.Is(err, seal.ErrKey) { // the key file may come back; what is damaged stays so
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return end, clip(err.Error()), err
	}
	mail, life, err := render(row, message, m.from)
	if err != nil {
		return end, clean(err, message), err
	}
	if ends := queued.Add(life); ends.Before(end) {
		end = ends
	}
	if !m.now().Before(queued.Add(life)) {
		return end, "the link in the message has ended", fmt.Errorf("%w: the link in the message has ended", ErrRefused)
	}
	ctx, cancel := context.WithTimeout(ctx, maxAttempt)
	defer cancel()
	if err := m.sender.Send(ctx, mail); err != nil {
		return end, clean(err, message), err
	}
	return end, "", nil
}

// nextTry doubles the pause with each try, and spreads it so that a server that comes back is not met by
// everything at once. The last try is at the end.
func nextTry(now, end time.Time, tries int64) time.Time {
	pause := longestPause
	if tries < 8 {
		pause = min(firstPause<<(tries-1), longestPause)
	}
	next := now.Add(pause*3/4 + rand.N(pause/2))
	if next.After(end) {
		return end
	}
	return next
}

var links = regexp.MustCompile(`(?i)[a-z]+://\S+`)

// clean takes what a server quoted of the message out of an error: a filter that answers "rejected
// because of https://…" would put a live link into the log (SECURITY.md, class 43).
func clean(err error, m store.Message) string {
	s := err.Error()
	for _, v := range m.Values {
		if len(v) > 8 {
			s = strings.ReplaceAll(s, v, "[…]")
		}
		if u, err := url.Parse(v); err == nil {
			for _, values := range u.Query() {
				for _, secret := range values {
					if len(secret) > 8 {
						s = strings.ReplaceAll(s, secret, "[…]")
					}
				}
			}
		}
	}
	return clip(links.ReplaceAllString(s, "[link]"))
}

const maxWords = 300 // octets of an error that are kept

// clip makes one line of printable text of what another machine said.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "�"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxWords {
		s = strings.ToValidUTF8(s[:maxWords], "") + "…"
	}
	return s
}
