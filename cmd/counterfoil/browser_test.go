package main

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// browser walks pages as a browser without scripts does: it keeps cookies, follows redirects, and sends
// the forms that it was given with what stands in them.
type browser struct {
	testing.TB
	http    *http.Client
	cookies map[string]bool // every value that was ever set
	at      *url.URL
	status  int
	text    string
	page    *html.Node
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{TB: t, http: &http.Client{Jar: jar}, cookies: map[string]bool{}}
	b.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		b.note(r.Response)
		return nil
	}
	return b
}

func (b *browser) note(answer *http.Response) {
	for _, c := range answer.Cookies() {
		if c.Value != "" {
			b.cookies[c.Value] = true
		}
	}
}

// try sends a request and reads the page. An error is one of the way, not of the page.
func (b *browser) try(r *http.Request) error {
	answer, err := b.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b.note(answer)
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil {
		return err
	}
	page, err := html.Parse(strings.NewReader(text.String()))
	if err != nil {
		return err
	}
	b.at, b.status, b.text, b.page = answer.Request.URL, answer.StatusCode, text.String(), page
	return nil
}

// open goes to an address, or to a path of the site it is on.
func (b *browser) open(address string) {
	b.Helper()
	if err := b.tryOpen(address); err != nil {
		b.Fatal(err)
	}
}

func (b *browser) tryOpen(address string) error {
	at, err := url.Parse(address)
	if err != nil {
		return err
	}
	if b.at != nil {
		at = b.at.ResolveReference(at)
	}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	return b.try(r)
}

// expect demands a status and words on the page.
func (b *browser) expect(status int, words ...string) {
	b.Helper()
	if b.status != status {
		b.Fatalf("%s: status %d, want %d\n%s", b.at, b.status, status, visible(b.page))
	}
	shown := visible(b.page)
	for _, w := range words {
		if !strings.Contains(shown, w) {
			b.Fatalf("%s does not say %q:\n%s", b.at, w, shown)
		}
	}
}

// upload is a file that a form sends.
type upload struct{ name, body string }

// send fills in fields of the form that has a button with these words, and presses it. A field that the
// form does not have is a fault of the test or of the page.
func (b *browser) send(button string, fields url.Values, files ...upload) {
	b.Helper()
	if err := b.trySend(button, fields, files...); err != nil {
		b.Fatal(err)
	}
}

