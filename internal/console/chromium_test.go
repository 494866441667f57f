package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

const chromium = "/usr/bin/chromium"

// patience is how long a page may take to come, on a machine that does other things too.
const patience = 30 * time.Second

// tab is a browser tab in front of a desk. It notes violations of the policy and errors of scripts.
type tab struct {
	*desk
	ctx   context.Context
	loads chan struct{}
	axe   string
}

// axe is the script of axe-core, which is never committed.
func axe(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", ".cache", "npm", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("%v: install it with npm install --prefix .cache/npm axe-core@4.14.1", err)
	}
	return string(b)
}

func (d *desk) tab() *tab {
	d.Helper()
	if _, err := os.Stat(chromium); err != nil {
		d.Fatalf("%v: install Debian's chromium", err)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
	)...)
	d.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	d.Cleanup(cancel)
	b := &tab{desk: d, ctx: ctx, loads: make(chan struct{}, 100), axe: axe(d)}
	d.must(chromedp.Do(ctx))
	d.must(chromedp.Listen(ctx, func(ev any) {
		if _, ok := ev.(*cdppage.EventLoadEventFired); ok {
			b.loads <- struct{}{}
		}
	}))
	note := `
		window.violations = [];
		addEventListener("securitypolicyviolation", e => violations.push(e.effectiveDirective + " " + e.blockedURI));
		window.mistakes = [];
		addEventListener("error", e => mistakes.push(e.message || e.target.outerHTML), true);
		addEventListener("unhandledrejection", e => mistakes.push(String(e.reason)));
		console.error = (...words) => mistakes.push(words.join(" "));`
	_, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: note})
	d.must(err)
	b.do(chromedp.EmulateViewport(1280, 900))
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	b.must(chromedp.Do(b.ctx, steps...))
}

// script runs a script in the page and waits for its promise.
func script[T any](b *tab, text string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](text, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	if err != nil {
		b.Fatalf("%.80s: %v", text, err)
	}
	return v
}

// leads does what opens another page, and waits until it is there.
func (b *tab) leads(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	for len(b.loads) > 0 {
		<-b.loads
	}
	b.do(steps...)
	select {
	case <-b.loads:
	case <-time.After(patience):
		b.Fatalf("no page came: still at %s", b.at())
	}
}

func (b *tab) at() string {
	b.Helper()
	return script[string](b, `location.pathname + location.search`)
}

func (b *tab) goTo(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.url + path))
}

// signIn signs somebody in by a link.
func (b *tab) signIn(email string) {
	b.Helper()
	b.goTo(b.link(email))
	b.leads(chromedp.Click(chromedp.CSS("main button")))
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
}

// findings are what axe-core has to say of a page. In the dark only colours differ.
func findings(colours string) string {
	options := `{rules: {"target-size": {enabled: true}}, preload: false, resultTypes: ["violations"]}`
	if colours == "dark" {
		options = `{runOnly: ["color-contrast"], preload: false, resultTypes: ["violations"]}`
	}
	return `axe.run(document, ` + options + `).then(r =>
	r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " "))))`
}

// tooWide names what sticks out of the page to the right, if the page scrolls sideways.
const tooWide = `document.documentElement.scrollWidth <= innerWidth ? [] :
	[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
	.slice(0, 5).map(e => "sticks out: " + e.tagName + "." + e.className).concat("scrolls sideways")`

