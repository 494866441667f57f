package view_test

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// open shows one state in a tab of its own.
func open(t *testing.T, name string) context.Context {
	t.Helper()
	ctx := tab(t)
	do(t, ctx, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(preview(t).URL+"/state/"+name))
	return ctx
}

const tickedScopes = `[...document.querySelectorAll("input[name=scope]:checked")].map(b => b.value.replace("agency/3/", "")).sort().join(" ")`

func want(t *testing.T, ctx context.Context, what, script, value string) {
	t.Helper()
	if got := eval[string](t, ctx, script); got != value {
		t.Errorf("%s: got %q, want %q", what, got, value)
	}
}

func TestAScopeTicksWhatItNeedsAndSaysWhy(t *testing.T) {
	ctx := open(t, "wizard-scopes")
	const (
		export = `[value="agency/3/report-export.export-report"]`
		job    = `[value="agency/3/jobs.get-job"]`
	)
	do(t, ctx, chromedp.Click(chromedp.CSS("[data-clear]")))
	want(t, ctx, "after Clear All", tickedScopes, "")
	do(t, ctx, chromedp.Click(chromedp.CSS(`[value="agency.report-export"] + .toggle-track`)), chromedp.Click(chromedp.CSS(export)))
	want(t, ctx, "after Export Report", tickedScopes, "jobs.download-job-result jobs.get-job report-export.export-report")
	want(t, ctx, "the reason", `document.querySelector('`+job+`').parentElement.querySelector("[data-why]").textContent`, "Ticked because Export Report needs it.")
	want(t, ctx, "the count", `document.querySelector('`+job+`').closest("[data-category]").querySelector("[data-count]").textContent`, "2 of 3")
	do(t, ctx, chromedp.Click(chromedp.CSS(job)))
	want(t, ctx, "what breaks", `document.querySelector('`+job+`').parentElement.querySelector("[data-why]").textContent`, "Export Report will not work without it.")
}

func TestClearAllReadOnlyAndSwitchesCanBeTakenBack(t *testing.T) {
	ctx := open(t, "wizard-scopes")
	first := eval[string](t, ctx, tickedScopes)
	undo := chromedp.Click(chromedp.CSS("[data-clear] + button"))
	do(t, ctx, chromedp.Click(chromedp.CSS("[data-clear]")), undo)
	want(t, ctx, "Clear All and Undo", tickedScopes, first)
	want(t, ctx, "where the focus is", `document.activeElement.hasAttribute("data-clear") + ""`, "true")
	do(t, ctx, chromedp.Click(chromedp.CSS("[data-read-only]")))
	want(t, ctx, "Read only ticks a scope that writes", `[...document.querySelectorAll("input[name=scope]:checked")].every(b => b.hasAttribute("data-read")) + ""`, "true")
	do(t, ctx, chromedp.Click(chromedp.CSS("[data-clear] + button")))
	want(t, ctx, "Read only and Undo", tickedScopes, first)
	jobs := chromedp.Click(chromedp.CSS(`[value="agency.jobs"] + .toggle-track`))
	do(t, ctx, jobs)
	want(t, ctx, "a switch that is off holds nothing", tickedScopes, "report-export.export-report reports.list-reports")
	do(t, ctx, jobs)
	want(t, ctx, "a switch that is on again", tickedScopes, first)
}

func TestARefusedBoxIsNeverTickedByAButton(t *testing.T) {
	ctx := open(t, "wizard-scopes")
	do(t, ctx, chromedp.Click(chromedp.CSS(`[data-all][value="all:agency.compliance"]`)))
	want(t, ctx, "All in Compliance", `[...document.querySelectorAll("input[name=scope]:checked:disabled")].length + ""`, "0")
}

