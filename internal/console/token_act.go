package console

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// actPage is what every confirmation shows.
func (c *Console) actPage(v *visit, errs view.Errors) (view.ActPage, editing, error) {
	e, err := c.editing(v)
	if err != nil {
		return view.ActPage{}, e, err
	}
	if v.by.Role == api.RoleAnalyst {
		return view.ActPage{}, e, api.Forbidden("Your role reads only. Ask an Account Administrator or an Implementation Specialist of your account.")
	}
	return view.ActPage{
		Frame: v.frame(), Token: v.card(e.token, e.offer), Revision: strconv.FormatInt(e.token.Revision, 10), Errors: errs,
	}, e, nil
}

func (c *Console) tokenDuplicatePage(v *visit) error { return c.duplicateForm(v, "", nil) }

func (c *Console) duplicateForm(v *visit, name string, errs view.Errors) error {
	p, e, err := c.actPage(v, errs)
	if err != nil {
		return err
	}
	if errs == nil {
		name = c.freeName(v, e.token.Name)
	}
	return v.draw(statusOf(errs), view.TokenDuplicate(view.TokenDuplicatePage{ActPage: p, Name: name}))
}

// freeName proposes "X copy", "X copy 2" and so on.
func (c *Console) freeName(v *visit, name string) string {
	runes := []rune(name)
	if len(runes) > authority.MaxName-10 {
		name = string(runes[:authority.MaxName-10])
	}
	for _, suffix := range []string{" copy", " copy 2", " copy 3", " copy 4", " copy 5"} {
		if c.authority.NameFree(v.r.Context(), v.by, v.account, name+suffix, "") == nil {
			return name + suffix
		}
	}
	return ""
}

