package console

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// editing is a token on its edit page: what it is, what may be chosen, and which boxes it holds.
type editing struct {
	token api.Token
	offer api.Offer
	open  []openVersion
	held  boxes
}

func (c *Console) editing(v *visit) (editing, error) {
	var e editing
	var err error
	if e.token, err = c.authority.Token(v.r.Context(), v.by, v.account, v.r.PathValue("sid")); err != nil {
		return e, err
	}
	if e.offer, err = c.authority.Offer(v.r.Context(), v.by, v.account); err != nil {
		return e, err
	}
	for i, p := range e.token.Pins {
		for _, a := range e.offer.APIs {
			if a.Name != p.API || a.Nested != (i > 0) {
				continue
			}
			for _, ver := range a.Versions {
				if ver.Name == p.Version {
					e.open = append(e.open, openVersion{a, ver})
				}
			}
		}
	}
	e.held = heldBoxes(e.token, e.open)
	return e, nil
}

// tokenEditPage shows a token. ?tick=api/scope, as refusals link it, ticks that box.
func (c *Console) tokenEditPage(v *visit) error {
	e, err := c.editing(v)
	if err != nil {
		return err
	}
	b, marked := e.held, ""
	if apiName, scope, ok := strings.Cut(v.r.URL.Query().Get("tick"), "/"); ok {
		b = boxes{On: slices.Clone(b.On), Ticked: slices.Clone(b.Ticked)}
		marked, _ = b.tick(e.open, apiName, scope)
	}
	form := editForm{
		name: e.token.Name, description: e.token.Description, emails: strings.Join(e.token.DeveloperEmails, "\n"), boxes: b, limits: typed(e.token.Limits),
	}
	if e.token.PrimaryContact != nil {
		form.contact = e.token.PrimaryContact.Person
	}
	return c.drawEdit(v, http.StatusOK, e, form, marked, nil)
}

// editForm is what the edit page posts.
type editForm struct {
	name, description, contact, emails string
	boxes                              boxes
	limits                             limitsInput
}

func readEdit(form url.Values, e editing) editForm {
	f := editForm{
		name: strings.TrimSpace(form.Get("name")), description: form.Get("description"),
		contact: form.Get("contact"), emails: form.Get("emails"), limits: typed(e.token.Limits),
	}
	if limitsAsked(form) {
		f.limits = takeLimits(form)
	}
	f.boxes.take(form, e.open)
	return f
}

// edit is what the form asks for, as the authority takes it. Scopes of a version that the catalogue no
// longer offers are not on the page and stay. The fields are what of the limits cannot be read.
func (f editForm) edit(e editing, revision int64) (api.TokenEdit, []api.Field) {
	emails := authority.SplitEmails(f.emails)
	in := api.TokenEdit{Name: &f.name, Description: &f.description, DeveloperEmails: &emails, Revision: revision}
	if f.contact != "" {
		in.PrimaryContact = &f.contact
	}
	if len(e.open) == len(e.token.Pins) {
		scopes := f.boxes.given(e.open)
		in.Scopes = &scopes
	}
	var bad []api.Field
	if f.limits != typed(e.token.Limits) {
		in.Limits, bad = f.limits.limits()
	}
	return in, bad
}

// editControls says which control of the edit page asks for a field of the authority.
func editControls() map[string]string {
	out := maps.Clone(limitControls)
	out["primary_contact"], out["developer_emails"] = "contact", "emails"
	return out
}

// limitsForm is the part *Limits* with the hosts that the token's APIs have, and where it was used from.
func (e editing) limitsForm(f editForm, v *visit, errs view.Errors) view.LimitsForm {
	form := f.limits.form(errs)
	form.Open = form.Open || v.form.Get("go") == "seen"
	for _, o := range e.open {
		for _, host := range o.api.Hosts {
			if !slices.Contains(form.Served, host) {
				form.Served = append(form.Served, host)
			}
		}
	}
	if use := e.token.LastUse; use != nil && !slices.Contains(words(f.limits.Allow), use.Address) {
		form.Seen = use.Address
	}
	return form
}