func (b *browser) trySend(button string, fields url.Values, files ...upload) error {
	form, pressed := b.form(button)
	if form == nil {
		return fmt.Errorf("%s has no form with a button %q:\n%s", b.at, button, visible(b.page))
	}
	values, offered := formValues(form)
	for name, list := range fields {
		for _, v := range list {
			if o, ok := offered[name]; !ok || len(o) > 0 && !slices.Contains(o, v) {
				return fmt.Errorf("the form %q of %s does not offer %q for %q, but %q", button, b.at, v, name, o)
			}
		}
		values[name] = list
	}
	if name := attribute(pressed, "name"); name != "" {
		values[name] = []string{attribute(pressed, "value")}
	}
	to, err := b.at.Parse(attribute(form, "action"))
	if err != nil {
		return err
	}
	if strings.EqualFold(attribute(form, "method"), "get") {
		to.RawQuery = values.Encode()
		return b.tryOpen(to.String())
	}
	body, kind := []byte(values.Encode()), "application/x-www-form-urlencoded"
	if attribute(form, "enctype") == "multipart/form-data" {
		if body, kind, err = multipartBody(values, files); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
	return b.try(r)
}

func multipartBody(values url.Values, files []upload) ([]byte, string, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, list := range values {
		for _, v := range list {
			if err := w.WriteField(name, v); err != nil {
				return nil, "", err
			}
		}
	}
	for _, f := range files {
		part, err := w.CreateFormFile("file", path.Base(f.name))
		if err != nil {
			return nil, "", err
		}
		if _, err := part.Write([]byte(f.body)); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return body.Bytes(), w.FormDataContentType(), nil
}

// form finds a form by the words on one of its buttons.
func (b *browser) form(button string) (form, pressed *html.Node) {
	for f := range b.page.Descendants() {
		if f.Data != "form" || f.Type != html.ElementNode {
			continue
		}
		for n := range f.Descendants() {
			// A button that is hidden from people is there for the Enter key.
			if n.Type == html.ElementNode && n.Data == "button" && attribute(n, "aria-hidden") == "" && strings.TrimSpace(visible(n)) == button {
				return f, n
			}
		}
	}
	return nil, nil
}

// formValues are what a form sends when nothing is changed, and what its fields offer: the values of boxes
// and lists, and none for what is typed.
func formValues(form *html.Node) (values url.Values, offered map[string][]string) {
	values, offered = url.Values{}, map[string][]string{}
	for n := range form.Descendants() {
		name := attribute(n, "name")
		if n.Type != html.ElementNode || name == "" || has(n, "disabled") {
			continue
		}
		switch kind := attribute(n, "type"); {
		case n.Data == "input" && (kind == "checkbox" || kind == "radio"):
			offered[name] = append(offered[name], attribute(n, "value"))
			if has(n, "checked") {
				values.Add(name, attribute(n, "value"))
			}
		case n.Data == "input" && kind != "file":
			offered[name] = nil
			values.Add(name, attribute(n, "value"))
		case n.Data == "textarea":
			offered[name] = nil
			values.Add(name, text(n))
		case n.Data == "select":
			var selected string
			offered[name], selected = options(n)
			values.Add(name, selected)
		}
	}
	return values, offered
}

func options(list *html.Node) (all []string, selected string) {
	for n := range list.Descendants() {
		if n.Type != html.ElementNode || n.Data != "option" {
			continue
		}
		if all = append(all, attribute(n, "value")); len(all) == 1 || has(n, "selected") {
			selected = attribute(n, "value")
		}
	}
	return all, selected
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "script" && d.Parent.Data != "style" {
			out.WriteString(d.Data)
		}
	}
	return out.String()
}

var blanks = regexp.MustCompile(`\s+`)

// visible is the text of a part of a page, with single blanks.
func visible(n *html.Node) string { return strings.TrimSpace(blanks.ReplaceAllString(text(n), " ")) }

// byID reads the text of the element with an id.
func (b *browser) byID(id string) string {
	b.Helper()
	for n := range b.page.Descendants() {
		if n.Type == html.ElementNode && attribute(n, "id") == id {
			return strings.TrimSpace(text(n))
		}
	}
	b.Fatalf("%s has no element %q:\n%s", b.at, id, visible(b.page))
	return ""
}

const tokensPath = "/settings/technical/platform-rest-web-services"

// wizard makes a token through the four steps, as an account user, and reads SID and secret off the page.
// It reports an error when the way is cut.
func (b *browser) wizard(name, category string, scopes ...string) (sid, authToken string, err error) {
	b.Helper()
	if err := b.tryOpen(tokensPath + "/new"); err != nil {
		return "", "", err
	}
	b.expect(http.StatusOK, "Step 1 of 4")
	if err := b.trySend("Next", url.Values{"name": {name}}); err != nil {
		return "", "", err
	}
	b.expect(http.StatusOK, "Step 2 of 4", "Primary Contact")
	if err := b.trySend("Next", nil); err != nil {
		return "", "", err
	}
	b.expect(http.StatusOK, "Search scopes")
	if err := b.trySend("Next", url.Values{"category": {category}, "scope": scopes}); err != nil {
		return "", "", err
	}
	b.expect(http.StatusOK, name)
	if err := b.trySend("Create", nil); err != nil {
		return "", "", err
	}
	b.expect(http.StatusOK, "Copy the Auth Token now")
	return b.byID("sid"), b.byID("auth-token"), nil
}
