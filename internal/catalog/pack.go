package catalog

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// MaxPacked bounds a packed catalogue on its way to the server, in octets. Text packs at least twofold,
// so what is within the limits unpacked fits.
const MaxPacked = maxTotal

// Bounds of the name of a file in a pack: octets and folders.
const (
	maxName    = 255
	maxFolders = 10
)

// PackDir packs a folder's catalogue file and the documents that it names as a gzipped tar, names
// ascending and without times or owners, so that the same files pack to the same octets. Everything else
// in the folder stays where it is. A document that is no plain file, a link above all, is refused. The
// limits are those of Load.
func PackDir(dir string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("packing the catalogue: %w", err)
	}
	out, err := Pack(root.FS())
	if closeErr := root.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("packing the catalogue: %w", err)
	}
	return out, nil
}

// Pack packs the files of fsys as PackDir does.
func Pack(fsys fs.FS) ([]byte, error) {
	src, _, err := Load(fsys, "") // its problems are the server's to tell
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	total := int64(0)
	for _, name := range src.Files() {
		if err := properName(name); err != nil {
			return nil, err
		}
		data, err := readBounded(fsys, name, min(maxDocument, maxTotal-total))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		total += int64(len(data))
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o644, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, err := w.Write(data); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// properName holds the names that we write and take: relative, clean, of printable characters.
func properName(name string) error {
	if !fs.ValidPath(name) || name == "." || len(name) > maxName || strings.Count(name, "/") > maxFolders || strings.ContainsAny(name, `\:`) || name != clean(name, false) {
		return fmt.Errorf("%q is no proper name for a file in a catalogue", short(name))
	}
	return nil
}

// Unpack reads what Pack wrote, or a gzipped tar that somebody else did, and believes nothing: a link, a
// device, an absolute or climbing name, a name that comes twice or is a folder of another, and anything
// over the limits (counted on what comes out, not on what the archive says) is refused.
func Unpack(data []byte) (fs.FS, error) {
	if len(data) > MaxPacked {
		return nil, fmt.Errorf("unpacking the catalogue: %w: %d octets, at most %d", errTooLong, len(data), MaxPacked)
	}
	files, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("unpacking the catalogue: %w", err)
	}
	return files, nil
}

func unpack(data []byte) (Files, error) {
	gz, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	// Headers and padding come on top of the files; whatever the archive inflates to is bounded.
	r := tar.NewReader(io.LimitReader(gz, maxTotal+maxFiles*4096))
	files := Files{}
	total := int64(0)
	for entries := 0; ; entries++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if entries >= 2*maxFiles {
			return nil, fmt.Errorf("the archive has more than %d entries", 2*maxFiles)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		if h.Typeflag == tar.TypeDir {
			if name != "" && name != "." && !fs.ValidPath(name) {
				return nil, properName(name)
			}
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("%q is no plain file", short(h.Name))
		}
		if err := properName(name); err != nil {
			return nil, err
		}
		if _, twice := files[name]; twice {
			return nil, fmt.Errorf("%q comes twice", short(name))
		}
		if len(files) >= maxFiles {
			return nil, fmt.Errorf("the archive has more than %d files", maxFiles)
		}
		limit := min(maxDocument, maxTotal-total)
		if h.Size > limit {
			return nil, fmt.Errorf("%s: %w: at most %d octets", short(name), errTooLong, limit)
		}
		content, err := io.ReadAll(io.LimitReader(r, limit))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", short(name), err)
		}
		total += int64(len(content))
		files[name] = content
	}
	return files, files.check()
}
