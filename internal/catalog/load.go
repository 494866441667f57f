package catalog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits of one upload: all documents of all versions together.
const (
	maxFiles    = 4000
	maxTotal    = 64 << 20     // octets
	maxAllNodes = 4 * maxNodes // values, over all documents
	maxFileYAML = 4 << 20      // octets of the catalogue file itself
)

// DefaultFile is the name of the catalogue file in its folder.
const DefaultFile = "catalog.yaml"

// Source is the catalogue file and its documents, read but not yet judged against each other.
type Source struct {
	file string
	desc *catalogFile
	docs map[string]*node // by path in the file system; one that could not be read is missing
}

// Files lists the catalogue file and all documents that it names, ascending; also those that could not
// be read.
func (s *Source) Files() []string {
	out := []string{s.file}
	for _, a := range s.desc.apis {
		for _, v := range a.versions {
			out = append(out, v.documents...)
		}
	}
	return sortedSet(out)
}

// Load reads the catalogue file of that name ("" means catalog.yaml) and the documents that it names
// from fsys. Nothing outside fsys is read, no reference is followed yet, and what is read is bounded:
// 32 MiB a document, 64 MiB and 4,000 files in all. The error is for a catalogue file that cannot be
// read; everything else is a problem, sorted, and a fatal one means that the source must not be
// published. The source may still be built, so that a check tells all faults at once.
func Load(fsys fs.FS, file string) (*Source, []Problem, error) {
	if file == "" {
		file = DefaultFile
	}
	data, err := readBounded(fsys, file, maxFileYAML)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the catalogue file: %w", err)
	}
	list := &problems{}
	l := &loader{fsys: fsys, list: list, src: &Source{file: file, desc: &catalogFile{}, docs: map[string]*node{}}, tried: map[string]bool{}}
	root, err := parse(data)
	if err != nil {
		line, text := asFault(err)
		report{list: list}.fatal(place{file, line}, "%s", text)
		return l.src, list.sorted(file), nil
	}
	r := &fileReader{report{list: list}, file}
	l.src.desc = r.readFile(root)
	for _, a := range l.src.desc.apis {
		for _, v := range a.versions {
			l.documents(report{list, a.name, v.name}, v)
		}
	}
	return l.src, list.sorted(file), nil
}

// loader reads documents and keeps count.
type loader struct {
	fsys  fs.FS
	list  *problems
	src   *Source
	tried map[string]bool
	total int64
	nodes int
}

// documents resolves the patterns of one version and reads what they match.
func (l *loader) documents(r report, v *fileVersion) {
	for _, p := range v.patterns {
		pattern := path.Join(path.Dir(l.src.file), p.text)
		if !fs.ValidPath(pattern) {
			r.fatal(p.place, "documents %q leads out of the catalogue's folder", p.text)
			continue
		}
		names, err := glob(l.fsys, pattern)
		if err != nil {
			r.fatal(p.place, "documents %q: %v", p.text, err)
			continue
		}
		names = slices.DeleteFunc(names, func(n string) bool { return n == l.src.file })
		if len(names) == 0 {
			r.fatal(p.place, "documents %q matches no file", p.text)
		}
		v.documents = append(v.documents, names...)
	}
	v.documents = sortedSet(v.documents)
	for _, name := range v.documents {
		l.document(r, name)
	}
}

// glob is fs.Glob, but a segment that is ** stands for any number of folders: documents that are split
// into parts nest as their authors like.
func glob(fsys fs.FS, pattern string) ([]string, error) {
	before, after, deep := strings.Cut(pattern, "**/")
	if !deep && !strings.ContainsAny(pattern, `*?[\`) {
		// fs.Glob would look through a link, and not find one that leads nowhere; we want to refuse both.
		if _, err := fs.Lstat(fsys, pattern); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return []string{pattern}, nil
	}
	if !deep {
		return fs.Glob(fsys, pattern)
	}
	if strings.Contains(after, "**") || before != "" && !strings.HasSuffix(before, "/") || strings.ContainsAny(before, `*?[\`) {
		return nil, errors.New("** may stand once, as a segment, after plain names")
	}
	root := path.Clean(before + ".")
	var out []string
	err := fs.WalkDir(fsys, root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == root {
			return fs.SkipAll // matches nothing, which is told as such
		}
		if err != nil || !d.IsDir() {
			return err
		}
		found, err := fs.Glob(fsys, path.Join(escapeGlob(name), after))
		out = append(out, found...)
		return err
	})
	return out, err
}

// escapeGlob makes a folder's name match itself alone.
func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

func (l *loader) document(r report, name string) {
	if l.tried[name] {
		return
	}
	l.tried[name] = true
	at := place{file: name}
	if len(l.tried) > maxFiles {
		if len(l.tried) == maxFiles+1 {
			r.fatal(at, "the catalogue names more than %d documents", maxFiles)
		}
		return
	}
	data, err := readBounded(l.fsys, name, min(maxDocument, maxTotal-l.total))
	l.total += int64(len(data))
	if err != nil {
		r.fatal(at, "%v", err)
		return
	}
	root, err := parse(data)
	if err != nil {
		line, text := asFault(err)
		r.fatal(place{name, line}, "%s", text)
		return
	}
	if l.nodes += root.count(); l.nodes > maxAllNodes {
		r.fatal(at, "the documents together have more than %d values", maxAllNodes)
		return
	}
	l.src.docs[name] = root
}

// count is how many values the tree has.
func (n *node) count() int {
	sum := 1
	for _, k := range n.kids {
		sum += k.count()
	}
	return sum
}

// errTooLong is a file beyond its limit.
var errTooLong = errors.New("the file is longer than the limit")

// readBounded reads a plain file of at most limit octets. A link is refused, for it could lead out of
// the folder that the operator meant.
func readBounded(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no plain file", name)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%w: %d octets, at most %d", errTooLong, info.Size(), limit)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: at most %d octets", errTooLong, limit)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