// look finds nothing on the page that is open: neither axe-core, in light and dark, nor the policy, nor a
// script, nor somebody with a screen of 320 pixels.
func (b *tab) look(name string) {
	b.Helper()
	for _, v := range script[[]string](b, `window.violations ? violations.concat(mistakes) : []`) {
		b.Errorf("%s: %s", name, v)
	}
	// As high as the page is, so that nothing lies half under the bar at the bottom.
	height := script[int64](b, `Math.max(900, document.documentElement.scrollHeight)`)
	b.do(chromedp.EmulateViewport(1280, height))
	script[any](b, b.axe+";undefined")
	for _, colours := range []string{"light", "dark"} {
		b.do(scheme(colours))
		for _, f := range script[[]string](b, findings(colours)) {
			b.Errorf("%s, %s: axe-core: %s", name, colours, f)
		}
	}
	b.do(scheme("light"), chromedp.EmulateViewport(320, 640))
	for _, e := range script[[]string](b, tooWide) {
		b.Errorf("%s, 320 px: %s", name, e)
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}

// reach presses Tab until the focus is where a script says, as somebody without a mouse does.
func (b *tab) reach(what, where string) {
	b.Helper()
	for range 150 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if script[bool](b, `(e => !!e && !!(`+where+`))(document.activeElement)`) {
			return
		}
	}
	b.Fatalf("%s: Tab does not reach %s", b.at(), what)
}

func (b *tab) reachLink(words string) {
	b.Helper()
	b.reach("the link "+words, `e.tagName == "A" && e.textContent.trim().startsWith(`+quoted(words)+`)`)
}

func (b *tab) reachButton(words string) {
	b.Helper()
	b.reach("the button "+words, `e.tagName == "BUTTON" && e.textContent.trim().startsWith(`+quoted(words)+`)`)
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("a string is plain data: " + err.Error())
	}
	return string(b)
}

func (b *tab) keys(text string) {
	b.Helper()
	b.do(chromedp.KeyEvent(text))
}

func (b *tab) enter() {
	b.Helper()
	b.leads(chromedp.KeyEvent(kb.Enter))
}

// sees fails unless the page shows the words.
func (b *tab) sees(sentences ...string) {
	b.Helper()
	text := script[string](b, `document.getElementById("main").innerText.replace(/\s+/g, " ")`)
	for _, s := range sentences {
		if !strings.Contains(text, s) {
			b.Errorf("%s does not show %q: %s", b.at(), s, text)
		}
	}
}

// wizard goes through the four steps by keyboard alone, from the list to the page with the secret.
func (b *tab) wizard(name string, scripts bool, look func(string)) (sid string) {
	b.Helper()
	b.reachLink("Create Access Token")
	b.enter()
	look("the first step")
	b.reach("the name", `e.id == "name"`)
	b.keys(name)
	b.reach("the expiry", `e.name == "expiry"`)
	b.keys(kb.ArrowUp) // from one year to 90 days
	if got := script[string](b, `document.querySelector("[name=expiry]:checked").value`); got != "90" {
		b.Errorf("the arrow chose %s", got)
	}
	b.reach("the reach", `e.name == "reach"`)
	b.reachButton("Next")
	b.enter()
	look("the second step")
	if scripts {
		b.reach("the e-mails", `e.id == "emails-add"`)
		b.keys("dev@north.example, ops@north.example;")
	} else {
		b.reach("the e-mails", `e.id == "emails"`)
		b.keys("dev@north.example, ops@north.example")
	}
	b.reachButton("Next")
	b.enter()
	b.reach("the switch of Jobs", `e.value == "agency.jobs" && e.name == "category"`)
	b.keys(" ")
	b.reach("the box of a scope", `e.value == "`+boxList+`"`)
	b.keys(" ")
	look("the third step")
	b.reachButton("Next")
	b.enter()
	b.sees("It may only read: 1 scope.", "dev@north.example and ops@north.example")
	look("the fourth step")
	b.reachButton("Create")
	b.enter()
	b.sees("The token is ready", "Waiting for the first call.")
	sid = script[string](b, `document.getElementById("sid").textContent`)
	b.secret = append(b.secret, script[string](b, `document.getElementById("auth-token").textContent`))
	if got := b.scopesOf(sid); got != "jobs.list-jobs" {
		b.Errorf("the token may %s", got)
	}
	return sid
}