func statusOf(errs view.Errors) int {
	if len(errs) > 0 {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

func (c *Console) tokenDuplicate(v *visit) error {
	name := strings.TrimSpace(v.form.Get("name"))
	issued, err := c.authority.DuplicateToken(v.r.Context(), v.by, v.account, v.r.PathValue("sid"), api.TokenDuplicate{Name: name}, authority.Once{})
	if errs, ok := fieldErrors(err, nil); ok {
		return c.duplicateForm(v, name, errs)
	}
	return c.revealed(v, "duplicated", issued, err)
}

// revealed shows the secret that an act made, or what it refused.
func (c *Console) revealed(v *visit, act string, issued authority.Issued, err error) error {
	if err != nil {
		return err
	}
	offer, err := c.authority.Offer(v.r.Context(), v.by, v.account)
	if err != nil {
		return err
	}
	return c.reveal(v, act, issued, offer)
}

func (c *Console) tokenResetPage(v *visit) error {
	p, _, err := c.actPage(v, nil)
	if err != nil {
		return err
	}
	return v.draw(http.StatusOK, view.TokenReset(view.TokenResetPage{ActPage: p}))
}

// revision is that of the token as the page showed it. Without it nothing is done: the page of a reset,
// sent again, would end the secret that it has just shown.
func (v *visit) revision() (int64, error) {
	n, err := strconv.ParseInt(v.form.Get("revision"), 10, 64)
	if err != nil || n < 1 {
		return 0, api.Invalid("revision", "is missing; open the token again")
	}
	return n, nil
}

func (c *Console) tokenReset(v *visit) error {
	revision, err := v.revision()
	if err != nil {
		return err
	}
	issued, err := c.authority.ResetToken(v.r.Context(), v.by, v.account, v.r.PathValue("sid"), revision)
	return c.revealed(v, "reset", issued, err)
}

func (c *Console) tokenDisablePage(v *visit) error { return c.disableForm(v, "", nil) }

func (c *Console) disableForm(v *visit, why string, errs view.Errors) error {
	p, _, err := c.actPage(v, errs)
	if err != nil {
		return err
	}
	return v.draw(statusOf(errs), view.TokenDisable(view.TokenDisablePage{ActPage: p, Why: why}))
}

func (c *Console) tokenDisable(v *visit) error {
	sid, why := v.r.PathValue("sid"), v.form.Get("why")
	_, err := c.authority.DisableToken(v.r.Context(), v.by, v.account, sid, why)
	if errs, ok := fieldErrors(err, nil); ok {
		return c.disableForm(v, why, errs)
	} else if err != nil {
		return err
	}
	return v.redirect(said(view.TokenPath(sid), "disabled"))
}

func (c *Console) tokenEnablePage(v *visit) error {
	p, e, err := c.actPage(v, nil)
	if err != nil {
		return err
	}
	page := view.TokenEnablePage{ActPage: p, MustReset: e.token.StateLocked, CanReset: true, Reset: "no"}
	if page.MustReset {
		page.Reset = "yes"
	}
	if why := cannotHold(e); why != "" && page.MustReset {
		return api.Forbidden("It comes back only with a new Auth Token, which you may not be shown. " + why)
	} else if why != "" {
		page.CanReset, page.WhyNot = false, why
	}
	return v.draw(http.StatusOK, view.TokenEnable(page))
}

// cannotHold says which held scope this person may not give, for the page; the authority decides.
func cannotHold(e editing) string {
	for _, o := range e.open {
		for _, p := range e.token.Pins {
			if p.API != o.api.Name {
				continue
			}
			for _, c := range o.version.Categories {
				for _, s := range c.Scopes {
					for _, held := range p.Scopes {
						if held == s.Name && !s.Allowed {
							return "The token holds “" + c.Name + " · " + s.Label + "”. " + s.Reason + "."
						}
					}
				}
			}
		}
	}
	return ""
}

func (c *Console) tokenEnable(v *visit) error {
	sid, reset := v.r.PathValue("sid"), v.form.Get("reset") == "yes"
	issued, err := c.authority.EnableToken(v.r.Context(), v.by, v.account, sid, api.TokenEnable{Reset: reset})
	if err != nil || reset {
		return c.revealed(v, "enabled", issued, err)
	}
	return v.redirect(said(view.TokenPath(sid), "enabled"))
}

func (c *Console) tokenDeletePage(v *visit) error {
	p, _, err := c.actPage(v, nil)
	if err != nil {
		return err
	}
	return v.draw(http.StatusOK, view.TokenDelete(view.TokenDeletePage{ActPage: p}))
}

func (c *Console) tokenDelete(v *visit) error {
	gone, err := c.authority.DeleteToken(v.r.Context(), v.by, v.account, v.r.PathValue("sid"), "")
	if err != nil {
		return err
	}
	if gone.Token.Zero {
		return v.redirect(said(view.PathManagement, "deleted"))
	}
	return v.redirect(said(view.PathTokens, "deleted"))
}

// upgradable is the pin that is behind its latest version: the one named by ?of=, or the first.
func upgradable(t api.Token, of string) (api.TokenPin, bool) {
	for _, p := range t.Pins {
		if p.LatestName != "" && (of == "" || p.API == of) {
			return p, true
		}
	}
	return api.TokenPin{}, false
}

func (c *Console) tokenUpgradePage(v *visit) error { return c.upgradeForm(v, nil, nil) }

func (c *Console) upgradeForm(v *visit, ticked []string, errs view.Errors) error {
	p, e, err := c.actPage(v, errs)
	if err != nil {
		return err
	}
	pin, ok := upgradable(e.token, cmp.Or(v.form.Get("of"), v.r.URL.Query().Get("of")))
	if !ok {
		return api.Conflict("This token is on the latest version already.")
	}
	plan, err := c.authority.PlanUpgrade(v.r.Context(), v.by, v.account, e.token.SID, pin.API, pin.LatestName)
	if err != nil {
		return err
	}
	page := view.TokenUpgradePage{
		ActPage: p, From: versionWords(pin),
		To: view.Version{API: pin.API, Title: pin.APITitle, Name: pin.LatestName, Standing: view.StandingLatest},
	}
	from, to := e.openOf(pin.API, pin.Version), e.openOf(pin.API, pin.LatestName)
	page.Carried, page.Ask, page.Gone = stepBoxes(plan.Carried, to, nil), stepBoxes(plan.Ask, to, ticked), stepBoxes(plan.Gone, from, nil)
	return v.draw(statusOf(errs), view.TokenUpgrade(page))
}

// openOf is a version of an API in the offer.
func (e editing) openOf(apiName, version string) openVersion {
	for _, a := range e.offer.APIs {
		if a.Name == apiName {
			for _, ver := range a.Versions {
				if ver.Name == version {
					return openVersion{a, ver}
				}
			}
		}
	}
	return openVersion{}
}

func stepBoxes(steps []api.UpgradeStep, o openVersion, ticked []string) []view.ScopeBox {
	var out []view.ScopeBox
	for _, s := range steps {
		box := view.ScopeBox{Value: s.Scope, Name: s.Scope, Label: s.Label}
		for _, c := range o.version.Categories {
			for _, offered := range c.Scopes {
				if offered.Name == s.Scope {
					box = scopeBox(o, offered)
					box.Value, box.Label = s.Scope, c.Name+" · "+s.Label
				}
			}
		}
		if len(s.Added) > 0 {
			box.Description = "Now also opens " + strings.Join(s.Added, ", ") + "."
		}
		if !s.Allowed {
			box.Refused = s.Why
		}
		for _, t := range ticked {
			box.Ticked = box.Ticked || t == s.Scope
		}
		out = append(out, box)
	}
	return out
}

// tokenUpgrade moves the token that was shown to the version that was shown, or does nothing.
func (c *Console) tokenUpgrade(v *visit) error {
	revision, err := v.revision()
	if err != nil {
		return err
	}
	sid := v.r.PathValue("sid")
	_, err = c.authority.UpgradeToken(v.r.Context(), v.by, v.account, sid, api.TokenUpgrade{
		API: v.form.Get("of"), Version: v.form.Get("to"), Scopes: v.form["scope"], Revision: revision,
	})
	if errs, ok := fieldErrors(err, nil); ok {
		return c.upgradeForm(v, v.form["scope"], errs)
	} else if err != nil {
		return err
	}
	return v.redirect(said(view.TokenPath(sid), "upgraded"))
}
