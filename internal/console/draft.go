package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// draft is what the wizard knows so far. It is kept on the server under an id that the form carries, so
// that a step forth and back loses nothing, with or without JavaScript, and so that one wizard makes one
// token whatever is sent twice.
type draft struct {
	Step    view.Step `json:"step"`
	Reached view.Step `json:"reached"`
	Zero    bool      `json:"zero,omitempty"` // of the management API

	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	API         string            `json:"api,omitempty"`
	Versions    map[string]string `json:"versions,omitempty"` // by API, as chosen
	Expiry      string            `json:"expiry,omitempty"`   // days, "date" or "never"
	ExpiryDate  string            `json:"expiry_date,omitempty"`

	Reach        string   `json:"reach,omitempty"`
	Brands       []string `json:"brands,omitempty"`
	BrandQuery   string   `json:"brand_query,omitempty"`
	BrandVersion string   `json:"brand_version,omitempty"`

	Limits limitsInput `json:"limits"`

	Contact string `json:"contact,omitempty"`
	Emails  string `json:"emails,omitempty"`

	Boxes boxes `json:"boxes"`
}

// newDraft is an untouched wizard: the latest version, the default expiry, the person as contact.
func newDraft(offer api.Offer, zero bool, person string, now time.Time) draft {
	d := draft{Step: view.StepSetup, Reached: view.StepSetup, Zero: zero, Versions: map[string]string{}, Reach: string(api.ReachNone)}
	if a, ok := d.chosenAPI(offer); ok {
		d.API = a.Name
	}
	for _, c := range offer.Contacts {
		if c.Person == person {
			d.Contact = person
		}
	}
	d.Expiry = defaultExpiry(offer)
	if d.Expiry == "date" {
		d.ExpiryDate = now.AddDate(0, 0, int(offer.ExpiryDefault)).Format(time.DateOnly)
	}
	return d
}

func parseDraft(body []byte) (draft, error) {
	var d draft
	if err := json.Unmarshal(body, &d); err != nil {
		return d, fmt.Errorf("reading a draft: %w", err)
	}
	if d.Versions == nil {
		d.Versions = map[string]string{}
	}
	return d, nil
}

func (d draft) body() ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("keeping a draft: %w", err)
	}
	return b, nil
}

// choosable are the APIs of the wizard: the account's own, or the management API under its own link.
func (d draft) choosable(offer api.Offer) []api.OfferAPI {
	var out []api.OfferAPI
	for _, a := range offer.APIs {
		if !a.Nested && a.Zero == d.Zero && len(a.Versions) > 0 {
			out = append(out, a)
		}
	}
	return out
}

func (d draft) chosenAPI(offer api.Offer) (api.OfferAPI, bool) {
	own := d.choosable(offer)
	for _, a := range own {
		if a.Name == d.API {
			return a, true
		}
	}
	if len(own) > 0 {
		return own[0], true
	}
	return api.OfferAPI{}, false
}

// nestedAPI is the API that a token of this one reaches brands through.
func nestedAPI(offer api.Offer, outer api.OfferAPI) (api.OfferAPI, bool) {
	for _, a := range offer.APIs {
		if a.Nested && slices.Contains(outer.Nests, a.Name) && len(a.Versions) > 0 {
			return a, true
		}
	}
	return api.OfferAPI{}, false
}

// chosenVersion is the named version, or the suggested one: the latest.
func chosenVersion(a api.OfferAPI, name string) api.OfferVersion {
	for _, v := range a.Versions {
		if v.Name == name {
			return v
		}
	}
	return a.Versions[0] // the latest comes first
}

// opened are the versions whose boxes the third step shows.
func (d draft) opened(offer api.Offer) []openVersion {
	outer, ok := d.chosenAPI(offer)
	if !ok {
		return nil
	}
	out := []openVersion{{outer, chosenVersion(outer, d.Versions[outer.Name])}}
	if d.Reach == string(api.ReachAll) || d.Reach == string(api.ReachList) {
		if inner, ok := nestedAPI(offer, outer); ok {
			out = append(out, openVersion{inner, chosenVersion(inner, d.BrandVersion)})
		}
	}
	return out
}

