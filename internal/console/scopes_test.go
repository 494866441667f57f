package console_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// atScopes is a wizard on its third step.
func (d *desk) atScopes(email string) *browser {
	d.Helper()
	b := d.as(email)
	b.begin()
	b.next("contacts", url.Values{"name": {"Boxes of " + email}})
	b.next("scopes", nil)
	return b
}

// tally is the count beside a category: "3 of 8".
func (p *page) tally(category string) string {
	for _, n := range p.all(func(n *html.Node) bool { return attr(n, "name") == "category" && attr(n, "value") == category }) {
		for f := n.Parent; f != nil; f = f.Parent {
			if f.DataAtom != atom.Fieldset {
				continue
			}
			for c := range f.Descendants() {
				if class(c, "category-count") {
					return textOf(c)
				}
			}
		}
	}
	return "(no " + category + ")"
}

func TestCategoriesShowTheirBoxes(t *testing.T) {
	b := newDesk(t).atScopes(adminMail)
	equal(b, "Jobs", b.page.tally("agency.jobs"), "0 of 5")
	row := textOf(b.page.box(boxGet))
	for _, s := range []string{"Get a job", "GET /Agencies/{AccountSID}/Jobs/{JobId}"} {
		if !strings.Contains(row, s) {
			t.Errorf("the row of a box lacks %q: %s", s, row)
		}
	}
	in := b.page.of("scope-" + boxGet)
	if in.NextSibling == nil || !class(in.NextSibling, "box-words") {
		t.Error("the box does not stand on the left of its words")
	}
	row = textOf(b.page.box(boxAds))
	for _, s := range []string{"sensitive", "Shows the tracking key of every brand"} {
		if !strings.Contains(row, s) {
			t.Errorf("the row of a sensitive box lacks %q: %s", s, row)
		}
	}
	if row = textOf(b.page.box(boxExport)); !strings.Contains(row, "Needs “Download a job's result” and “Get a job”.") {
		t.Errorf("the row does not say what the scope needs: %s", row)
	}
	b.press("go=search", url.Values{"category": {"agency.jobs"}, "scope": {boxGet, boxList}})
	equal(b, "Jobs, ticked", b.page.tally("agency.jobs"), "2 of 5")
	b.says("2 of 21 scopes")
}

func TestSearchHidesAndKeeps(t *testing.T) {
	b := newDesk(t).atScopes(adminMail)
	b.press("go=search", url.Values{"q": {"NOTE"}, "category": {"agency.jobs"}, "scope": {boxGet}})
	equal(b, "still there", b.page.step(), "scopes")
	equal(b, "the query", b.page.value("scope-q"), "NOTE")
	equal(b, "what was ticked, though hidden", b.page.checked("scope"), boxGet)
	shown := 0
	for _, n := range b.page.all(func(n *html.Node) bool { return class(n, "box") && !has(n, "hidden") }) {
		if !strings.Contains(strings.ToLower(textOf(n)), "note") {
			t.Errorf("a search for NOTE shows %s", textOf(n))
		}
		shown++
	}
	if shown != 2 {
		t.Errorf("%d boxes are shown", shown)
	}
	b.press("go=search", url.Values{"q": {"post /agencies"}})
	if !has(b.page.box(boxGet), "hidden") {
		t.Error("a search by method and path shows a GET")
	}
	b.press("go=search", url.Values{"q": {""}})
	if has(b.page.box(boxGet), "hidden") {
		t.Error("an empty search hides boxes")
	}
}

func TestReadOnlyTicksWhatOnlyReads(t *testing.T) {
	b := newDesk(t).atScopes(adminMail)
	b.press("Read only", nil)
	ticked := strings.Fields(b.page.checked("scope"))
	if len(ticked) < 8 {
		t.Errorf("Read only ticks %q", ticked)
	}
	for _, n := range b.page.all(func(n *html.Node) bool { return attr(n, "name") == "scope" && has(n, "checked") }) {
		if !has(n, "data-read") {
			t.Errorf("Read only ticks %s", attr(n, "value"))
		}
		if attr(n, "value") == boxAds {
			t.Error("Read only ticks a sensitive scope unasked")
		}
	}
	b.next("create", nil)
	b.says("It may only read")
	b.press("Back", nil)
	b.press("go=all:agency.advertisers", nil)
	b.press("Read only", nil)
	if !strings.Contains(b.page.checked("scope"), boxAds) {
		t.Error("Read only takes a sensitive scope away that somebody has ticked")
	}
}

func TestClearAllCanBeTakenBack(t *testing.T) {
	b := newDesk(t).atScopes(adminMail)
	b.press("Clear All", url.Values{"category": {"agency.jobs", "agency.notes"}, "scope": {boxGet, boxList}})
	equal(b, "Clear All", b.page.checked("scope")+b.page.checked("category"), "")
	b.press("Undo", nil)
	equal(b, "Undo", b.page.checked("scope"), boxList+" "+boxGet)
	equal(b, "the switches", b.page.checked("category"), "agency.jobs agency.notes")
	b.press("All", nil)
	b.press("Clear All", nil)
	b.press("Next", nil)
	b.press("Back", nil)
	equal(b, "a cleared step is cleared", b.page.checked("scope"), "")
}

