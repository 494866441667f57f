package console_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// browser is a browser without JavaScript: it keeps cookies, reads the forms of a page, and sends what
// a form would send, so that a test can do no more than a person could.
type browser struct {
	*desk
	client *http.Client
	page   *page
}

// page is what a browser was answered.
type page struct {
	status int
	header http.Header
	url    *url.URL
	body   string
	doc    *html.Node
}

func (d *desk) browser() *browser {
	d.Helper()
	jar, err := cookiejar.New(nil)
	d.must(err)
	return &browser{desk: d, client: &http.Client{Jar: jar, Transport: d.client().Transport}}
}

// as is a browser in which somebody has signed in by a one-time link.
func (d *desk) as(email string) *browser {
	d.Helper()
	b := d.browser()
	b.open(d.link(email))
	b.press("Sign in", nil)
	if b.page.status != http.StatusOK {
		d.Fatalf("signing %s in: %d %s", email, b.page.status, b.page.text())
	}
	return b
}

// open follows a link.
func (b *browser) open(path string) *page {
	b.Helper()
	r, err := http.NewRequest(http.MethodGet, b.url+path, nil)
	b.must(err)
	return b.send(r)
}

// post sends what no form of a page would, with the right form token.
func (b *browser) post(path string, form url.Values) *page {
	b.Helper()
	if form == nil {
		form = url.Values{}
	}
	if !form.Has("csrf") {
		form.Set("csrf", b.csrf())
	}
	return b.send(b.request(path, form))
}

