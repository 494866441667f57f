package token

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"hash/crc32"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.txt anew from the slow implementation")

// slow is a second implementation that shares nothing with the first: big numbers for base62 and the
// standard library's CRC.
type slow struct{ sid, secret *big.Int }

func slowBase62(n *big.Int, width int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	n = new(big.Int).Set(n)
	var out []byte
	for n.Sign() > 0 {
		rest := new(big.Int)
		n.DivMod(n, big.NewInt(62), rest)
		out = append([]byte{digits[rest.Int64()]}, out...)
	}
	return strings.Repeat("0", width-len(out)) + string(out)
}

func (s slow) spell(prefix, kindWord string) string {
	head := prefix + kindWord + "_" + slowBase62(s.sid, 22) + slowBase62(s.secret, 43)
	return head + slowBase62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(head)))), 6)
}

func (s slow) digest() string {
	sum := sha256.Sum256([]byte(slowBase62(s.secret, 43)))
	return hex.EncodeToString(sum[:])
}

// power is 2^n + d.
func power(n uint, d int64) *big.Int {
	p := new(big.Int).Lsh(big.NewInt(1), n)
	return p.Add(p, big.NewInt(d))
}

// slowVectors draws the same vectors every time.
func slowVectors() string {
	var out strings.Builder
	out.WriteString("# outcome | prefix | kind | credential | SID | digest\n")
	line := func(outcome, prefix, kind, credential, sid, digest string) {
		fmt.Fprintf(&out, "%s | %s | %s | %s | %s | %s\n", outcome, prefix, kind, credential, sid, digest)
	}
	words := []struct{ word, kind string }{
		{"", "access token"},
		{"zero", "API-zero token"},
		{"node", "node credential"},
		{"rs", "introspection credential"},
		{"join", "join code"},
	}
	random := rand.NewChaCha8([32]byte([]byte("the vectors of the token package")))
	draw := func(bytes int) *big.Int {
		b := make([]byte, bytes)
		for i := range b {
			b[i] = byte(random.Uint64())
		}
		return new(big.Int).SetBytes(b)
	}
	for _, prefix := range []string{"cfoil", "ab", "z9", "abcdefghijk0"} {
		for _, w := range words {
			for _, v := range []slow{
				{draw(16), draw(32)},
				{big.NewInt(0), big.NewInt(0)},
				{big.NewInt(61), big.NewInt(62)},
				{power(128, -1), power(256, -1)},
			} {
				line("no fault", prefix, w.kind, v.spell(prefix, w.word), slowBase62(v.sid, 22), v.digest())
			}
		}
	}
	malformed := func(s string) { line("malformed", "cfoil", "no credential", s, "-", "-") }
	good := slow{draw(16), draw(32)}
	malformed(slow{power(128, 0), draw(32)}.spell("cfoil", ""))
	malformed(slow{draw(16), power(256, 0)}.spell("cfoil", ""))
	malformed(slow{power(130, 0), draw(32)}.spell("cfoil", ""))
	malformed(slow{draw(16), power(256, 1)}.spell("cfoil", "node"))
	malformed(good.spell("other", ""))
	malformed(good.spell("cfoi", ""))
	malformed(good.spell("cfoil", "admin"))
	malformed(good.spell("cfoil", "")[1:])
	malformed(good.spell("cfoil", "") + "0")
	malformed(strings.Replace(good.spell("cfoil", ""), "_", "-", 1))
	malformed(strings.Replace(good.spell("cfoil", ""), "_", "__", 1))
	malformed(strings.ToUpper(good.spell("cfoil", "")))
	malformed("cfoil_")
	malformed("cfoil")
	token := good.spell("cfoil", "")
	bad := func(s string) { line("bad checksum", "cfoil", "no credential", s, "-", "-") }
	bad(token[:len(token)-6] + "000000")
	bad(token[:len(token)-6] + "zzzzzz") // more than any CRC-32
	bad(strings.Replace(token, "cfoil_", "cfoilrs_", 1))
	return out.String()
}

func TestVectorsOfASecondImplementation(t *testing.T) {
	path := filepath.Join("testdata", "vectors.txt")
	want := slowVectors()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != want {
		t.Errorf("%s is not what the slow implementation writes; run with -update and read the difference", path)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")[1:]
	if len(lines) != 97 {
		t.Errorf("%d vectors, want 97", len(lines))
	}
	for _, l := range lines {
		f := strings.Split(l, " | ")
		outcome, kind, credential, sid, digest := f[0], f[2], f[3], f[4], f[5]
		prefix, err := ParsePrefix(f[1])
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		got, fault := prefix.Parse(credential)
		if fault.String() != outcome || got.Kind.String() != kind {
			t.Errorf("%s\n got %s, %s", l, fault, got.Kind)
			continue
		}
		if fault != NoFault {
			if got != (Parsed{}) {
				t.Errorf("%s\n a refused credential left %#v", l, got)
			}
			continue
		}
		if got.SID.String() != sid || got.Digest().String() != digest {
			t.Errorf("%s\n got SID %s, digest %s", l, got.SID, got.Digest())
		}
	}
}
