package view_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"counterfoil.dev/counterfoil/internal/console/view"
)

// policy is the Content-Security-Policy of the desk.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

const chromium = "/usr/bin/chromium"

// screenshots names the folder for the pictures; without it they go to a folder that is removed.
const screenshots = "COUNTERFOIL_SCREENSHOTS"

// preview serves every state as the desk would: with its policy and its assets.
func preview(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for _, s := range states() {
		body := []byte(render(t, s.page))
		mux.HandleFunc("GET /state/"+s.name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			answer(t, w, body)
		})
	}
	files := view.Assets()
	mux.HandleFunc("GET "+view.PathAssets, func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", f.Type)
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		answer(t, w, f.Gzip)
	})
	mux.HandleFunc("GET "+view.TokenPath(sidA, "first-call"), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		called := strings.HasSuffix(r.Referer(), "reveal-called")
		answer(t, w, fmt.Appendf(nil, `{"called":%v,"message":"GET /Agencies/%s/Jobs passed at 14:00:12 UTC from 192.0.2.17"}`, called, sidA))
	})
	mux.HandleFunc("GET "+view.PathTokenName, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("name") == "Partner portal" {
			answer(t, w, []byte(`{"free":false,"message":"Another token is named so."}`))
			return
		}
		answer(t, w, []byte(`{"free":true,"message":"This name is free."}`))
	})
	mux.HandleFunc("POST "+view.PathSessionEndAll, func(w http.ResponseWriter, r *http.Request) {
		answer(t, w, []byte(r.FormValue("csrf")))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func answer(t *testing.T, w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		t.Logf("the browser went away: %v", err)
	}
}

// root is the folder of the module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// axe is the script of axe-core, which is never committed.
func axe(t *testing.T) string {
	t.Helper()
	file := filepath.Join(root(t), ".cache", "npm", "node_modules", "axe-core", "axe.min.js")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: install it with npm install --prefix .cache/npm axe-core@4.14.1", err)
	}
	return string(b)
}

// tab opens a browser tab that notes policy violations and layout shifts from the first octet on.
func tab(t *testing.T) context.Context {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Fatalf("%v: install Debian's chromium", err)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
	)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	note := `
		window.violations = [];
		addEventListener("securitypolicyviolation", e => violations.push(e.effectiveDirective + " " + e.blockedURI));
		window.mistakes = [];
		addEventListener("error", e => mistakes.push(e.message), true);
		window.shift = 0;
		new PerformanceObserver(l => l.getEntries().forEach(e => { if (!e.hadRecentInput) shift += e.value })).observe({type: "layout-shift", buffered: true});`
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", chromium, err)
	}
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: note}); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
}

// findings is what axe-core has to say, one line for each element.
const findingsScript = `axe.run(document, {rules: {"target-size": {enabled: true}}, resultTypes: ["violations"]}).then(r =>
	r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " "))))`

// Every state: nothing for axe-core in light and dark, wide and narrow; no violation of the policy; no
// horizontal scrolling from 320 to 2560 pixels; nothing moves while it loads.
func TestEveryStateInTheBrowser(t *testing.T) {
	script := axe(t)
	server := preview(t)
	ctx := tab(t)
	folder := os.Getenv(screenshots)
	if folder == "" {
		folder = t.TempDir()
	}
	for _, s := range states() {
		t.Run(s.name, func(t *testing.T) {
			for _, width := range []int64{1440, 320} {
				look(t, ctx, server.URL+"/state/"+s.name, s, width, script, folder)
			}
		})
	}
}

func look(t *testing.T, ctx context.Context, address string, s state, width int64, script, folder string) {
	t.Helper()
	height := int64(900)
	if width < 500 {
		height = 640
	}
	do(t, ctx, scheme("light"), chromedp.EmulateViewport(width, height), chromedp.Navigate(address))
	if n := eval[float64](t, ctx, `shift`); n > 0.01 {
		t.Errorf("%d px: the layout shifts by %.3f while it loads", width, n)
	}
	if s.then != "" {
		eval[any](t, ctx, s.then)
	}
	for _, v := range eval[[]string](t, ctx, `violations.concat(mistakes)`) {
		t.Errorf("%d px: %s", width, v)
	}
	eval[any](t, ctx, script+";undefined")
	for _, colours := range []string{"light", "dark"} {
		do(t, ctx, scheme(colours))
		if width > 500 || colours == "light" { // the colours are the same on every width
			for _, f := range eval[[]string](t, ctx, findingsScript) {
				t.Errorf("%d px, %s: axe-core: %s", width, colours, f)
			}
		}
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", s.name, width, colours))
		if err := os.WriteFile(file, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	also := []int64{width}
	if width > 500 {
		also = []int64{2560, 1440, 1000, 768}
	}
	for _, w := range also {
		do(t, ctx, chromedp.EmulateViewport(w, height))
		for _, e := range eval[[]string](t, ctx, tooWide) {
			t.Errorf("%d px: %s", w, e)
		}
	}
}

// tooWide names what sticks out of the page to the right, if the page scrolls sideways.
const tooWide = `document.documentElement.scrollWidth <= innerWidth ? [] :
	[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
	.slice(0, 5).map(e => "sticks out: " + e.tagName + "." + e.className + " by " + (e.getBoundingClientRect().right - innerWidth)).concat("scrolls sideways")`

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// eval runs a script in the page and waits for its promise.
func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	if err != nil {
		t.Fatalf("%.80s: %v", script, err)
	}
	return v
}
