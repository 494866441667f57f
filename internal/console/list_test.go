package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// cards are the names on the list, in order.
func (p *page) cards() string {
	var out []string
	for _, n := range p.all(func(n *html.Node) bool { return class(n, "ticket") }) {
		out = append(out, strings.TrimSpace(textOf(firstOf(n, "h2"))))
	}
	return strings.Join(out, ", ")
}

func firstOf(n *html.Node, tag string) *html.Node {
	for c := range n.Descendants() {
		if c.Data == tag {
			return c
		}
	}
	return n
}

// card is the card of a token.
func (p *page) card(name string) *html.Node {
	for _, n := range p.all(func(n *html.Node) bool { return class(n, "ticket") }) {
		if textOf(firstOf(n, "h2")) == name {
			return n
		}
	}
	return nil
}

// used reports calls of a token, as the verifier of a node would.
func (d *desk) used(sid string, batch int64, at time.Time) {
	d.Helper()
	d.must(d.authority.Feed("test").Report(context.Background(), &api.UsageBatch{
		Node: "test", Number: batch, Uses: []api.Usage{{SID: sid, At: api.Micros(at.UnixMicro()), Address: "192.0.2.17", Agent: "curl/8.14", Calls: 3}},
	}))
}

func TestTheMenuLeadsToTheTokens(t *testing.T) {
	b := newDesk(t).as(adminMail)
	b.open("/")
	equal(b, "where a member begins", b.page.url.Path, view.PathTokens)
	b.open(b.page.links()["Settings"])
	b.says("Account Technical Platform REST Web Services")
	b.open(b.page.links()["Platform REST Web Services"])
	equal(b, "the page", b.page.url.Path, view.PathTokens)
	crumbs := textOf(b.page.all(func(n *html.Node) bool { return class(n, "crumbs") })[0])
	equal(b, "the way", crumbs, "Settings Account Technical Platform REST Web Services")
	equal(b, "Create Access Token", b.page.links()["Create Access Token"], view.PathTokenNew)
	equal(b, "Keep your tokens secure", b.page.links()["Keep your tokens secure"], view.PathDocsSecure)
	equal(b, "API reference", b.page.links()["API reference"], view.PathDocs)
	b.says("No access token yet", "Create the first token")
}

func TestACardSaysWhatATokenIs(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{
		Name: "Weekly report", Description: "Exports reports.", Version: "2", NeverExpires: true,
		Scopes: []string{"jobs.get-job", "jobs.list-jobs", "advertisers.get-advertiser"},
	})
	d.token(adminMail, api.TokenCreate{
		Name: "Brand sync", Version: "3", Reach: api.ReachList, Brands: []int64{acme, bolt}, BrandVersion: "7",
		Scopes: []string{"jobs.get-job", "brand/catalogs.list-catalogs"}, Expires: new(d.now().AddDate(0, 0, 90)),
	})
	d.used(one.SID, 1, d.now())
	b := d.as(adminMail)
	card := textOf(b.page.card("Weekly report"))
	for _, s := range []string{
		"Weekly report Exports reports.", "Agency API 2", "deprecated until " + d.now().AddDate(0, 0, 120).Format("2 Jan 2006"),
		"Jobs 2 of 4", "Advertisers 1 of 2", "Primary contact Sample Administrator", "by Sample Administrator", "Enabled", "SID " + one.SID, "Copy",
		"Last used " + d.now().Format("2 Jan 2006"),
	} {
		if !strings.Contains(card, s) {
			t.Errorf("the card does not say %q: %s", s, card)
		}
	}
	card = textOf(b.page.card("Brand sync"))
	for _, s := range []string{"Agency API 3 latest", "Brand API 7 supported", "2 brands", "Agency API Jobs 1 of 5", "Brand API Catalogs 1 of ", "never used", "Expires"} {
		if !strings.Contains(card, s) {
			t.Errorf("the card does not say %q: %s", s, card)
		}
	}
}

