package token

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"html/template"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"strings"
	"testing"
)

var kinds = []Kind{Access, Zero, Node, Introspection, Join}

func mint(t testing.TB, p Prefix, k Kind) (string, SID, Digest) {
	t.Helper()
	secret, sid, digest, err := p.Mint(k, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal(), sid, digest
}

func TestWhatIsMintedParses(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range []Prefix{DefaultPrefix, "ab", "abcdefghijkl"} {
		for _, k := range kinds {
			for range 200 {
				s, sid, digest := mint(t, p, k)
				got, fault := p.Parse(s)
				if fault != NoFault || got.Kind != k || got.SID != sid || !got.Digest().Equal(digest) {
					t.Fatalf("%s of %s: %s, %s", p, k, fault, got)
				}
				if !strings.HasPrefix(s, p.Of(k)) || len(s) != len(p.Of(k))+71 {
					t.Fatalf("%d characters, want those of %s and 71", len(s), p.Of(k))
				}
				if seen[s] || seen[sid.String()] {
					t.Fatal("drawn twice")
				}
				seen[s], seen[sid.String()] = true, true
			}
		}
	}
}

func TestAResetKeepsTheSID(t *testing.T) {
	old, sid, digest := mint(t, DefaultPrefix, Access)
	secret, fresh, err := DefaultPrefix.MintFor(Access, sid, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, fault := DefaultPrefix.Parse(secret.Reveal())
	if fault != NoFault || got.SID != sid {
		t.Errorf("SID %s became %s (%s)", sid, got.SID, fault)
	}
	if secret.Reveal() == old || fresh.Equal(digest) || !got.Digest().Equal(fresh) {
		t.Error("the secret is not a new one")
	}
}

func TestMintRefuses(t *testing.T) {
	_, sid, _ := mint(t, DefaultPrefix, Access)
	for name, c := range map[string]struct {
		prefix Prefix
		kind   Kind
		sid    SID
		random io.Reader
		want   error
	}{
		"no prefix":          {"", Access, sid, rand.Reader, ErrPrefix},
		"a prefix in caps":   {"CF", Access, sid, rand.Reader, ErrPrefix},
		"no kind":            {DefaultPrefix, 0, sid, rand.Reader, ErrKind},
		"a kind beyond":      {DefaultPrefix, Join + 1, sid, rand.Reader, ErrKind},
		"no SID":             {DefaultPrefix, Access, SID{}, rand.Reader, ErrSID},
		"a SID beyond 2^128": {DefaultPrefix, Access, SID([]byte(sidEnd)), rand.Reader, ErrSID},
		"randomness ends":    {DefaultPrefix, Access, sid, bytes.NewReader(make([]byte, 31)), io.ErrUnexpectedEOF},
	} {
		secret, digest, err := c.prefix.MintFor(c.kind, c.sid, c.random)
		if !errors.Is(err, c.want) || secret.Reveal() != "" || !digest.IsZero() {
			t.Errorf("%s: %v, %q", name, err, secret.Reveal())
		}
	}
	if secret, sid, _, err := DefaultPrefix.Mint(Access, bytes.NewReader(make([]byte, 40))); !errors.Is(err, io.ErrUnexpectedEOF) || secret.Reveal() != "" || !sid.IsZero() {
		t.Errorf("half the randomness: %v", err)
	}
}

// A mistyped character must not be answered by a look-up: the checksum is what lets a scanner and a
// verifier drop it (SECURITY.md, section 1.4). CRC-32 finds every error burst of up to 32 bits.
func TestOneFlippedCharacterIsCaught(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	random := mrand.New(mrand.NewPCG(1, 2))
	for range rounds {
		s, _, _ := mint(t, DefaultPrefix, kinds[random.IntN(len(kinds))])
		for range 40 {
			b := []byte(s)
			at := random.IntN(len(b))
			b[at] = alphabet[random.IntN(62)]
			if random.IntN(8) == 0 {
				b[at] = byte(random.IntN(256))
			}
			_, fault := DefaultPrefix.Parse(string(b))
			if same := string(b) == s; (fault == NoFault) != same {
				t.Fatalf("character %d: %s", at, fault)
			}
		}
	}
}

func TestChecksumIsTheStandardOne(t *testing.T) {
	if checksum("123456789") != 0xcbf43926 {
		t.Errorf("check value %08x, want cbf43926", checksum("123456789"))
	}
	b := make([]byte, 200)
	for i := range b {
		b[i] = byte(i * 37)
	}
	for n := range b {
		if got, want := checksum(string(b[:n])), crc32.ChecksumIEEE(b[:n]); got != want {
			t.Errorf("%d octets: %08x, want %08x", n, got, want)
		}
	}
}

func TestEachNumberHasOneSpelling(t *testing.T) {
	last := []byte(sidEnd)
	last[sidLen-1]--
	for s, want := range map[string]bool{
		strings.Repeat("0", 22):  true,
		string(last):             true,
		sidEnd:                   false,
		strings.Repeat("z", 22):  false,
		strings.Repeat("0", 21):  false,
		strings.Repeat("0", 23):  false,
		"":                       false,
		"000000000000000000000-": false,
		"00000000000000000000é":  false,
	} {
		sid, err := ParseSID(s)
		if (err == nil) != want || (want && sid.String() != s) || (!want && (err != ErrSID || !sid.IsZero())) {
			t.Errorf("%q: %v, %v", s, sid, err)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for s, want := range map[string]bool{
		"cfoil": true, "ab": true, "a1": true, "abcdefghijkl": true,
		"": false, "a": false, "1a": false, "aB": false, "a_b": false, "a-b": false, "abcdefghijklm": false, "é1": false,
	} {
		p, err := ParsePrefix(s)
		if (err == nil) != want || (want && string(p) != s) || (!want && p != "") {
			t.Errorf("%q: %q, %v", s, p, err)
		}
	}
	// Without a prefix every string would begin with it.
	s, _, _ := mint(t, "ab", Access)
	if _, fault := Prefix("").Parse(s); fault != Malformed {
		t.Errorf("the zero prefix parsed a credential: %s", fault)
	}
	if got := DefaultPrefix.Of(0); got != "" {
		t.Errorf("the zero kind begins with %q", got)
	}
}

func TestZeroDigestEqualsNothing(t *testing.T) {
	_, _, d := mint(t, DefaultPrefix, Access)
	other := d
	other[31] ^= 1
	for name, c := range map[string]struct {
		a, b Digest
		want bool
	}{
		"same":              {d, d, true},
		"last bit":          {d, other, false},
		"zero and zero":     {Digest{}, Digest{}, false},
		"zero and one":      {Digest{}, d, false},
		"cut secret":        {DigestOf("short"), DigestOf("short"), false},
		"nothing was asked": {Parsed{}.Digest(), Digest{}, false},
	} {
		if got := c.a.Equal(c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	back, err := ParseDigest(d.String())
	if err != nil || back != d {
		t.Errorf("%s came back as %s: %v", d, back, err)
	}
	for _, s := range []string{"", "00", strings.Repeat("0", 64), strings.ToUpper("f" + d.String()[1:]), d.String() + "0", strings.Repeat("g", 64)} {
		if got, err := ParseDigest(s); err != ErrDigest || !got.IsZero() {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

// The attack: a debug line, an error or a template prints a struct that somewhere holds a secret
// (SECURITY.md, class 43).
func TestSecretsPrintAsDots(t *testing.T) {
	secret, sid, _, err := DefaultPrefix.Mint(Access, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parsed, _ := DefaultPrefix.Parse(secret.Reveal())
	type hidden struct {
		secret Secret
		parsed Parsed
		name   string
	}
	var out bytes.Buffer
	for _, v := range []any{
		secret, &secret, parsed, &parsed,
		hidden{secret, parsed, "n"},
		&hidden{secret, parsed, "n"},
		[]Secret{secret},
		map[string]any{"s": secret, "p": parsed},
		fmt.Errorf("issuing: %v", secret),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		if err := template.Must(template.New("x").Parse(`<p title="{{.}}">{{.}}</p><script>var x = "{{.}}"</script>`)).Execute(&out, v); err == nil {
			fmt.Fprintln(&out)
		}
	}
	tail := secret.Reveal()[len("cfoil_")+22:]
	for name, leak := range map[string]string{"text": tail, "hex": fmt.Sprintf("%x", tail), "HEX": fmt.Sprintf("%X", tail)} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the secret was printed as %s", name)
		}
	}
	if !strings.Contains(out.String(), dots) || !strings.Contains(out.String(), sid.String()) {
		t.Error("neither dots nor SID were printed; the test looked at nothing")
	}
	type holder struct{ S Secret }
	for name, encode := range map[string]func(any) ([]byte, error){"json": json.Marshal, "xml": xml.Marshal} {
		for _, v := range []any{secret, &secret, holder{secret}} {
			if b, err := encode(v); !errors.Is(err, ErrSecretMarshalled) {
				t.Errorf("%s encoded a secret as %s (%v)", name, b, err)
			}
		}
	}
}

func TestSIDIsAStringInJSON(t *testing.T) {
	_, sid, _ := mint(t, DefaultPrefix, Access)
	type doc struct {
		A SID         `json:"a"`
		M map[SID]int `json:"m"`
	}
	b, err := json.Marshal(doc{sid, map[SID]int{sid: 1}})
	if err != nil || string(b) != `{"a":"`+sid.String()+`","m":{"`+sid.String()+`":1}}` {
		t.Fatalf("%s, %v", b, err)
	}
	var back doc
	if err := json.Unmarshal(b, &back); err != nil || back.A != sid || back.M[sid] != 1 {
		t.Errorf("%v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"a":"nope"}`), &back); !errors.Is(err, ErrSID) {
		t.Errorf("a wrong SID: %v", err)
	}
}

// A generator that repeats or leans would show here long before it could be guessed.
func TestDigitsAreEven(t *testing.T) {
	var count [62]int
	total := 0
	for range 4000 {
		s, _, _ := mint(t, DefaultPrefix, Access)
		// The first digit of each part is below 62 by nature; the others are even.
		for _, part := range []string{s[7 : 6+22], s[6+22+1 : 6+22+43]} {
			for i := range len(part) {
				count[digits[part[i]]]++
				total++
			}
		}
	}
	var chi float64
	mean := float64(total) / 62
	for _, n := range count {
		chi += (float64(n) - mean) * (float64(n) - mean) / mean
	}
	if chi > 150 { // 61 degrees of freedom: once in 10^8 by chance
		t.Errorf("chi-squared %.1f over %d digits", chi, total)
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	s, _, digest := mint(t, DefaultPrefix, Access)
	bad := s[:len(s)-1] + "!"
	if n := testing.AllocsPerRun(1000, func() {
		got, fault := DefaultPrefix.Parse(s)
		if fault != NoFault || !got.Digest().Equal(digest) {
			t.Fatal(fault)
		}
		if _, fault := DefaultPrefix.Parse(bad); fault != Malformed {
			t.Fatal(fault)
		}
		if _, err := ParseSID(s[6:28]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What parses prints back the same, and nothing but its own spelling parses to the same credential.
func FuzzParse(f *testing.F) {
	for _, k := range kinds {
		s, _, _ := mint(f, DefaultPrefix, k)
		f.Add(s)
	}
	f.Add("cfoil_" + strings.Repeat("0", 71))
	f.Add("cfoil_" + strings.Repeat("z", 71))
	f.Fuzz(func(t *testing.T, s string) {
		got, fault := DefaultPrefix.Parse(s)
		if fault != NoFault {
			if got != (Parsed{}) {
				t.Fatalf("a refused credential left %#v", got)
			}
			// Mended checksums let the fuzzer past the CRC, into the limits.
			if len(s) > checksumLen {
				head := s[:len(s)-checksumLen]
				var sum [checksumLen]byte
				encodeChecksum(&sum, checksum(head))
				s = head + string(sum[:])
				got, fault = DefaultPrefix.Parse(s)
			}
		}
		if fault != NoFault {
			return
		}
		head := DefaultPrefix.Of(got.Kind) + got.SID.String()
		if !strings.HasPrefix(s, head) {
			t.Fatalf("%q parsed as %s", s, head)
		}
		if d := DigestOf(s[len(head) : len(head)+secretLen]); !d.Equal(got.Digest()) {
			t.Fatalf("digest %s, want %s", got.Digest(), d)
		}
		if _, err := ParseSID(got.SID.String()); err != nil {
			t.Fatal(err)
		}
	})
}

// The floor is what cannot be saved: one block of SHA-256.
func BenchmarkParse(b *testing.B) {
	s, _, digest := mint(b, DefaultPrefix, Access)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, fault := DefaultPrefix.Parse(s); fault != NoFault {
				b.Fatal(fault)
			}
		}
	})
	b.Run("parse, hash, compare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			got, _ := DefaultPrefix.Parse(s)
			if !got.Digest().Equal(digest) {
				b.Fatal("not equal")
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if DigestOf(s[28:71]) != digest {
				b.Fatal("not equal")
			}
		}
	})
}
