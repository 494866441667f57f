package console_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// step is the open step of the wizard.
func (p *page) step() string {
	for _, n := range p.all(func(n *html.Node) bool { return attr(n, "name") == "step" }) {
		return attr(n, "value")
	}
	return "(no wizard)"
}

// begin opens a wizard.
func (b *browser) begin() {
	b.Helper()
	b.open(view.PathTokenNew)
	b.status(http.StatusOK)
	equal(b, "the first step", b.page.step(), "setup")
}

// next presses Next and must come to a step.
func (b *browser) next(to string, fill url.Values) {
	b.Helper()
	b.press("Next", fill)
	if b.page.step() != to {
		b.Fatalf("Next leads to %s, want %s: %s", b.page.step(), to, b.page.text())
	}
}

// made is the SID and the Auth Token that the page shows.
func (b *browser) made() (sid, secret string) {
	b.Helper()
	at, of := b.page.of("auth-token"), b.page.of("sid")
	if at == nil || of == nil {
		b.Fatalf("no secret was shown: %d %s", b.page.status, b.page.text())
	}
	sid, secret = textOf(of), textOf(at)
	b.mu.Lock()
	b.secret = append(b.secret, secret)
	b.mu.Unlock()
	return sid, secret
}

const (
	boxGet      = "agency/3/jobs.get-job"
	boxList     = "agency/3/jobs.list-jobs"
	boxDownload = "agency/3/jobs.download-job-result"
	boxExport   = "agency/3/report-export.export-report"
	boxAds      = "agency/3/advertisers.list-advertisers"
)

func TestTheWizardInFourStepsWithoutJavaScript(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	b.says("Step 1 of 4: Setup", "Step 2 of 4: Contact Information", "Step 3 of 4: API Scopes", "Step 4 of 4: Create",
		"Token Name", "Description", "API Version", "pinned to this version", "Expiry")
	equal(b, "the latest version is preselected", b.page.value("version.agency"), "3")
	options := textOf(b.page.of("version.agency"))
	for _, s := range []string{"3 · latest · suggested", "2 · deprecated until " + d.now().AddDate(0, 0, 120).Format("2 Jan 2006")} {
		if !strings.Contains(options, s) {
			t.Errorf("the versions do not say %q: %s", s, options)
		}
	}
	if b.page.of("api") != nil {
		t.Error("the API is asked, though the account has only one")
	}
	b.next("contacts", url.Values{"name": {"Weekly report"}, "description": {"Exports\nreports."}, "expiry": {"90"}})
	b.says("This person is told about development updates", "They need not be users", "Weekly report · Agency API 3 · until "+d.now().AddDate(0, 0, 90).Format("2 Jan 2006"))
	equal(b, "the person is the contact", b.page.value("contact"), d.actors[adminMail].Person)
	b.next("scopes", url.Values{"emails": {"dev@north.example, Müller <ops@müller.example>\nDEV@north.example"}})
	b.says("Search scopes", "Read only", "Clear All", "0 of")
	b.next("create", url.Values{"category": {"agency.report-export", "agency.jobs"}, "scope": {boxExport, boxGet, boxDownload}})
	b.says("A token named Weekly report for the account Northlight Agency", "It opens the Agency API version 3", "It reaches no brands.",
		"It may read with 2 scopes and make changes with 1 scope", "It stops working on "+d.now().AddDate(0, 0, 90).Format("2 Jan 2006"),
		"Sample Administrator (ada@north.example) and dev@north.example and ops@müller.example.", "Sample Administrator and 2 developer e-mails", "The Auth Token is shown once")
	b.saysNot("never expires", "sensitive")
	b.press("Create", nil)
	b.status(http.StatusOK)
	sid, secret := b.made()
	b.says("The token is ready", "It is shown this once", "Download .env")
	equal(b, "Cache-Control", b.page.header.Get("Cache-Control"), "no-store")
	equal(b, "the address of the page", b.page.url.Path, view.PathTokenNew)
	if !strings.HasPrefix(secret, "cfoil_"+sid) || len(secret) != 6+22+43+6 {
		t.Errorf("the secret of %s is %d characters long", sid, len(secret))
	}
	equal(b, "what it may do", d.scopesOf(sid), "jobs.download-job-result jobs.get-job report-export.export-report")
	made := d.is(sid)
	equal(b, "the e-mails", strings.Join(made.DeveloperEmails, " "), "dev@north.example ops@müller.example")
	if days := made.Expires.Sub(d.now()).Hours() / 24; days < 90 || days > 91 {
		t.Errorf("it ends in %.2f days", days)
	}
}

