package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// sample fills the desk as the demo does: versions, states, reach and ends of every kind.
func (d *desk) sample() map[string]string {
	d.Helper()
	sids := map[string]string{}
	day := 24 * time.Hour
	for i, s := range []struct {
		age, used time.Duration // ago
		api.TokenCreate
	}{
		{210 * day, 3 * time.Hour, api.TokenCreate{
			Name: "Legacy feed importer", Description: "Nightly import of advertisers into the old warehouse. To be replaced.", Version: "2", NeverExpires: true,
			Scopes: []string{"advertisers.list-advertisers", "advertisers.get-advertiser", "reports.list-reports"},
		}},
		{95 * day, 70 * day, api.TokenCreate{
			Name: "Sandbox", Description: "For trying things out.", Version: "3", Expires: new(d.now().Add(20 * day)),
			Scopes: []string{"company.get-company", "jobs.list-jobs", "jobs.get-job"},
		}},
		{61 * day, 4 * day, api.TokenCreate{
			Name: "Compliance checks", Version: "3", Expires: new(d.now().Add(-2 * day)), DeveloperEmails: []string{"developers@north.example"},
			Scopes: []string{"compliance.create-submission", "compliance.get-submission", "compliance.get-submission-results"},
		}},
		{12 * day, 26 * time.Hour, api.TokenCreate{
			Name: "Brand catalogue sync", Description: "Keeps the product catalogues of two brands in step with the shop.", Version: "3",
			Reach: api.ReachList, Brands: []int64{acme, bolt}, BrandVersion: "8", Expires: new(d.now().Add(353 * day)),
			DeveloperEmails: []string{"shop@north.example", "developers@north.example"},
			Scopes:          []string{"advertisers.get-advertiser", "brand/catalogs.list-catalogs", "brand/catalogs.get-catalog"},
		}},
		{2 * day, 12 * time.Minute, api.TokenCreate{
			Name: "Weekly report export", Description: "Exports the weekly reports and downloads them.", Version: "3", Expires: new(d.now().Add(363 * day)),
			DeveloperEmails: []string{"reports@north.example"},
			Scopes: []string{
				"advertisers.list-advertisers", "reports.list-reports", "reports.run-report", "report-export.export-report",
				"jobs.list-jobs", "jobs.get-job", "jobs.download-job-result",
			},
		}},
	} {
		d.pass(-s.age)
		sids[s.Name] = d.token(adminMail, s.TokenCreate).SID
		d.pass(s.age)
		d.used(sids[s.Name], int64(i+1), d.now().Add(-s.used))
	}
	_, err := d.authority.DisableToken(context.Background(), d.actors[adminMail], agency, sids["Sandbox"], "Not needed until the next project.")
	d.must(err)
	return sids
}

// Every page, as somebody looks at it who has things to do: axe-core, policy, scripts, 320 pixels.
func TestEveryPageInTheBrowser(t *testing.T) {
	d := newDesk(t)
	sids := d.sample()
	zero := d.token(adminMail, api.TokenCreate{Name: "Script", API: authority.ZeroAPI, Scopes: []string{}})
	old, off, brand := sids["Legacy feed importer"], sids["Sandbox"], sids["Brand catalogue sync"]
	b := d.tab()
	for _, of := range []struct {
		email string
		paths []string
	}{
		{adminMail, []string{
			view.PathTokens, view.PathTokens + "?q=nothing+like+it", view.PathSettings, view.TokenPath(brand), view.TokenPath(off), view.TokenPath(old) + "?tick=agency/jobs.get-job",
			view.TokenPath(old, "upgrade"), view.TokenPath(old, "reset"), view.TokenPath(old, "duplicate"), view.TokenPath(off, "enable"), view.TokenPath(old, "delete"),
			view.TokenPath(old, "history"), view.PathHistory, view.PathMembers, view.MemberPath(d.actors[adminMail].Person, "remove"), view.PathProfile, view.PathDocs,
			view.DocsPath("agency", "3"), view.PathDocsFirst, view.PathDocsErrors, view.PathDocsSecure, view.PathManagement, view.TokenPath(zero.SID), "/none",
		}},
		{analystMail, []string{view.PathTokens, view.TokenPath(brand), view.PathMembers}},
		{operatorMail, []string{
			view.PathOperatorAccounts, view.AccountPath("1001"), view.PathOperatorAccountNew, view.PathOperatorCatalogue, view.PathOperatorPeople,
			view.PathOperatorHistory, view.PathOperatorSelf, view.PathManagement, view.DocsPath("brand", "8"),
		}},
	} {
		b.signIn(of.email)
		for _, path := range of.paths {
			b.goTo(path)
			b.look(path)
		}
		b.leads(chromedp.Click(chromedp.CSS(".me button")))
		b.look("signed out")
	}
}

