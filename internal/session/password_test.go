package session

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"counterfoil.dev/counterfoil/internal/store"
)

func TestWhatAPasswordMayBe(t *testing.T) {
	for password, want := range map[string]string{
		// Long enough and somebody's own: no rules on kinds of characters (NIST SP 800-63B-4).
		good:                               "",
		"the monkey dances on my old boat": "",
		"aaaaaaaaaaaaaaabcdexyz-gh":        "",
		"zwölf grüne Äpfel":                "",
		"パスワードではない長い言葉です": "",
		"🚲🐙🌵🧦🪁🥁🧭🪀🎲🧩🪆🛶🪕🧵🪡": "",
		"x7#Kq92!mVz@pL4":      "",
		"12 drummers drumming": "",
		strings.Repeat("lörem ipsum dolör sit amet cön", 8) + "sectetur adipis": "",
		// Too short, counted in code points after one spelling; too long.
		"":                            "at least 15",
		"fourteen chars":              "at least 15",
		"zwölf grüne Ap":              "at least 15",
		"e\u0301e\u0301x\u0301yzabcu": "at least 15",
		"🚲🐙🌵🧦🪁🥁🧭🪀🎲🧩🪆🛶🪕🧵":              "at least 15",
		strings.Repeat("no end ", 37): "longer than 256",
		strings.Repeat("x", 100_000):  "longer than 256",
		// What anybody would try first, and why.
		"passwordpassword":             "common words",
		"Password12345678":             "common words",
		"P@ssw0rd-P@ssw0rd!":           "common words",
		"counterfoil2026!!":            "common words",
		"CounterFoil-Admin-1":          "common words",
		"qwertyuiopasdfgh":             "common words",
		"1234567890123456":             "common words",
		"zyxwvutsrqponmlk":             "common words",
		"1qaz2wsx3edc4rfv":             "common words",
		"correct horse battery staple": "common words",
		"letmeinletmein2026":           "common words",
		"aaaaaaaaaaaaaaaa":             "repeats",
		"abcabcabcabcabcabc":           "repeats",
		"ada.byron@example.com":        "e-mail",
		"AdaByronAdaByron1":            "e-mail",
		"example-byron-2026":           "e-mail",
		// What cannot be typed.
		"fifteen\x00characters": "control",
		"fifteen\ncharacters..": "control",
		"\xff\xfefifteen chars": "UTF-8",
	} {
		got := passwordFault(password, "ada.byron@example.com", "Ada Byron")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%.40q: %q, want %q", password, got, want)
		}
		if len(password) > 5 && strings.Contains(got, password) {
			t.Errorf("%q is echoed", password)
		}
	}
}

func TestHashesAreOfTheWholePasswordInOneSpelling(t *testing.T) {
	ctx := context.Background()
	h := newHasher()
	long := strings.Repeat("a", 72) + "tail-one"
	encoded, err := h.hash(ctx, "zwölf grüne Äpfel"+long)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") || outdated(encoded) {
		t.Errorf("%s", encoded)
	}
	for typed, want := range map[string]bool{
		"zwölf grüne Äpfel" + long:                   true,
		"zwo\u0308lf gru\u0308ne A\u0308pfel" + long: true, // as another keyboard types it
		"zwölf grüne Äpfel" + long[:79]:              false,
		"zwölf grüne Äpfel" + long + " ":             false,
		"Zwölf grüne Äpfel" + long:                   false,
		"":                                           false,
		strings.Repeat("x", maxTyped+1):              false,
	} {
		if got, err := h.check(ctx, encoded, typed); err != nil || got != want {
			t.Errorf("%.40q: %v, %v", typed, got, err)
		}
	}
	again, err := h.hash(ctx, "zwölf grüne Äpfel"+long)
	if err != nil || again == encoded {
		t.Errorf("the same password twice has one hash: the salt is not random (%v)", err)
	}
	if _, err := decodeHash(dummyHash); err != nil || outdated(dummyHash) {
		t.Errorf("the dummy does not cost what a real hash costs: %v", err)
	}
}

// The attack: a row in the database asks for a hash of 100 GiB.
func TestHashesWithUnsoundSettingsAreRefused(t *testing.T) {
	const tail = "$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
	if _, err := decodeHash("$argon2id$v=19$m=19456,t=2,p=1" + tail); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"", "plain", "$2b$10$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=19456,t=2,p=1" + tail, "$argon2id$v=16$m=19456,t=2,p=1" + tail,
		"$argon2id$v=19$m=100000000,t=2,p=1" + tail, "$argon2id$v=19$m=19456,t=100,p=1" + tail, "$argon2id$v=19$m=19456,t=0,p=1" + tail,
		"$argon2id$v=19$m=19456,t=2,p=0" + tail, "$argon2id$v=19$m=19456,t=2,p=200" + tail, "$argon2id$v=19$m=1,t=2,p=1" + tail,
		"$argon2id$v=19$m=19456,t=2,p=1$MDE$" + "MDEyMzQ1Njc4OWFiY2RlZg", "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$", "$argon2id$v=19$m=19456,t=2,p=1$!$!",
	} {
		if ok, err := newHasher().check(context.Background(), s, good); err == nil || ok {
			t.Errorf("%q: %v", s, ok)
		}
	}
}

func TestOlderHashesAreRenewedAtSignIn(t *testing.T) {
	d := newDesk(t)
	d.ada()
	const older = "$argon2id$v=19$m=8192,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
	encoded := older + base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(good), []byte("0123456789abcdef"), 1, 8192, 1, 32))
	d.act(func(ctx context.Context, tx *store.Tx) error {
		return tx.SetPassword(ctx, store.SetPasswordParams{ID: "ada", Password: &encoded, At: ptr(int64(5))})
	})
	d.browser("192.0.2.1").mustSignIn()
	person, err := d.db.Read().Person(context.Background(), "ada")
	if err != nil || outdated(*person.Password) || *person.PasswordAt != 5 {
		t.Errorf("%s, %v", *person.Password, err)
	}
	d.browser("192.0.2.2").mustSignIn()
}