func TestTheSecretComesWithACommandThatRuns(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	sid, secret := b.create("Curl", url.Values{"category": {"agency.jobs"}, "scope": {boxList}})
	curl := textOf(b.page.of("curl"))
	for _, s := range []string{"--user '" + sid + ":" + secret + "'", "--header 'IR-Version: 3'", "'http://127.0.0.1:9393/Agencies/" + sid + "/Jobs'"} {
		if !strings.Contains(curl, s) {
			t.Errorf("the command lacks %q: %s", s, curl)
		}
	}
	b.create("Nothing to call", url.Values{"category": {"agency.jobs"}, "scope": {boxGet}})
	b.says("None of its scopes opens a call without further parameters")
}

// create goes through the wizard with a name and boxes.
func (b *browser) create(name string, scopes url.Values) (sid, secret string) {
	b.Helper()
	b.begin()
	b.next("contacts", url.Values{"name": {name}})
	b.next("scopes", nil)
	b.next("create", scopes)
	b.press("Create", nil)
	return b.made()
}

func TestGoingBackLosesNothing(t *testing.T) {
	b := newDesk(t).as(adminMail)
	b.begin()
	b.next("contacts", url.Values{"name": {"  Careful  "}, "description": {"Words"}, "version.agency": {"2"}, "expiry": {"date"}, "expiry_date": {b.now().AddDate(0, 0, 40).Format(time.DateOnly)}})
	b.next("scopes", url.Values{"emails": {"a@b.example"}, "contact": {b.actors[secondMail].Person}})
	b.next("create", url.Values{"category": {"agency.jobs"}, "scope": {"agency/2/jobs.get-job"}})
	b.press("Back", nil)
	equal(b, "Back", b.page.step(), "scopes")
	equal(b, "the boxes", b.page.checked("scope")+" in "+b.page.checked("category"), "agency/2/jobs.get-job in agency.jobs")
	b.press("Back", url.Values{"category": {"agency.jobs"}, "scope": {"agency/2/jobs.get-job", "agency/2/jobs.list-jobs"}})
	equal(b, "the e-mails", b.page.value("emails"), "a@b.example")
	equal(b, "the contact", b.page.value("contact"), b.actors[secondMail].Person)
	b.press("Back", url.Values{"emails": {"a@b.example c@d.example"}})
	equal(b, "the name", b.page.value("name"), "Careful")
	equal(b, "the description", b.page.value("description"), "Words")
	equal(b, "the version", b.page.value("version.agency"), "2")
	equal(b, "the expiry", b.page.checked("expiry")+" "+b.page.value("expiry_date"), "date "+b.now().AddDate(0, 0, 40).Format(time.DateOnly))
	// A reload comes back to the same wizard, and a step that was reached can be opened from any other.
	b.open(b.page.url.RequestURI())
	equal(b, "after a reload", b.page.value("name")+" at "+b.page.step(), "Careful at setup")
	b.press("go=create", url.Values{"name": {"Careful"}})
	equal(b, "a jump forward", b.page.step(), "create")
	b.says("It opens the Agency API version 2", "a@b.example and c@d.example", "2 scopes", "Version 2 of Agency API is deprecated and ends on")
	b.press("go=contacts", nil)
	equal(b, "a jump back", b.page.step(), "contacts")
	b.press("go=create", url.Values{"emails": {"nonsense"}})
	equal(b, "a jump over a fault", b.page.step(), "contacts")
	b.status(http.StatusUnprocessableEntity)
	// Another tab has a wizard of its own.
	other := &browser{desk: b.desk, client: b.client}
	other.begin()
	equal(other, "a second wizard", other.page.value("name"), "")
}

