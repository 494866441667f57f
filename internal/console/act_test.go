package console_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// menu are the entries of a card's More menu; an entry that cannot be pressed is in brackets.
func (p *page) menu(name string) string {
	var out []string
	for n := range p.card(name).Descendants() {
		if !class(n, "more") {
			continue
		}
		for e := range n.Descendants() {
			switch {
			case e.Data == "a":
				out = append(out, words(e))
			case class(e, "more-off"):
				out = append(out, "("+words(e)+")")
			}
		}
	}
	return strings.Join(out, ", ")
}

// act opens an entry of a card's More menu.
func (b *browser) act(name, entry string) {
	b.Helper()
	b.open(view.PathTokens)
	for n := range b.page.card(name).Descendants() {
		if n.Data == "a" && words(n) == entry {
			b.open(attr(n, "href"))
			b.status(http.StatusOK)
			return
		}
	}
	b.Fatalf("the card of %s has no entry %s: %s", name, entry, b.page.menu(name))
}

func TestTheMoreMenu(t *testing.T) {
	d := newDesk(t)
	d.simple("Enabled")
	d.token(adminMail, api.TokenCreate{Name: "Behind", Version: "2", NeverExpires: true, Scopes: []string{"jobs.get-job"}})
	off := d.simple("Off")
	_, err := d.authority.DisableToken(context.Background(), d.actors[adminMail], agency, off.SID, "")
	d.must(err)
	b := d.as(specialistMail)
	equal(b, "enabled, on the latest", b.page.menu("Enabled"), "Duplicate, Reset, (Upgrade VersionIt is on the latest version already.), Disable, Delete")
	equal(b, "behind", b.page.menu("Behind"), "Duplicate, Reset, Upgrade Version, Disable, Delete")
	equal(b, "disabled", b.page.menu("Off"), "Duplicate, Reset, (Upgrade VersionIt is on the latest version already.), Enable, Delete")
	b = d.as(analystMail)
	if menu := b.page.menu("Behind"); strings.Contains(menu, "Duplicate,") || !strings.Contains(menu, "Your role reads only.") {
		t.Errorf("an Analyst's menu: %s", menu)
	}
}

func TestDuplicate(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{
		Name: "Original", Version: "3", NeverExpires: true, DeveloperEmails: []string{"a@b.example"}, Scopes: []string{"jobs.get-job", "notes:read"},
	})
	b := d.as(adminMail)
	b.act("Original", "Duplicate")
	b.says("Duplicate this token?", "same version, scopes, reach, contacts and expiry", "This token is not touched.", one.SID)
	equal(b, "the name proposed", b.page.value("name"), "Original copy")
	b.press("Duplicate", url.Values{"name": {"original"}})
	b.status(http.StatusUnprocessableEntity)
	equal(b, "what was typed", b.page.value("name"), "original")
	b.press("Duplicate", url.Values{"name": {"Original copy"}})
	b.says("The duplicate is ready")
	sid, _ := b.made()
	equal(b, "no-store", b.page.header.Get("Cache-Control"), "no-store")
	if sid == one.SID || d.secretOf(sid) == d.secretOf(one.SID) {
		t.Error("the duplicate shares SID or secret")
	}
	equal(b, "the scopes", d.scopesOf(sid), d.scopesOf(one.SID))
	equal(b, "the e-mails", strings.Join(d.is(sid).DeveloperEmails, ""), "a@b.example")
	// A reload makes no third one.
	b.open(view.TokenPath(one.SID, "duplicate"))
	equal(b, "the next name proposed", b.page.value("name"), "Original copy 2")
	b.post(view.TokenPath(one.SID, "duplicate"), url.Values{"name": {"Original copy"}})
	b.status(http.StatusUnprocessableEntity)
	equal(b, "the tokens", d.names(), "Original copy, Original")
}

