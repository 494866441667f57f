package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

func (c *Console) operatorHome(v *visit) error { return v.redirect(view.PathOperatorAccounts) }

// accounts lists the accounts of the platform.
func (c *Console) accounts(v *visit) error {
	query := v.r.URL.Query()
	p := view.AccountListPage{Frame: v.frame(), Query: strings.TrimSpace(query.Get("q")), Kind: query.Get("kind")}
	page, err := c.authority.Accounts(v.r.Context(), v.by, authority.AccountQuery{
		Search: p.Query, Kind: api.AccountKind(p.Kind), Cursor: query.Get("page"), Limit: pageSize,
	})
	if err != nil {
		return err
	}
	for _, a := range page.Items {
		row := view.AccountRow{Account: accountWords(a), Created: a.Created}
		if a.Suspended != nil {
			row.Suspended = *a.Suspended
		}
		if row.Tokens, row.Members, err = c.sizes(v, a.ID); err != nil {
			return err
		}
		p.Accounts = append(p.Accounts, row)
	}
	p.Pager = forward(v.r.URL, len(page.Items), page.Next)
	return v.draw(http.StatusOK, view.AccountList(p))
}

func (c *Console) sizes(v *visit, account int64) (tokens, members int, err error) {
	page, err := c.authority.Tokens(v.r.Context(), v.by, account, authority.TokenQuery{Limit: 1})
	if err != nil {
		return 0, 0, err
	}
	list, err := c.authority.Members(v.r.Context(), v.by, account)
	return int(page.Total), len(list), err
}

func accountWords(a api.Account) view.Account {
	return view.Account{ID: strconv.FormatInt(a.ID, 10), Name: a.Name, Kind: string(a.Kind)}
}

func (c *Console) accountNew(v *visit) error {
	return v.draw(http.StatusOK, view.AccountNew(view.AccountNewPage{Frame: v.frame(), Kind: string(api.KindAgency)}))
}

// accountCreate makes an account, and invites its first Account Administrator when one is named. The
// account stays when the invitation is refused; its page says why.
func (c *Console) accountCreate(v *visit) error {
	p := view.AccountNewPage{
		Frame: v.frame(), ID: strings.TrimSpace(v.form.Get("id")), Kind: v.form.Get("kind"),
		Name: strings.TrimSpace(v.form.Get("name")), AdminEmail: strings.TrimSpace(v.form.Get("admin_email")),
	}
	id, err := strconv.ParseInt(p.ID, 10, 64)
	if err != nil {
		id = 0
	}
	if p.AdminEmail != "" {
		if _, _, fault := authority.CleanEmail(p.AdminEmail); fault != "" {
			p.Errors = append(p.Errors, view.FieldError{Field: "admin_email", Message: "The address " + fault + "."})
			return v.draw(statusOf(p.Errors), view.AccountNew(p))
		}
	}
	a, err := c.authority.CreateAccount(v.r.Context(), v.by, api.AccountCreate{ID: id, Kind: api.AccountKind(p.Kind), Name: p.Name})
	if errs, ok := conflictOr(err, "id"); ok {
		p.Errors = personErrors(errs)
		return v.draw(statusOf(p.Errors), view.AccountNew(p))
	} else if err != nil {
		return err
	}
	path := view.AccountPath(strconv.FormatInt(a.ID, 10))
	if p.AdminEmail == "" {
		return v.redirect(path)
	}
	if _, err := c.authority.InviteMember(v.r.Context(), v.by, a.ID, api.MemberInvite{Email: p.AdminEmail, Role: api.RoleAdministrator}); err != nil {
		return err
	}
	return v.redirect(said(path, "invited"))
}

func (v *visit) pathAccount() (int64, error) {
	id, err := strconv.ParseInt(v.r.PathValue("account"), 10, 64)
	if err != nil || id < 1 {
		return 0, api.NotFound("account")
	}
	return id, nil
}

func (c *Console) accountPage(v *visit) error {
	id, err := v.pathAccount()
	if err != nil {
		return err
	}
	return c.drawAccount(v, id, nil)
}

func (c *Console) drawAccount(v *visit, id int64, errs view.Errors) error {
	a, err := c.authority.Account(v.r.Context(), v.by, id)
	if err != nil {
		return err
	}
	p := view.AccountDetailPage{
		Frame: v.frame(), Account: accountWords(a), Created: a.Created, SuspendedWhy: a.SuspendedWhy, Name: a.Name, Errors: errs,
		MemberEmail: v.form.Get("email"), BrandID: v.form.Get("brand"),
	}
	if a.Suspended != nil {
		p.Suspended = *a.Suspended
	}
	limits := accountTyped(a.Limits)
	if limitsAsked(v.form) {
		limits = takeLimits(v.form)
	}
	p.Limits = limits.form(errs)
	p.Limits.OfAccount = true
	if a.ExpiryDefault != nil {
		p.ExpiryDefault = strconv.FormatInt(*a.ExpiryDefault, 10)
	}
	if a.ExpiryMax != nil {
		p.ExpiryMax = strconv.FormatInt(*a.ExpiryMax, 10)
	}
	if p.Tokens, _, err = c.sizes(v, id); err != nil {
		return err
	}
	list, err := c.authority.Members(v.r.Context(), v.by, id)
	if err != nil {
		return err
	}
	for _, m := range list {
		p.Members = append(p.Members, v.memberRow(m, administrators(list)))
	}
	if err := c.accountLinks(v, id, &p); err != nil {
		return err
	}
	if p.Withheld, err = c.withheldForm(v, a); err != nil {
		return err
	}
	return v.draw(statusOf(errs), view.AccountDetail(p))
}

