package verify_test

import (
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// TestADeletedTokenIsGuessedLikeAnyOther: SECURITY.md, class 27. A guess at a deleted token went another way
// than one at a live token, some nanoseconds apart. Only who has the secret learns that it is gone.
func TestADeletedTokenIsGuessedLikeAnyOther(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7)
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	a.Remove(tok.SID)
	a.Settle(t, v)
	sid, err := token.ParseSID(tok.SID)
	if err != nil {
		t.Fatal(err)
	}
	guess, _, err := token.DefaultPrefix.MintFor(token.Access, sid, endless('x'))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]api.Code{tok.AuthToken: api.CodeUnknownToken, guess.Reveal(): api.CodeWrongSecret} {
		r := request(tok, "GET", jobs)
		r.Header["Authorization"] = []string{"Bearer " + text}
		var d verify.Decision
		if v.Verify(r, &d); d.Code != want || d.Public() != api.CodeInvalidToken || d.Known {
			t.Errorf("%s, known %v, want %s", d.Code, d.Known, want)
		}
	}
}

// TestATokenTriedBeforeItsTimeIsCounted: SECURITY.md, class 45: what refuses must be seen. Codes that stood twice
// in the list of those counted were always read as zero.
func TestATokenTriedBeforeItsTimeIsCounted(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7)
	tok.NotBefore = api.Micros(1) << 60
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	var d verify.Decision
	v.Verify(request(tok, "GET", jobs), &d)
	if n := v.Status().Decisions[d.Code]; d.Code != api.CodeTokenNotYetValid || n != 1 {
		t.Errorf("%s was counted %d times", d.Code, n)
	}
}

// endless is a reader of one octet.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}
