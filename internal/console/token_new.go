package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// stepFields says on which step a field of the authority is asked, and which control asks it.
var stepFields = map[string]struct {
	step    view.Step
	control string
}{
	"name": {view.StepSetup, "name"}, "description": {view.StepSetup, "description"}, "api": {view.StepSetup, "api"},
	"version": {view.StepSetup, "version"}, "expires": {view.StepSetup, "expiry"}, "reach": {view.StepSetup, "reach"},
	"brands": {view.StepSetup, "brand"}, "brand_version": {view.StepSetup, "brand_version"},
	"primary_contact": {view.StepContacts, "contact"}, "developer_emails": {view.StepContacts, "emails"},
	"scopes": {view.StepScopes, "scopes"},
}

var wizard = []view.Step{view.StepSetup, view.StepContacts, view.StepScopes, view.StepReview}

func stepIndex(s view.Step) int {
	for i, t := range wizard {
		if s == t {
			return i
		}
	}
	return -1
}

const nothingPublished = "The operator has published no API for this account yet, so there is nothing that a token could open."

// tokenNewPage opens a wizard, or one that is under way (?draft=ID).
func (c *Console) tokenNewPage(v *visit) error {
	if v.by.Role == api.RoleAnalyst {
		return api.Forbidden("Your role reads only. An Account Administrator or an Implementation Specialist of your account can make tokens.")
	}
	if v.zero() && v.by.Role != api.RoleAdministrator && !v.by.Operator {
		return api.Forbidden("Only an Account Administrator makes tokens of the management API.")
	}
	offer, err := c.authority.Offer(v.r.Context(), v.by, v.account)
	if err != nil {
		return err
	}
	if id := v.r.URL.Query().Get("draft"); id != "" {
		kept, err := c.authority.Draft(v.r.Context(), v.by, v.account, id)
		if err != nil {
			return err
		}
		if kept.SID != "" {
			return c.tokenMade(v, kept.SID, offer)
		}
		d, err := parseDraft(kept.Body)
		if err != nil {
			return err
		}
		return c.wizard(v, http.StatusOK, id, d, offer, nil)
	}
	d := newDraft(offer, v.zero(), v.by.Person, v.now)
	if len(d.choosable(offer)) == 0 {
		return &api.Error{Code: api.CodeConflict, Status: http.StatusConflict, Title: "There is nothing to open yet", Detail: nothingPublished}
	}
	body, err := d.body()
	if err != nil {
		return err
	}
	kept, err := c.authority.BeginDraft(v.r.Context(), v.by, v.account, body)
	if err != nil {
		return err
	}
	// The draft's id goes into the address, so that a reload comes back to the same wizard.
	return v.redirect(v.tokensPath() + "/new?draft=" + kept.ID)
}

// tokenNew takes the step that was open and moves on, back, or to the end.
func (c *Console) tokenNew(v *visit) error {
	id := v.form.Get("draft")
	kept, err := c.authority.Draft(v.r.Context(), v.by, v.account, id)
	if err != nil {
		return err
	}
	offer, err := c.authority.Offer(v.r.Context(), v.by, v.account)
	if err != nil {
		return err
	}
	if kept.SID != "" {
		return c.tokenMade(v, kept.SID, offer)
	}
	d, err := parseDraft(kept.Body)
	if err != nil {
		return err
	}
	from := view.Step(v.form.Get("step"))
	if stepIndex(from) < 0 {
		from = d.Step
	}
	d.take(from, v.form, offer)
	// "create" is also the word of the last step: from any other it opens the review, and makes nothing
	// that nobody has looked at.
	if v.form.Get("go") == "create" && from == view.StepReview {
		return c.tokenCreate(v, id, d, offer)
	}
	errs, err := c.move(v, &d, from, offer)
	if err != nil {
		return err
	}
	if made, err := c.saveOrMade(v, id, d, offer); made || err != nil {
		return err
	}
	if len(errs) > 0 {
		return c.wizard(v, http.StatusUnprocessableEntity, id, d, offer, errs)
	}
	return v.redirect(v.tokensPath() + "/new?draft=" + id)
}