func TestEveryRefusedFieldIsNamedWhereItIsAsked(t *testing.T) {
	d := newDesk(t)
	d.simple("Taken")
	b := d.as(adminMail)
	long := strings.Repeat("a", 101)
	for _, c := range []struct {
		what    string
		fill    url.Values
		control string
		says    string
	}{
		{"no name", url.Values{"name": {" "}}, "name", "Token Name"},
		{"a name that is taken", url.Values{"name": {"tAKEN"}}, "name", "taken"},
		{"a name that is too long", url.Values{"name": {long}}, "name", "100"},
		{"a name that reorders", url.Values{"name": {"a\u202eb"}}, "name", "Token Name"},
		{"a name with a control character", url.Values{"name": {"a\x07b"}}, "name", "Token Name"},
		{"a description that is too long", url.Values{"name": {"x"}, "description": {strings.Repeat("ü", 501)}}, "description", "500"},
		{"a date that is none", url.Values{"name": {"x"}, "expiry": {"date"}, "expiry_date": {"tomorrow"}}, "expiry", "date"},
		{"no date", url.Values{"name": {"x"}, "expiry": {"date"}, "expiry_date": {""}}, "expiry", "date"},
		{"a date that is over", url.Values{"name": {"x"}, "expiry": {"date"}, "expiry_date": {"2020-01-01"}}, "expiry", "Expiry"},
		{"a list without brands", url.Values{"name": {"x"}, "reach": {"list"}}, "brand", "brand"},
	} {
		t.Run(c.what, func(t *testing.T) {
			b.begin()
			b.press("Next", c.fill)
			b.status(http.StatusUnprocessableEntity)
			equal(b, "the step", b.page.step(), "setup")
			summary := b.page.of("errors")
			if summary == nil || !strings.Contains(textOf(summary), c.says) {
				t.Fatalf("the summary: %s", b.page.text())
			}
			if b.page.of(c.control) == nil || !strings.Contains(b.page.body, `href="#`+c.control+`"`) {
				t.Errorf("the summary does not lead to %s: %s", c.control, textOf(summary))
			}
			if b.page.of(c.control+"-err") == nil {
				t.Errorf("the field %s does not say what is wrong", c.control)
			}
		})
	}
	b.begin()
	b.next("contacts", url.Values{"name": {"x"}})
	var many []string
	for i := range 21 {
		many = append(many, "dev"+string(rune('a'+i))+"@north.example")
	}
	for list, says := range map[string]string{
		"a@b.example, no-address, two@@x.example": "no-address", strings.Join(many, " "): "20",
	} {
		b.press("Next", url.Values{"emails": {list}})
		b.status(http.StatusUnprocessableEntity)
		equal(b, "the step", b.page.step(), "contacts")
		equal(b, "what was typed", b.page.value("emails"), list)
		if summary := textOf(b.page.of("errors")); !strings.Contains(summary, says) {
			t.Errorf("%s: %s", list, summary)
		}
	}
	b.next("scopes", url.Values{"emails": {strings.Join(many[:20], "; ") + "; " + strings.ToUpper(many[0])}})
}