// weight is what a page costs on the wire at a first visit, in octets: itself, style, script and drawings.
const weight = `(() => {
	const at = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
	return at.filter(e => !e.name.includes("/name?")).reduce((n, e) => n + e.encodedBodySize, 0);
})()`

func TestPagesWeighLittle(t *testing.T) {
	d := newDesk(t)
	d.many(60)
	sid := d.token(adminMail, api.TokenCreate{
		Name: "Both APIs", Version: "3", NeverExpires: true, Reach: api.ReachAll, Scopes: []string{"jobs.get-job", "brand/catalogs.list-catalogs"},
	}).SID
	b := d.tab()
	b.signIn(adminMail)
	weigh := func(what string) {
		t.Helper()
		n := script[int](b, weight)
		t.Logf("%s: %d octets", what, n)
		if n > 60_000 || n < 10_000 {
			t.Errorf("%s weighs %d octets", what, n)
		}
	}
	b.goTo(view.PathTokens)
	weigh("the list of 50 cards")
	b.goTo(view.TokenPath(sid))
	weigh("the edit page of a token of two APIs")
	b.goTo(view.PathTokenNew)
	b.do(chromedp.SendKeys(chromedp.CSS("#name"), "Heavy"), chromedp.Click(chromedp.CSS("#reach-all")))
	b.leads(chromedp.Click(chromedp.CSS("[value=next].button-main")))
	b.leads(chromedp.Click(chromedp.CSS("[value=next].button-main")))
	weigh("the scopes of two APIs")
}

// TestScreenshots draws the pictures of the documentation, into the folder that COUNTERFOIL_SCREENSHOTS
// names; without it they go to a folder that is removed.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("COUNTERFOIL_SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	d := newDeskWith(t, "https://api.example.com")
	sids := d.sample()
	b := d.tab()
	b.do(chromedp.EmulateViewport(1440, 960))
	b.signIn(adminMail)
	shot := func(name string) {
		t.Helper()
		for colours, suffix := range map[string]string{"light": "", "dark": "-dark"} {
			b.do(scheme(colours))
			height := script[int64](b, `scrollTo(0, 0), Math.min(1800, Math.max(960, document.documentElement.scrollHeight))`)
			b.do(chromedp.EmulateViewport(1440, height))
			picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
			d.must(err)
			d.must(os.WriteFile(filepath.Join(folder, name+suffix+".png"), picture, 0o644))
		}
		b.do(scheme("light"), chromedp.EmulateViewport(1440, 960))
		for _, e := range script[[]string](b, tooWide) {
			t.Errorf("%s: %s", name, e)
		}
	}
	b.goTo(view.PathTokens)
	shot("token-list")
	b.goTo(view.TokenPath(sids["Brand catalogue sync"]))
	shot("token-edit")
	next := chromedp.Click(chromedp.CSS("[value=next].button-main"))
	b.goTo(view.PathTokenNew)
	b.do(chromedp.SendKeys(chromedp.CSS("#name"), "Partner dashboard"), chromedp.Click(chromedp.CSS("#reach-all")))
	b.leads(next)
	b.do(chromedp.SendKeys(chromedp.CSS("#emails-add"), "dashboard@north.example,"))
	b.leads(next)
	for _, value := range []string{"agency.jobs", "agency.report-export"} {
		b.do(chromedp.Click(chromedp.CSS(fmt.Sprintf(`[value=%q] + .toggle-track`, value))))
	}
	b.do(chromedp.Click(chromedp.CSS(fmt.Sprintf("[value=%q]", boxExport))), chromedp.Click(chromedp.CSS(fmt.Sprintf("[value=%q]", boxList))))
	script[any](b, `document.activeElement.blur()`)
	shot("wizard-scopes")
	b.leads(next)
	shot("wizard-review")
	b.leads(chromedp.Click(chromedp.CSS("[value=create].button-main")))
	b.secret = append(b.secret, script[string](b, `document.getElementById("auth-token").textContent`))
	shot("reveal")
}
