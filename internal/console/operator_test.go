package console_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/examples/catalogue"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

func TestTheOperatorsAccounts(t *testing.T) {
	d := newDesk(t)
	d.simple("One")
	b := d.as(operatorMail)
	equal(b, "where an operator begins", b.page.url.Path, view.PathOperatorAccounts)
	b.says("Northlight Agency", "Rival Agency", "Acme Shoes", "Paul Partner")
	b.press("Apply", url.Values{"q": {"north"}})
	b.says("Northlight Agency 1001 Agency 1 4")
	b.saysNot("Rival")
	b.open(view.PathOperatorAccounts + "?kind=brand")
	b.says("Acme Shoes", "Bolt Bikes")
	b.saysNot("Northlight")
	b.open(b.page.links()["Create Account"])
	for _, c := range []struct {
		fill  url.Values
		field string
	}{
		{url.Values{"id": {"x"}, "name": {"New"}}, "id"},
		{url.Values{"id": {"-5"}, "name": {"New"}}, "id"},
		{url.Values{"id": {"1001"}, "name": {"New"}}, "id"},
		{url.Values{"id": {"9007199254740992"}, "name": {"New"}}, "id"},
		{url.Values{"id": {"4001"}, "name": {" "}}, "name"},
		{url.Values{"id": {"4001"}, "name": {"New"}, "admin_email": {"nonsense"}}, "admin_email"},
	} {
		b.open(view.PathOperatorAccountNew)
		b.press("Create", c.fill)
		if b.page.status != http.StatusUnprocessableEntity || b.page.of(c.field+"-err") == nil {
			t.Errorf("%v: %d %s", c.fill, b.page.status, b.page.text())
		}
		b.saysNot("Token Name")
	}
	b.press("Create", url.Values{"id": {"4001"}, "kind": {"brand"}, "name": {"New Brand"}, "admin_email": {"first@new.example"}})
	b.says("New Brand", "Number 4001", "first@new.example", "Account Administrator", "invited")
	b.open(view.AccountPath("77"))
	b.status(http.StatusNotFound)
}

func TestOneAccountOfTheOperator(t *testing.T) {
	d := newDesk(t)
	one := d.simple("One")
	b := d.as(operatorMail)
	path := view.AccountPath("1001")
	b.open(path)
	b.says("Northlight Agency", "Acme Shoes", "Bolt Bikes", "Sample Administrator", "Scopes that are withheld")
	equal(b, "the installation's own expiry", b.page.value("expiry_default")+b.page.value("expiry_max"), "")
	settings := func(fill url.Values) {
		b.open(path)
		form, _ := b.page.button("Save")
		values := b.filled(form, fill)
		b.submit(form, values)
	}
	settings(url.Values{"name": {"Northern Light"}})
	b.says("Northern Light", "Saved.")
	account, err := d.authority.Account(context.Background(), d.actors[operatorMail], agency)
	d.must(err)
	if account.ExpiryDefault != nil || account.ExpiryMax != nil {
		t.Error("saving a name set an expiry")
	}
	settings(url.Values{"expiry_default": {"30"}, "expiry_max": {"60"}})
	equal(b, "the expiry", b.page.value("expiry_default")+" "+b.page.value("expiry_max"), "30 60")
	settings(url.Values{"expiry_max": {"many"}})
	b.status(http.StatusUnprocessableEntity)
	settings(url.Values{"expiry_default": {""}, "expiry_max": {""}})

	// Management links.
	b.open(path)
	b.press("Add", url.Values{"brand": {"2003"}})
	b.says("Crane Coffee")
	for _, brand := range []string{"2003", "1002", "99", "x", ""} {
		b.open(path)
		b.press("Add", url.Values{"brand": {brand}})
		b.status(http.StatusUnprocessableEntity)
	}
	b.open(path)
	b.press("management=1001-2003", nil)
	b.says("ended")
	b.open(path)
	b.post(path+"/management/end", url.Values{"management": {"1002-2001"}})
	b.status(http.StatusNotFound)

	// Suspending ends every call, and its members are out.
	member := d.as(specialistMail)
	b.open(path)
	b.press("Suspend the account", url.Values{"why": {"Unpaid."}})
	b.says("Suspended since", "Reason: Unpaid.", "Resume the account")
	member.open(view.PathTokens)
	equal(member, "a member of a suspended account", member.page.url.Path, view.PathSignIn)
	b.press("Resume the account", nil)
	b.saysNot("Suspended since")
	member.open(view.PathTokens)
	equal(member, "after the account was resumed", member.page.url.Path, view.PathTokens)
	member.says(one.Name)

	// Members.
	b.open(path)
	b.press("Invite", url.Values{"email": {"more@north.example"}, "role": {"specialist"}})
	b.says("more@north.example", "Implementation Specialist")
	b.press("Invite", url.Values{"email": {"more@north.example"}, "role": {"specialist"}})
	b.status(http.StatusUnprocessableEntity)
}

