package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"counterfoil.dev/counterfoil/internal/store"
)

// lockDatabase keeps a second program off a SQLite database until this one ends, however it ends. Two
// at once would each have a verifier that hears of the other's revocations only after a while. A folder
// that is not there is made, for its owner alone.
func lockDatabase(dsn string) (unlock func(), err error) {
	path := strings.TrimPrefix(dsn, "sqlite:")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the database's folder: %w", err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the database: %w", err)
	}
	if err := lockFile(lock); err != nil {
		err = fmt.Errorf("another counterfoil is using the database %s: stop it first (%w)", path, err)
		return nil, errors.Join(err, lock.Close())
	}
	return func() {
		if err := lock.Close(); err != nil {
			complain(os.Stderr, "counterfoil: unlocking the database: %v\n", err)
		}
	}, nil
}

// openDatabase opens the database under its lock. Where there is none, the file is made first, for its
// owner alone: it holds digests of passwords. SQLite gives the files beside it the same mode.
func openDatabase(ctx context.Context, dsn string) (*store.DB, error) {
	file, err := os.OpenFile(strings.TrimPrefix(dsn, "sqlite:"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return store.Open(ctx, dsn)
}