func TestAllAndNoneOfACategory(t *testing.T) {
	b := newDesk(t).atScopes(adminMail)
	b.press("go=all:agency.jobs", nil)
	equal(b, "All", b.page.tally("agency.jobs"), "5 of 5")
	equal(b, "the switch", b.page.checked("category"), "agency.jobs")
	b.press("go=none:agency.jobs", nil)
	equal(b, "None", b.page.tally("agency.jobs"), "0 of 5")
}

func TestAScopeTicksWhatItNeedsAndSaysWhy(t *testing.T) {
	d := newDesk(t)
	b := d.atScopes(adminMail)
	b.press("go=search", url.Values{"category": {"agency.report-export"}, "scope": {boxExport}})
	equal(b, "ticked", b.page.checked("scope"), strings.Join([]string{boxGet, boxDownload, boxExport}, " "))
	equal(b, "switched on", b.page.checked("category"), "agency.jobs agency.report-export")
	b.says("“Get a job” was ticked too, because “Export a report” needs it.")
	// It holds when the person goes on at once, too.
	b = d.atScopes(adminMail)
	b.press("Next", url.Values{"category": {"agency.report-export"}, "scope": {boxExport}})
	equal(b, "on", b.page.step(), "create")
	b.says("Export a report", "“Get a job” was ticked too, because “Export a report” needs it.")
}

func TestATickInACategoryThatIsOffIsNotGiven(t *testing.T) {
	d := newDesk(t)
	b := d.atScopes(adminMail)
	b.next("create", url.Values{"category": {"agency.notes"}, "scope": {boxGet, "agency/3/notes:read"}})
	b.says("1 scope")
	b.saysNot("Get a job")
	b.press("Create", nil)
	sid, _ := b.made()
	equal(b, "given", d.scopesOf(sid), "notes:read")
}

func TestWhatThisPersonMayNotGiveIsGreyedWithTheReason(t *testing.T) {
	d := newDesk(t)
	refused := func(b *browser, scope, why string) {
		t.Helper()
		in := b.page.of("scope-" + scope)
		if !has(in, "disabled") || has(in, "checked") || !strings.Contains(textOf(b.page.box(scope)), why) {
			t.Errorf("the box: disabled %v, ticked %v: %s", has(in, "disabled"), has(in, "checked"), textOf(b.page.box(scope)))
		}
	}
	b := d.atScopes(specialistMail)
	refused(b, boxAds, "Sensitive: an Account Administrator must allow you to give it")
	b.press("go=all:agency.advertisers", nil)
	refused(b, boxAds, "Sensitive")
	// A box that the page does not offer is refused when it is sent all the same.
	form := b.filled(must2(b.page.button("Next")), nil)
	form["scope"], form["category"] = []string{boxAds}, []string{"agency.advertisers"}
	form.Set("go", "next")
	b.post(view.PathTokenNew, form)
	if b.page.step() == "create" {
		form.Set("step", "create")
		form.Set("go", "create")
		b.post(view.PathTokenNew, form)
	}
	b.status(http.StatusUnprocessableEntity)
	b.says("must allow you to give it")
	equal(b, "the tokens", d.names(), "")
	// An administrator allows it, in this account.
	_, err := d.authority.EditMember(context.Background(), d.actors[adminMail], agency, d.actors[specialistMail].Person, api.MemberEdit{AllowSensitive: new(true)})
	d.must(err)
	b = d.atScopes(specialistMail)
	b.next("create", url.Values{"category": {"agency.advertisers"}, "scope": {boxAds}})
	b.says("One scope is sensitive.")
	b.press("Create", nil)
	b.made()
	// The operator withholds one from the account: nobody gives it.
	d.must(d.authority.Withhold(context.Background(), d.actors[operatorMail], agency, api.WithheldScope{API: "agency", Scope: "jobs.get-job"}))
	b = d.atScopes(adminMail)
	refused(b, boxGet, "Withheld from this account by the operator")
	// What needs it can be ticked, and the page does not pretend otherwise.
	b.press("go=search", url.Values{"category": {"agency.report-export"}, "scope": {boxExport}})
	refused(b, boxGet, "Withheld")
}

func TestTheReviewWarns(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	b.next("contacts", url.Values{"name": {"Careless"}, "expiry": {"never"}})
	b.next("scopes", nil)
	b.next("create", url.Values{"category": {"agency.advertisers"}, "scope": {boxAds}})
	b.says("The token never expires.", "One scope is sensitive.", "Nobody but the primary contact is told", "It has no expiry", "and nobody else")
	b.press("go=contacts", nil)
	b.press("go=scopes", url.Values{"emails": {"second@north.example"}})
	b.press("go=setup", url.Values{"category": {}, "scope": {}})
	b.press("go=create", url.Values{"expiry": {"date"}, "expiry_date": {d.now().AddDate(0, 0, 3).Format("2006-01-02")}})
	b.says("The token ends within a week.", "No scope is ticked, so the token can call nothing.", "It may do nothing yet")
	b.saysNot("never expires", "Nobody but")
}
