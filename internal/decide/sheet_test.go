package decide_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/internal/decide"
)

// A sheet is a catalogue and callers written for people; the golden files under testdata are made of them:
//
//	api agency /Agencies/{AccountSID} sid
//	  host api.example.com
//	  through /Agencies/{AccountSID}/Advertisers/{AdvertiserId} brand
//	  version 3 current
//	    GET /Jobs/{JobId allow=:} = jobs.get-job | jobs.all, jobs.read
//
//	ann account=7 sid=AAA agency/3=jobs.get-job reach=all manages=12,13

// callerLine is a caller as a sheet names it, before the table knows its versions.
type callerLine struct {
	decide.Caller
	pins []pinLine
}

type pinLine struct {
	api, version string
	scopes       []string
}

func parseCatalogue(t testing.TB, text string) decide.Catalogue {
	t.Helper()
	var c decide.Catalogue
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " # ")
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch {
		case words[0] == "api":
			c.APIs = append(c.APIs, decide.API{Name: words[1], Base: strings.TrimPrefix(words[2], "-"), Bind: decide.Bind(words[3])})
		case len(c.APIs) == 0:
			t.Fatalf("sheet: %q comes before any api", line)
		default:
			readLine(t, &c.APIs[len(c.APIs)-1], line, words)
		}
	}
	return c
}

func readLine(t testing.TB, a *decide.API, line string, words []string) {
	t.Helper()
	switch words[0] {
	case "host":
		a.Hosts = words[1:]
	case "header":
		a.Header = words[1]
	case "query":
		a.Query = words[1]
	case "override":
		a.Override = true
	case "method-header":
		a.MethodHeader = words[1]
	case "method-in-body":
		a.MethodInBody = true
	case "suffix":
		a.Suffixes = words[1:]
	case "through":
		_, brand, _ := strings.Cut(words[1][strings.LastIndex(words[1], "/"):], "{")
		a.Passthrough = append(a.Passthrough, decide.Passthrough{Prefix: words[1], Brand: strings.TrimSuffix(brand, "}"), API: words[2]})
	case "version":
		v := decide.Version{Name: words[1], State: words[2]}
		if len(words) > 3 {
			v.Sunset = number(t, strings.TrimPrefix(words[3], "sunset="))
		}
		a.Versions = append(a.Versions, v)
	default:
		if len(a.Versions) == 0 {
			t.Fatalf("sheet: %q comes before any version", line)
		}
		readRoute(t, &a.Versions[len(a.Versions)-1], line)
	}
}

// readRoute reads `[outside] [strict] [upgrade] METHOD TEMPLATE = NEEDS`; the template - is the base itself,
// and NEEDS is public, nothing, or alternatives.
func readRoute(t testing.TB, v *decide.Version, line string) {
	t.Helper()
	left, needs, found := strings.Cut(strings.TrimSpace(line), " = ")
	if !found {
		t.Fatalf("sheet: %q says not what the route needs", line)
	}
	var r decide.Route
	if rest, ok := strings.CutPrefix(left, "outside "); ok {
		r.Outside, r.Bind, left = true, decide.BindNone, rest
	}
	left, r.Strict = strings.CutPrefix(left, "strict ")
	left, r.Upgrade = strings.CutPrefix(left, "upgrade ")
	r.Method, left, _ = strings.Cut(left, " ")
	r.Template, r.Params = readTemplate(strings.TrimPrefix(left, "-"))
	switch needs {
	case "public":
		r.Public = true
	case "nothing":
	default:
		for alternative := range strings.SplitSeq(needs, "|") {
			var all []string
			for name := range strings.SplitSeq(alternative, ",") {
				name = strings.TrimSpace(name)
				all = append(all, name)
				addScope(v, name)
			}
			r.Needs = append(r.Needs, all)
		}
	}
	v.Routes = append(v.Routes, r)
}

// readTemplate takes narrowings out of braces: {JobId allow=: integer enum=a,b pattern=x percent}.
func readTemplate(s string) (string, []decide.Param) {
	var out strings.Builder
	var params []decide.Param
	for {
		before, rest, found := strings.Cut(s, "{")
		out.WriteString(before)
		if !found {
			return out.String(), params
		}
		inner, after, _ := strings.Cut(rest, "}")
		words := strings.Fields(inner)
		out.WriteString("{" + words[0] + "}")
		s = after
		if len(words) == 1 {
			continue
		}
		p := decide.Param{Name: words[0]}
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			switch key {
			case "allow":
				p.Allow = value
			case "percent":
				p.Percent = true
			case "integer":
				p.Integer = true
			case "enum":
				p.Enum = strings.Split(value, ",")
			case "pattern":
				p.Pattern = value
			}
		}
		params = append(params, p)
	}
}

// addScope lists a scope with its category and label: jobs.get-job is "Jobs" and "Get job".
func addScope(v *decide.Version, name string) {
	if slices.ContainsFunc(v.Scopes, func(w decide.ScopeWords) bool { return w.Name == name }) {
		return
	}
	category, label, _ := strings.Cut(name, ".")
	v.Scopes = append(v.Scopes, decide.ScopeWords{Name: name, Category: capital(category), Label: capital(strings.ReplaceAll(label, "-", " "))})
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func number(t testing.TB, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatalf("sheet: %v", err)
	}
	return n
}