func TestScopesAreWithheld(t *testing.T) {
	d := newDesk(t)
	one := d.simple("Holds it")
	b := d.as(operatorMail)
	path := view.AccountPath("1001")
	b.open(path)
	equal(b, "nothing is withheld", b.page.checked("scope"), "")
	b.press("go=save", url.Values{"scope": {"agency/jobs.get-job", "brand/catalogs.list-catalogs"}})
	b.says("Saved.")
	equal(b, "withheld", b.page.checked("scope"), "agency/jobs.get-job brand/catalogs.list-catalogs")
	// The buttons that JavaScript would do save nothing.
	for _, button := range []string{"go=search", "go=clear", "go=none:agency.jobs", "go=read-only", "go=all:agency.notes"} {
		b.open(path)
		b.press(button, url.Values{"q": {"note"}})
		b.status(http.StatusOK)
	}
	b.open(path)
	equal(b, "still withheld", b.page.checked("scope"), "agency/jobs.get-job brand/catalogs.list-catalogs")
	b.press("go=clear", nil)
	equal(b, "Clear All", b.page.checked("scope"), "")
	b.press("go=all:agency.notes", nil)
	b.press("go=save", nil)
	b.saysNot("Get a job withheld")
	account, err := d.authority.Account(context.Background(), d.actors[operatorMail], agency)
	d.must(err)
	if len(account.Withheld) != 2 || account.Withheld[0].Scope != "notes:read" {
		t.Errorf("withheld: %v", account.Withheld)
	}
	equal(b, "a token that holds one keeps it", d.scopesOf(one.SID), "jobs.get-job jobs.list-jobs")
	b.open(path)
	b.post(path+"/withheld", url.Values{"scope": {"agency/none"}})
	b.status(http.StatusUnprocessableEntity)
}

func TestOperatorsInviteOperators(t *testing.T) {
	d := newDesk(t)
	b := d.as(operatorMail)
	b.open(view.PathOperatorPeople)
	b.says("Sample Operator")
	b.press("Send the invitation", url.Values{"email": {"second@platform.example"}})
	b.says("The invitation was sent.", "second@platform.example")
	b.press("Send the invitation", url.Values{"email": {adminMail}})
	b.status(http.StatusUnprocessableEntity)
	b.open(view.PathOperatorPeople + "?q=sample")
	b.says("Sample Operator")
	b.saysNot("second@platform.example")
	b.open(view.PathOperatorHistory)
	b.says("Invited an operator", "events is whole.")
	b.open(view.PathHistoryCSV)
	equal(b, "an operator's export", b.page.status, http.StatusOK)
	b.open(view.PathOperatorSelf)
	b.press("Save", url.Values{"name": {"Olga Renamed"}})
	equal(b, "the operator's own page", b.page.url.Path, view.PathOperatorSelf)
	b.says("Saved.")
	b.open(view.PathTokens)
	equal(b, "an operator has no tokens of the platform", b.page.url.Path, view.PathOperatorAccounts)
}

