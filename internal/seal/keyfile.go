package seal

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const maxKeyFile = 64 << 10

// LoadOrCreate reads the key file, or makes it with one new key when there is none. Two processes that
// start at once end with the same file. It refuses a file that others may read, an empty one, and one
// with a line that is not a key, so that a slip never becomes a silent new key.
func LoadOrCreate(path string) (*Key, error) {
	box, err := load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return box, err
	}
	if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the key file: %w", err)
	}
	return load(path)
}

func load(path string) (_ *Key, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the key file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening the key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s: not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("key file %s: mode %04o lets others read it; want 0600", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("key file %s: more than %d octets", path, maxKeyFile)
	}
	return parse(path, string(text))
}

// parse reads one key a line. Errors name the line and never what is in it.
func parse(path, text string) (*Key, error) {
	box := &Key{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		raw, ok := decodeKey(line)
		if !ok {
			return nil, fmt.Errorf("key file %s, line %d: want %d octets in base64 or hex", path, n, keyLen)
		}
		k, err := newOne(raw)
		if err != nil {
			return nil, fmt.Errorf("key file %s, line %d: %w", path, n, err)
		}
		for _, other := range box.keys {
			if other.id == k.id {
				return nil, fmt.Errorf("key file %s, line %d: the same key twice", path, n)
			}
		}
		box.keys = append(box.keys, k)
	}
	if len(box.keys) == 0 {
		return nil, fmt.Errorf("key file %s: no key in it", path)
	}
	return box, nil
}

func decodeKey(line string) ([]byte, bool) {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if raw, err := decode(line); err == nil && len(raw) == keyLen {
			return raw, true
		}
	}
	return nil, false
}

// create writes a new key beside path, makes it durable, and only then gives it its name, which fails
// when somebody else was first. A key that sealed something and then went with a power cut would take
// all of that with it.
func create(path string) (err error) {
	var raw [keyLen]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = file.WriteString(base64.StdEncoding.EncodeToString(raw[:]) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
