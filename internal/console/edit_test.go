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

// secretOf is the digest that is kept of a token's secret: the same digest is the same secret.
func (d *desk) secretOf(sid string) string {
	d.Helper()
	grant, err := d.authority.Feed("test").Grant(context.Background(), sid)
	d.must(err)
	if grant == nil {
		return ""
	}
	var out []string
	for _, s := range grant.Secrets {
		out = append(out, s.Digest)
	}
	return strings.Join(out, " ")
}

func TestTheEditPageShowsAToken(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{
		Name: "Sync", Description: "Two\nlines", Version: "3", Reach: api.ReachList, Brands: []int64{acme}, BrandVersion: "8", NeverExpires: true,
		DeveloperEmails: []string{"a@b.example", "c@d.example"}, Scopes: []string{"jobs.get-job", "brand/catalogs.list-catalogs"},
	})
	d.used(one.SID, 1, d.now())
	b := d.as(analystMail)
	b.open(view.TokenPath(one.SID))
	b.says("Sync", "Your role reads only.", "Jobs 1 of 5", "Get a job")
	if b.page.of("name") != nil || b.page.of("scope-"+boxGet) != nil {
		t.Error("an Analyst is shown controls")
	}
	b = d.as(adminMail)
	b.open(view.TokenPath(one.SID))
	b.says("Overview", "API Credentials", "API Scopes", "SID "+one.SID, "Nobody can read it again", "Reset Token…", "1 brand", "Acme Shoes",
		"from 192.0.2.17 curl/8.14", "Created the access token", "Verifier test", "Saw the first call of the access token",
		"GET /Agencies/{AccountSID}/Advertisers/{AdvertiserId}/Catalogs")
	b.saysNot("Upgrade Version…")
	equal(b, "the name", b.page.value("name"), "Sync")
	equal(b, "the description", b.page.value("description"), "Two\nlines")
	equal(b, "the e-mails", b.page.value("emails"), "a@b.example\nc@d.example")
	equal(b, "the boxes", b.page.checked("scope"), boxGet+" brand/8/catalogs.list-catalogs")
	equal(b, "the switches", b.page.checked("category"), "agency.jobs brand.catalogs")
}

func TestUpdateListsTheDifferencesAndKeepsTheSecret(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Before")
	secret := d.secretOf(one.SID)
	if secret == "" {
		t.Fatal("a live token has no secret")
	}
	b := d.as(adminMail)
	b.open(view.TokenPath(one.SID))
	b.press("Update…", nil)
	b.says("Nothing was changed, since nothing differs.")
	fill := url.Values{
		"name": {"After"}, "description": {"Why"}, "contact": {d.actors[secondMail].Person}, "emails": {"x@y.example"},
		"category": {"agency.jobs", "agency.advertisers"}, "scope": {boxGet, boxAds},
	}
	b.press("Update…", fill)
	b.status(http.StatusOK)
	b.says("Update this token?", "Before", "After", "Why", "Sample Administrator", "Bert Second", "x@y.example",
		"Advertisers · ", "Jobs · List jobs", "It gains the sensitive scope", "Its Auth Token stays as it is.")
	equal(b, "not yet", d.is(one.SID).Name, "Before")
	// Back keeps what was typed, and shows the form, not the question again.
	b.press("Back", nil)
	equal(b, "back at the form", b.page.value("name")+" "+b.page.checked("scope"), "After "+boxAds+" "+boxGet)
	b.press("Update…", nil)
	b.press("Update", nil)
	b.says("The token was updated.")
	now := d.is(one.SID)
	equal(b, "the name", now.Name+" "+now.Description+" "+now.PrimaryContact.Name+" "+strings.Join(now.DeveloperEmails, ","), "After Why Bert Second x@y.example")
	equal(b, "the scopes", d.scopesOf(one.SID), "advertisers.list-advertisers jobs.get-job")
	equal(b, "the secret", d.secretOf(one.SID), secret)
	b.saysNot("said=")
	// A fault is said at its field, and what was typed stays.
	d.simple("Taken")
	b.press("Update…", url.Values{"name": {"taken"}, "emails": {"nonsense"}})
	b.status(http.StatusUnprocessableEntity)
	equal(b, "what was typed", b.page.value("name")+" "+b.page.value("emails"), "taken nonsense")
	if b.page.of("name-err") == nil || b.page.of("emails-err") == nil {
		t.Errorf("the fields do not say what is wrong: %s", b.page.text())
	}
}