func TestExpiryFollowsTheAccountsPolicy(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	equal(b, "the installation's default", b.page.checked("expiry"), "365")
	b.says("In 30 days", "In 90 days", "In one year", "On a date", "Never")
	account, err := d.authority.Account(context.Background(), d.actors[operatorMail], agency)
	d.must(err)
	_, err = d.authority.EditAccount(context.Background(), d.actors[operatorMail], agency, api.AccountEdit{
		ExpiryDefault: new(int64(45)), ExpiryMax: new(int64(100)), Revision: account.Revision,
	})
	d.must(err)
	b.begin()
	b.says("Tokens of this account last at most 100 days.", "In 90 days")
	b.saysNot("In one year", "Never")
	equal(b, "the default, which is no preset", b.page.checked("expiry")+" "+b.page.value("expiry_date"), "date "+d.now().AddDate(0, 0, 45).Format(time.DateOnly))
	equal(b, "the last date", attr(b.page.of("expiry_date"), "max"), d.now().AddDate(0, 0, 100).Format(time.DateOnly))
	b.press("Next", url.Values{"name": {"x"}, "expiry_date": {d.now().AddDate(0, 0, 101).Format(time.DateOnly)}})
	b.status(http.StatusUnprocessableEntity)
	b.says("100")
	b.next("contacts", url.Values{"name": {"x"}, "expiry_date": {d.now().AddDate(0, 0, 99).Format(time.DateOnly)}})
	// What no page offers is refused all the same.
	for _, expiry := range []string{"never", "365", "0", "-1", "junk"} {
		b.begin()
		form := b.filled(must2(b.page.button("Next")), url.Values{"name": {"x"}})
		form.Set("expiry", expiry)
		form.Set("go", "next")
		b.post(view.PathTokenNew, form)
		if b.page.status != http.StatusUnprocessableEntity {
			t.Errorf("expiry=%s: %d at step %s", expiry, b.page.status, b.page.step())
		}
	}
}

func must2(form, _ *html.Node) *html.Node { return form }

func TestReachAsksForBrandsAndTheirVersion(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	equal(b, "at first", b.page.checked("reach"), "none")
	b.says("Acme Shoes", "Bolt Bikes")
	b.saysNot("Crane Coffee")
	equal(b, "the brand API's latest", b.page.value("brand_version"), "8")
	// Search without JavaScript hides what does not match and loses no tick.
	b.press("go=brands", url.Values{"name": {"Sync"}, "reach": {"list"}, "brand": {"2001"}, "brand_q": {"bolt"}})
	equal(b, "still the first step", b.page.step(), "setup")
	if has(b.page.of("brand-2002").Parent, "hidden") || !has(b.page.of("brand-2001").Parent, "hidden") {
		t.Error("the search for bolt shows the wrong brands")
	}
	equal(b, "ticked, though hidden", b.page.checked("brand"), "2001")
	b.next("contacts", nil)
	b.next("scopes", nil)
	b.says("Agency API version 3", "Brand API version 8")
	b.press("Back", nil)
	b.press("Back", url.Values{})
	b.press("go=scopes", url.Values{"brand_version": {"7"}})
	b.says("Brand API version 7")
	// Brand scopes are shown only when brands are reached.
	b.next("create", url.Values{"category": {"agency.jobs", "brand.catalogs"}, "scope": {boxGet, "brand/7/catalogs.list-catalogs"}})
	b.says("It reaches 1 brand: Acme Shoes.", "Brand API version 7", "Brand API · Catalogs")
	b.press("go=setup", nil)
	b.press("go=create", url.Values{"reach": {"none"}})
	b.says("It reaches no brands.")
	b.saysNot("Brand API")
	b.press("go=setup", nil)
	b.press("go=create", url.Values{"reach": {"all"}})
	b.says("It reaches all brands that the account manages", "Brand API · Catalogs")
	b.press("Create", nil)
	sid, _ := b.made()
	equal(b, "what it may do", d.scopesOf(sid), "jobs.get-job brand/catalogs.list-catalogs")
	equal(b, "its reach", d.is(sid).Reach, api.ReachAll)
	// An account without brands is not asked.
	other := d.as(rivalMail)
	other.begin()
	other.saysNot("Brands that this token reaches")
}

func TestVersionSwitchKeepsTheBoxesOfEach(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	b.next("contacts", url.Values{"name": {"Switch"}})
	b.next("scopes", nil)
	b.next("create", url.Values{"category": {"agency.jobs"}, "scope": {boxGet, boxList}})
	b.press("go=setup", nil)
	b.press("go=scopes", url.Values{"version.agency": {"2"}})
	equal(b, "version 2 has boxes of its own", b.page.checked("scope"), "")
	b.press("go=setup", url.Values{"category": {"agency.jobs"}, "scope": {"agency/2/jobs.get-job"}})
	b.press("go=create", url.Values{"version.agency": {"3"}})
	b.press("Create", nil)
	sid, _ := b.made()
	equal(b, "version 3 has those that were ticked", d.scopesOf(sid), "jobs.get-job jobs.list-jobs")
}