func numbers(t testing.TB, s string) []int64 {
	t.Helper()
	var out []int64
	for word := range strings.SplitSeq(s, ",") {
		out = append(out, number(t, word))
	}
	return out
}

// parseCallers reads `name account=7 sid=AAA api/version=scope,scope reach=all|1,2 manages=1,2 named`.
func parseCallers(t testing.TB, text string) map[string]callerLine {
	t.Helper()
	callers := map[string]callerLine{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		var c callerLine
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			switch api, version, pin := strings.Cut(key, "/"); {
			case pin:
				var scopes []string
				if value != "" {
					scopes = strings.Split(value, ",")
				}
				c.pins = append(c.pins, pinLine{api, version, scopes})
			case key == "account":
				c.Account = number(t, value)
			case key == "sid":
				c.SID = value
			case key == "named":
				c.Named = true
			case key == "manages":
				c.Managed = numbers(t, value)
			case key == "reach" && value == "all":
				c.ReachAll = true
			case key == "reach":
				c.Reach = numbers(t, value)
			default:
				t.Fatalf("sheet: caller %s has %q", words[0], word)
			}
		}
		callers[words[0]] = c
	}
	return callers
}

// in returns the caller as a verifier with that table knows it; nil for a caller without a credential.
func (c callerLine) in(table *decide.Table) *decide.Caller {
	caller := c.Caller
	for _, p := range c.pins {
		id := table.VersionID(p.api, p.version)
		caller.Pins = append(caller.Pins, decide.Pin{Version: id, Scopes: table.ScopeSet(id, p.scopes)})
	}
	return &caller
}

func compile(t testing.TB, c decide.Catalogue) *decide.Table {
	t.Helper()
	table, err := decide.Compile(&c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// ask sends one request through both halves, as a verifier does.
func ask(table *decide.Table, r *decide.Request, c *decide.Caller) (decide.Reason, *decide.Match, *decide.Verdict) {
	var m decide.Match
	var v decide.Verdict
	reason := table.Match(r, &m)
	if reason == decide.Allow {
		reason = table.Decide(&m, c, &v)
	}
	return reason, &m, &v
}

// fieldsOf lists all fields of a header.
func fieldsOf(header http.Header) []decide.Field {
	list := make([]decide.Field, 0, len(header))
	for name, values := range header {
		list = append(list, decide.Field{Name: name, Values: values})
	}
	return list
}

// parseRequest reads `METHOD TARGET [host=NAME] [now=MICROS] [Field: value] ...`; a target or a value may be
// a quoted Go string.
func parseRequest(t testing.TB, line string) *decide.Request {
	t.Helper()
	r, header := &decide.Request{Host: "api.example.com"}, http.Header{}
	take := func() string {
		line = strings.TrimLeft(line, " ")
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			line = line[len(quoted):]
			text, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		word, rest, _ := strings.Cut(line, " ")
		line = rest
		return word
	}
	r.Method, r.Target = take(), take()
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] != '[' || line[len(line)-1] != ']' {
			t.Fatalf("sheet: %q is not in brackets", line)
		}
		inner, rest, more := strings.Cut(line[1:], "] [")
		if line = ""; more {
			line = "[" + rest
		} else {
			inner = strings.TrimSuffix(inner, "]")
		}
		switch key, value, _ := strings.Cut(inner, "="); key {
		case "host":
			r.Host = value
			continue
		case "now":
			r.Now = number(t, value)
			continue
		}
		key, value, found := strings.Cut(inner, ":")
		if !found {
			t.Fatalf("sheet: %q is no field", inner)
		}
		header.Add(key, strings.TrimSpace(value))
	}
	r.Fields = fieldsOf(header)
	return r
}

// outcome writes a decision as the golden files do, with the facts that keys names.
func outcome(reason decide.Reason, m *decide.Match, v *decide.Verdict, keys []string) string {
	out := []string{reason.String()}
	missing := make([]string, len(v.Missing))
	for i, w := range v.Missing {
		missing[i] = w.Name
	}
	for _, key := range keys {
		value := "?"
		switch key {
		case "in":
			value = v.API + "/" + v.Version
		case "by":
			value = v.Scope
		case "missing":
			value = strings.Join(missing, ",")
		case "brand":
			value = strconv.FormatInt(v.Brand, 10)
		case "outer":
			value = v.OuterAPI + "/" + v.OuterVersion
		case "op":
			value = v.Operation
		case "elsewhere":
			value = v.Elsewhere
		case "methods":
			value = m.Methods()
		case "public":
			value = strconv.FormatBool(v.Public)
		case "strict":
			value = strconv.FormatBool(v.Strict)
		case "upgrade":
			value = strconv.FormatBool(v.Upgrade)
		case "bound":
			value = fmt.Sprintf("%s:%s", m.Bind(), m.Bound())
		}
		out = append(out, key+"="+value)
	}
	return strings.Join(out, "; ")
}