func TestScopesOfAnEditWithoutJavaScript(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Buttons")
	b := d.as(adminMail)
	b.open(view.TokenPath(one.SID))
	b.press("Clear All", url.Values{"name": {"Kept"}})
	equal(b, "Clear All", b.page.checked("scope")+" "+b.page.value("name"), " Kept")
	b.press("Undo", nil)
	equal(b, "Undo", b.page.checked("scope"), boxList+" "+boxGet)
	b.press("Read only", nil)
	b.press("go=none:agency.jobs", nil)
	equal(b, "None", b.page.tally("agency.jobs"), "0 of 5")
	equal(b, "nothing was saved", d.scopesOf(one.SID), "jobs.get-job jobs.list-jobs")
	// A switch that is off takes the scopes of its category.
	b.open(view.TokenPath(one.SID))
	b.press("Update…", url.Values{"category": {}})
	b.press("Update", nil)
	equal(b, "switched off", d.scopesOf(one.SID), "")
}

func TestTwoPeopleEditAtOnce(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Shared")
	ada, bert := d.as(adminMail), d.as(secondMail)
	ada.open(view.TokenPath(one.SID))
	bert.open(view.TokenPath(one.SID))
	for _, name := range []string{"Bert's name", "Bert's other name"} {
		bert.press("Update…", url.Values{"name": {name}})
		bert.press("Update", nil)
	}
	d.used(one.SID, 1, d.now()) // the newest event is none of theirs
	ada.press("Update…", url.Values{"description": {"Ada's words"}, "name": {"Shared"}})
	ada.status(http.StatusConflict)
	ada.says("Somebody changed this token first", "Bert Second changed Bert's other name", "Nothing of yours has been written",
		"Theirs, already in force", "Bert's name", "Yours, not yet written", "Ada's words")
	equal(ada, "nothing is overwritten", d.is(one.SID).Name+d.is(one.SID).Description, "Bert's other name")
	ada.press("Compare mine with what is there now…", nil)
	ada.status(http.StatusOK)
	ada.says("Update this token?", "Bert's other name")
	ada.press("Update", nil)
	equal(ada, "after looking", d.is(one.SID).Name+" "+d.is(one.SID).Description, "Shared Ada's words")
	// The other one is stopped at the last press, too.
	bert.open(view.TokenPath(one.SID))
	bert.press("Update…", url.Values{"name": {"Third"}})
	_, err := d.authority.DisableToken(context.Background(), d.actors[adminMail], agency, one.SID, "a pause")
	d.must(err)
	bert.press("Update", nil)
	bert.status(http.StatusConflict)
	bert.says("Sample Administrator changed", "disabled the access token")
	equal(bert, "nothing is overwritten", d.is(one.SID).Name, "Shared")
}

func TestALinkFromARefusalTicksAndMarksTheBox(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{Name: "Lacks one", NeverExpires: true, Scopes: []string{"jobs.get-job"}})
	b := d.as(adminMail)
	b.open(view.TokenPath(one.SID) + "?tick=agency/notes:read#api-scopes")
	b.says("A refused call needs one more scope.")
	box := b.page.box("agency/3/notes:read")
	if !class(box, "box-marked") || !strings.Contains(textOf(box), "asked for by the refused call") {
		t.Errorf("the box is not marked: %s", textOf(box))
	}
	equal(b, "ticked", b.page.checked("scope"), boxGet+" agency/3/notes:read")
	equal(b, "switched on", b.page.checked("category"), "agency.jobs agency.notes")
	equal(b, "looking changes nothing", d.scopesOf(one.SID), "jobs.get-job")
	b.press("Update…", nil)
	b.press("Update", nil)
	equal(b, "after Update", d.scopesOf(one.SID), "jobs.get-job notes:read")
	// What this person may not give is marked, not ticked; what does not exist is passed over.
	b = d.as(specialistMail)
	b.open(view.TokenPath(one.SID) + "?tick=agency/advertisers.list-advertisers")
	if box := b.page.box(boxAds); !class(box, "box-marked") || strings.Contains(b.page.checked("scope"), boxAds) {
		t.Errorf("a box that may not be given: %s", textOf(box))
	}
	for _, tick := range []string{"nonsense", "agency/none", "none/jobs.get-job", "/", "agency%2F"} {
		b.open(view.TokenPath(one.SID) + "?tick=" + tick)
		b.status(http.StatusOK)
		b.saysNot("A refused call needs")
	}
	// Signed out, the link leads through the sign-in to the box.
	out := d.browser()
	out.open(view.TokenPath(one.SID) + "?tick=agency/notes:write")
	equal(out, "signed out", out.page.url.Path, view.PathSignIn)
	out.press("Sign in", url.Values{"email": {adminMail}, "password": {password}})
	out.says("A refused call needs one more scope.")
}