func TestManagementTokensHaveALinkOfTheirOwn(t *testing.T) {
	d := newDesk(t)
	for _, email := range []string{adminMail, operatorMail} {
		b := d.as(email)
		b.open(view.PathManagement)
		b.status(http.StatusOK)
		b.open(view.PathManagementNew)
		equal(b, "the wizard", b.page.step(), "setup")
		b.next("contacts", url.Values{"name": {"Script of " + email}})
		b.next("scopes", nil)
		b.press("Read only", nil)
		b.next("create", nil)
		b.press("Create", nil)
		sid, secret := b.made()
		if !strings.HasPrefix(secret, "cfoilzero_"+sid) {
			t.Errorf("%s: the token is of another kind", email)
		}
		if call := textOf(b.page.of("curl")); !strings.Contains(call, d.url+"/api/v1/") {
			t.Errorf("%s: the command calls something else: %s", email, call)
		}
		b.open(view.PathManagement)
		b.says("Script of " + email)
		b.open(view.TokenPath(sid))
		b.status(http.StatusOK)
		b.says("Script of " + email)
	}
	b := d.as(adminMail)
	b.open(view.PathTokens)
	b.saysNot("Script of")
	for _, email := range []string{specialistMail, analystMail} {
		other := d.as(email)
		other.open(view.PathManagement)
		other.status(http.StatusForbidden)
		other.open(view.PathManagementNew)
		if other.page.status == http.StatusOK {
			t.Errorf("%s opens the wizard of management tokens", email)
		}
		page, err := d.authority.Tokens(context.Background(), d.actors[adminMail], agency, authority.TokenQuery{Zero: true})
		d.must(err)
		other.open(view.TokenPath(page.Items[0].SID))
		other.status(http.StatusNotFound)
	}
}

