package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console"
	"counterfoil.dev/counterfoil/internal/console/view"
	"counterfoil.dev/counterfoil/internal/httpx"
)

var (
	nonces = regexp.MustCompile(`name="csrf" value="[^"]*"`)
	ids    = regexp.MustCompile(`\b[0-9a-hjkmnp-z]{26}\b`) // request ids
)

// plain is an answer without what differs from one request to the next.
func plain(p *page, id string) string {
	var header strings.Builder
	for _, name := range []string{"Content-Type", "Cache-Control", "Location", "Content-Length", "Set-Cookie", "Retry-After"} {
		fmt.Fprintf(&header, "%s: %s\n", name, p.header.Get(name))
	}
	body := nonces.ReplaceAllString(p.body, "csrf")
	body = ids.ReplaceAllString(body, "request")
	return fmt.Sprintf("%d\n%s\n%s", p.status, strings.ReplaceAll(header.String(), id, "ID"), strings.ReplaceAll(body, id, "ID"))
}

// A member of another account asks for everything that has an id, and is answered as for an id that never
// was, octet for octet (SECURITY.md, class 35).
func TestAnotherAccountsThingsAreAsThoughTheyWereNot(t *testing.T) {
	d := newDesk(t)
	token := d.simple("Hidden").SID
	never := "0" + strings.Repeat("7", 21)
	member, nobody := d.actors[adminMail].Person, strings.Repeat("a", len(d.actors[adminMail].Person))
	owner := d.as(adminMail)
	owner.begin()
	draft := owner.page.url.Query().Get("draft")
	noDraft := strings.Repeat("A", len(draft))
	rita := d.as(rivalMail)
	forms := map[string]url.Values{
		"update":    {"revision": {"1"}, "name": {"Mine now"}, "contact": {member}, "emails": {"a@b.example"}, "confirm": {"yes"}},
		"duplicate": {"name": {"Copy"}, "revision": {"1"}}, "reset": {"revision": {"1"}}, "enable": {"reset": {"yes"}, "revision": {"1"}},
		"disable": {"why": {"because"}}, "delete": {"confirm": {"yes"}}, "upgrade": {"revision": {"1"}, "of": {"agency"}, "to": {"3"}},
	}
	pairs := 0
	same := func(method, template, theirs, none string, form url.Values) {
		t.Helper()
		pairs++
		ask := func(id string) string {
			path := strings.ReplaceAll(template, "ID", id)
			if method == "GET" {
				return plain(rita.still().open(path), id)
			}
			values := url.Values{"csrf": {rita.csrfOf()}}
			for name, v := range form {
				values[name] = []string{strings.ReplaceAll(v[0], "ID", id)}
			}
			p := rita.still().send(rita.request(path, values))
			if outcome(p) == "yes" && p.status < 400 {
				t.Errorf("%s %s was taken up: %d", method, path, p.status)
			}
			return plain(p, id)
		}
		if diff := cmp.Diff(ask(none), ask(theirs)); diff != "" {
			t.Errorf("%s %s tells theirs (+) from none (-):\n%s", method, template, diff)
		}
	}
	for _, route := range console.Routes() {
		method, template, _ := strings.Cut(route, " ")
		if strings.Contains(template, "{sid}") {
			act := template[strings.LastIndex(template, "/")+1:]
			same(method, strings.ReplaceAll(template, "{sid}", "ID"), token, never, forms[act])
		}
		if strings.Contains(template, "{person}") {
			same(method, strings.ReplaceAll(template, "{person}", "ID"), member, nobody, url.Values{"role": {"analyst"}, "contact": {member}, "confirm": {"yes"}})
		}
		if strings.Contains(template, "{account}") {
			same(method, strings.NewReplacer("{account}", "ID", "{act}", "suspend").Replace(template), "1001", "1009", url.Values{"why": {"x"}, "management": {"1001-2001"}})
		}
	}
	same("GET", view.PathTokenNew+"?draft=ID", draft, noDraft, nil)
	same("POST", view.PathTokenNew, draft, noDraft, url.Values{"draft": {"ID"}, "step": {"setup"}, "go": {"next"}, "name": {"x"}})
	same("POST", view.PathAccount, "1001", "1009", url.Values{"account": {"ID"}})
	same("GET", view.PathTokens+"?q=ID", "Hidden", "Hiddfn", nil)
	same("GET", view.PathHistory+"?q=ID", token, never, nil)
	same("GET", view.PathHistoryCSV+"?q=ID", token, never, nil)
	same("GET", view.PathTokenName+"?name=Hidden&sid=ID", token, never, nil)
	if pairs < 25 {
		t.Errorf("only %d routes were asked", pairs)
	}
	now := d.is(token)
	if now.Name != "Hidden" || now.State != api.StateEnabled || now.Revision != 1 {
		t.Errorf("the token was changed: %+v", now)
	}
	if d.member(adminMail).Role != api.RoleAdministrator {
		t.Error("the member was changed")
	}
	// Another account's person is no contact, and another account's brand is out of reach.
	rita.begin()
	form := rita.filled(must2(rita.page.button("Next")), url.Values{"name": {"Mine"}})
	form.Set("reach", "list")
	form.Set("brand", "2001")
	form.Set("go", "next")
	rita.post(view.PathTokenNew, form)
	form.Set("step", "contacts")
	form.Set("contact", member)
	rita.post(view.PathTokenNew, form)
	rita.status(http.StatusUnprocessableEntity)
	rita.saysNot("Ada", "Acme")
}

