package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Files is a catalogue in memory, by name: what Unpack makes, and what a program that carries its own
// catalogue makes by hand. It is a read-only file system; folders come from the names.
type Files map[string][]byte

// check refuses a file that is a folder of another.
func (p Files) check() error {
	for name := range p {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := p[dir]; ok {
				return fmt.Errorf("%q is both a file and a folder", short(dir))
			}
		}
	}
	return nil
}

// Open follows io/fs.FS.
func (p Files) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if data, ok := p[name]; ok {
		return &packedFile{entry{path.Base(name), int64(len(data)), false}, bytes.NewReader(data)}, nil
	}
	children := p.children(name)
	if len(children) == 0 && name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &packedDir{entry{path.Base(name), 0, true}, children}, nil
}

// children are the direct entries of a folder, ascending.
func (p Files) children(dir string) []fs.DirEntry {
	found := map[string]entry{}
	for name, data := range p {
		rest := name
		if dir != "." {
			var ok bool
			if rest, ok = strings.CutPrefix(name, dir+"/"); !ok {
				continue
			}
		}
		first, _, deeper := strings.Cut(rest, "/")
		e := entry{first, int64(len(data)), deeper}
		if deeper {
			e.size = 0
		}
		found[first] = e
	}
	out := make([]fs.DirEntry, 0, len(found))
	for _, name := range sortedNames(found) {
		out = append(out, fs.FileInfoToDirEntry(found[name]))
	}
	return out
}

// entry is the description of a file or folder.
type entry struct {
	name string
	size int64
	dir  bool
}

func (e entry) Name() string       { return e.name }
func (e entry) Size() int64        { return e.size }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool        { return e.dir }
func (e entry) Sys() any           { return nil }

// Mode is read-only for everybody.
func (e entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

type packedFile struct {
	entry
	*bytes.Reader
}

func (f *packedFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *packedFile) Close() error               { return nil }
func (f *packedFile) Size() int64                { return f.entry.size }

type packedDir struct {
	entry
	left []fs.DirEntry
}

func (d *packedDir) Stat() (fs.FileInfo, error) { return d.entry, nil }
func (d *packedDir) Close() error               { return nil }

func (d *packedDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a folder")}
}

// ReadDir follows io/fs.ReadDirFile.
func (d *packedDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.left)
	} else if len(d.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.left))
	out := d.left[:n]
	d.left = d.left[n:]
	return out, nil
}