func TestAScopeThatASpecialistMayNotGiveStaysOrGoes(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{Name: "Sensitive", NeverExpires: true, Scopes: []string{"advertisers.list-advertisers", "jobs.get-job"}})
	b := d.as(specialistMail)
	b.open(view.TokenPath(one.SID))
	equal(b, "held", b.page.checked("scope"), boxAds+" "+boxGet)
	b.press("Update…", url.Values{"name": {"Renamed"}})
	b.press("Update", nil)
	equal(b, "it stays", d.scopesOf(one.SID), "advertisers.list-advertisers jobs.get-job")
	b.press("Update…", url.Values{"scope": {boxGet}})
	b.press("Update", nil)
	equal(b, "it goes", d.scopesOf(one.SID), "jobs.get-job")
	form := b.filled(must2(b.page.button("Update…")), nil)
	form["scope"] = append(form["scope"], boxAds)
	form["category"] = append(form["category"], "agency.advertisers")
	form.Set("confirm", "yes")
	b.post(view.TokenPath(one.SID, "update"), form)
	b.status(http.StatusUnprocessableEntity)
	equal(b, "it does not come back", d.scopesOf(one.SID), "jobs.get-job")
}

// groups are the counts of an upgrade page: "Gone: 1 scope".
func (p *page) groups() string {
	var out []string
	for _, n := range p.all(func(n *html.Node) bool { return n.DataAtom == atom.H2 }) {
		if s := textOf(n); strings.Contains(s, ": ") {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func TestUpgradeWidensNothingSilently(t *testing.T) {
	d := newDesk(t)
	by := d.actors[adminMail]
	offer, err := d.authority.Offer(context.Background(), by, agency)
	d.must(err)
	var all []string
	for _, v := range offer.APIs[0].Versions {
		for _, c := range v.Categories {
			for _, s := range c.Scopes {
				if v.Name == "2" {
					all = append(all, s.Name)
				}
			}
		}
	}
	one := d.token(adminMail, api.TokenCreate{Name: "Old", Version: "2", NeverExpires: true, Scopes: all})
	secret := d.secretOf(one.SID)
	plan, err := d.authority.PlanUpgrade(context.Background(), by, agency, one.SID, "", "")
	d.must(err)
	if len(plan.Carried) == 0 || len(plan.Ask) == 0 || len(plan.Gone) == 0 {
		t.Fatalf("the sample does not show all three: %+v", plan)
	}
	b := d.as(adminMail)
	b.open(view.TokenPath(one.SID))
	b.says("Agency API 3 is the latest version.")
	b.open(b.page.links()["Upgrade Version…"])
	equal(b, "the groups", b.page.groups(), "Gone: "+scopes(len(plan.Gone))+", Must be ticked: "+scopes(len(plan.Ask))+", Carried over: "+scopes(len(plan.Carried)))
	b.says("Upgrade to Agency API 3?", "The token gets them only if you tick them.", "Now also opens "+plan.Ask[0].Added[0], plan.Gone[0].Label, "Its Auth Token stays.")
	equal(b, "nothing is ticked", b.page.checked("scope"), "")
	stale := b.filled(must2(b.page.button("Upgrade Version")), nil)
	b.press("Upgrade Version", url.Values{"scope": {plan.Ask[0].Scope}})
	b.says("The token was moved to the other version.", "Agency API 3")
	var want []string
	for _, s := range plan.Carried {
		want = append(want, s.Scope)
	}
	want = append(want, plan.Ask[0].Scope)
	for _, s := range want {
		if !strings.Contains(" "+d.scopesOf(one.SID)+" ", " "+s+" ") {
			t.Errorf("%s is lost", s)
		}
	}
	equal(b, "how many", len(strings.Fields(d.scopesOf(one.SID))), len(want))
	equal(b, "the secret", d.secretOf(one.SID), secret)
	b.saysNot("Upgrade Version…")
	b.post(view.TokenPath(one.SID, "upgrade"), stale)
	b.status(http.StatusConflict)
	b.open(view.TokenPath(one.SID, "upgrade"))
	b.status(http.StatusConflict)
	b.says("on the latest version already")
}

func scopes(n int) string {
	if n == 1 {
		return "1 scope"
	}
	return number(n) + " scopes"
}

func TestUpgradeOfTheBrandVersionAlone(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{
		Name: "Brand behind", Version: "3", Reach: api.ReachAll, BrandVersion: "7", NeverExpires: true,
		Scopes: []string{"jobs.get-job", "brand/catalogs.list-catalogs"},
	})
	b := d.as(adminMail)
	b.open(view.TokenPath(one.SID))
	b.says("Brand API 8 is the latest version.")
	b.open(b.page.links()["Upgrade Version…"])
	b.says("Upgrade to Brand API 8?")
	b.press("Upgrade Version", nil)
	b.says("Brand API Version 8")
	equal(b, "the agency's part", d.is(one.SID).Pins[0].Version, "3")
}