func (c *Console) drawEdit(v *visit, status int, e editing, f editForm, marked string, errs view.Errors) error {
	p := view.TokenEditPage{
		Frame: v.frame(), Token: v.card(e.token, e.offer), Revision: strconv.FormatInt(e.token.Revision, 10),
		CanEdit: v.by.Role != api.RoleAnalyst, Name: f.name, Description: f.description,
		Contacts: contactsForm(e.offer, f.contact, f.emails, errs),
		Scopes:   f.boxes.form(e.open, marked, e.held, errs), Errors: errs, Brands: brandNames(e.token, e.offer),
		Limits: e.limitsForm(f, v, errs),
	}
	if !p.CanEdit {
		p.WhyNot = "Your role reads only."
	}
	for i, pin := range e.token.Pins {
		if pin.LatestName != "" && p.Upgrade == nil && i < len(e.token.Pins) {
			p.Upgrade = &view.Version{API: pin.API, Title: pin.APITitle, Name: pin.LatestName, Standing: view.StandingLatest}
		}
	}
	history, err := c.authority.History(v.r.Context(), v.by, v.account, authority.HistoryQuery{Subject: e.token.SID, Limit: 5})
	if err != nil {
		return err
	}
	p.History = events(history.Items)
	return v.draw(status, view.TokenEdit(p))
}

// tokenUpdate shows the differences, and writes them once they are confirmed.
func (c *Console) tokenUpdate(v *visit) error {
	e, err := c.editing(v)
	if err != nil {
		return err
	}
	f := readEdit(v.form, e)
	switch act, _, _ := strings.Cut(v.form.Get("go"), ":"); act {
	case "seen":
		if e.token.LastUse != nil && e.token.LastUse.Address != "" {
			f.limits = f.limits.allow(e.token.LastUse.Address)
		}
		return c.drawEdit(v, http.StatusOK, e, f, "", nil)
	case "clear", "undo", "read-only", "all", "none", "search", "back": // a button of the scopes without JavaScript, or Back from the differences
		return c.drawEdit(v, http.StatusOK, e, f, "", nil)
	}
	revision, err := v.revision()
	if err != nil {
		return err
	}
	in, bad := f.edit(e, revision)
	confirmed := v.form.Get("confirm") == "yes"
	var pairs []api.HistoryPair
	switch {
	case len(bad) > 0:
		err = limitFaults(bad)
	case confirmed:
		_, err = c.authority.EditToken(v.r.Context(), v.by, v.account, e.token.SID, in)
	default:
		pairs, err = c.authority.PreviewEdit(v.r.Context(), v.by, v.account, e.token.SID, in)
	}
	var refused *api.Error
	switch {
	case errors.As(err, &refused) && refused.Code == api.CodeConflict:
		return c.conflict(v, e, f)
	case err != nil:
		errs, ok := fieldErrors(err, editControls())
		if !ok {
			return err
		}
		return c.drawEdit(v, http.StatusUnprocessableEntity, e, f, "", errs)
	case confirmed:
		return v.redirect(said(view.TokenPath(e.token.SID), "updated"))
	case len(pairs) == 0:
		return v.redirect(said(view.TokenPath(e.token.SID), "unchanged"))
	}
	p := view.TokenUpdatePage{
		Frame: v.frame(), Token: v.card(e.token, e.offer), Differences: differences(pairs, e),
		Warnings: gainWarnings(e, f), Kept: view.KeepForm(v.form, "confirm", "go", undoScope, undoCategory),
	}
	return v.draw(http.StatusOK, view.TokenUpdate(p))
}

