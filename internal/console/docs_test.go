package console_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// operation is the entry of a reference for a method and path.
func (p *page) operation(target string) string {
	for _, n := range p.all(func(n *html.Node) bool { return class(n, "operations") }) {
		for li := n.FirstChild; li != nil; li = li.NextSibling {
			for c := range li.Descendants() {
				if class(c, "operation") && textOf(c) == target {
					return textOf(li)
				}
			}
		}
	}
	return "(no " + target + ")"
}

func TestTheReferenceSaysWhichTokensCanCallWhat(t *testing.T) {
	d := newDesk(t)
	d.simple("Gets jobs")
	d.token(adminMail, api.TokenCreate{Name: "On version 2", Version: "2", NeverExpires: true, Scopes: []string{"jobs.get-job"}})
	b := d.as(analystMail)
	b.open(view.PathDocs)
	b.says("Your first call", "Keep your tokens secure", "Errors", "Agency API", "Version 3", "latest", "deprecated until", "Brand API", "operations")
	b.open(view.DocsPath("agency", "3"))
	b.says("{AccountSID} in a path is the SID of the token that makes the call.", "IR-Version")
	entry := b.page.operation("GET /Agencies/{AccountSID}/Jobs/{JobId}")
	for _, s := range []string{"Get a job", "jobs.get-job", "Can call it Gets jobs"} {
		if !strings.Contains(entry, s) {
			t.Errorf("the entry lacks %q: %s", s, entry)
		}
	}
	if strings.Contains(entry, "On version 2") {
		t.Error("a token of another version is said to call it")
	}
	if entry = b.page.operation("GET /Agencies/{AccountSID}/Advertisers"); !strings.Contains(entry, "no token of this account") || !strings.Contains(entry, "sensitive") {
		t.Errorf("an entry that nobody can call: %s", entry)
	}
	// What an agency reaches through the passthrough is shown with the path that it calls.
	b.open(view.DocsPath("brand", "8"))
	if entry = b.page.operation("GET /Agencies/{AccountSID}/Advertisers/{AdvertiserId}/Catalogs"); !strings.Contains(entry, "List catalogs") {
		t.Errorf("an operation behind the passthrough: %s", entry)
	}
	for _, path := range []string{"/docs/agency/9", "/docs/none/3", "/docs/agency", "/docs/agency/3/x"} {
		b.open(path)
		b.status(http.StatusNotFound)
	}
	// Another account sees its own tokens alone.
	other := d.as(rivalMail)
	other.open(view.DocsPath("agency", "3"))
	other.saysNot("Gets jobs")
	// A brand's people do not see the agency's API.
	b = d.as(adminMail)
	b.press("account=2001", nil)
	b.open(view.DocsPath("agency", "3"))
	b.status(http.StatusNotFound)
	b.open(view.DocsPath("brand", "8"))
	b.status(http.StatusOK)
	// An operator reads all of them, as the page of the catalogue links them.
	o := d.as(operatorMail)
	o.open(view.PathDocs)
	o.says("Agency API", "Brand API", "Management API")
	o.open(view.PathOperatorCatalogue)
	for words, to := range o.page.links() {
		if strings.HasPrefix(to, "/docs/") {
			o.open(to)
			if o.status(http.StatusOK); strings.Contains(o.page.text(), "Can call it") {
				t.Errorf("%s: an operator has no tokens of it", words)
			}
			o.open(view.PathOperatorCatalogue)
		}
	}
}

func TestTheFirstCallGuide(t *testing.T) {
	d := newDesk(t)
	b := d.as(adminMail)
	b.open(view.PathDocsFirst)
	b.says("The account in the path is the token's SID", "Put the SID of the token that makes the call in the place of {AccountSID}", "not the number of the account",
		"$ACCOUNT_SID:$AUTH_TOKEN", "http://127.0.0.1:9393/Agencies/", "Authorization: Bearer", "IR-Version", "insufficient_scope")
	b.saysNot("cfoil_")
	d.simple("Cannot")
	can := d.token(adminMail, api.TokenCreate{Name: "Can", NeverExpires: true, Scopes: []string{"company.get-company", "jobs.list-jobs", "advertisers.list-advertisers"}})
	d.simple("Newer")
	b.says("ACCOUNT_SID=YOUR_SID")
	b.open(view.PathDocsFirst)
	b.says("ACCOUNT_SID=" + can.SID)
}

func TestErrorsAndSecurityAreReadableSignedOut(t *testing.T) {
	d := newDesk(t)
	b := d.browser()
	b.open(view.PathDocsSecure)
	b.status(http.StatusOK)
	b.says("Keep your tokens secure", "cfoil_")
	b.open(view.PathDocsErrors)
	b.status(http.StatusOK)
	for _, code := range []api.Code{api.CodeInsufficientScope, api.CodeInvalidToken, api.CodeNotFound, api.CodeConflict, api.CodeInternal, api.CodeStale} {
		if b.page.of(string(code)) == nil {
			t.Errorf("the page of errors has no %s", code)
		}
	}
	b.open(view.PathDocs)
	equal(b, "the index", b.page.url.Path, view.PathSignIn)
	in := d.as(adminMail)
	in.open(view.PathDocsSecure)
	if in.page.of("menu") == nil {
		t.Error("who is signed in loses the menu")
	}
}
