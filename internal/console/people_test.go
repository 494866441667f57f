package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
	"counterfoil.dev/counterfoil/internal/store"
)

// invitation is a link like the one that was sent to a member.
func (d *desk) invitation(account int64, person string) string {
	d.Helper()
	var secret string
	_, err := d.db.Act(context.Background(), func(tx *store.Tx) (err error) {
		secret, err = tx.MakeLink(context.Background(), store.LinkInvitation, &person, &account, d.now(), time.Hour)
		return err
	})
	d.must(err)
	return view.PathInvitation + "?key=" + url.QueryEscape(secret)
}

func (d *desk) member(email string) api.Member {
	d.Helper()
	list, err := d.authority.Members(context.Background(), d.actors[adminMail], agency)
	d.must(err)
	for _, m := range list {
		if m.Email == email {
			return m
		}
	}
	return api.Member{}
}

func TestSignInAndOut(t *testing.T) {
	d := newDesk(t)
	b := d.browser()
	b.open("/history?what=token.create")
	equal(b, "signed out", b.page.url.Path, view.PathSignIn)
	before := d.cookie(b)
	b.press("Sign in", url.Values{"email": {adminMail}, "password": {"wrong wrong wrong"}})
	wrong := b.page.text()
	if b.page.of("email-err") == nil {
		t.Errorf("a wrong password: %d %s", b.page.status, wrong)
	}
	b.press("Sign in", url.Values{"email": {"nobody@north.example"}, "password": {"wrong wrong wrong"}})
	equal(b, "who is unknown reads the same", b.page.text(), wrong)
	b.press("Sign in", url.Values{"email": {"ADA@North.Example"}, "password": {password}})
	equal(b, "where one was going", b.page.url.RequestURI(), "/history?what=token.create")
	after := d.cookie(b)
	if after == "" || after == before {
		t.Error("the session is not a new one")
	}
	b.open(view.PathSignIn)
	equal(b, "signed in already", b.page.url.Path, view.PathTokens)
	b.press("Sign out", nil)
	b.says("You are signed out")
	b.open(view.PathTokens)
	equal(b, "after the sign-out", b.page.url.Path, view.PathSignIn)
	old := d.browser()
	at, err := url.Parse(d.url)
	d.must(err)
	old.client.Jar.SetCookies(at, []*http.Cookie{{Name: "counterfoil", Value: strings.TrimPrefix(after, "counterfoil=")}})
	old.open(view.PathTokens)
	equal(old, "the old cookie", old.page.url.Path, view.PathSignIn)
}

