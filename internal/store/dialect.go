package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// dialect is the database in use. Nothing outside this file asks which one it is.
type dialect struct {
	path string // of the SQLite file
	wrap func(driver.Connector) driver.Connector
}

func parseDSN(dsn string, wrap func(driver.Connector) driver.Connector) (dialect, error) {
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	// A database in memory would be another one for each connection.
	if !ok || path == "" || strings.HasPrefix(path, ":") {
		return dialect{}, fmt.Errorf("database %q: want sqlite:PATH, for example sqlite:counterfoil.db", redact(dsn))
	}
	return dialect{path: path, wrap: wrap}, nil
}

// redact keeps the kind of a DSN and nothing else. A password can stand in the user part, in the query
// or as a word of its own, and none of the three may reach an error (SECURITY.md, class 43).
func redact(dsn string) string {
	kind, _, ok := strings.Cut(dsn, ":")
	if !ok || strings.ContainsFunc(kind, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		return "…"
	}
	return kind + ":…"
}

const readers = 4

// openWriter opens the one connection that writes. Transactions begin IMMEDIATE: the lock is taken at
// the start, so that an act never fails half-way for want of it.
func (d dialect) openWriter() (*sql.DB, error) {
	db, err := d.open("_txlock=immediate", "_pragma=foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func (d dialect) openReader() (*sql.DB, error) {
	db, err := d.open("_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return db, nil
}

func (d dialect) open(extra ...string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(d.uri(extra...))
	if err != nil {
		return nil, err
	}
	if d.wrap != nil {
		connector = d.wrap(connector)
	}
	return sql.OpenDB(connector), nil
}

func (d dialect) uri(extra ...string) string {
	options := append([]string{
		"_pragma=busy_timeout(5000)",
		"_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)", // NORMAL may lose acknowledged acts at a power cut
		"_pragma=cache_size(-65536)",
		"_pragma=temp_store(MEMORY)",
	}, extra...)
	u := url.URL{Scheme: "file", Opaque: url.PathEscape(d.path), RawQuery: strings.Join(options, "&")}
	return strings.ReplaceAll(u.String(), "%2F", "/")
}

// classify turns a driver's error into one of ours, and keeps its text.
func (d dialect) classify(err error) error {
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return err
	}
	switch failed.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	switch failed.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// migrate brings the tables up to date.
func (db *DB) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.write, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bringing the tables up to date: %w", err)
	}
	return nil
}
