package console

import (
	"errors"
	"net/http"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// tokenCreate makes the token of a draft and shows its secret, this once. The draft is spent in the
// same transaction, so a second sending finds the token instead of making another.
func (c *Console) tokenCreate(v *visit, id string, d draft, offer api.Offer) error {
	faults, err := c.faults(v, d, offer)
	if err != nil {
		return err
	}
	for _, step := range wizard {
		if errs := faults[step]; len(errs) > 0 {
			d.Step = step
			if made, err := c.saveOrMade(v, id, d, offer); made || err != nil {
				return err
			}
			return c.wizard(v, http.StatusUnprocessableEntity, id, d, offer, errs)
		}
	}
	in, _ := d.create(offer, v.now)
	issued, err := c.authority.CreateToken(v.r.Context(), v.by, v.account, in, authority.Once{Draft: id})
	var refused *api.Error
	if errors.As(err, &refused) && refused.Code == api.CodeInvalid { // somebody took the name meanwhile
		for _, step := range wizard {
			if errs := byStep(refused.Fields, offer, d)[step]; len(errs) > 0 {
				d.Step = step
				return c.wizard(v, http.StatusUnprocessableEntity, id, d, offer, errs)
			}
		}
	}
	if err != nil {
		return err
	}
	if issued.Replayed {
		return c.tokenMade(v, issued.Token.SID, offer)
	}
	return c.reveal(v, "created", issued, offer)
}

// reveal is the one page that shows a secret.
func (c *Console) reveal(v *visit, act string, issued authority.Issued, offer api.Offer) error {
	p := view.TokenRevealPage{
		Frame: v.frame(), Token: v.card(issued.Token, offer), Act: act, AuthToken: view.Once(issued.Secret.Reveal()),
	}
	p.Call, p.CallNote = c.firstCallOf(issued.Token, offer)
	return v.drawSecret(view.TokenReveal(p))
}

// firstCallOf finds a request that this token passes and that can be sent as it is: a GET whose path has
// no parameter but the SID.
func (c *Console) firstCallOf(t api.Token, offer api.Offer) (view.Call, string) {
	for i, p := range t.Pins {
		for _, a := range offer.APIs {
			if a.Name != p.API || a.Nested != (i > 0) || i > 0 {
				continue
			}
			held := map[string]bool{}
			for _, s := range p.Scopes {
				held[s] = true
			}
			for _, o := range chosenVersion(a, p.Version).Operations {
				path := strings.ReplaceAll(o.Path, "{AccountSID}", t.SID)
				if o.Method != http.MethodGet || strings.ContainsAny(path, "{}") || !opens(o.Scopes, held) {
					continue
				}
				base := c.gateway
				if a.Zero {
					base = c.authority.BaseURL()
				} else if base == "" && len(a.Hosts) > 0 {
					base = "https://" + a.Hosts[0]
				}
				if base == "" {
					return view.Call{}, "The catalogue names no host for this API yet, so there is no command to try."
				}
				call := view.Call{URL: base + path}
				if a.Header != "" {
					call.Headers = []string{a.Header + ": " + p.Version}
				}
				return call, ""
			}
		}
	}
	return view.Call{}, "None of its scopes opens a call without further parameters; the API reference shows what each one opens."
}

func opens(alternatives [][]string, held map[string]bool) bool {
	for _, all := range alternatives {
		ok := true
		for _, s := range all {
			ok = ok && held[s]
		}
		if ok {
			return true
		}
	}
	return false
}

// firstCall answers the page that waits for the token's first call.
func (c *Console) firstCall(v *visit) error {
	t, err := c.authority.Token(v.r.Context(), v.by, v.account, v.r.PathValue("sid"))
	if err != nil {
		return err
	}
	since, err := c.authority.SecretSince(v.r.Context(), v.by, v.account, t.SID)
	if err != nil {
		return err
	}
	var answer view.FirstCallAnswer
	if t.LastUse != nil && t.LastUse.At.After(since) {
		answer.Called = true
		answer.Message = "A call passed at " + t.LastUse.At.Format("15:04:05 UTC")
		if t.LastUse.Address != "" {
			answer.Message += " from " + t.LastUse.Address
		}
		answer.Message += "."
	}
	return v.json(answer)
}