// cookie is the session's cookie of a browser.
func (d *desk) cookie(b *browser) string {
	at, err := url.Parse(d.url)
	d.must(err)
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == "counterfoil" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

func TestWhatWasTypedSurvivesAnEndedSession(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.begin()
	d.pass(31 * time.Minute)
	b.press("Next", url.Values{"name": {"Typed for <long>"}, "description": {"Kept"}})
	b.status(http.StatusUnauthorized)
	b.says("Your session has ended.", "what you typed is kept")
	b.press("Sign in", url.Values{"email": {adminMail}, "password": {"not the password"}})
	b.press("Sign in", url.Values{"email": {adminMail}, "password": {password}})
	b.says("You are signed in again", "nothing has been sent yet")
	b.press("Go on where you were", nil)
	equal(b, "the next step", b.page.step(), "contacts")
	b.press("Back", nil)
	equal(b, "what was typed", b.page.value("name")+b.page.value("description"), "Typed for <long>Kept")
}

func TestSetUpInvitationAndForgottenPassword(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.open(view.PathMembers)
	b.press("Send the invitation", url.Values{"email": {"no address"}, "role": {"analyst"}})
	b.status(http.StatusUnprocessableEntity)
	equal(b, "what was typed", b.page.value("email")+b.page.checked("role"), "no addressanalyst")
	b.press("Send the invitation", url.Values{"email": {"new@north.example"}, "role": {"specialist"}})
	b.says("The invitation was sent.", "new@north.example", "invited")
	b.press("Send the invitation", url.Values{"email": {"NEW@north.example"}, "role": {"specialist"}})
	b.status(http.StatusUnprocessableEntity)
	invited := d.member("new@north.example")
	link := d.invitation(agency, invited.Person)
	n := d.browser()
	n.open(link)
	n.says("Join Northlight Agency", "new@north.example", "Implementation Specialist")
	n.says("new@north.example is invited as Implementation Specialist.")
	n.press("Join", url.Values{"name": {"  "}, "password": {"short"}})
	n.status(http.StatusUnprocessableEntity)
	if n.page.of("name-err") == nil || n.page.of("password-err") == nil {
		t.Errorf("the fields do not say what is wrong: %s", n.page.text())
	}
	n.press("Join", url.Values{"name": {"Nora New"}, "password": {"eleven brass kettles by the sea"}})
	equal(n, "joined", n.page.url.Path, view.PathTokens)
	n.open(link)
	n.status(http.StatusGone)
	n.says("This invitation no longer works")
	n.open(view.PathReset + "?key=nonsense")
	n.status(http.StatusGone)
	n.open(view.PathSetUp + "?key=nonsense")
	n.status(http.StatusGone)
	f := d.browser()
	for _, email := range []string{adminMail, "nobody@nowhere.example"} {
		f.open(view.PathForgot)
		f.press("Send the link", url.Values{"email": {email}})
		f.says("If " + email + " belongs to somebody here")
	}
	person := d.actors[adminMail].Person
	var secret string
	_, err := d.db.Act(context.Background(), func(tx *store.Tx) (err error) {
		secret, err = tx.MakeLink(context.Background(), store.LinkPassword, &person, nil, d.now(), time.Hour)
		return err
	})
	d.must(err)
	f.open(view.PathReset + "?key=" + url.QueryEscape(secret))
	f.press("Change the password", url.Values{"password": {"short"}})
	f.status(http.StatusUnprocessableEntity)
	f.press("Change the password", url.Values{"password": {"nine paper lanterns in the rain"}})
	f.says("Your password was changed, and all your sessions have ended.")
	f.press("Sign in", url.Values{"email": {adminMail}, "password": {"nine paper lanterns in the rain"}})
	equal(f, "signed in", f.page.url.Path, view.PathTokens)
	b.open(view.PathTokens)
	equal(b, "the other browser", b.page.url.Path, view.PathSignIn)
}

func TestMembersAndRoles(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.open(view.PathMembers)
	b.says("Sample Administrator you", "ada@north.example · member since "+d.now().Format("2 Jan 2006"), "Bert Second", "Sample Specialist", "Sample Analyst")
	equal(b, "a role as it is shown", b.page.value("role-"+d.actors[specialistMail].Person), "specialist")
	save := func(email string, form url.Values) *page {
		b.open(view.PathMembers)
		return b.post(view.MemberPath(d.actors[email].Person), form)
	}
	save(specialistMail, url.Values{"role": {"specialist"}, "sensitive": {"yes"}})
	b.says("The member was changed.")
	equal(b, "may give sensitive scopes", d.member(specialistMail).AllowSensitive, true)
	save(specialistMail, url.Values{"role": {"analyst"}})
	equal(b, "role", d.member(specialistMail).Role, api.RoleAnalyst)
	equal(b, "may give sensitive scopes no longer", d.member(specialistMail).AllowSensitive, false)
	save(specialistMail, url.Values{"role": {"operator"}})
	b.status(http.StatusUnprocessableEntity)
	// A role that ends takes effect on the next request.
	bert := d.as(secondMail)
	save(secondMail, url.Values{"role": {"analyst"}})
	bert.open(view.PathMembers)
	bert.status(http.StatusForbidden)
	// The last administrator stays one.
	b.open(view.PathMembers)
	b.says("The only one: role and membership can change once there is another.")
	save(adminMail, url.Values{"role": {"analyst"}})
	b.status(http.StatusConflict)
	b.open(view.MemberPath(d.actors[adminMail].Person, "remove"))
	b.status(http.StatusConflict)
	b.says("last Account Administrator")
	for _, mail := range []string{specialistMail, analystMail} {
		other := d.as(mail)
		other.open(view.PathMembers)
		other.status(http.StatusForbidden)
		other.open(view.MemberPath(d.actors[adminMail].Person, "remove"))
		other.status(http.StatusForbidden)
	}
	// An invitation can be sent again.
	b.open(view.PathMembers)
	b.press("Send the invitation", url.Values{"email": {"late@north.example"}, "role": {"analyst"}})
	b.press("Send again", nil)
	b.says("The invitation was sent.")
}

func TestAMemberWhoLeavesHandsTheContactsOver(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{Name: "Sam's", NeverExpires: true, PrimaryContact: d.actors[specialistMail].Person, Scopes: []string{"jobs.get-job"}})
	zero := d.token(adminMail, api.TokenCreate{Name: "Sam's script", API: authority.ZeroAPI, PrimaryContact: d.actors[specialistMail].Person, Scopes: []string{}})
	sam := d.actors[specialistMail].Person
	signedIn := d.as(specialistMail)
	other := d.as(secondMail)
	other.open(view.PathMembers)
	other.open(view.MemberPath(sam, "remove"))
	other.says("Remove this member?", "Sample Specialist", "every token goes on working", "primary contact of 2 tokens", "Sam's", "Sam's script")
	other.post(view.MemberPath(sam, "remove"), url.Values{"contact": {sam}})
	other.status(http.StatusUnprocessableEntity)
	other.post(view.MemberPath(sam, "remove"), url.Values{"contact": {d.actors[rivalMail].Person}})
	other.status(http.StatusUnprocessableEntity)
	equal(other, "nothing was handed over", d.is(one.SID).PrimaryContact.Person, sam)
	other.press("Remove", url.Values{"contact": {d.actors[analystMail].Person}})
	other.says("The member was removed.")
	equal(other, "the new contact", d.is(one.SID).PrimaryContact.Name+", "+d.is(zero.SID).PrimaryContact.Name, "Sample Analyst, Sample Analyst")
	equal(other, "the token", d.is(one.SID).State, api.StateEnabled)
	equal(other, "no longer a member", d.member(specialistMail).Person, "")
	signedIn.open(view.PathTokens)
	equal(signedIn, "whoever was removed", signedIn.page.url.Path, view.PathSignIn)
	// Somebody who may not remove anybody hands nothing over.
	third := d.as(analystMail)
	third.post(view.MemberPath(d.actors[secondMail].Person, "remove"), url.Values{"contact": {d.actors[adminMail].Person}})
	third.status(http.StatusForbidden)
}

