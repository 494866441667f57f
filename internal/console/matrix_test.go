package console_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console"
	"counterfoil.dev/counterfoil/internal/console/view"
)

var update = flag.Bool("update", false, "write the golden files anew")

// still is a browser that follows no redirect, with the cookies of another.
func (b *browser) still() *browser {
	client := *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{desk: b.desk, client: &client, page: b.page}
}

// outcome is what a route did with somebody, in a word.
func outcome(p *page) string {
	switch {
	case p.status == http.StatusUnauthorized || strings.HasPrefix(p.header.Get("Location"), view.PathSignIn+"?") || p.header.Get("Location") == view.PathSignIn:
		return "sign-in"
	case p.status == http.StatusForbidden:
		return "forbidden"
	case p.status == http.StatusNotFound:
		return "nothing"
	case p.status >= 500:
		return fmt.Sprint(p.status)
	}
	return "yes"
}

// TestWhoMayOpenWhat is the table of roles and routes (OWASP ASVS 5.0, 8.1.1): testdata/routes.txt. Every
// route is asked by everybody, with the right form token, a revision and otherwise empty forms, on things of the
// agency. "yes" means that the route took it up: an empty form may still be refused.
func TestWhoMayOpenWhat(t *testing.T) {
	d := newDesk(t)
	who := []string{"", analystMail, specialistMail, adminMail, rivalMail, operatorMail}
	var table strings.Builder
	fmt.Fprintf(&table, "%-72s %-10s %-10s %-10s %-13s %-13s %s\n", "", "signed out", "analyst", "specialist", "administrator", "other account", "operator")
	browsers := map[string]*browser{}
	for i, route := range console.Routes() {
		method, template, found := strings.Cut(route, " ")
		if !found {
			continue // what is none of ours
		}
		fmt.Fprintf(&table, "%-72s", route)
		for j, email := range who {
			b := browsers[email]
			if b == nil || b.csrfOf() == "" {
				if b = d.browser(); email != "" {
					b = d.as(email)
				} else {
					b.open(view.PathSignIn)
				}
				browsers[email] = b
			}
			p := b.try(method, d.real(template, fmt.Sprintf("%d-%d", i, j)))
			fmt.Fprintf(&table, " %-*s", []int{10, 10, 10, 13, 13, 9}[j], outcome(p))
			if method == "POST" && (template == view.PathSignOut || strings.HasPrefix(template, "/profile/sessions/end-all")) {
				browsers[email] = nil
			}
		}
		table.WriteString("\n")
	}
	got := regexp.MustCompile(` +\n`).ReplaceAllString(table.String(), "\n")
	const file = "testdata/routes.txt"
	if *update {
		d.must(os.MkdirAll("testdata", 0o755))
		d.must(os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	d.must(err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the table has changed (-want +got); if it is meant, run with -update:\n%s", diff)
	}
}

// csrfOf is the form token of this browser now, or "".
func (b *browser) csrfOf() string {
	p := b.still().open("/docs/keep-your-tokens-secure")
	for _, n := range p.all(func(n *html.Node) bool { return attr(n, "name") == "csrf" }) {
		return attr(n, "value")
	}
	p = b.still().open(view.PathSignIn)
	for _, n := range p.all(func(n *html.Node) bool { return attr(n, "name") == "csrf" }) {
		return attr(n, "value")
	}
	return ""
}

// try sends the least that a route may take.
func (b *browser) try(method, path string) *page {
	b.Helper()
	if method == "GET" {
		return b.still().open(path)
	}
	return b.still().send(b.request(path, url.Values{"csrf": {b.csrfOf()}, "revision": {"1"}}))
}

// real fills a route's template with things of the agency, made for this one request.
func (d *desk) real(template, mark string) string {
	d.Helper()
	path := template
	if strings.Contains(path, "{sid}") {
		path = strings.ReplaceAll(path, "{sid}", d.simple("Token for "+mark).SID)
	}
	if strings.Contains(path, "{person}") {
		m, err := d.authority.InviteMember(context.Background(), d.actors[adminMail], agency, api.MemberInvite{
			Email: "m" + mark + "@north.example", Role: api.RoleAnalyst,
		})
		d.must(err)
		path = strings.ReplaceAll(path, "{person}", m.Person)
	}
	for name := range view.Assets() {
		path = strings.ReplaceAll(path, view.PathAssets+"{file}", name)
	}
	return strings.NewReplacer("{account}", "1001", "{act}", "settings", "{api}", "agency", "{version}", "3", "{$}", "").Replace(path)
}