func TestFilters(t *testing.T) {
	d := newDesk(t)
	at := func(daysAgo int, in api.TokenCreate) api.Token {
		d.pass(-time.Duration(daysAgo) * 24 * time.Hour)
		defer d.pass(time.Duration(daysAgo) * 24 * time.Hour)
		in.Scopes = []string{"jobs.get-job"}
		in.NeverExpires = in.Expires == nil
		return d.token(adminMail, in)
	}
	at(100, api.TokenCreate{Name: "Ancient", Version: "2"})
	gone := at(20, api.TokenCreate{Name: "Gone", Version: "3", Expires: new(d.now().AddDate(0, 0, -5))})
	at(3, api.TokenCreate{Name: "Straße 50%", Version: "3"})
	off := at(0, api.TokenCreate{Name: "New and off", Version: "2"})
	_, err := d.authority.DisableToken(context.Background(), d.actors[adminMail], agency, off.SID, "on leave")
	d.must(err)
	b := d.as(adminMail)
	equal(b, "no filter", b.page.cards(), "New and off, Straße 50%, Gone, Ancient")
	b.saysNot("Clear All")
	for _, c := range []struct {
		fill url.Values
		want string
	}{
		{url.Values{"q": {"an"}}, "New and off, Ancient"},
		{url.Values{"q": {"STRASSE"}}, "Straße 50%"},
		{url.Values{"q": {"50%"}}, "Straße 50%"},
		{url.Values{"q": {"_"}}, ""},
		{url.Values{"created": {"7d"}}, "New and off, Straße 50%"},
		{url.Values{"created": {"30d"}}, "New and off, Straße 50%, Gone"},
		{url.Values{"created": {"older"}}, "Ancient"},
		{url.Values{"state": {"enabled"}}, "Straße 50%, Ancient"},
		{url.Values{"state": {"disabled"}}, "New and off"},
		{url.Values{"state": {"expired"}}, "Gone"},
		{url.Values{"version": {"agency/2"}}, "New and off, Ancient"},
		{url.Values{"version": {"agency/3"}}, "Straße 50%, Gone"},
		{url.Values{"q": {"new"}, "created": {"7d"}, "state": {"disabled"}, "version": {"agency/2"}}, "New and off"},
		{url.Values{"q": {"new"}, "state": {"enabled"}}, ""},
	} {
		b.open(view.PathTokens)
		b.press("Apply", c.fill)
		equal(b, c.fill.Encode(), b.page.cards(), c.want)
		for name, values := range c.fill {
			if got := b.page.value(name); got != values[0] {
				t.Errorf("%s: the filter shows %s as %q", c.fill.Encode(), name, got)
			}
		}
		if c.want == "" {
			b.says("No token matches")
		}
		clear := b.page.links()["Clear All"]
		b.open(clear)
		equal(b, "Clear All", b.page.cards(), "New and off, Straße 50%, Gone, Ancient")
	}
	card := textOf(func() *html.Node { b.open(view.PathTokens + "?state=expired"); return b.page.card("Gone") }())
	if !strings.Contains(card, "Expired") || !strings.Contains(card, gone.SID) {
		t.Errorf("an expired token: %s", card)
	}
	b.open(view.PathTokens + "?state=nonsense&created=nonsense&page=")
	equal(b, "filters that are none", b.page.cards(), "New and off, Straße 50%, Gone, Ancient")
}

// many makes n tokens by copying the row of one, in one act: what 10,000 people have pressed.
func (d *desk) many(n int) {
	d.Helper()
	d.simple("First")
	d.bulk(n - 1)
}

func TestTenThousandTokensAreWalkedOnceBothWays(t *testing.T) {
	d := newDesk(t)
	d.many(10000)
	b := d.as(adminMail)
	b.says("1–50 of 10,000")
	seen := map[string]int{}
	var order []string
	read := func() {
		for _, n := range b.page.all(func(n *html.Node) bool { return class(n, "ticket") }) {
			sid := strings.TrimPrefix(attr(n, "aria-labelledby"), "t-")
			seen[sid]++
			order = append(order, sid)
		}
	}
	pages := 1
	for read(); b.page.links()["Next"] != ""; read() {
		b.open(b.page.links()["Next"])
		b.says(fmt.Sprintf("%s–%s of 10,000", number(pages*50+1), number(pages*50+50)))
		pages++
	}
	if len(seen) != 10000 || len(order) != 10000 || pages != 200 {
		t.Fatalf("forward: %d tokens, %d of them distinct, on %d pages", len(order), len(seen), pages)
	}
	forward := slices.Clone(order)
	order = nil
	var back [][]string
	for {
		order = nil
		read()
		back = append(back, order)
		previous := b.page.links()["Previous"]
		if previous == "" {
			break
		}
		b.open(previous)
	}
	slices.Reverse(back)
	if !slices.Equal(slices.Concat(back...), forward) {
		t.Error("the way back is another one")
	}
	b.says("1–50 of 10,000")
	b.open(view.PathTokens + "?q=77&state=enabled")
	b.says("of ")
	next := b.page.links()["Next"]
	if !strings.Contains(next, "q=77") || !strings.Contains(next, "state=enabled") {
		t.Errorf("the next page forgets the filter: %s", next)
	}
}

func number(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func TestAPageThatIsNoneIsRefused(t *testing.T) {
	b := newDesk(t).as(adminMail)
	for _, cursor := range []string{"x", "!!", "bi4xLjIuMw", strings.Repeat("a", 500)} {
		b.open(view.PathTokens + "?page=" + cursor)
		if b.page.status >= 500 {
			t.Errorf("page=%s: %d", cursor, b.page.status)
		}
	}
}

// BenchmarkListOfTenThousand measures the server's time for a page of the list: the whole handler, from
// the session's cookie to the last octet of the page, without the network.
func BenchmarkListOfTenThousand(bench *testing.B) {
	d := newDesk(bench)
	d.many(10000)
	b := d.as(adminMail)
	r := httptest.NewRequest(http.MethodGet, d.url+view.PathTokens, nil)
	for _, c := range b.client.Jar.Cookies(b.page.url) {
		r.AddCookie(c)
	}
	var took []time.Duration
	for bench.Loop() {
		w := httptest.NewRecorder()
		began := time.Now()
		d.server.Config.Handler.ServeHTTP(w, r.Clone(bench.Context()))
		took = append(took, time.Since(began))
		if w.Code != http.StatusOK {
			bench.Fatalf("the list answered %d", w.Code)
		}
	}
	slices.Sort(took)
	bench.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	bench.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}

func TestWhoMayNotMakeTokensIsTold(t *testing.T) {
	d := newDesk(t)
	d.simple("One")
	b := d.as(analystMail)
	b.says("Your role reads only.", "One")
	b.saysNot("Create Access Token")
	b.open(view.PathTokenNew)
	b.status(403)
}