// Categories open by CSS alone, and every button of the step is one of the form's own.
func TestCategoriesOpenWithoutScript(t *testing.T) {
	ctx := tab(t)
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(preview(t).URL+"/state/wizard-scopes"))
	const shown = `getComputedStyle(document.querySelector('[value="agency.advertisers"]').closest("fieldset").querySelector(".category-boxes")).display`
	want(t, ctx, "off", shown, "none")
	do(t, ctx, chromedp.Click(chromedp.CSS(`[value="agency.advertisers"] + .toggle-track`)))
	want(t, ctx, "on", shown, "block")
	want(t, ctx, "Copy without script", `[...document.querySelectorAll(".needs-script")].filter(e => e.offsetWidth).length + ""`, "0")
	want(t, ctx, "Search without script", `(document.querySelector("[name=go][value=search]").offsetWidth > 0) + ""`, "true")
}

func TestAddressesBecomeChipsAndStayInTheField(t *testing.T) {
	ctx := open(t, "wizard-contacts")
	const field = `document.getElementById("emails").value.replace(/\n/g, " ")`
	want(t, ctx, "at first", field, "data-team@north.example dev@münchen.example")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#emails-add"), "new@x.example,DATA-team@north.example;<named@y.example>\t"))
	want(t, ctx, "typed, split, without repeats", field, "data-team@north.example dev@münchen.example new@x.example named@y.example")
	do(t, ctx, chromedp.Click(chromedp.CSS(`[aria-label="Remove dev@münchen.example"]`)))
	want(t, ctx, "removed", field, "data-team@north.example new@x.example named@y.example")
	want(t, ctx, "what is told", `document.getElementById("live").textContent`, "dev@münchen.example removed")
}

func TestTheMoreMenuIsWalkedByKeyboard(t *testing.T) {
	ctx := open(t, "tokens")
	const at = `document.activeElement.textContent.trim()`
	do(t, ctx, chromedp.Focus(chromedp.CSS(".more summary")), chromedp.KeyEvent(kb.Enter))
	want(t, ctx, "Enter", `document.querySelector(".more").open + ""`, "true")
	do(t, ctx, chromedp.KeyEvent(kb.ArrowDown))
	want(t, ctx, "down", at, "Duplicate")
	do(t, ctx, chromedp.KeyEvent(kb.ArrowUp))
	want(t, ctx, "up from the first entry", at, "Delete")
	do(t, ctx, chromedp.KeyEvent(kb.Escape))
	want(t, ctx, "Escape", `document.querySelector(".more").open + " " + document.activeElement.tagName`, "false SUMMARY")
}

func TestANameIsCheckedWhileOneTypes(t *testing.T) {
	ctx := open(t, "wizard-setup")
	for name, answer := range map[string]string{"Partner portal": "Another token is named so.", "New name": "This name is free."} {
		eval[any](t, ctx, `document.getElementById("name").value = ""`)
		do(t, ctx, chromedp.SendKeys(chromedp.CSS("#name"), name))
		said := chromedp.Poll[bool](`document.getElementById("name-said").textContent === "`+answer+`"`, chromedp.WithPollingTimeout(5*time.Second))
		if _, err := chromedp.Run(ctx, said); err != nil {
			t.Errorf("%s: the page does not say %q: %v", name, answer, err)
		}
	}
}

func TestAnActWithoutAPageIsAskedAboutOnce(t *testing.T) {
	ctx := open(t, "profile")
	button := `form[data-ask] button`
	do(t, ctx, chromedp.Click(chromedp.CSS(button)), chromedp.WaitVisible(chromedp.CSS("dialog.ask")))
	for _, f := range eval[[]string](t, ctx, axe(t)+";"+findingsScript) {
		t.Errorf("the question: axe-core: %s", f)
	}
	do(t, ctx, chromedp.Click(chromedp.CSS("dialog.ask button")))
	want(t, ctx, "Cancel gives the focus back", `document.querySelectorAll("dialog").length + " " + document.activeElement.textContent`, "0 Sign out everywhere")
	do(t, ctx, chromedp.Click(chromedp.CSS(button)), chromedp.WaitVisible(chromedp.CSS("dialog.ask")))
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS("dialog.ask .button-main"))); err != nil {
		t.Fatal(err)
	}
	want(t, ctx, "what was sent", `document.body.textContent`, "csrf-of-this-session")
}