func TestAnAnalystCannotActByPost(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Read only")
	ann := d.as(analystMail)
	ann.open(view.TokenPath(one.SID))
	csrf := ann.csrf()
	for act, form := range map[string]url.Values{
		"update": {"revision": {"1"}, "name": {"Renamed"}, "confirm": {"yes"}}, "reset": {"revision": {"1"}}, "duplicate": {"name": {"Copy"}},
		"disable": {}, "delete": {"confirm": {"yes"}}, "upgrade": {"revision": {"1"}, "of": {"agency"}, "to": {"3"}},
	} {
		form.Set("csrf", csrf)
		ann.post(view.TokenPath(one.SID, act), form)
		if ann.page.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", act, ann.page.status, ann.page.text())
		}
	}
	for path, form := range map[string]url.Values{
		view.PathMemberInvite: {"email": {"x@north.example"}, "role": {"administrator"}}, view.MemberPath(ann.actors[analystMail].Person): {"role": {"administrator"}},
		view.PathTokenNew: {"step": {"create"}, "go": {"create"}},
	} {
		form.Set("csrf", csrf)
		ann.post(path, form)
		if ann.page.status != http.StatusForbidden && ann.page.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, ann.page.status)
		}
	}
	now := d.is(one.SID)
	if now.Revision != 1 || now.Name != "Read only" || d.names() != "Read only" {
		t.Errorf("the token was changed: %+v", now)
	}
	// The refusals are in the history, summed.
	d.must(runOnce(d.authority))
	b := d.as(adminMail)
	b.open(view.PathHistory)
	b.says("Was refused: reset the secret of the access token", "Sample Analyst")
}

// runOnce lets the timed work of the authority do what it does at its end.
func runOnce(a *authority.Authority) error {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := a.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// SECURITY.md, class 37: a form that another site sends, or that does not carry this session's token,
// does nothing. The method of every route that acts is POST.
func TestFormsOfOthersDoNothing(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Target")
	b := d.as(adminMail)
	b.open(view.TokenPath(one.SID, "disable"))
	good := b.csrf()
	other := d.as(secondMail)
	other.open(view.PathTokens)
	path := view.TokenPath(one.SID, "disable")
	for what, change := range map[string]func(r *http.Request, form url.Values){
		"no token":                       func(_ *http.Request, form url.Values) { form.Del("csrf") },
		"an empty token":                 func(_ *http.Request, form url.Values) { form.Set("csrf", "") },
		"another person's token":         func(_ *http.Request, form url.Values) { form.Set("csrf", other.csrf()) },
		"a token that is one letter off": func(_ *http.Request, form url.Values) { form.Set("csrf", good[:len(good)-1]+"_") },
		"another site":                   func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a sister site":                  func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"another origin, old browser": func(r *http.Request, _ url.Values) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example")
		},
		"an origin that is null": func(r *http.Request, _ url.Values) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "null")
		},
		"a body of another type": func(r *http.Request, _ url.Values) { r.Header.Set("Content-Type", "text/plain") },
		"a JSON body":            func(r *http.Request, _ url.Values) { r.Header.Set("Content-Type", "application/json") },
	} {
		form := url.Values{"csrf": {good}}
		r := b.request(path, form)
		change(r, form)
		changed := b.request(path, form)
		changed.Header = r.Header
		p := b.exchange(changed)
		if p.status != http.StatusForbidden && p.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %d %s", what, p.status, p.text())
		}
		if d.is(one.SID).State != api.StateEnabled {
			t.Fatalf("%s: the token was disabled", what)
		}
	}
	// Signing in is an act, too: nobody is signed in as somebody else by a form of another site.
	victim := d.browser()
	victim.open(view.PathSignIn)
	form := url.Values{"email": {rivalMail}, "password": {password}, "csrf": {"forged"}}
	if p := victim.exchange(victim.request(view.PathSignIn, form)); p.status != http.StatusForbidden {
		t.Errorf("a forged sign-in: %d", p.status)
	}
	for _, p := range []string{view.PathSignOut, view.TokenPath(one.SID, "delete"), view.PathAccount, view.PathSessionEndAll} {
		b.still().open(p)
	}
	b.open(view.PathTokens)
	b.says("Target")
}