// conflict says that somebody else was first, and shows both sides. Nothing was written.
func (c *Console) conflict(v *visit, e editing, f editForm) error {
	p := view.TokenConflictPage{Frame: v.frame(), Token: v.card(e.token, e.offer)}
	kept := url.Values{}
	for k, values := range v.form {
		kept[k] = values
	}
	kept.Set("revision", strconv.FormatInt(e.token.Revision, 10))
	p.Kept = view.KeepForm(kept, "confirm", "go")
	if err := c.theirs(v, e, &p); err != nil {
		return err
	}
	wanted, _ := f.edit(e, e.token.Revision) // what cannot be read is shown as what it is now
	yours, err := c.authority.PreviewEdit(v.r.Context(), v.by, v.account, e.token.SID, wanted)
	if _, invalid := fieldErrors(err, nil); err != nil && !invalid {
		return err
	}
	p.Yours = differences(yours, e)
	return v.draw(http.StatusConflict, view.TokenConflict(p))
}

// moves are the acts that give a token another revision.
var moves = map[string]bool{
	string(audit.EditToken): true, string(audit.UpgradeToken): true, string(audit.ResetToken): true,
	string(audit.DisableToken): true, string(audit.EnableToken): true,
}

// theirs is what was done to the token since the revision that the form shows: each act moves it by one.
func (c *Console) theirs(v *visit, e editing, p *view.TokenConflictPage) error {
	seen, err := v.revision()
	if err != nil {
		return err
	}
	history, err := c.authority.History(v.r.Context(), v.by, v.account, authority.HistoryQuery{Subject: e.token.SID, Limit: 200})
	if err != nil {
		return err
	}
	var acts []api.HistoryEvent
	for _, h := range history.Items {
		if moves[h.Action] && !h.Refused && int64(len(acts)) < e.token.Revision-seen {
			acts = append(acts, h)
		}
	}
	for i, h := range slices.Backward(acts) {
		if i == 0 {
			p.By, p.At = h.Who, h.At
		}
		if h.Action != string(audit.EditToken) {
			p.Theirs = append(p.Theirs, view.Difference{Label: h.Who, After: h.Words})
		}
		p.Theirs = append(p.Theirs, differences(h.Details, e)...)
	}
	return nil
}

// differences puts pairs into words: labels for scopes.
func differences(pairs []api.HistoryPair, e editing) []view.Difference {
	var out []view.Difference
	scopes := view.Difference{Label: "Scopes"}
	for _, d := range pairs {
		switch d.Name {
		case "scope":
			if d.After != "" {
				scopes.Added = append(scopes.Added, scopeWords(d.After, e))
			}
			if d.Before != "" {
				scopes.Removed = append(scopes.Removed, scopeWords(d.Before, e))
			}
		default:
			out = append(out, view.Difference{Label: strings.ToUpper(d.Name[:1]) + d.Name[1:], Before: d.Before, After: d.After})
		}
	}
	if len(scopes.Added)+len(scopes.Removed) > 0 {
		out = append(out, scopes)
	}
	return out
}

// scopeWords is "Jobs · Get a job" for a scope as it is written in an edit.
func scopeWords(scope string, e editing) string {
	for i, o := range e.open {
		name := scope
		if i > 0 {
			var ok bool
			if name, ok = strings.CutPrefix(scope, o.api.Name+"/"); !ok {
				continue
			}
		}
		for _, c := range o.version.Categories {
			for _, s := range c.Scopes {
				if s.Name == name {
					words := c.Name + " · " + s.Label
					if len(e.open) > 1 {
						words = o.api.Title + " · " + words
					}
					return words
				}
			}
		}
	}
	return scope
}

// gainWarnings says what a careful person would look at before an update.
func gainWarnings(e editing, f editForm) []string {
	var out []string
	for _, a := range f.boxes.form(e.open, "", e.held, nil).APIs {
		for _, c := range a.Categories {
			for _, s := range c.Scopes {
				if c.On && s.Ticked && s.Sensitive != "" && !slices.Contains(e.held.Ticked, s.Value) {
					out = append(out, "It gains the sensitive scope “"+s.Label+"”: "+strings.TrimSuffix(s.Sensitive, ".")+".")
				}
			}
		}
	}
	return out
}
