package console_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// opened says whether the part *Limits* is open, so that what it says can be read.
func (p *page) opened() bool {
	n := p.of("limits")
	return n != nil && has(n, "open")
}

func TestLimitsInTheWizard(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	from := d.now().UTC().AddDate(0, 0, 7).Truncate(time.Minute)
	b.begin()
	if b.page.opened() {
		t.Error("limits are open though none is set")
	}
	// A wrong limit is said at its field, in a part that is open, and what was typed stays.
	b.press("Next", url.Values{
		"name": {"Limited"}, "expiry": {"90"}, "limit_rate": {"many"}, "limit_burst": {"5"}, "limit_allow": {"10.0.0.1/8\n192.0.2.7"}, "limit_not_before": {"soon"},
	})
	b.status(http.StatusUnprocessableEntity)
	equal(b, "the step", b.page.step(), "setup")
	equal(b, "what was typed", b.page.value("limit_rate")+" "+b.page.value("limit_burst"), "many 5")
	for _, field := range []string{"limit_rate", "limit_allow", "limit_not_before"} {
		if b.page.of(field+"-err") == nil {
			t.Errorf("%s does not say what is wrong: %s", field, b.page.text())
		}
	}
	b.says("for the network write 10.0.0.0/8")
	if !b.page.opened() {
		t.Error("what is wrong lies in a part that is closed")
	}
	b.next("contacts", url.Values{
		"limit_rate": {"10"}, "limit_per": {"second"}, "limit_burst": {"50"}, "limit_daily": {"1000"}, "limit_monthly": {""},
		"limit_allow": {"10.0.0.0/8, 192.0.2.7"}, "limit_deny": {""}, "limit_not_before": {from.Format("2006-01-02T15:04")},
	})
	b.next("scopes", nil)
	b.next("create", url.Values{"category": {"agency.jobs", "agency.advertisers"}, "scope": {boxGet, boxAds}})
	b.says("At most 10 calls a second, 50 at once.", "At most 1000 calls a day (UTC).", "Only from 10.0.0.0/8, 192.0.2.7.", "Not before "+from.Format("2 January 2006, 15:04")+" UTC.")
	b.saysNot("may be called from any address")
	b.press("Create", nil)
	sid, _ := b.made()
	got := d.is(sid).Limits
	want := &api.Limits{
		Rate: &api.Rate{Calls: 10, Per: "second", Burst: 50}, Daily: 1000, Allow: []string{"10.0.0.0/8", "192.0.2.7"}, NotBefore: &from,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestASensitiveScopeWithoutAddressesIsWarnedOf(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	b.next("contacts", url.Values{"name": {"Anywhere"}, "expiry": {"90"}})
	b.next("scopes", nil)
	b.next("create", url.Values{"category": {"agency.advertisers"}, "scope": {boxAds}})
	b.says("may be called from any address", "It has no limits of its own.")
}

func TestLimitsOnTheEditPage(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Edited")
	d.must(d.authority.Feed("test").Report(context.Background(), &api.UsageBatch{
		Node: "test", Number: 1, Uses: []api.Usage{{SID: one.SID, At: api.Micros(d.now().UnixMicro()), Address: "198.51.100.7", Calls: 1}},
	}))
	b := d.as(adminMail)
	b.open(view.TokenPath(one.SID))
	b.says("Last used from 198.51.100.7")
	b.press("Allow this address", nil)
	equal(b, "the addresses", b.page.value("limit_allow"), "198.51.100.7")
	if d.is(one.SID).Limits != nil {
		t.Error("a button of the form has changed the token")
	}
	b.press("Update…", url.Values{"limit_daily": {"0"}})
	b.status(http.StatusUnprocessableEntity)
	if b.page.of("limit_daily-err") == nil || !b.page.opened() {
		t.Errorf("the field does not say what is wrong: %s", b.page.text())
	}
	b.press("Update…", url.Values{"limit_daily": {"25"}})
	b.says("Update this token?", "Daily quota", "25 calls", "Allowed address", "198.51.100.7")
	b.press("Update", nil)
	b.says("The token was updated.", "At most 25 calls a day (UTC).", "Only from 198.51.100.7.")
	// A form that nothing was typed into changes nothing, and an emptied one takes limits off.
	b.press("Update…", nil)
	b.says("Nothing was changed")
	b.press("Update…", url.Values{"limit_daily": {""}, "limit_allow": {""}})
	b.press("Update", nil)
	if l := d.is(one.SID).Limits; l != nil {
		t.Errorf("left: %+v", l)
	}
}

func TestAnAccountsLimitsAreSetByTheOperator(t *testing.T) {
	d := newDesk(t)
	b := d.as(operatorMail)
	path := view.AccountPath("1001")
	settings := func(fill url.Values) {
		b.open(path)
		form, _ := b.page.button("Save")
		b.submit(form, b.filled(form, fill))
	}
	settings(url.Values{"limit_rate": {"600"}, "limit_per": {"minute"}, "limit_monthly": {"100000"}})
	b.says("Saved.")
	account, err := d.authority.Account(context.Background(), d.actors[operatorMail], agency)
	d.must(err)
	if diff := cmp.Diff(&api.AccountLimits{Rate: &api.Rate{Calls: 600, Per: "minute"}, Monthly: 100_000}, account.Limits); diff != "" {
		t.Error(diff)
	}
	settings(url.Values{"limit_burst": {"6001"}})
	b.status(http.StatusUnprocessableEntity)
	if b.page.of("limit_burst-err") == nil || !b.page.opened() {
		t.Errorf("the field does not say what is wrong: %s", b.page.text())
	}
	settings(url.Values{"limit_rate": {""}, "limit_monthly": {""}})
	if account, err = d.authority.Account(context.Background(), d.actors[operatorMail], agency); err != nil || account.Limits != nil {
		t.Errorf("%+v, %v", account.Limits, err)
	}
}