// SECURITY.md, class 42: a cookie that somebody else chose is never the one of a session.
func TestSessionsAreNotFixed(t *testing.T) {
	d := newDesk(t)
	b := d.browser()
	at, err := url.Parse(d.url)
	d.must(err)
	b.client.Jar.SetCookies(at, []*http.Cookie{{Name: "counterfoil", Value: "chosen-by-an-attacker", Path: "/"}})
	b.open(view.PathSignIn)
	b.press("Sign in", url.Values{"email": {adminMail}, "password": {password}})
	got := d.cookie(b)
	if got == "" || strings.Contains(got, "chosen") {
		t.Errorf("the session's cookie is %q", got)
	}
	b.press("Sign out", nil)
	b.open(view.PathSignIn)
	b.press("Sign in", url.Values{"email": {adminMail}, "password": {password}})
	if d.cookie(b) == got {
		t.Error("a second sign-in gave the same session")
	}
}

func TestASignInLeadsNowhereElse(t *testing.T) {
	d := newDesk(t)
	for _, next := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "javascript:alert(1)", "evil.example",
		"/%0d%0aLocation:%20https://evil.example", "/\r\nX: y", "",
	} {
		b := d.browser()
		b.open(view.PathSignIn + "?next=" + url.QueryEscape(next))
		if strings.Contains(b.page.body, "evil.example") && !strings.HasPrefix(next, "/%") {
			t.Errorf("the page takes over %q", next)
		}
		form := url.Values{"email": {adminMail}, "password": {password}, "next": {next}, "csrf": {b.csrf()}}
		p := b.still().exchange(b.request(view.PathSignIn, form))
		to, err := url.Parse(p.header.Get("Location"))
		d.must(err)
		if p.status != http.StatusSeeOther || to.IsAbs() || to.Host != "" || !strings.HasPrefix(to.Path, "/") || strings.HasPrefix(to.Path, "//") || strings.HasPrefix(to.Path, `/\`) {
			t.Errorf("next=%q leads to %q (%d)", next, p.header.Get("Location"), p.status)
		}
	}
}

// crawl opens every page that a browser can reach by links, once each, and hands it to look.
func (b *browser) crawl(from []string, look func(p *page)) int {
	b.Helper()
	seen := map[string]bool{}
	queue := slices.Clone(from)
	for len(queue) > 0 && len(seen) < 400 {
		path := queue[0]
		queue = queue[1:]
		at, err := url.Parse(path)
		if err != nil || at.Host != "" || at.Scheme != "" || !strings.HasPrefix(at.Path, "/") {
			continue
		}
		if at.Fragment = ""; at.Path == view.PathTokenNew || at.Path == view.PathManagementNew {
			at.RawQuery = ""
		}
		key := at.String()
		if seen[key] {
			continue
		}
		seen[key] = true
		b.open(key)
		look(b.page)
		for _, n := range b.page.all(func(n *html.Node) bool {
			return n.DataAtom == atom.A || n.DataAtom == atom.Link || n.DataAtom == atom.Script
		}) {
			if to := attr(n, "href") + attr(n, "src"); to != "" && !strings.HasPrefix(to, "#") && !strings.HasPrefix(to, "data:") {
				queue = append(queue, to)
			}
		}
	}
	return len(seen)
}

// safe fails for what makes a page dangerous: markup that came from a name, script or style in the page,
// an address that is none, a header that is missing (SECURITY.md, classes 38a and 38b).
func safe(t *testing.T, p *page) {
	t.Helper()
	where := p.url.RequestURI()
	for name, want := range map[string]string{
		"Content-Security-Policy": httpx.Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %s is %q", where, name, got)
		}
	}
	store := p.header.Get("Cache-Control")
	if asset := strings.HasPrefix(p.url.Path, view.PathAssets) && p.status == 200; !asset && store != "no-store" {
		t.Errorf("%s: Cache-Control is %q", where, store)
	}
	if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
		return
	}
	for _, n := range p.all(func(*html.Node) bool { return true }) {
		if n.DataAtom == atom.Style || n.DataAtom == atom.Script && (n.FirstChild != nil || !strings.HasPrefix(attr(n, "src"), view.PathAssets)) {
			t.Errorf("%s has a %s of its own", where, n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" || n.Data == "base" || n.Data == "iframe" {
				t.Errorf("%s has <%s %s=%q>", where, n.Data, a.Key, a.Val)
			}
			if value := strings.ToLower(strings.TrimSpace(a.Val)); (a.Key == "href" || a.Key == "src" || a.Key == "action") && strings.HasPrefix(value, "javascript:") {
				t.Errorf("%s has %s=%q", where, a.Key, a.Val)
			}
		}
	}
}

const hostile = `"><svg onload=alert(1)> ' & {{7*7}} </script>`

func TestNamesAreNeverMarkup(t *testing.T) {
	d := newDesk(t)
	ctx, admin, operator := context.Background(), d.actors[adminMail], d.actors[operatorMail]
	one := d.token(adminMail, api.TokenCreate{
		Name: hostile, Description: hostile, Version: "2", NeverExpires: true, Reach: api.ReachList, Brands: []int64{acme}, Scopes: []string{"jobs.get-job"},
	})
	off := d.token(adminMail, api.TokenCreate{Name: "Off " + hostile, NeverExpires: true, Scopes: []string{"notes:read"}})
	_, err := d.authority.DisableToken(ctx, admin, agency, off.SID, hostile)
	d.must(err)
	for _, id := range []int64{agency, acme} {
		account, err := d.authority.Account(ctx, operator, id)
		d.must(err)
		_, err = d.authority.EditAccount(ctx, operator, id, api.AccountEdit{Name: new(hostile + " " + number(int(id))), Revision: account.Revision})
		d.must(err)
	}
	m, err := d.authority.InviteMember(ctx, operator, agency, api.MemberInvite{Email: "h@north.example", Name: hostile, Role: api.RoleAnalyst})
	d.must(err)
	// A catalogue whose words are hostile: labels, descriptions, titles, reasons.
	documents := changed(t, "agency/v3/jobs.yaml", func(s string) string {
		s = strings.Replace(s, "summary: Get a job", "summary: '"+strings.ReplaceAll(hostile, "'", "''")+"'", 1)
		return strings.ReplaceAll(s, "tags: [Jobs]", "tags: ['<img src=x onerror=alert(2)>']")
	})
	o := d.as(operatorMail)
	o.upload(map[string]string{"c.zip": string(zipped(t, "", documents))})
	safe(t, o.page)
	o.says(`<img src=x onerror=alert(2)>`)
	o.press("Publish", nil)
	b := d.as(adminMail)
	pages := b.crawl([]string{
		"/", view.PathTokenNew, view.TokenPath(one.SID, "first-call"), view.PathTokens + "?q=" + url.QueryEscape(hostile), view.PathHistory + "?q=" + url.QueryEscape(hostile),
		view.PathHistory + "?from=" + url.QueryEscape(hostile), view.PathTokens + "?said=" + url.QueryEscape(hostile), view.TokenPath(one.SID) + "?tick=" + url.QueryEscape("agency/"+hostile),
		"/nothing/" + url.PathEscape(hostile),
	}, func(p *page) { safe(t, p) })
	pages += o.crawl([]string{"/", view.PathOperatorAccounts + "?q=" + url.QueryEscape(hostile)}, func(p *page) { safe(t, p) })
	if pages < 60 {
		t.Errorf("only %d pages were reached", pages)
	}
	t.Logf("%d pages", pages)
	b.open(view.PathTokens)
	equal(b, "the name as it is read", b.page.cards(), "Off "+hostile+", "+hostile)
	// The pages that only a form leads to.
	b.open(view.TokenPath(one.SID))
	b.press("Update…", url.Values{"description": {hostile + "2"}})
	safe(t, b.page)
	b.press("Back", nil)
	safe(t, b.page)
	b.open(view.TokenPath(one.SID, "reset"))
	b.press("Reset Token", nil)
	b.made()
	safe(t, b.page)
	out := d.browser()
	out.open(d.invitation(agency, m.Person))
	out.status(http.StatusOK)
	safe(t, out.page)
	out.press("Join", url.Values{"name": {hostile}, "password": {"short"}})
	safe(t, out.page)
	out.open(view.PathSignIn + "?next=" + url.QueryEscape("/"+hostile))
	safe(t, out.page)
	out.press("Sign in", url.Values{"email": {hostile}, "password": {hostile}})
	safe(t, out.page)
	// What hides or reorders other characters is no name at all.
	for _, name := range []string{"a\u202eb", "a\u2066b", "a\u200fb", "a\u0000b", "a\nb", "a\u200bb"} {
		if _, err := d.authority.CreateToken(ctx, admin, agency, api.TokenCreate{Name: name, API: "agency", NeverExpires: true}, authority.Once{}); err == nil {
			t.Errorf("a token was named %q", name)
		}
	}
}

func TestHeadersOnEveryAnswer(t *testing.T) {
	d := newDesk(t)
	one := d.simple("One")
	b := d.as(adminMail)
	for _, p := range []*page{
		b.still().open("/"), b.still().open("/none"), b.still().open(view.PathAssets + "none.css"), b.still().open(view.TokenPath("none")),
		b.still().open(view.PathOperator), b.still().open(view.PathTokens + "?page=x"), b.still().open(view.PathHistoryCSV), b.still().open(view.TokenPath(one.SID, "first-call")),
		b.still().exchange(b.request("/none", url.Values{})), b.still().exchange(b.request(view.PathTokenNew, url.Values{})),
		d.browser().still().open(view.PathTokens), d.browser().still().open(view.PathSignIn), d.browser().still().open(view.PathInvitation + "?key=x"),
	} {
		safe(t, p)
	}
	for _, c := range b.still().open(view.PathSignIn).header.Values("Set-Cookie") {
		if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") {
			t.Errorf("a cookie without its guards: %s", c)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"} {
		r, err := http.NewRequest(method, d.url+"/settings", nil)
		d.must(err)
		if p := b.still().exchange(r); p.status != http.StatusMethodNotAllowed && p.status != http.StatusForbidden {
			t.Errorf("%s: %d", method, p.status)
		}
	}
	r, err := http.NewRequest(http.MethodHead, d.url+view.PathTokens, nil)
	d.must(err)
	if p := b.still().exchange(r); p.status != http.StatusOK || p.body != "" {
		t.Errorf("HEAD: %d, %d octets", p.status, len(p.body))
	}
	big := url.Values{"csrf": {b.csrfOf()}, "name": {strings.Repeat("x", 2<<20)}}
	if p := b.still().exchange(b.request(view.PathProfile, big)); p.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 2 MiB: %d", p.status)
	}
}

// Pages are compressed, but for those of which another site could have chosen a part, and the one with a
// secret (BREACH).
func TestWhatIsCompressed(t *testing.T) {
	d := newDesk(t)
	d.many(60)
	one := d.simple("One")
	b := d.as(adminMail)
	ask := func(path, site string) *page {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, d.url+path, nil)
		d.must(err)
		r.Header.Set("Accept-Encoding", "gzip")
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		return b.still().exchange(r)
	}
	plain, small := ask(view.PathTokens, "cross-site"), ask(view.PathTokens, "same-origin")
	if len(small.body) > 15_000 || len(small.body) > len(plain.body)/8 {
		t.Errorf("the list has %d octets, compressed %d", len(plain.body), len(small.body))
	}
	for _, c := range []struct {
		path, site, want string
	}{
		{view.PathTokens, "none", "gzip"},
		{view.PathTokens, "", "gzip"},
		{view.PathTokens + "?q=x", "same-origin", "gzip"},
		{view.PathTokens + "?q=x", "cross-site", ""},
		{view.PathTokens + "?q=x", "same-site", ""},
		{view.PathTokens + "?q=x", "", ""},
		{"/none", "same-origin", "gzip"},
		{"/none?x=y", "cross-site", ""},
	} {
		if got := ask(c.path, c.site).header.Get("Content-Encoding"); got != c.want {
			t.Errorf("%s from %q: %q, want %q", c.path, c.site, got, c.want)
		}
	}
	b.open(view.TokenPath(one.SID, "reset"))
	r := b.request(view.TokenPath(one.SID, "reset"), url.Values{"csrf": {b.csrf()}, "revision": {"1"}})
	r.Header.Set("Accept-Encoding", "gzip")
	b.send(r)
	b.made()
	equal(b, "the page with the secret", b.page.header.Get("Content-Encoding"), "")
}
