package storetest

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
)

// ErrFault is what a statement fails with that [Tap] was told to fail.
var ErrFault = errors.New("storetest: the database failed")

// Point is one moment at which a database can fail.
type Point struct {
	Kind      string // begin, exec, query, next (a row), commit; committed: the answer to a commit is lost
	Statement string
}

// Tap stands between database/sql and a driver. Its hook is asked before every point; an error that it
// gives fails the point, and the statement never reaches the driver. At "committed" the commit is done
// already, and the caller does not hear of it.
type Tap struct {
	mu   sync.Mutex
	hook func(Point) error
}

// Set installs a hook; nil takes it away.
func (t *Tap) Set(hook func(Point) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hook = hook
}

// At has do run at the nth point from now, once. fired tells which point that was, if it came.
func (t *Tap) At(n int, do func() error) (fired func() (Point, bool)) {
	var mu sync.Mutex
	var seen int
	var at *Point
	t.Set(func(p Point) error {
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen != n {
			return nil
		}
		at = &p
		return do()
	})
	return func() (Point, bool) {
		t.Set(nil)
		mu.Lock()
		defer mu.Unlock()
		if at == nil {
			return Point{}, false
		}
		return *at, true
	}
}

func (t *Tap) ask(kind, statement string) error {
	t.mu.Lock()
	hook := t.hook
	t.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(Point{kind, statement})
}

// Connector is for store.OpenThrough.
func (t *Tap) Connector(under driver.Connector) driver.Connector { return connector{under, t} }

type connector struct {
	driver.Connector
	tap *Tap
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	under, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := under.(fullConn)
	if !ok {
		return nil, errors.Join(errors.New("storetest: the driver has no contexts"), under.Close())
	}
	return &conn{full, c.tap}, nil
}

// fullConn is what both drivers' connections can do.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
}

type conn struct {
	fullConn
	tap *Tap
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.tap.ask("begin", ""); err != nil {
		return nil, err
	}
	under, err := c.fullConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &tx{under, c.tap}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.tap.ask("exec", query); err != nil {
		return nil, err
	}
	return c.fullConn.ExecContext(ctx, query, args)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.tap.ask("query", query); err != nil {
		return nil, err
	}
	under, err := c.fullConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &rows{under, query, c.tap}, nil
}

// IsValid and CheckNamedValue are handed on where the driver has them.

func (c *conn) IsValid() bool {
	v, ok := c.fullConn.(driver.Validator)
	return !ok || v.IsValid()
}

func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if under, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return under.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type rows struct {
	driver.Rows
	query string
	tap   *Tap
}

func (r *rows) Next(dest []driver.Value) error {
	if err := r.tap.ask("next", r.query); err != nil {
		return err
	}
	return r.Rows.Next(dest)
}

type tx struct {
	driver.Tx
	tap *Tap
}

func (t *tx) Commit() error {
	if err := t.tap.ask("commit", ""); err != nil {
		return errors.Join(err, t.Rollback()) // as a driver does whose commit failed
	}
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	return t.tap.ask("committed", "")
}