func TestReset(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Leaky")
	old := d.secretOf(one.SID)
	b := d.as(adminMail)
	b.act("Leaky", "Reset")
	b.says("Reset this token?", "The current Auth Token stops working at once.", "shown once on the next page", "It has never been used.")
	form := b.filled(must2(b.page.button("Reset Token")), nil)
	b.press("Reset Token", nil)
	b.says("The Auth Token was reset")
	sid, _ := b.made()
	equal(b, "the SID stays", sid, one.SID)
	second := d.secretOf(one.SID)
	if second == old {
		t.Error("the secret is the old one")
	}
	equal(b, "no-store", b.page.header.Get("Cache-Control"), "no-store")
	// A reload of the page would end the secret that was just shown.
	b.post(view.TokenPath(one.SID, "reset"), form)
	b.status(http.StatusConflict)
	equal(b, "the secret after a reload", d.secretOf(one.SID), second)
	b.post(view.TokenPath(one.SID, "reset"), url.Values{"csrf": {form.Get("csrf")}})
	equal(b, "the secret after a form without a revision", d.secretOf(one.SID), second)
}

func TestDisableAndEnable(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Switch")
	d.used(one.SID, 1, d.now().Add(-2*time.Hour))
	secret := d.secretOf(one.SID)
	b := d.as(specialistMail)
	b.act("Switch", "Disable")
	b.says("Disable this token?", "refused from the next one on", "Nothing is deleted", "It was last used on", "(2 hours ago) from 192.0.2.17")
	b.press("Disable", url.Values{"why": {strings.Repeat("x", 501)}})
	b.status(http.StatusUnprocessableEntity)
	b.press("Disable", url.Values{"why": {"The partner left."}})
	b.says("The token was disabled.", "Disabled since", "by Sample Specialist", "Reason: The partner left.")
	equal(b, "its state", d.is(one.SID).State, api.StateDisabled)
	b.open(view.TokenPath(one.SID, "disable"))
	b.press("Disable", nil)
	b.status(http.StatusConflict)
	b.act("Switch", "Enable")
	b.says("Enable this token?", "The partner left.", "Keep it", "Reset it", "A new one is shown once")
	equal(b, "preselected", b.page.checked("reset"), "no")
	b.press("Enable", nil)
	b.says("The token was enabled.")
	equal(b, "its state", d.is(one.SID).State, api.StateEnabled)
	equal(b, "its secret", d.secretOf(one.SID), secret)
	// With the reset that is offered.
	b.act("Switch", "Disable")
	b.press("Disable", nil)
	b.act("Switch", "Enable")
	form := b.filled(must2(b.page.button("Enable")), url.Values{"reset": {"yes"}})
	b.press("Enable", url.Values{"reset": {"yes"}})
	b.says("The token is enabled again")
	b.made()
	shown := d.secretOf(one.SID)
	if shown == secret {
		t.Error("the secret was not reset")
	}
	b.post(view.TokenPath(one.SID, "enable"), form)
	b.status(http.StatusConflict)
	equal(b, "the secret after a reload", d.secretOf(one.SID), shown)
}

func TestWhatAnOperatorDisabledComesBackOnlyWithANewSecret(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{Name: "Locked", NeverExpires: true, Scopes: []string{"advertisers.list-advertisers"}})
	_, err := d.authority.DisableToken(context.Background(), d.actors[operatorMail], agency, one.SID, "Seen in a public place.")
	d.must(err)
	b := d.as(adminMail)
	b.act("Locked", "Enable")
	b.says("It can come back only with a new Auth Token", "Seen in a public place.")
	b.saysNot("Keep it")
	forged := url.Values{"reset": {"no"}}
	b.post(view.TokenPath(one.SID, "enable"), forged)
	b.status(http.StatusForbidden)
	equal(b, "its state", d.is(one.SID).State, api.StateDisabled)
	// Who may not give every scope that it holds is not shown a secret.
	sam := d.as(specialistMail)
	sam.open(view.TokenPath(one.SID, "enable"))
	sam.status(http.StatusForbidden)
	sam.says("It comes back only with a new Auth Token, which you may not be shown.", "Advertisers · ", "an Account Administrator must allow you to give it")
	sam.open(view.PathTokens)
	sam.post(view.TokenPath(one.SID, "enable"), url.Values{"reset": {"yes"}})
	sam.status(http.StatusForbidden)
	sam.open(view.TokenPath(one.SID, "reset"))
	sam.press("Reset Token", nil)
	sam.status(http.StatusForbidden)
	sam.open(view.TokenPath(one.SID, "duplicate"))
	sam.press("Duplicate", nil)
	sam.status(http.StatusForbidden)
	equal(sam, "the tokens", d.names(), "Locked")
	b.act("Locked", "Enable")
	b.press("Enable", nil)
	b.made()
	equal(b, "its state", d.is(one.SID).State, api.StateEnabled)
}