func TestTheMainFlowByKeyboard(t *testing.T) {
	d := newDesk(t)
	b := d.tab()
	b.goTo("/")
	b.look("the sign-in")
	b.reach("the e-mail", `e.id == "email"`)
	b.keys(adminMail)
	b.reach("the password", `e.id == "password"`)
	b.keys(password)
	b.enter()
	b.reachLink("Settings")
	b.enter()
	b.look("the settings")
	b.reachLink("Platform REST Web Services")
	b.enter()
	b.look("the empty list")
	sid := b.wizard("Made by keyboard", true, b.look)
	b.look("the page with the secret")
	d.used(sid, 1, d.now())
	_, err := chromedp.Run(b.ctx, chromedp.Poll[chromedp.Void](`document.querySelector(".first-call-here")`, chromedp.WithPollingTimeout(patience)))
	d.must(err)
	b.sees("A call passed at", "from 192.0.2.17")
	b.look("the page with the secret, after the first call")
	b.reachLink("Open the token")
	b.enter()
	b.look("the edit page")
	b.reach("the name", `e.id == "name"`)
	b.keys(" and changed")
	b.reach("a scope", `e.value == "`+boxGet+`"`)
	b.keys(" ")
	b.reachButton("Update…")
	b.enter()
	b.sees("Update this token?", "and changed", "Jobs · Get a job")
	b.look("the differences")
	b.reachButton("Update")
	b.enter()
	b.sees("The token was updated.")
	if got := d.is(sid).Name + ": " + d.scopesOf(sid); !strings.Contains(got, "and changed") || !strings.HasSuffix(got, ": jobs.get-job jobs.list-jobs") {
		t.Errorf("the token is %s", got)
	}
	// The More menu, by keyboard.
	b.goTo(view.PathTokens)
	b.look("the list")
	b.reach("the More menu", `e.tagName == "SUMMARY" && e.closest(".more")`)
	b.keys(kb.Enter)
	for range 4 {
		b.keys(kb.ArrowDown)
		if script[string](b, `document.activeElement.textContent.trim()`) == "Disable" {
			break
		}
	}
	b.look("the More menu")
	b.enter()
	b.sees("Disable this token?")
	b.reach("the reason", `e.id == "why"`)
	b.keys("By keyboard.")
	b.reachButton("Disable")
	b.enter()
	b.sees("The token was disabled.", "By keyboard.")
}

func TestTheWizardInABrowserWithoutScripts(t *testing.T) {
	d := newDesk(t)
	b := d.tab()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	d.must(err)
	b.signIn(adminMail)
	sid := b.wizard("Without scripts", false, func(string) {})
	if script[bool](b, `[...document.querySelectorAll(".needs-script")].some(e => e.offsetWidth)`) {
		t.Error("a control that needs a script is shown")
	}
	b.reach("the link to the token's page", `e.tagName == "A" && e.pathname.endsWith("`+sid+`")`)
}

// What a button does in the page and what it does as a form's button are the same.
func TestReadOnlyTicksTheSameWithAndWithoutScripts(t *testing.T) {
	d := newDesk(t)
	plain := d.atScopes(specialistMail)
	plain.press("Read only", nil)
	b := d.tab()
	b.signIn(specialistMail)
	b.goTo(plain.page.url.RequestURI()[:strings.Index(plain.page.url.RequestURI(), "?")])
	next := chromedp.Click(chromedp.CSS("[value=next].button-main"))
	b.leads(chromedp.SendKeys(chromedp.CSS("#name"), "In the page"), next)
	b.leads(next)
	b.do(chromedp.Click(chromedp.CSS("[data-read-only]")))
	for _, name := range []string{"scope", "category"} {
		got := script[string](b, `[...document.querySelectorAll("[name=`+name+`]:checked")].map(e => e.value).join(" ")`)
		if want := plain.page.checked(name); got != want || got == "" {
			t.Errorf("%s in the page: %s\nas a form: %s", name, got, want)
		}
	}
}

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
