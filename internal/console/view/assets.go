package view

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed assets
var embedded embed.FS

// File is one asset as it is served. Its name holds the hash of its content, so an answer may be kept
// for ever: Cache-Control: public, max-age=31536000, immutable.
type File struct {
	Name  string // app.css
	Path  string // /assets/app.0f3c9a1b2d.css
	Type  string // the Content-Type
	Bytes []byte
	Gzip  []byte
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// built reads the embedded files once. It cannot fail on a binary that has passed TestAssets: what it
// reads was fixed when the binary was made.
var built = sync.OnceValue(func() map[string]File {
	files, err := buildAssets(embedded)
	if err != nil {
		panic(err)
	}
	return files
})

// Assets are all files, keyed by the path under which they are served.
func Assets() map[string]File {
	out := make(map[string]File)
	for _, f := range built() {
		out[f.Path] = f
	}
	return out
}

// Asset is the path of a file: "app.css", "app.js", "icons.svg", "mark.svg". Another name gives "".
func Asset(name string) string { return built()[name].Path }

func buildAssets(from fs.FS) (map[string]File, error) {
	out := make(map[string]File)
	sheets, err := fs.Glob(from, "assets/css/*.css")
	if err != nil {
		return nil, fmt.Errorf("listing style sheets: %w", err)
	}
	var css bytes.Buffer
	for _, s := range sheets { // Glob sorts: 10-… before 20-…
		b, err := fs.ReadFile(from, s)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", s, err)
		}
		css.Write(b)
	}
	if err := add(out, "app.css", css.Bytes()); err != nil {
		return nil, err
	}
	for _, name := range []string{"app.js", "icons.svg", "mark.svg"} {
		b, err := fs.ReadFile(from, "assets/"+name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if err := add(out, name, b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func add(to map[string]File, name string, content []byte) error {
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compressing %s: %w", name, err)
	}
	if _, err := w.Write(content); err != nil {
		return fmt.Errorf("compressing %s: %w", name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compressing %s: %w", name, err)
	}
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	to[name] = File{
		Name: name, Type: assetTypes[ext], Bytes: content, Gzip: zipped.Bytes(),
		Path: PathAssets + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:5]) + ext,
	}
	return nil
}