func TestTheProfile(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	sessions := func() int {
		b.open(view.PathProfile)
		return len(b.page.all(func(n *html.Node) bool { return attr(n, "name") == "session" }))
	}
	before := sessions()
	second := d.as(adminMail)
	third := d.as(adminMail)
	equal(b, "two more sessions", sessions()-before, 2)
	b.says(adminMail, "Where you are signed in", "this one")
	b.press("Save", url.Values{"name": {"  "}})
	b.status(http.StatusUnprocessableEntity)
	b.says("Name")
	b.saysNot("Token Name")
	b.press("Save", url.Values{"name": {"Ada Renamed"}})
	b.says("Saved.")
	equal(b, "the name", b.page.value("name"), "Ada Renamed")
	b.press("End", nil)
	b.says("The session was ended.")
	ended := 0
	for _, other := range []*browser{second, third} {
		if other.open(view.PathTokens); other.page.url.Path == view.PathSignIn {
			ended++
		}
	}
	equal(b, "sessions that ended", ended, 1)
	b.open(view.PathProfile)
	b.press("Change the password", url.Values{"current": {"wrong wrong wrong"}, "password": {"eleven brass kettles by the sea"}})
	b.status(http.StatusUnprocessableEntity)
	b.press("Change the password", url.Values{"current": {password}, "password": {"password123456789"}})
	b.status(http.StatusUnprocessableEntity)
	b.press("Change the password", url.Values{"current": {password}, "password": {"eleven brass kettles by the sea"}})
	b.says("Your password was changed.")
	for _, other := range []*browser{second, third} {
		other.open(view.PathTokens)
		equal(other, "after the change", other.page.url.Path, view.PathSignIn)
	}
	fresh := d.browser()
	fresh.open(view.PathSignIn)
	fresh.press("Sign in", url.Values{"email": {adminMail}, "password": {"eleven brass kettles by the sea"}})
	equal(fresh, "the new password", fresh.page.url.Path, view.PathTokens)
	b.open(view.PathProfile)
	b.press("Sign out everywhere", nil)
	b.says("All your sessions have ended")
	for _, other := range []*browser{b, fresh} {
		other.open(view.PathTokens)
		equal(other, "after signing out everywhere", other.page.url.Path, view.PathSignIn)
	}
	// Another person's session is none.
	other := d.as(secondMail)
	other.open(view.PathProfile)
	other.post(view.PathSessionEnd, url.Values{"session": {"0000"}})
	other.status(http.StatusNotFound)
}