func (b *browser) request(path string, form url.Values) *http.Request {
	b.Helper()
	r, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	b.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// csrf is the token of the forms of the page that is open.
func (b *browser) csrf() string {
	b.Helper()
	if b.page != nil {
		for n := range b.page.doc.Descendants() {
			if n.DataAtom == atom.Input && attr(n, "name") == "csrf" {
				return attr(n, "value")
			}
		}
	}
	b.Fatal("no page with a form is open")
	return ""
}

func (b *browser) send(r *http.Request) *page {
	b.Helper()
	b.page = b.exchange(r)
	return b.page
}

// exchange sends a request without opening what comes.
func (b *browser) exchange(r *http.Request) *page {
	b.Helper()
	answered, err := b.client.Do(r)
	b.must(err)
	p := &page{status: answered.StatusCode, header: answered.Header, url: answered.Request.URL}
	body, err := io.ReadAll(answered.Body)
	b.must(err)
	b.must(answered.Body.Close())
	p.body = string(body)
	p.doc, err = html.Parse(strings.NewReader(p.body))
	b.must(err)
	var header strings.Builder
	b.must(answered.Header.Write(&header))
	b.hear(answer{r.URL.String() + " " + p.url.String(), header.String(), p.body, strings.Contains(p.body, `id="auth-token"`)})
	return p
}

// press fills in the form that has the button and sends it. A button is named by its words, or as
// name=value. A value is given to a control as a person can: a drop-down or a row of radio buttons must
// have it, a check box is ticked when its value is in the list and not otherwise, and nothing that is
// disabled or not there can be set.
func (b *browser) press(button string, fill url.Values) *page {
	b.Helper()
	form, pressed := b.page.button(button)
	if form == nil {
		b.Fatalf("%s has no button %q: %s", b.page.url, button, strings.Join(b.page.buttons(), ", "))
	}
	values := b.filled(form, fill)
	if name := attr(pressed, "name"); name != "" {
		values.Add(name, attr(pressed, "value"))
	}
	return b.submit(form, values)
}

func (b *browser) submit(form *html.Node, values url.Values) *page {
	b.Helper()
	action := attr(form, "action")
	at, err := b.page.url.Parse(action)
	b.must(err)
	if attr(form, "method") != "post" {
		at.RawQuery = values.Encode()
		return b.open(at.RequestURI())
	}
	return b.send(b.request(at.RequestURI(), values))
}

// filled are the successful controls of a form.
func (b *browser) filled(form *html.Node, fill url.Values) url.Values {
	b.Helper()
	values, left := url.Values{}, url.Values{}
	for name, v := range fill {
		left[name] = slices.Clone(v)
	}
	took := func(name, value string) bool {
		i := slices.Index(left[name], value)
		if i >= 0 {
			left[name] = slices.Delete(left[name], i, i+1)
		}
		return i >= 0
	}
	for n := range form.Descendants() {
		name := attr(n, "name")
		if name == "" || has(n, "disabled") {
			continue
		}
		_, set := fill[name]
		switch {
		case n.DataAtom == atom.Textarea:
			values.Add(name, textOr(set, fill, left, name, rawText(n)))
		case n.DataAtom == atom.Select:
			values.Add(name, b.option(n, set, fill.Get(name), took))
		case n.DataAtom != atom.Input:
		case attr(n, "type") == "checkbox" || attr(n, "type") == "radio":
			if on := has(n, "checked"); set && took(name, attr(n, "value")) || !set && on {
				values.Add(name, attr(n, "value"))
			}
		case attr(n, "type") != "file":
			values.Add(name, textOr(set, fill, left, name, attr(n, "value")))
		}
	}
	for name, rest := range left {
		if len(rest) > 0 {
			b.Fatalf("%s: a person cannot set %s to %q", b.page.url, name, rest)
		}
	}
	return values
}

func textOr(set bool, fill, left url.Values, name, otherwise string) string {
	if !set {
		return otherwise
	}
	left[name] = nil
	return fill.Get(name)
}

func (b *browser) option(n *html.Node, set bool, want string, took func(string, string) bool) string {
	b.Helper()
	first, chosen, found, any := "", "", false, false
	for o := range n.Descendants() {
		if o.DataAtom != atom.Option {
			continue
		}
		value := attr(o, "value")
		if !found && has(o, "selected") || set && value == want {
			chosen, found = value, true
		}
		if !any {
			first, any = value, true
		}
		if set && value == want {
			took(attr(n, "name"), want)
			return want
		}
	}
	if !found {
		return first
	}
	return chosen
}

// button finds a button and its form.
func (p *page) button(label string) (form, button *html.Node) {
	name, value, byValue := strings.Cut(label, "=")
	for n := range p.doc.Descendants() {
		if n.DataAtom != atom.Button || attr(n, "type") != "submit" {
			continue
		}
		if byValue && attr(n, "name") == name && attr(n, "value") == value || !byValue && words(n) == label && attr(n, "aria-hidden") != "true" {
			for f := n.Parent; f != nil; f = f.Parent {
				if f.DataAtom == atom.Form {
					return f, n
				}
			}
		}
	}
	return nil, nil
}

func (p *page) buttons() []string {
	var out []string
	for n := range p.doc.Descendants() {
		if n.DataAtom == atom.Button {
			out = append(out, words(n)+" ("+attr(n, "name")+"="+attr(n, "value")+")")
		}
	}
	return out
}

// all are the elements for which pick says yes.
func (p *page) all(pick func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	for n := range p.doc.Descendants() {
		if n.Type == html.ElementNode && pick(n) {
			out = append(out, n)
		}
	}
	return out
}

// of is the element with an id.
func (p *page) of(id string) *html.Node {
	found := p.all(func(n *html.Node) bool { return attr(n, "id") == id })
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// links are the addresses that a page leads to, with their words.
func (p *page) links() map[string]string {
	out := map[string]string{}
	for _, n := range p.all(func(n *html.Node) bool { return n.DataAtom == atom.A }) {
		out[words(n)] = attr(n, "href")
	}
	return out
}

// text is what is written in the page's main part, with single spaces.
func (p *page) text() string {
	main := p.of("main")
	if main == nil {
		return strings.Join(strings.Fields(p.body), " ")
	}
	return textOf(main)
}

// value is what a control holds.
func (p *page) value(id string) string {
	n := p.of(id)
	switch {
	case n == nil:
		return "(no " + id + ")"
	case n.DataAtom == atom.Textarea:
		return rawText(n)
	case n.DataAtom == atom.Select:
		for o := range n.Descendants() {
			if o.DataAtom == atom.Option && has(o, "selected") {
				return attr(o, "value")
			}
		}
		return ""
	}
	return attr(n, "value")
}

// checked are the values of the ticked boxes or the chosen radio button of a name.
func (p *page) checked(name string) string {
	var out []string
	for _, n := range p.all(func(n *html.Node) bool {
		return n.DataAtom == atom.Input && attr(n, "name") == name && has(n, "checked")
	}) {
		out = append(out, attr(n, "value"))
	}
	return strings.Join(out, " ")
}

// box is a scope's row.
func (p *page) box(scope string) *html.Node {
	in := p.of("scope-" + scope)
	for in != nil && in.DataAtom != atom.Li {
		in = in.Parent
	}
	return in
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func class(n *html.Node, name string) bool {
	return slices.Contains(strings.Fields(attr(n, "class")), name)
}

func textOf(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		if n.Type == html.ElementNode && n.DataAtom != atom.Bdi && n.DataAtom != atom.Span && n.DataAtom != atom.B && n.DataAtom != atom.A && n.DataAtom != atom.Code {
			b.WriteByte(' ')
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}

// rawText is the value of a text area: a parser drops its first line break, and so does a browser.
func rawText(n *html.Node) string {
	if n.FirstChild == nil {
		return ""
	}
	return n.FirstChild.Data
}

// words are what is seen of a button or link: without the parts that only a screen reader speaks.
func words(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		if n.Type == html.ElementNode && class(n, "hush") {
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// says fails unless the page says every sentence.
func (b *browser) says(sentences ...string) {
	b.Helper()
	text := b.page.text()
	for _, s := range sentences {
		if !strings.Contains(text, s) {
			b.Errorf("%s (%d) does not say %q:\n%s", b.page.url.RequestURI(), b.page.status, s, text)
		}
	}
}

// saysNot fails if the page says any of the sentences.
func (b *browser) saysNot(sentences ...string) {
	b.Helper()
	text := b.page.text()
	for _, s := range sentences {
		if strings.Contains(text, s) {
			b.Errorf("%s (%d) says %q:\n%s", b.page.url.RequestURI(), b.page.status, s, text)
		}
	}
}

// status fails unless the last answer had it.
func (b *browser) status(want int) {
	b.Helper()
	if b.page.status != want {
		b.Fatalf("%s answered %d, want %d: %s", b.page.url.RequestURI(), b.page.status, want, b.page.text())
	}
}

func equal[T comparable](b *browser, what string, got, want T) {
	b.Helper()
	if got != want {
		b.Errorf("%s: got %v, want %v", what, got, want)
	}
}