func (c *Console) accountLinks(v *visit, id int64, p *view.AccountDetailPage) error {
	links, err := c.authority.Managements(v.r.Context(), v.by, id)
	if err != nil {
		return err
	}
	for _, m := range links {
		link := view.Management{ID: strconv.FormatInt(m.Agency, 10) + "-" + strconv.FormatInt(m.Brand, 10), From: m.Starts, Ended: m.Ended != nil}
		if m.Ended != nil {
			link.Until = *m.Ended
		}
		if m.Agency == id {
			link.Account = view.Account{ID: strconv.FormatInt(m.Brand, 10), Name: m.BrandName, Kind: string(api.KindBrand)}
			p.Manages = append(p.Manages, link)
		} else {
			link.Account = view.Account{ID: strconv.FormatInt(m.Agency, 10), Name: m.AgencyName, Kind: string(api.KindAgency)}
			p.ManagedBy = append(p.ManagedBy, link)
		}
	}
	return nil
}

// withheldForm lists every scope of the account's APIs, of the newest version of each name; a tick
// withholds it.
func (c *Console) withheldForm(v *visit, a api.Account) (view.ScopesForm, error) {
	offer, err := c.authority.Offer(v.r.Context(), v.by, a.ID)
	if err != nil {
		return view.ScopesForm{}, err
	}
	var f view.ScopesForm
	for _, found := range offer.APIs {
		if found.Zero || len(found.Versions) == 0 {
			continue
		}
		seen := map[string]bool{}
		va := view.ScopeAPI{Name: found.Name, Title: found.Title, Version: found.Versions[0].Name}
		for _, ver := range found.Versions {
			o := openVersion{found, ver}
			for _, cat := range ver.Categories {
				vc := view.ScopeCategory{ID: o.category(cat), Name: cat.Name}
				for _, s := range cat.Scopes {
					if seen[s.Name] {
						continue
					}
					seen[s.Name] = true
					box := scopeBox(o, s)
					box.Value, box.Needs, box.NeedsNote = found.Name+"/"+s.Name, nil, ""
					box.Ticked = slices.Contains(a.Withheld, api.WithheldScope{API: found.Name, Scope: s.Name})
					vc.On = vc.On || box.Ticked
					vc.Scopes = append(vc.Scopes, box)
				}
				va.Categories = mergeCategory(va.Categories, vc)
			}
		}
		f.APIs = append(f.APIs, va)
	}
	if v.form.Has("go") {
		pressed(&f, v.form)
	}
	return f, nil
}

// pressed does what a button of the scopes asks when there is no JavaScript, on what the form had ticked.
// Nothing is saved by it.
func pressed(f *view.ScopesForm, form url.Values) {
	act, id, _ := strings.Cut(form.Get("go"), ":")
	f.Query = strings.TrimSpace(form.Get("q"))
	for a := range f.APIs {
		for c := range f.APIs[a].Categories {
			cat := &f.APIs[a].Categories[c]
			cat.On = act != "clear" && slices.Contains(form["category"], cat.ID) || act == "all" && cat.ID == id
			for s := range cat.Scopes {
				box := &cat.Scopes[s]
				switch {
				case act == "clear" || act == "none" && cat.ID == id:
					box.Ticked = false
				case act == "read-only":
					box.Ticked = box.ReadOnly
					cat.On = cat.On || box.ReadOnly
				default:
					box.Ticked = slices.Contains(form["scope"], box.Value) || act == "all" && cat.ID == id
				}
				box.Hidden = !found(f.Query, cat.Name, *box)
			}
		}
	}
}

func mergeCategory(list []view.ScopeCategory, c view.ScopeCategory) []view.ScopeCategory {
	if len(c.Scopes) == 0 {
		return list
	}
	for i := range list {
		if list[i].ID == c.ID {
			list[i].Scopes = append(list[i].Scopes, c.Scopes...)
			list[i].On = list[i].On || c.On
			return list
		}
	}
	return append(list, c)
}

