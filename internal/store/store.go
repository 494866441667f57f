package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"counterfoil.dev/counterfoil/internal/audit"
)

// Errors that callers tell apart. Everything else is the database's own trouble.
var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict: a unique name or key is taken.
	ErrConflict = errors.New("store: conflict")
	// ErrBusy: the database did not give the lock in time; nothing was changed, and trying again is right.
	ErrBusy = errors.New("store: busy")
)

// DB is an open database. It is safe for use by many goroutines.
type DB struct {
	dialect dialect
	write   *sql.DB // one connection on SQLite
	read    *sql.DB
}

// Tx is one act under way.
type Tx struct {
	*Queries
	records []record
}

type record struct {
	event audit.Event
	feed  []byte
	at    func(seq int64) error
}

// Open opens the database that a DSN names, and brings its tables up to date.
//
// "sqlite:PATH" is a file, made if it is not there (WAL, synchronous=FULL: an acknowledged act
// survives a power cut).
func Open(ctx context.Context, dsn string) (*DB, error) { return OpenThrough(ctx, dsn, nil) }

// OpenThrough is Open with every connection made by what wrap gives for the driver's own connector: the
// way for whoever watches statements, or makes them fail. nil changes nothing.
func OpenThrough(ctx context.Context, dsn string, wrap func(driver.Connector) driver.Connector) (*DB, error) {
	d, err := parseDSN(dsn, wrap)
	if err != nil {
		return nil, err
	}
	db := &DB{dialect: d}
	if db.write, err = d.openWriter(); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if db.read, err = d.openReader(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database for reading: %w", err), db.write.Close())
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close waits for what is under way and closes the database.
func (db *DB) Close() error {
	return errors.Join(db.read.Close(), db.write.Close())
}

// Ping says whether the database answers, for readiness.
func (db *DB) Ping(ctx context.Context) error {
	if _, err := db.Read().Head(ctx); err != nil {
		return fmt.Errorf("reading the head of the log: %w", err)
	}
	return nil
}

// Read gives queries that see the last committed state. Several queries see one state only inside
// [DB.View].
func (db *DB) Read() *Queries { return New(db.read) }

// View runs f on one consistent state: what it reads was all true at one position.
func (db *DB) View(ctx context.Context, f func(q *Queries) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("beginning to read: %w", db.dialect.classify(err))
	}
	err = f(New(tx))
	return errors.Join(err, rollback(tx))
}

// Act runs f in one transaction and commits, or changes nothing. It returns the last position that f
// recorded, or 0 when it recorded none. Only a nil error means that the act is done.
func (db *DB) Act(ctx context.Context, f func(tx *Tx) error) (seq int64, err error) {
	sqlTx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("beginning an act: %w", db.dialect.classify(err))
	}
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, rollback(sqlTx))
		}
	}()
	tx := &Tx{Queries: New(sqlTx)}
	if err := f(tx); err != nil {
		return 0, db.dialect.classify(err)
	}
	if seq, err = tx.finish(ctx); err != nil {
		return 0, db.dialect.classify(err)
	}
	if err := sqlTx.Commit(); err != nil {
		return 0, fmt.Errorf("committing an act: %w", db.dialect.classify(err))
	}
	done = true
	return seq, nil
}

// Record notes an event of this act and what verifiers must hear of it (nil: only that the position
// moved). It is numbered, chained and written when the function given to [DB.Act] returns.
func (tx *Tx) Record(event audit.Event, feed []byte) {
	tx.records = append(tx.records, record{event: event, feed: feed})
}

// RecordThen is Record for an act that needs its own position in a row of its own.
func (tx *Tx) RecordThen(event audit.Event, feed []byte, then func(seq int64) error) {
	tx.records = append(tx.records, record{event: event, feed: feed, at: then})
}

// finish numbers and chains what was recorded. The counter row is locked here and not before, so that
// acts wait for each other as briefly as can be.
func (tx *Tx) finish(ctx context.Context) (int64, error) {
	var last int64
	for _, r := range tx.records {
		next, err := tx.NextSeq(ctx)
		if err != nil {
			return 0, fmt.Errorf("taking the next position: %w", err)
		}
		r.event.Seq = next.Seq
		body, err := audit.Encode(r.event)
		if err != nil {
			return 0, fmt.Errorf("encoding event %d: %w", next.Seq, err)
		}
		hash := audit.Next(audit.Hash(next.Hash), body)
		if err := tx.AddEvent(ctx, AddEventParams{
			Seq: next.Seq, At: r.event.At, Account: r.event.Account, Action: string(r.event.Action),
			Person: r.event.Actor.Person, Subject: r.event.Subject.ID, Body: string(body), Hash: hash[:],
		}); err != nil {
			return 0, fmt.Errorf("writing event %d: %w", next.Seq, err)
		}
		if err := tx.AddFeed(ctx, AddFeedParams{Seq: next.Seq, At: r.event.At, Body: string(r.feed)}); err != nil {
			return 0, fmt.Errorf("writing feed entry %d: %w", next.Seq, err)
		}
		if r.at != nil {
			if err := r.at(next.Seq); err != nil {
				return 0, err
			}
		}
		if err := tx.SetHead(ctx, hash[:]); err != nil {
			return 0, fmt.Errorf("moving the head of the log to %d: %w", next.Seq, err)
		}
		last = next.Seq
	}
	return last, nil
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("rolling back: %w", err)
	}
	return nil
}

// One maps the absence of a row to [ErrNotFound], so that no caller needs database/sql.
func One[T any](row T, err error) (T, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return row, ErrNotFound
	}
	return row, err
}

// Micros is a time as the database keeps it.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Conflict says whether an error is a taken name or key.
func (db *DB) Conflict(err error) bool {
	return err != nil && errors.Is(db.dialect.classify(err), ErrConflict)
}
