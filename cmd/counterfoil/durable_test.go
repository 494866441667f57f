package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"testing"

	"counterfoil.dev/counterfoil/internal/store"
)

// A killed process leaves its writes to the system, so killing does not show what a power cut takes: all
// that was not synced (SECURITY.md, 3.3). SQLite syncs each commit in WAL mode only when synchronous is
// FULL (2); with NORMAL (1) acknowledged acts would be lost.
func TestEveryCommitIsSyncedToDisk(t *testing.T) {
	var opened connections
	path := filepath.Join(t.TempDir(), "counterfoil.db")
	db, err := store.OpenThrough(t.Context(), "sqlite:"+path, func(c driver.Connector) driver.Connector {
		return &watchedConnector{c, &opened}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Act(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(opened.list) < 2 {
		t.Fatalf("%d connections were seen, and there are a writer and readers", len(opened.list))
	}
	for _, c := range opened.list {
		for pragma, want := range map[string]driver.Value{"synchronous": int64(2), "journal_mode": "wal"} {
			if got := pragmaOf(t, c, pragma); got != want {
				t.Errorf("%s is %v, want %v", pragma, got, want)
			}
		}
	}
}

type connections struct {
	mu   sync.Mutex
	list []driver.Conn
}

// watchedConnector notes the connections that it makes.
type watchedConnector struct {
	driver.Connector
	opened *connections
}

func (w *watchedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := w.Connector.Connect(ctx)
	if err == nil {
		w.opened.mu.Lock()
		w.opened.list = append(w.opened.list, c)
		w.opened.mu.Unlock()
	}
	return c, err
}

func pragmaOf(t *testing.T, c driver.Conn, name string) driver.Value {
	t.Helper()
	rows, err := c.(driver.QueryerContext).QueryContext(t.Context(), "PRAGMA "+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return row[0]
}
