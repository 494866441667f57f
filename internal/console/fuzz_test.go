package console

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// fuzzOffer has what a form can name: two APIs, one nested, versions that share words, needs, and scopes
// that this person may not give.
func fuzzOffer() api.Offer {
	scope := func(name string, allowed bool, needs ...string) api.OfferScope {
		return api.OfferScope{Name: name, Label: name, Access: "read", Allowed: allowed, Reason: "no", Needs: needs, Operations: []int{0}}
	}
	version := func(name string, latest bool) api.OfferVersion {
		return api.OfferVersion{
			Name: name, Latest: latest, Operations: []api.OfferOperation{{Method: "GET", Path: "/x"}},
			Categories: []api.OfferCategory{
				{Name: "Jobs", Slug: "jobs", Scopes: []api.OfferScope{scope("jobs.get", true), scope("jobs.run", true, "jobs.get", "notes:read")}},
				{Name: "Notes", Slug: "notes", Scopes: []api.OfferScope{scope("notes:read", true), scope("notes:write", false)}},
			},
		}
	}
	return api.Offer{
		APIs: []api.OfferAPI{
			{Name: "agency", Title: "Agency", Nests: []string{"brand"}, Versions: []api.OfferVersion{version("3", true), version("2", false)}},
			{Name: "brand", Title: "Brand", Nested: true, Versions: []api.OfferVersion{version("3", true)}},
		},
		Brands: []api.OfferRef{{ID: 1, Name: "One"}}, ExpiryMax: 100,
	}
}

// Whatever is posted, the wizard asks for no scope that the offer does not have, that is not ticked, or
// whose category is off; and it remembers what it was told, octet for octet.
func FuzzWizardForm(f *testing.F) {
	for _, s := range []string{
		"name=A&expiry=90&reach=all&brand_version=3&version.agency=2", "go=clear&category=agency.jobs&scope=agency/3/jobs.run",
		"go=all:brand.notes&category=brand.notes&scope=brand/3/notes:write", "go=undo&undo.scope=agency/3/jobs.get&undo.category=agency.jobs",
		"scope=agency/2/jobs.get&scope=agency/3/jobs.get&category=agency.jobs&go=read-only", "expiry=date&expiry_date=9999-99-99&reach=list&brand=x&brand=1",
		"emails=a@b.c,,<d@e.f>&contact=%00", "version.=1&version.brand=7&api=brand", "scope=agency/3/jobs.run&category=agency.jobs",
	} {
		f.Add(s, s)
	}
	offer, now := fuzzOffer(), time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, first, second string) {
		d := newDraft(offer, false, "p", now)
		for _, text := range []string{first, second} {
			form, err := url.ParseQuery(text)
			if err != nil || len(text) > 1<<16 {
				return
			}
			for _, step := range wizard {
				d.take(step, form, offer)
				checkDraft(t, d, offer, now)
			}
		}
	})
}

func checkDraft(t *testing.T, d draft, offer api.Offer, now time.Time) {
	t.Helper()
	in, _ := d.create(offer, now)
	open := d.opened(offer)
	for _, name := range in.Scopes {
		found := false
		for i, o := range open {
			bare := name
			if i > 0 {
				bare = strings.TrimPrefix(name, o.api.Name+"/")
			}
			for _, c := range o.version.Categories {
				for _, s := range c.Scopes {
					if s.Name == bare && slices.Contains(d.Boxes.Ticked, o.box(s.Name)) && slices.Contains(d.Boxes.On, o.category(c)) {
						found = true
					}
				}
			}
		}
		if !found {
			t.Errorf("%q is given, though no box of it is seen", name)
		}
	}
	if in.Expires != nil && d.Expiry != "date" && (in.Expires.Before(now) || in.Expires.After(now.AddDate(0, 0, 101))) {
		t.Errorf("%q ends at %v", d.Expiry, in.Expires)
	}
	body, err := d.body()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parseDraft(body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if second, err := again.body(); err != nil || string(second) != string(body) {
		t.Errorf("a draft comes back as another one:\n%s\n%s", body, second)
	}
	for _, a := range d.Boxes.form(open, "", boxes{}, view.Errors{}).APIs {
		for _, c := range a.Categories {
			for _, s := range c.Scopes {
				if s.Refused != "" && s.Ticked {
					t.Errorf("%s is shown ticked, though it may not be given", s.Value)
				}
			}
		}
	}
}