func (c *Console) saveDraft(v *visit, id string, d draft) error {
	body, err := d.body()
	if err != nil {
		return err
	}
	return c.authority.SaveDraft(v.r.Context(), v.by, v.account, id, body)
}

// saveOrMade keeps a draft. When another sending of the form has made the token since the draft was read,
// it answers with that token instead: two sendings at one moment are one form.
func (c *Console) saveOrMade(v *visit, id string, d draft, offer api.Offer) (made bool, err error) {
	err = c.saveDraft(v, id, d)
	if !errors.Is(err, &api.Error{Code: api.CodeConflict}) {
		return false, err
	}
	kept, err := c.authority.Draft(v.r.Context(), v.by, v.account, id)
	if err != nil {
		return false, err
	}
	return true, c.tokenMade(v, kept.SID, offer)
}

// move decides which step is open next. Forward only past a step without faults; back always.
func (c *Console) move(v *visit, d *draft, from view.Step, offer api.Offer) (view.Errors, error) {
	i := stepIndex(from)
	d.Step = from
	to := i
	switch act := v.form.Get("go"); act {
	case "next", "":
		to = i + 1
	case "back":
		to = i - 1
	default:
		if j := stepIndex(view.Step(act)); j >= 0 {
			to = min(j, stepIndex(d.Reached))
		}
	}
	to = max(0, min(to, len(wizard)-1))
	if to > i {
		faults, err := c.faults(v, *d, offer)
		if err != nil {
			return nil, err
		}
		for j := i; j < to; j++ {
			if errs := faults[wizard[j]]; len(errs) > 0 {
				d.Step = wizard[j]
				return errs, nil
			}
		}
	}
	d.Step = wizard[to]
	if to > stepIndex(d.Reached) {
		d.Reached = wizard[to]
	}
	return nil, nil
}

// faults asks the authority what is wrong with the whole draft, and sorts the answer by step.
func (c *Console) faults(v *visit, d draft, offer api.Offer) (map[view.Step]view.Errors, error) {
	in, bad := d.create(offer, v.now)
	if err := c.authority.CheckToken(v.r.Context(), v.by, v.account, in); err != nil {
		var refused *api.Error
		if !errors.As(err, &refused) || refused.Code != api.CodeInvalid {
			return nil, err
		}
		bad = append(bad, refused.Fields...)
	}
	return byStep(bad, offer, d), nil
}

func byStep(bad []api.Field, offer api.Offer, d draft) map[view.Step]view.Errors {
	out := map[view.Step]view.Errors{}
	for _, f := range bad {
		at, ok := stepFields[f.Name]
		if control, limit := limitControls[f.Name]; limit {
			at.step, at.control = view.StepSetup, control
		} else if !ok {
			at.step, at.control = view.StepSetup, f.Name
		}
		if at.control == "version" {
			if a, ok := d.chosenAPI(offer); ok {
				at.control = "version." + a.Name
			}
		}
		if out[at.step].For(at.control) == "" || f.Name == "developer_emails" || f.Name == "scopes" {
			out[at.step] = append(out[at.step], view.FieldError{Field: at.control, Message: sentence(f.Name, f.Message)})
		}
	}
	return out
}

// wizard draws the page.
func (c *Console) wizard(v *visit, status int, id string, d draft, offer api.Offer, errs view.Errors) error {
	open := d.opened(offer)
	p := view.TokenNewPage{
		Frame: v.frame(), Zero: d.Zero, Draft: id, Step: d.Step, Reached: d.Reached, Errors: errs,
		Setup:    setupForm(d, offer, v.now, errs),
		Contacts: contactsForm(offer, d.Contact, d.Emails, errs),
		Scopes:   d.Boxes.form(open, "", boxes{}, errs),
	}
	p.Review = review(d, offer, p.Scopes, v.now)
	return v.draw(status, view.TokenNew(p))
}

