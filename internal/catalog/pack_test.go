package catalog

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPackCarriesACatalogue(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("catalog.yaml", strings.Replace(diffCatalogue, "[v1.yaml]", `[v1.yaml, "parts/**/*.json"]`, 1))
	write("v1.yaml", "openapi: 3.1.0\npaths: {}\n")
	write("values.yaml", "password: 1")
	write("parts/more/p.json", "{}")
	write(".git/config.yaml", "secret: 1")
	write(".hidden.yaml", "secret: 1")
	write("notes.txt", "not for the server")
	first, err := PackDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := PackDir(dir)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("two packs of one folder differ (%v)", err)
	}
	files, err := Unpack(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(files, "catalog.yaml", "v1.yaml", "parts/more/p.json"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".git/config.yaml", ".hidden.yaml", "notes.txt", "values.yaml"} {
		if _, err := fs.Stat(files, name); err == nil {
			t.Errorf("%s was packed", name)
		}
	}
	if src, problems, err := Load(files, ""); err != nil || HasFatal(problems) || strings.Join(src.Files(), " ") != "catalog.yaml parts/more/p.json v1.yaml" {
		t.Errorf("%v %v", err, problems)
	}
}

// TestPackRefusesLinks: a link in the folder would carry a file of the publisher's machine to the server.
func TestPackRefusesLinks(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(outside, []byte("secret: 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "v1.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "catalog.yaml"), []byte(diffCatalogue), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := PackDir(dir); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("got %v", err)
	}
	_, problems, err := Load(os.DirFS(dir), "")
	if err != nil || !HasFatal(problems) || !strings.Contains(fmt.Sprint(problems), "no plain file") {
		t.Errorf("Load follows the link: %v %v", problems, err)
	}
}

type member struct {
	tar.Header
	body []byte
}

func archived(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, m := range members {
		if m.Typeflag == 0 {
			m.Typeflag = tar.TypeReg
		}
		m.Header.Size = int64(len(m.body))
		m.Header.Mode = 0o644
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func named(name string) member { return member{Header: tar.Header{Name: name}, body: []byte("x: 1\n")} }

func TestUnpackBelievesNothing(t *testing.T) {
	zeros := make([]byte, maxDocument+1)
	many := make([]member, maxFiles+1)
	for i := range many {
		many[i] = named(fmt.Sprintf("d%d.yaml", i))
	}
	folders := make([]member, 2*maxFiles+1)
	for i := range folders {
		folders[i] = member{Header: tar.Header{Name: fmt.Sprintf("d%d/", i), Typeflag: tar.TypeDir}}
	}
	big := member{Header: tar.Header{Name: "a.yaml"}, body: zeros[:maxDocument]}
	for name, c := range map[string]struct {
		data  []byte
		words string
	}{
		"absolute name":   {archived(t, named("/etc/x.yaml")), "no proper name"},
		"climbing name":   {archived(t, named("../x.yaml")), "no proper name"},
		"inner climb":     {archived(t, named("a/../../x.yaml")), "no proper name"},
		"backslash":       {archived(t, named(`a\x.yaml`)), "no proper name"},
		"drive":           {archived(t, named(`c:x.yaml`)), "no proper name"},
		"control":         {archived(t, named("a\nb.yaml")), "no proper name"},
		"bidi":            {archived(t, named("a\u202eb.yaml")), "no proper name"},
		"climbing folder": {archived(t, member{Header: tar.Header{Name: "../d/", Typeflag: tar.TypeDir}}), "no proper name"},
		"link":            {archived(t, member{Header: tar.Header{Name: "a.yaml", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}}), "no plain file"},
		"hard link":       {archived(t, named("a.yaml"), member{Header: tar.Header{Name: "b.yaml", Linkname: "a.yaml", Typeflag: tar.TypeLink}}), "no plain file"},
		"device":          {archived(t, member{Header: tar.Header{Name: "a.yaml", Typeflag: tar.TypeChar}}), "no plain file"},
		"twice":           {archived(t, named("a.yaml"), named("./a.yaml")), "comes twice"},
		"file and folder": {archived(t, named("a"), named("a/b.yaml")), "both a file and a folder"},
		"long document":   {archived(t, member{Header: tar.Header{Name: "a.yaml"}, body: zeros}), "longer than the limit"},
		"long in all":     {archived(t, big, member{Header: tar.Header{Name: "b.yaml"}, body: zeros[:maxDocument]}, named("c.yaml")), "longer than the limit"},
		"many files":      {archived(t, many...), "more than 4000 files"},
		"many folders":    {archived(t, folders...), "more than 8000 entries"},
		"no gzip":         {[]byte("hello"), "unpacking"},
		"cut":             {archived(t, named("a.yaml"))[:40], "unpacking"},
		"too much":        {make([]byte, MaxPacked+1), "longer than the limit"},
	} {
		if _, err := Unpack(c.data); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: got %v, want %q", name, err, c.words)
		}
	}
}
