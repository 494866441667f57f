package notice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Folder writes every mail as one .eml file, for trying things out without a mail server. The files hold
// live links, so nobody else may read them.
type Folder struct{ dir string }

// NewFolder makes the folder if it is not there.
func NewFolder(dir string) (*Folder, error) {
	if dir == "" {
		return nil, errors.New("notice: a folder for mails is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for mails: %w", err)
	}
	return &Folder{dir: dir}, nil
}

// Send writes the file whole or not at all. A repeat replaces the same file.
func (f *Folder) Send(ctx context.Context, m Mail) (err error) {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing a mail: %w", err)
	}
	file, err := os.CreateTemp(f.dir, ".mail-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing a mail: %w", err)
	}
	_, err = m.WriteTo(file)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(f.dir, plainID(m.ID)+".eml"))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing a mail: %w", err), os.Remove(file.Name()))
	}
	return nil
}