func setupForm(d draft, offer api.Offer, now time.Time, errs view.Errors) view.SetupForm {
	f := view.SetupForm{
		Name: d.Name, Description: d.Description, ExpiryDate: d.ExpiryDate, ExpiryFrom: now.Format(time.DateOnly),
	}
	chosen, _ := d.chosenAPI(offer)
	f.Limits = d.Limits.form(errs)
	f.Limits.Served = chosen.Hosts
	for _, a := range d.choosable(offer) {
		f.APIs = append(f.APIs, view.APIChoice{
			Value: a.Name, Title: a.Title, Selected: a.Name == chosen.Name, Versions: versions(a, d.Versions[a.Name]),
		})
	}
	for _, e := range allowedExpiries(offer) {
		f.Expiries = append(f.Expiries, view.Choice{Value: e, Label: expiryLabel(e), Selected: e == d.Expiry})
	}
	if offer.ExpiryMax > 0 {
		f.ExpiryTo = now.AddDate(0, 0, int(offer.ExpiryMax)).Format(time.DateOnly)
		f.ExpiryCap = fmt.Sprintf("Tokens of this account last at most %d days.", offer.ExpiryMax)
	}
	if inner, ok := nestedAPI(offer, chosen); ok && len(offer.Brands) > 0 {
		f.Reach = reachForm(d, offer, inner)
	}
	return f
}

func expiryLabel(choice string) string {
	switch choice {
	case "date":
		return "On a date"
	case "never":
		return "Never"
	case "365":
		return "In one year"
	default:
		return "In " + choice + " days"
	}
}

func versions(a api.OfferAPI, chosen string) []view.VersionChoice {
	picked := chosenVersion(a, chosen)
	var out []view.VersionChoice
	for _, ver := range a.Versions {
		choice := view.VersionChoice{Value: ver.Name, Standing: standing(ver), Suggested: ver.Latest, Selected: ver.Name == picked.Name}
		if ver.Sunset != nil {
			choice.Sunset = *ver.Sunset
		}
		out = append(out, choice)
	}
	return out
}

func reachForm(d draft, offer api.Offer, inner api.OfferAPI) *view.ReachForm {
	f := &view.ReachForm{Value: d.Reach, Query: d.BrandQuery, API: inner.Title, Versions: versions(inner, d.BrandVersion)}
	ticked := map[string]bool{}
	for _, b := range d.Brands {
		ticked[b] = true
	}
	for _, b := range offer.Brands {
		id := fmt.Sprint(b.ID)
		f.Brands = append(f.Brands, view.BrandChoice{
			ID: id, Name: b.Name, Ticked: ticked[id],
			Hidden: d.BrandQuery != "" && !strings.Contains(strings.ToLower(b.Name+" "+id), strings.ToLower(d.BrandQuery)),
		})
	}
	return f
}

func contactsForm(offer api.Offer, contact, emails string, errs view.Errors) view.ContactsForm {
	f := view.ContactsForm{Contact: contact, Emails: emails, Errors: errs}
	for _, p := range offer.Contacts {
		f.Members = append(f.Members, personWords(p))
	}
	return f
}

// review says in words what will be made, and what a careful person would look at again.
func review(d draft, offer api.Offer, f view.ScopesForm, now time.Time) view.Review {
	in, _ := d.create(offer, now)
	r := view.Review{
		Name: d.Name, Description: d.Description, Emails: in.DeveloperEmails, HasReach: len(offer.Brands) > 0, Reach: string(api.ReachNone),
		Scopes: given(f), Limits: limitWords(in.Limits),
	}
	for _, o := range d.opened(offer) {
		r.Versions = append(r.Versions, offeredVersion(o.api, o.version))
	}
	if in.Reach != "" {
		r.Reach = string(in.Reach)
	}
	for _, id := range in.Brands {
		for _, b := range offer.Brands {
			if b.ID == id {
				r.Brands = append(r.Brands, b.Name)
			}
		}
	}
	if in.Expires != nil {
		r.Expires = *in.Expires
	}
	for _, p := range offer.Contacts {
		if p.Person == d.Contact {
			r.Contact = personWords(p)
		}
	}
	r.Warnings = warnings(in, r, now)
	if d.Boxes.Because != "" { // without JavaScript nobody has read it yet
		r.Warnings = append(r.Warnings, view.Warning{Text: d.Boxes.Because, Step: view.StepScopes})
	}
	return r
}

