package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// watch collects every secret of a run, and looks for them where none may be (SECURITY.md, class 43).
type watch struct {
	d        *demonstration
	secrets  []string
	links    []string // keys of one-time links: mail may hold those
	browsers []*browser
}

func newWatch(d *demonstration) *watch {
	w := &watch{d: d, secrets: []string{demoPassword}}
	w.secret(d.file.ManagementToken)
	w.secret(d.file.OperatorToken)
	for _, t := range d.file.Tokens {
		w.secret(t.AuthToken)
	}
	return w
}

// secret notes an Auth Token and its secret part, and gives the token back.
func (w *watch) secret(authToken string) string {
	const secret, checksum = 43, 6
	end := len(authToken) - checksum
	w.secrets = append(w.secrets, authToken, authToken[end-secret:end])
	return authToken
}

func (w *watch) link(address string) {
	w.d.Helper()
	at, err := url.Parse(address)
	if err != nil {
		w.d.Fatal(err)
	}
	w.links = append(w.links, at.Query().Get("key"))
}

func (w *watch) browser(t testing.TB) *browser {
	b := newBrowser(t)
	w.browsers = append(w.browsers, b)
	return b
}

// forms are the spellings in which a secret may lie about.
func forms(secret string) [][]byte {
	out := [][]byte{[]byte(secret), []byte(url.QueryEscape(secret)), []byte(hex.EncodeToString([]byte(secret))), []byte(strings.ToUpper(hex.EncodeToString([]byte(secret))))}
	// Base64 of a text that holds the secret: three ways, by where it begins, less the characters that
	// depend on what stands beside it.
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		text = strings.TrimRight(text, "=")
		from, to := (shift*8+5)/6, len(text)-1
		out = append(out, []byte(text[from:to]), []byte(strings.NewReplacer("+", "-", "/", "_").Replace(text[from:to])))
	}
	return out
}

func found(text []byte, secrets []string) int {
	n := 0
	for _, s := range secrets {
		if slices.ContainsFunc(forms(s), func(f []byte) bool { return bytes.Contains(text, f) }) {
			n++
		}
	}
	return n
}

// look searches everything that the program keeps and tells. demo.json is there to be read by who runs the
// demo, so it is what shows that the search finds.
func (w *watch) look(t *testing.T) {
	kept := slices.Concat(w.secrets, w.links)
	for _, b := range w.browsers {
		for c := range b.cookies {
			kept = append(kept, c)
		}
	}
	if len(kept) < 100 {
		t.Fatalf("only %d secrets were collected", len(kept))
	}
	err := filepath.WalkDir(w.d.folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch name := filepath.Base(path); {
		case name == "demo.json":
			if n := found(text, w.secrets); n < 2*len(w.d.file.Tokens) {
				t.Errorf("the search finds %d secrets in demo.json, which holds more", n)
			}
		case filepath.Ext(name) == ".eml":
			if n := found(text, w.secrets); n > 0 {
				t.Errorf("%s holds %d secrets", name, n)
			}
		default:
			if n := found(text, kept); n > 0 {
				t.Errorf("%s holds %d secrets", name, n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := found([]byte(w.d.faults.String()), kept); n > 0 {
		t.Errorf("standard error holds %d secrets", n)
	}
	select {
	case <-w.d.ended:
		return
	default:
	}
	for _, path := range []string{"/metrics", "/readyz", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.d.file.Ops+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if n := found([]byte(readAll(t, answer.Body)), kept); n > 0 {
			t.Errorf("%s holds %d secrets", path, n)
		}
		if err := answer.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
