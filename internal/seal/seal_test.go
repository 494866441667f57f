package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func writeKeys(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *Key {
	t.Helper()
	box, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func rawKey(fill byte) []byte { return bytes.Repeat([]byte{fill}, keyLen) }

func TestWhatIsSealedOpensForItsPurposeOnly(t *testing.T) {
	box := open(t, filepath.Join(t.TempDir(), "key"))
	for _, plain := range []string{"", "x", strings.Repeat("long ", 10_000)} {
		sealed := box.Seal("outbox.body", []byte(plain))
		got, err := box.Open("outbox.body", sealed)
		if err != nil || string(got) != plain {
			t.Errorf("%d octets came back as %d: %v", len(plain), len(got), err)
		}
		if len(plain) > 1 && bytes.Contains(sealed, []byte(plain[:5])) {
			t.Error("the plain text shows")
		}
		for _, purpose := range []string{"webhook.secret", "outbox.bod", "outbox.body2", ""} {
			if got, err := box.Open(purpose, sealed); !errors.Is(err, ErrSealed) || got != nil {
				t.Errorf("opened for %q: %v", purpose, err)
			}
		}
		if bytes.Equal(sealed, box.Seal("outbox.body", []byte(plain))) {
			t.Error("the same value sealed twice is the same: the nonce is not random")
		}
	}
}

func TestEveryAlteredOctetIsNoticed(t *testing.T) {
	box := open(t, filepath.Join(t.TempDir(), "key"))
	sealed := box.Seal("p", []byte("secret"))
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		want := ErrSealed
		if i >= 1 && i < headerLen {
			want = ErrKey
		}
		if got, err := box.Open("p", bad); !errors.Is(err, want) || got != nil {
			t.Errorf("octet %d: %v, want %v", i, err, want)
		}
		if got, err := box.Open("p", sealed[:i]); err == nil || got != nil {
			t.Errorf("cut to %d: opened", i)
		}
	}
}

func TestANewKeyOnTopSealsAndOldOnesOpen(t *testing.T) {
	oldKey, newKey := hex.EncodeToString(rawKey(1)), base64.StdEncoding.EncodeToString(rawKey(2))
	old, both, fresh := open(t, writeKeys(t, oldKey)), open(t, writeKeys(t, "# rotated", newKey, "", oldKey)), open(t, writeKeys(t, newKey))
	before, after := old.Seal("p", []byte("before")), both.Seal("p", []byte("after"))
	for name, c := range map[string]struct {
		box    *Key
		sealed []byte
		want   error
	}{
		"the old value under both": {both, before, nil},
		"the new value under both": {both, after, nil},
		"the new value, new alone": {fresh, after, nil},
		"the old value, new alone": {fresh, before, ErrKey},
		"the new value, old alone": {old, after, ErrKey},
	} {
		if _, err := c.box.Open("p", c.sealed); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestKeyFileIsMadeOnceAndKeptClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	boxes := make([]*Key, 8)
	var all sync.WaitGroup
	for i := range boxes {
		all.Go(func() {
			box, err := LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			boxes[i] = box
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	sealed := boxes[0].Seal("p", []byte("x"))
	for i, b := range boxes {
		if _, err := b.Open("p", sealed); err != nil {
			t.Errorf("start %d has another key: %v", i, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestKeyFileRefusals(t *testing.T) {
	good := hex.EncodeToString(rawKey(7))
	wide := writeKeys(t, good)
	if err := os.Chmod(wide, 0o640); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"readable by the group": {wide, "0600"},
		"empty":                 {writeKeys(t, ""), "no key"},
		"only a comment":        {writeKeys(t, "# "+good), "no key"},
		"16 octets":             {writeKeys(t, good[:32]), "line 1"},
		"not a key":             {writeKeys(t, good, "correct horse battery staple"), "line 2"},
		"the same key twice":    {writeKeys(t, good, base64.StdEncoding.EncodeToString(rawKey(7))), "twice"},
		"far too large":         {writeKeys(t, strings.Repeat("#", maxKeyFile)+"\n"), "octets"},
		"a directory":           {t.TempDir(), "regular"},
		"no such directory":     {filepath.Join(t.TempDir(), "no", "key"), "making the key file"},
	} {
		if name == "a directory" {
			if err := os.Chmod(c.path, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		box, err := LoadOrCreate(c.path)
		if err == nil || box != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), good[:8]) || strings.Contains(err.Error(), "horse")) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestKeysPrintAsDots(t *testing.T) {
	box := open(t, writeKeys(t, hex.EncodeToString(rawKey(0xab))))
	var out bytes.Buffer
	for _, v := range []any{box, struct{ B *Key }{box}, struct{ b *Key }{box}, map[string]*Key{"b": box}} {
		fmt.Fprintf(&out, "%v %+v %#v %s %x %d\n", v, v, v, v, v, v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	}
	for _, leak := range []string{"abab", "ABAB", "171 171", "0xab"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the key shows as %q", leak)
		}
	}
	if !strings.Contains(out.String(), "••••") {
		t.Error("no dots: the test looked at nothing")
	}
	if b, err := json.Marshal(box); err == nil {
		t.Errorf("marshalled as %s", b)
	}
}