func TestTheAccountSwitcher(t *testing.T) {
	d := newDesk(t)
	d.simple("The agency's")
	b := d.as(adminMail)
	b.says("The agency's")
	b.press("account=2001", nil)
	equal(b, "where it leads", b.page.url.Path, view.PathTokens)
	b.saysNot("The agency's")
	if !strings.Contains(textOf(b.page.doc), "Acme Shoes") {
		t.Error("the menu does not name the account")
	}
	b.begin()
	b.says("Brand API")
	b.saysNot("Brands that this token reaches", "Agency API")
	for _, account := range []string{"1002", "2003", "999999", "x", ""} {
		b.open(view.PathTokens)
		b.post(view.PathAccount, url.Values{"account": {account}})
		b.status(http.StatusNotFound)
	}
	// The choice is the session's: another browser is still in the other account.
	b.open(view.PathTokens)
	b.press("account=1001", nil)
	b.says("The agency's")
}

func TestHistory(t *testing.T) {
	d := newDesk(t)
	one := d.simple("First & one")
	other := d.simple("Second")
	_, err := d.authority.DisableToken(context.Background(), d.actors[secondMail], agency, other.SID, "=1+1")
	d.must(err)
	b := d.as(analystMail)
	b.open(view.PathHistory)
	b.says("Created the access token", "First & one", "Disabled the access token", "Bert Second", "=1+1")
	for _, c := range []struct {
		fill      url.Values
		has, lack string
	}{
		{url.Values{"q": {"First & one"}}, "First & one", "Second"},
		{url.Values{"q": {one.SID}}, "First & one", "Second"},
		{url.Values{"what": {"token.disable"}}, "Second", "First & one"},
		{url.Values{"who": {d.actors[secondMail].Person}}, "Disabled the access token", "Created the access token"},
		{url.Values{"from": {d.now().AddDate(0, 0, 1).Format(time.DateOnly)}}, "Nothing here", "First & one"},
		{url.Values{"to": {d.now().AddDate(0, 0, -1).Format(time.DateOnly)}}, "Nothing here", "First & one"},
		{url.Values{"from": {d.now().Format(time.DateOnly)}, "to": {d.now().Format(time.DateOnly)}}, "First & one", "Nothing here"},
	} {
		b.open(view.PathHistory)
		b.press("Apply", c.fill)
		table := b.page.text()
		if rows := b.page.all(func(n *html.Node) bool { return n.Data == "tbody" }); len(rows) > 0 {
			table = textOf(rows[0])
		}
		if !strings.Contains(table, c.has) || strings.Contains(table, c.lack) {
			t.Errorf("%s: %s", c.fill.Encode(), table)
		}
		b.open(b.page.links()["Clear All"])
		b.says("First & one", "Second")
	}
	csv := b.open(view.PathHistoryCSV + "?what=token.disable")
	equal(b, "type", csv.header.Get("Content-Type"), "text/csv; charset=utf-8")
	equal(b, "a file", csv.header.Get("Content-Disposition"), `attachment; filename="history.csv"`)
	if strings.Contains(csv.body, ",=1+1") || strings.Contains(csv.body, `"=1+1`) || !strings.Contains(csv.body, "1+1") || strings.Contains(csv.body, "First") {
		t.Errorf("the sheet: %s", csv.body)
	}
	// The export of a token's page holds that token alone.
	b.open(view.TokenPath(one.SID, "history"))
	b.says("First & one", "Created the access token")
	if strings.Contains(textOf(b.page.all(func(n *html.Node) bool { return n.Data == "tbody" })[0]), "Second") {
		t.Error("the history of a token holds another one's")
	}
	lines := b.open(b.page.links()["JSON Lines"]).body
	for line := range strings.Lines(lines) {
		var event struct {
			Subject struct{ ID string }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Subject.ID != one.SID {
			t.Errorf("in the export of a token: %v %s", err, line)
		}
	}
	if lines == "" {
		t.Error("the export of a token is empty")
	}
}

func TestHistoryIsWalkedByPages(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Busy")
	for i := range 120 {
		_, err := d.authority.EditToken(context.Background(), d.actors[adminMail], agency, one.SID, api.TokenEdit{Description: new(number(i)), Revision: int64(i + 1)})
		d.must(err)
	}
	b := d.as(adminMail)
	b.open(view.TokenPath(one.SID, "history"))
	rows := 0
	for _, span := range []string{"1–50", "51–100", "101–121"} {
		b.says(span)
		rows += len(b.page.all(func(n *html.Node) bool { return n.Data == "tr" && n.Parent.Data == "tbody" }))
		if next := b.page.links()["Next"]; next != "" {
			b.open(next)
		}
	}
	equal(b, "rows", rows, 121)
	b.open(b.page.links()["Previous"])
	b.says("1–50")
}