// changed is the sample catalogue with one file edited; a file edited to nothing is left out.
func changed(t *testing.T, name string, edit func(string) string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(catalogue.FS, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(catalogue.FS, path)
		text := string(b)
		if path == name {
			text = edit(text)
		}
		if text != "" {
			out[path] = text
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func zipped(t *testing.T, folder string, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(folder + name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload sends files as the form of the catalogue's page does.
func (b *browser) upload(files map[string]string) *page {
	b.Helper()
	b.open(view.PathOperatorCatalogue)
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	b.must(w.WriteField("csrf", b.csrf()))
	for name, text := range files {
		part, err := w.CreateFormFile("file", name)
		b.must(err)
		_, err = part.Write([]byte(text))
		b.must(err)
	}
	b.must(w.Close())
	r, err := http.NewRequest(http.MethodPost, b.url+view.PathOperatorDiff, &body)
	b.must(err)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return b.send(r)
}

func TestTheCatalogueIsComparedAndPublished(t *testing.T) {
	d := newDesk(t)
	one := d.token(adminMail, api.TokenCreate{Name: "Loses one", NeverExpires: true, Scopes: []string{"jobs.get-job", "statements.list-statements"}})
	b := d.as(operatorMail)
	b.open(view.PathOperatorCatalogue)
	b.says("Agency API /Agencies/{AccountSID}", "Brand API", "Upload", "Sample Operator", "released "+d.now().AddDate(0, 0, -240).Format("2 Jan 2006"))
	rows := b.page.all(func(n *html.Node) bool { return n.Data == "tbody" })
	if text := textOf(rows[0]); !strings.Contains(text, "3 current") || !strings.Contains(text, "2 deprecated") {
		t.Errorf("the versions: %s", text)
	}
	// The same documents change nothing.
	same := changed(t, "", nil)
	b.upload(map[string]string{"catalogue.zip": string(zipped(t, "catalogue/", same))})
	b.says("What a publish would change", "No scope is added, removed or covers anything else.", "No token can do more or less than before.")
	b.press("Publish", nil)
	b.says("This is the catalogue that is live already")
	// Without the statements a token loses a scope; that is said by name.
	less := changed(t, "agency/v3/statements.yaml", func(string) string { return "" })
	b.upload(map[string]string{"c.zip": string(zipped(t, "", less))})
	b.status(http.StatusOK)
	b.says("Removed", "statements.list-statements", "Loses one", "Northlight Agency", one.SID, "Loses:")
	equal(b, "nothing is live yet", d.scopesOf(one.SID), "jobs.get-job statements.list-statements")
	first := b.filled(must2(b.page.button("Publish")), nil)
	first.Set("confirm", "yes")
	// Somebody else publishes meanwhile: the differences are shown again, against what is live now.
	other := d.as(operatorMail)
	other.upload(map[string]string{"c.zip": string(zipped(t, "", changed(t, "agency/v3/notes.yaml", func(string) string { return "" })))})
	other.press("Publish", nil)
	other.says("The catalogue was published.")
	b.post(view.PathOperatorPublish, first)
	b.status(http.StatusUnprocessableEntity)
	b.says("Somebody else published since you looked at the differences.", "notes:read")
	b.press("Publish", nil)
	b.says("The catalogue was published. It is in force from the next request on.")
	offer, err := d.authority.Offer(context.Background(), d.actors[adminMail], agency)
	d.must(err)
	if text := strings.Join(offerScopes(offer, "3"), " "); strings.Contains(text, "statements") || !strings.Contains(text, "notes:read") {
		t.Errorf("what is live: %s", text)
	}
	// An upload is its owner's, and not for ever.
	d.pass(-2 * time.Hour)
	d.pass(2 * time.Hour)
	b.open(view.PathOperatorCatalogue)
	b.post(view.PathOperatorPublish, url.Values{"upload": {"nonsense"}})
	b.status(http.StatusUnprocessableEntity)
	b.says("The upload is no longer kept.")
}

func offerScopes(offer api.Offer, version string) []string {
	var out []string
	for _, v := range offer.APIs[0].Versions {
		for _, c := range v.Categories {
			for _, s := range c.Scopes {
				if v.Name == version {
					out = append(out, s.Name)
				}
			}
		}
	}
	return out
}

func TestDocumentsWithFatalProblemsCannotBePublished(t *testing.T) {
	d := newDesk(t)
	b := d.as(operatorMail)
	before, err := d.authority.Catalogue(context.Background(), d.actors[operatorMail])
	d.must(err)
	broken := changed(t, "catalog.yaml", func(s string) string {
		return strings.Replace(s, "documents: [agency/v3/*.yaml, agency/v3/*.json]", "documents: [agency/v3/*.yaml, agency/v3/none.json]", 1)
	})
	b.upload(map[string]string{"c.zip": string(zipped(t, "", broken))})
	b.says("fatal", "catalog.yaml:", "This cannot be published.")
	if form, _ := b.page.button("Publish"); form != nil {
		t.Error("Publish is offered")
	}
	kept := ""
	for _, n := range b.page.all(func(n *html.Node) bool { return attr(n, "name") == "upload" }) {
		kept = attr(n, "value")
	}
	b.post(view.PathOperatorPublish, url.Values{"upload": {kept}, "confirm": {"yes"}})
	b.says("This cannot be published.")
	for what, files := range map[string]map[string]string{
		"no file": {}, "no archive": {"c.zip": "junk"}, "no catalogue": {"readme.yaml": "a: b"},
		"no YAML": {"catalog.yaml": "\t: ["}, "an empty archive": {"c.zip": string(zipped(t, "", nil))},
	} {
		b.upload(files)
		if b.page.status != http.StatusUnprocessableEntity && !strings.Contains(b.page.text(), "cannot be published") {
			t.Errorf("%s: %d %s", what, b.page.status, b.page.text())
		}
	}
	after, err := d.authority.Catalogue(context.Background(), d.actors[operatorMail])
	d.must(err)
	equal(b, "what is live", after.Hash, before.Hash)
}

func TestTheCatalogueIsUploadedAsFiles(t *testing.T) {
	d := newDesk(t)
	b := d.as(operatorMail)
	b.upload(map[string]string{
		"catalog.yaml": "apis:\n  tiny:\n    title: Tiny API\n    accounts: [partner]\n    base: /Tiny/{AccountSID}\n    hosts: [api.example.com]\n" +
			"    versions:\n      \"1\": {state: current, released: 2026-01-01, documents: [tiny.yaml]}\n",
		"tiny.yaml": "openapi: 3.1.0\ninfo: {title: Tiny, version: \"1\"}\ncomponents: {securitySchemes: {token: {type: http, scheme: basic}}}\nsecurity: [{token: []}]\n" +
			"paths:\n  /Tiny/{AccountSID}/Things:\n    parameters: [{name: AccountSID, in: path, required: true, schema: {type: string}}]\n" +
			"    get: {operationId: listThings, tags: [Things], summary: List things, responses: {\"200\": {description: ok}}}\n" +
			"  /Tiny/{AccountSID}/Ping:\n    parameters: [{name: AccountSID, in: path, required: true, schema: {type: string}}]\n" +
			"    get: {operationId: ping, tags: [Things], summary: Ping, security: [], responses: {\"200\": {description: ok}}}\n",
	})
	b.says("Added", "List things", "Public operations", "Anybody on the network may call them.", "/Tiny/{AccountSID}/Ping")
	equal(b, "public operations are not ticked", b.page.checked("public"), "")
	b.press("Publish", nil)
	b.says("The catalogue was published.", "Tiny API")
}
