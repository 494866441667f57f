package verify_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// FuzzAuthorization: a token has two spellings of its field, the case of the scheme aside, and no other
// value lets anybody in as its holder.
func FuzzAuthorization(f *testing.F) {
	a := desk()
	tok := verifytest.Mint(f, token.Access, 7)
	a.Put(tok.Grant)
	v := a.Start(f, verify.Config{})
	basic := base64.StdEncoding.EncodeToString([]byte(tok.SID + ":" + tok.AuthToken))
	for _, seed := range []string{
		"Bearer T", "bearer T", "Basic B", "BASIC B", "Basic B=", "Bearer  T", "Bearer T ", "Bearer\tT", "Basic B\n", "Bearer T,Bearer T", "", "Bearer ", "Basic =",
	} {
		f.Add(strings.NewReplacer("T", tok.AuthToken, "B", basic).Replace(seed))
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := request(tok, "GET", jobs)
		r.Header["Authorization"] = []string{value}
		var d verify.Decision
		v.Identify(r, &d)
		one := len(value) > 7 && strings.EqualFold(value[:7], "Bearer ") && value[7:] == tok.AuthToken
		other := len(value) > 6 && strings.EqualFold(value[:6], "Basic ") && value[6:] == basic
		if d.Allowed != (one || other) {
			t.Errorf("%q: allowed %v", value, d.Allowed)
		}
		if d.Allowed != (d.SID == tok.SID) || !d.Allowed && d.Code == "" {
			t.Errorf("%q: %q as %q", value, d.Code, d.SID)
		}
	})
}