// submitAtOnce sends one form several times at the same moment.
func (b *browser) submitAtOnce(button string, times int) []*page {
	b.Helper()
	form, pressed := b.page.button(button)
	values := b.filled(form, nil)
	values.Set(attr(pressed, "name"), attr(pressed, "value"))
	pages := make([]*page, times)
	var all sync.WaitGroup
	for i := range times {
		r := b.request(view.PathTokenNew, values)
		all.Go(func() { pages[i] = b.exchange(r) })
	}
	all.Wait()
	return pages
}

func TestOneWizardMakesOneTokenWhateverIsSentTwice(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	for round := range 5 {
		name := "Once " + string(rune('A'+round))
		before := d.names()
		b.begin()
		b.next("contacts", url.Values{"name": {name}})
		b.next("scopes", nil)
		b.next("create", url.Values{"category": {"agency.jobs"}, "scope": {boxGet}})
		shown := 0
		for _, p := range b.submitAtOnce("Create", 6) {
			switch text := p.text(); {
			case p.of("auth-token") != nil:
				shown++
				d.secret = append(d.secret, textOf(p.of("auth-token")))
			case p.status != http.StatusOK || !strings.Contains(text, "This token has been made already"):
				t.Errorf("one of six: %d %s", p.status, text)
			}
		}
		if shown != 1 {
			t.Errorf("the secret was shown %d times", shown)
		}
		want := name
		if before != "" {
			want += ", " + before
		}
		equal(b, "the tokens", d.names(), want)
	}
	// A reload of the answer, which is the POST again.
	form := b.filled(must2(b.page.button("Create")), nil)
	form.Set("go", "create")
	b.post(view.PathTokenNew, form)
	b.says("This token has been made already", "Reset…")
	// The wizard's own address, and a tab that was left open on an earlier step.
	b.open(view.PathTokenNew + "?draft=" + form.Get("draft"))
	b.says("This token has been made already")
	form.Set("step", "setup")
	form.Set("go", "next")
	form.Set("name", "Another")
	b.post(view.PathTokenNew, form)
	b.says("This token has been made already")
	if strings.Contains(d.names(), "Another") {
		t.Error("a spent wizard made a token")
	}
}

func TestCreateIsRefusedOnTheStepWithTheFault(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	b.next("contacts", url.Values{"name": {"Contested"}})
	b.next("scopes", nil)
	b.next("create", url.Values{"category": {"agency.jobs"}, "scope": {boxGet}})
	d.simple("contested") // somebody else, meanwhile
	b.press("Create", nil)
	b.status(http.StatusUnprocessableEntity)
	equal(b, "the step", b.page.step(), "setup")
	b.says("taken")
	equal(b, "the name", b.page.value("name"), "Contested")
	b.press("go=create", url.Values{"name": {"Contested 2"}})
	b.press("Create", nil)
	b.made()
}

func TestAWizardIsItsOwnersAlone(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	draft := b.page.url.Query().Get("draft")
	for _, mail := range []string{secondMail, rivalMail, specialistMail} {
		other := d.as(mail)
		other.open(view.PathTokenNew + "?draft=" + draft)
		other.status(http.StatusNotFound)
		other.post(view.PathTokenNew, url.Values{"draft": {draft}, "go": {"next"}, "step": {"setup"}, "csrf": {func() string { other.open(view.PathTokens); return other.csrf() }()}})
		other.status(http.StatusNotFound)
	}
}

func TestAPartnerForWhomNothingIsPublishedIsTold(t *testing.T) {
	d := newDesk(t)
	s := &settling{ctx: context.Background(), db: d.db, a: d.authority, people: d.people, operator: d.actors[operatorMail]}
	d.must(s.join(partner, "pat@partner.example", "Pat Partner", api.RoleAdministrator))
	d.actors["pat@partner.example"] = authorityActor(s.id("pat@partner.example"))
	b := d.as("pat@partner.example")
	b.open(view.PathTokenNew)
	b.says("The operator has published no API for this account yet")
}
