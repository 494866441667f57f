package attack_test

import (
	"encoding/base64"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
)

// credential finds the token; the code is of its form.
func (q *ask) credential() (*token.Parsed, api.Code) {
	values := q.values("Authorization")
	if len(values) == 0 {
		return nil, api.CodeNoCredential
	}
	scheme, text, _ := strings.Cut(values[0], " ")
	user, basic := "", strings.EqualFold(scheme, "basic")
	if basic {
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		user, text, _ = strings.Cut(string(raw), ":")
		basic = err == nil && len(user) == 22 && !strings.ContainsAny(values[0], "\r\n")
	}
	parsed, fault := token.DefaultPrefix.Parse(text)
	whole := fault == token.NoFault && (!basic || user == parsed.SID.String()) || fault == token.BadChecksum
	if len(values) > 1 || len(values[0]) > 512 || !whole || !basic && !strings.EqualFold(scheme, "bearer") || len(q.named("access_token")) > 0 {
		return nil, api.CodeInvalidToken
	}
	if fault == token.BadChecksum {
		return &token.Parsed{}, "" // the form is right, and it is nobody's
	}
	return &parsed, ""
}

// caller says whose credential it is, if the secret is right and in force now.
func (o *oracle) caller(c *token.Parsed) (*api.Grant, api.Code) {
	g, known := o.grants[c.SID.String()]
	right := slices.ContainsFunc(g.Secrets, func(s api.Secret) bool {
		return s.Digest == c.Digest().String() && (s.Until == 0 || o.now < s.Until)
	})
	if !known || !right || g.State == api.StateDeleted || c.Kind != token.Access || g.Zero {
		return nil, api.CodeInvalidToken
	}
	return &g, o.standing(&g)
}

func (o *oracle) standing(g *api.Grant) api.Code {
	switch {
	case g.State == api.StateDisabled || g.State == api.StateLeaked:
		return api.CodeTokenDisabled
	case g.State == api.StateOnHold:
		return api.CodeTokenOnHold
	case g.State != api.StateEnabled:
		return api.CodeInvalidToken
	case g.Expires != 0 && o.now >= g.Expires:
		return api.CodeTokenExpired
	case o.now < g.NotBefore:
		return api.CodeTokenNotYetValid
	case o.accounts[g.Account].Suspended:
		return api.CodeAccountSuspended
	}
	return ""
}