// take reads the fields of the step that was open. A field of another step is not there and stays.
func (d *draft) take(step view.Step, form url.Values, offer api.Offer) {
	text := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	switch step {
	case view.StepSetup:
		d.Name, d.Description = text("name"), form.Get("description")
		if form.Has("api") {
			d.API = text("api")
		}
		for name := range form {
			if a, ok := strings.CutPrefix(name, "version."); ok {
				d.Versions[a] = text(name)
			}
		}
		d.Expiry, d.ExpiryDate = text("expiry"), text("expiry_date")
		if limitsAsked(form) {
			d.Limits = takeLimits(form)
		}
		if form.Has("reach") {
			d.Reach, d.Brands, d.BrandQuery, d.BrandVersion = text("reach"), form["brand"], text("brand_q"), text("brand_version")
		}
	case view.StepContacts:
		d.Contact, d.Emails = text("contact"), form.Get("emails")
	case view.StepScopes:
		d.Boxes.take(form, d.opened(offer))
	}
}

// create is what the wizard asks the authority for.
func (d draft) create(offer api.Offer, now time.Time) (api.TokenCreate, []api.Field) {
	in := api.TokenCreate{
		Name: d.Name, Description: d.Description, PrimaryContact: d.Contact,
		DeveloperEmails: distinct(authority.SplitEmails(d.Emails)), Scopes: []string{},
	}
	limits, bad := d.Limits.limits()
	in.Limits = limits
	if d.Expiry != "" {
		end, never, fault := expiryOf(d.Expiry, d.ExpiryDate, offer, now)
		in.Expires, in.NeverExpires = end, never
		if fault != "" {
			bad = append(bad, api.Field{Name: "expires", Message: fault})
		}
	}
	open := d.opened(offer)
	if len(open) == 0 {
		return in, append(bad, api.Field{Name: "api", Message: "cannot be chosen: the operator has published none for this account yet"})
	}
	in.API, in.Version = open[0].api.Name, open[0].version.Name
	if len(open) > 1 {
		in.Reach, in.BrandVersion = api.Reach(d.Reach), open[1].version.Name
		if in.Reach == api.ReachList {
			for _, b := range d.Brands {
				id, err := strconv.ParseInt(b, 10, 64)
				if err != nil {
					bad = append(bad, api.Field{Name: "brands", Message: "must be brands of the list"})
					continue
				}
				in.Brands = append(in.Brands, id)
			}
		}
	}
	in.Scopes = d.Boxes.given(open)
	return in, bad
}

// distinct drops addresses that come again in another spelling, as the authority does.
func distinct(list []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(s string) bool {
		_, key, fault := authority.CleanEmail(s)
		if fault != "" {
			key = s
		}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// expiryPresets are the days that the wizard offers, as far as the account's policy allows.
var expiryPresets = []int64{30, 90, 365}

func allowedExpiries(offer api.Offer) []string {
	var out []string
	for _, days := range expiryPresets {
		if offer.ExpiryMax == 0 || days <= offer.ExpiryMax {
			out = append(out, strconv.FormatInt(days, 10))
		}
	}
	out = append(out, "date")
	if offer.ExpiryMax == 0 {
		out = append(out, "never")
	}
	return out
}

func defaultExpiry(offer api.Offer) string {
	days := strconv.FormatInt(offer.ExpiryDefault, 10)
	switch {
	case offer.ExpiryDefault == 0 && offer.ExpiryMax == 0:
		return "never"
	case slices.Contains(allowedExpiries(offer), days):
		return days
	default:
		return "date"
	}
}

// expiryOf reads the choice. A token ends at the end of its last day, UTC, whether days were chosen or a date.
func expiryOf(choice, date string, offer api.Offer, now time.Time) (end *time.Time, never bool, fault string) {
	switch choice {
	case "never":
		return nil, true, ""
	case "date":
		t, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return nil, false, "needs a date like 2027-12-31"
		}
		t = t.Add(24*time.Hour - time.Second)
		return &t, false, ""
	default:
		days, err := strconv.ParseInt(choice, 10, 64)
		if err != nil || !slices.Contains(allowedExpiries(offer), choice) {
			return nil, false, "must be one of the choices"
		}
		t := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, int(days)).Add(24*time.Hour - time.Second)
		return &t, false, ""
	}
}