// accountAct is every form of an account's page: the last part of the path says which.
func (c *Console) accountAct(v *visit) error {
	id, err := v.pathAccount()
	if err != nil {
		return err
	}
	acts := map[string]func(*visit, int64) error{
		"settings": c.accountSettings, "suspend": c.accountSuspend, "resume": c.accountResume,
		"members": c.accountInvite, "management": c.managementCreate, "withheld": c.accountWithheld,
	}
	act, ok := acts[v.r.PathValue("act")]
	if !ok {
		return api.NotFound("page")
	}
	if press, _, _ := strings.Cut(v.form.Get("go"), ":"); press != "" && press != "save" {
		return c.drawAccount(v, id, nil) // a button of the scopes, without JavaScript: nothing is saved yet
	}
	if err := act(v, id); err != nil {
		errs, ok := fieldErrors(err, limitControls)
		if !ok {
			return err
		}
		return c.drawAccount(v, id, personErrors(errs))
	}
	return v.redirect(said(view.AccountPath(strconv.FormatInt(id, 10)), "saved"))
}

func (c *Console) accountSettings(v *visit, id int64) error {
	a, err := c.authority.Account(v.r.Context(), v.by, id)
	if err != nil {
		return err
	}
	name := v.form.Get("name")
	in := api.AccountEdit{Name: &name, Revision: a.Revision}
	for field, into := range map[string]**int64{"expiry_default": &in.ExpiryDefault, "expiry_max": &in.ExpiryMax} {
		text := strings.TrimSpace(v.form.Get(field))
		n, err := strconv.ParseInt(text, 10, 64)
		if text == "" {
			n, err = -1, nil
		}
		if err != nil {
			return api.Invalid(field, "must be a number of days, 0 for none, or empty for the installation's own")
		}
		*into = &n
	}
	if limitsAsked(v.form) {
		wanted, bad := takeLimits(v.form).limits()
		if err := limitFaults(bad); err != nil {
			return err
		}
		in.Limits = &api.AccountLimits{Rate: wanted.Rate, Daily: wanted.Daily, Monthly: wanted.Monthly}
	}
	_, err = c.authority.EditAccount(v.r.Context(), v.by, id, in)
	return err
}

func (c *Console) accountSuspend(v *visit, id int64) error {
	_, err := c.authority.SuspendAccount(v.r.Context(), v.by, id, v.form.Get("why"))
	return err
}

func (c *Console) accountResume(v *visit, id int64) error {
	_, err := c.authority.ResumeAccount(v.r.Context(), v.by, id)
	return err
}

func (c *Console) accountInvite(v *visit, id int64) error {
	_, err := c.authority.InviteMember(v.r.Context(), v.by, id, api.MemberInvite{
		Email: strings.TrimSpace(v.form.Get("email")), Role: api.Role(v.form.Get("role")),
	})
	return conflictIs(err, "email")
}

// conflictIs turns a conflict into words beside a field.
func conflictIs(err error, field string) error {
	var refused *api.Error
	if errors.As(err, &refused) && refused.Code == api.CodeConflict {
		return api.Invalid(field, refused.Detail)
	}
	return err
}

func (c *Console) managementCreate(v *visit, id int64) error {
	brand, err := strconv.ParseInt(strings.TrimSpace(v.form.Get("brand")), 10, 64)
	if err != nil {
		return api.Invalid("brand", "must be the number of a brand account")
	}
	in := api.ManagementCreate{Agency: id, Brand: brand}
	if from := v.form.Get("from"); from != "" {
		t, err := time.Parse(time.DateOnly, from)
		if err != nil {
			return api.Invalid("from", "must be a date like 2026-11-24")
		}
		in.Starts = &t
	}
	_, err = c.authority.CreateManagement(v.r.Context(), v.by, in)
	if errors.Is(err, &api.Error{Code: api.CodeNotFound}) {
		return api.Invalid("brand", "is the number of no account")
	}
	return conflictIs(err, "brand")
}

func (c *Console) managementEnd(v *visit) error {
	id, err := v.pathAccount()
	if err != nil {
		return err
	}
	agency, brand, _ := strings.Cut(v.form.Get("management"), "-")
	a, errA := strconv.ParseInt(agency, 10, 64)
	b, errB := strconv.ParseInt(brand, 10, 64)
	if errA != nil || errB != nil || a != id && b != id {
		return api.NotFound("management link")
	}
	if _, err := c.authority.EndManagement(v.r.Context(), v.by, a, b); err != nil {
		return err
	}
	return v.redirect(said(view.AccountPath(strconv.FormatInt(id, 10)), "saved"))
}

// accountWithheld brings the withheld scopes to what is ticked.
func (c *Console) accountWithheld(v *visit, id int64) error {
	a, err := c.authority.Account(v.r.Context(), v.by, id)
	if err != nil {
		return err
	}
	var ticked []api.WithheldScope
	for _, value := range v.form["scope"] {
		apiName, scope, ok := strings.Cut(value, "/")
		if !ok {
			return api.Invalid("scope", "must be one of the list")
		}
		ticked = append(ticked, api.WithheldScope{API: apiName, Scope: scope})
	}
	for _, w := range ticked {
		if !slices.Contains(a.Withheld, w) {
			if err := c.authority.Withhold(v.r.Context(), v.by, id, w); err != nil {
				return err
			}
		}
	}
	for _, w := range a.Withheld {
		if !slices.Contains(ticked, w) {
			if err := c.authority.Release(v.r.Context(), v.by, id, w); err != nil {
				return err
			}
		}
	}
	return nil
}
