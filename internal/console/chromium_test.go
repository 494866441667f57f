package console_test

import (
	"context"
	"encoding/json"
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
