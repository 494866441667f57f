package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "desk.db") })
	})
}

// A path is a path, whatever is in it: no character of it is an option of the driver.
func TestPathsOfEverySpelling(t *testing.T) {
	for _, name := range []string{"plain.db", "two words.db", "50% off?.db", "a#b&c=d.db", "Zürich.db", "x.db?mode=memory"} {
		path := filepath.Join(t.TempDir(), name)
		db, err := store.Open(t.Context(), "sqlite:"+path)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q is not where it was asked for: %v", name, err)
		}
	}
}