// given keeps the boxes that will be given, and only the categories that have one.
func given(f view.ScopesForm) []view.ScopeAPI {
	var out []view.ScopeAPI
	for _, a := range f.APIs {
		kept := view.ScopeAPI{Name: a.Name, Title: a.Title, Version: a.Version}
		for _, c := range a.Categories {
			kc := view.ScopeCategory{ID: c.ID, Name: c.Name, On: true}
			for _, s := range c.Scopes {
				if c.On && s.Ticked && s.Refused == "" {
					kc.Scopes = append(kc.Scopes, s)
				}
			}
			if len(kc.Scopes) > 0 {
				kept.Categories = append(kept.Categories, kc)
			}
		}
		if len(kept.Categories) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

func warnings(in api.TokenCreate, r view.Review, now time.Time) []view.Warning {
	var out []view.Warning
	if in.NeverExpires {
		out = append(out, view.Warning{Text: "The token never expires. A leaked one stays good until somebody notices.", Step: view.StepSetup})
	}
	for _, ver := range r.Versions {
		if ver.Standing == view.StandingDeprecated {
			text := "Version " + ver.Name + " of " + ver.Title + " is deprecated"
			if !ver.Sunset.IsZero() {
				text += " and ends on " + ver.Sunset.UTC().Format("2 January 2006")
			}
			out = append(out, view.Warning{Text: text + ".", Step: view.StepSetup})
		}
		if ver.Standing == view.StandingPreview {
			out = append(out, view.Warning{Text: "Version " + ver.Name + " of " + ver.Title + " is a preview and may still change.", Step: view.StepSetup})
		}
	}
	sensitive, all := 0, 0
	for _, a := range r.Scopes {
		for _, c := range a.Categories {
			for _, s := range c.Scopes {
				all++
				if s.Sensitive != "" {
					sensitive++
				}
			}
		}
	}
	switch {
	case all == 0:
		out = append(out, view.Warning{Text: "No scope is ticked, so the token can call nothing.", Step: view.StepScopes})
	case sensitive == 1:
		out = append(out, view.Warning{Text: "One scope is sensitive.", Step: view.StepScopes})
	case sensitive > 1:
		out = append(out, view.Warning{Text: fmt.Sprintf("%d scopes are sensitive.", sensitive), Step: view.StepScopes})
	}
	if sensitive > 0 && (in.Limits == nil || len(in.Limits.Allow) == 0) {
		out = append(out, view.Warning{Text: "What is sensitive may be called from any address. Limits in step 1 can name the addresses that it may come from.", Step: view.StepSetup})
	}
	if len(in.DeveloperEmails) == 0 {
		out = append(out, view.Warning{Text: "Nobody but the primary contact is told about changes. Add a developer's e-mail, so that news survives a holiday.", Step: view.StepContacts})
	}
	if in.Expires != nil && in.Expires.Before(now.AddDate(0, 0, 7)) {
		out = append(out, view.Warning{Text: "The token ends within a week.", Step: view.StepSetup})
	}
	return out
}

// tokenName answers the wizard as a name is typed.
func (c *Console) tokenName(v *visit) error {
	answer := view.NameAnswer{Free: true}
	query := v.r.URL.Query()
	err := c.authority.NameFree(v.r.Context(), v.by, v.account, query.Get("name"), query.Get("sid"))
	if errs, ok := fieldErrors(err, nil); ok {
		answer = view.NameAnswer{Message: errs[0].Message}
	} else if err != nil {
		return err
	}
	return v.json(answer)
}

func (v *visit) json(answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	v.w.Header().Set("Content-Type", "application/json")
	_, err = v.w.Write(body)
	return gone(err)
}

// tokenMade answers a form whose draft has become a token.
func (c *Console) tokenMade(v *visit, sid string, offer api.Offer) error {
	t, err := c.authority.Token(v.r.Context(), v.by, v.account, sid)
	if err != nil {
		return err
	}
	return v.draw(http.StatusOK, view.TokenMade(view.TokenMadePage{Frame: v.frame(), Token: v.card(t, offer)}))
}