func TestASpecialistEnablesWithoutResetWhatHoldsASensitiveScope(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{Name: "Held", NeverExpires: true, Scopes: []string{"advertisers.list-advertisers"}})
	sam := d.as(specialistMail)
	sam.act("Held", "Disable")
	sam.press("Disable", nil)
	sam.act("Held", "Enable")
	if yes := sam.page.of("reset-yes"); !has(yes, "disabled") {
		t.Error("a reset is offered to somebody who may not be shown the secret")
	}
	sam.press("Enable", nil)
	equal(sam, "its state", d.is(one.SID).State, api.StateEnabled)
}

func TestDelete(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Goner")
	b := d.as(adminMail)
	b.act("Goner", "Delete")
	b.says("Delete this token?", "refused from the next one on, as unknown", "its name becomes free", "Its history stays", "disable it first")
	b.open(b.page.links()["Cancel"])
	equal(b, "Cancel", d.names(), "Goner")
	b.act("Goner", "Delete")
	b.press("Delete", nil)
	b.says("The token was deleted.", "No access token yet")
	equal(b, "the tokens", d.names(), "")
	equal(b, "the secret", d.secretOf(one.SID), "")
	for _, act := range []string{"", "reset", "duplicate", "disable", "enable", "delete", "upgrade", "history", "first-call"} {
		path := strings.TrimSuffix(view.TokenPath(one.SID, act), "/")
		b.open(path)
		b.status(http.StatusNotFound)
	}
	b.open(view.PathHistory)
	b.says("Deleted the access token", "Goner")
	d.simple("Goner")
}

func TestTheFirstCallTurnsThePageGreen(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	sid, _ := b.create("Waiting", url.Values{"category": {"agency.jobs"}, "scope": {boxList}})
	b.says("Waiting for the first call.")
	path := view.TokenPath(sid, "first-call")
	asked := b.page.all(func(n *html.Node) bool { return attr(n, "data-first-call") == path })
	if len(asked) != 1 {
		t.Fatalf("the page does not ask %s", path)
	}
	equal(b, "before", b.open(path).body, `{"called":false,"message":""}`)
	at := d.now()
	d.used(sid, 1, at)
	equal(b, "after", b.open(path).body, `{"called":true,"message":"A call passed at `+at.Format("15:04:05")+` UTC from 192.0.2.17."}`)
	// After a reset the page waits for a call with the new secret.
	b.open(view.TokenPath(sid, "reset"))
	b.press("Reset Token", nil)
	b.made()
	equal(b, "after a reset", b.open(path).body, `{"called":false,"message":""}`)
}

func TestNamesAreCheckedAsTheyAreTyped(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Taken")
	b := d.as(adminMail)
	for query, want := range map[string]string{
		"name=Free":                           `{"free":true,"message":""}`,
		"name=tAken&sid=" + one.SID:           `{"free":true,"message":""}`,
		"name=taken":                          `{"free":false,"message":"Token Name is taken by another token of this account; choose another."}`,
		"name=" + url.QueryEscape("a\u202eb"): `{"free":false,`,
		"name=":                               `{"free":false,`,
	} {
		if got := b.open(view.PathTokenName + "?" + query).body; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", query, got)
		}
	}
	// A name of another account says nothing.
	other := d.as(rivalMail)
	equal(other, "another account's name", other.open(view.PathTokenName+"?name=Taken").body, `{"free":true,"message":""}`)
}
