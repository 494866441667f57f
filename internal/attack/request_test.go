package attack_test

import (
	"encoding/base64"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
)

var (
	drawValue = rapid.SampledFrom([]string{"7", "a1", "jobs", "export", "Jobs", "v7", "007", "-5", "a.b", "7.json", "21", "22", "a:b", "%C3%A9", "x!y", "v1:run", "x-1-y"})
	drawBrand = rapid.SampledFrom([]string{"21", "21", "22", "23", "99", "021", "x"})
	drawHost  = rapid.SampledFrom([]string{host, host, host, host, host, host, host, host, host, host, host, host, host, host, host, host, host, host, host, host, "API.example.com", "api.example.com:443", "evil.example.com", "api.example.com.", "api.example.com:"})
)

// drawAsk draws a request: mostly one of the catalogue's operations, called by a token as it should be, and
// half of the time something done to it.
func drawAsk(t *rapid.T, o *oracle, tokens []held) ask {
	who := &tokens[rapid.IntRange(0, len(tokens)-1).Draw(t, "who")]
	q := ask{method: drawMethod.Draw(t, "called"), host: drawHost.Draw(t, "host")}
	all := o.mounts()
	if len(all) == 0 || rapid.IntRange(0, 9).Draw(t, "somewhere") == 0 {
		q.target = "/A/" + who.grant.SID + "/" + drawValue.Draw(t, "nowhere")
	} else {
		if mine := o.openTo(all, &who.grant); len(mine) > 0 && rapid.IntRange(0, 4).Draw(t, "one of its own") > 0 {
			all = mine
		}
		m := &all[rapid.IntRange(0, len(all)-1).Draw(t, "operation")]
		if rapid.IntRange(0, 7).Draw(t, "its method") > 0 {
			q.method = m.route.Method
		}
		q.target = spell(t, m, who, tokens)
		drawVersion(t, &q, m, who)
	}
	switch rapid.IntRange(0, 15).Draw(t, "credential") {
	case 0:
	case 1:
		q.add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(who.grant.SID+":"+who.secret)))
	default:
		q.add("Authorization", "Bearer "+who.secret)
	}
	if rapid.IntRange(0, 4).Draw(t, "attack") < 2 {
		attacks[rapid.IntRange(0, len(attacks)-1).Draw(t, "by")](t, &q, who, tokens)
	}
	return q
}

// openTo are the operations of the versions that a token pins, those first that it opens.
func (o *oracle) openTo(all []mount, g *api.Grant) (mine []mount) {
	for _, m := range all {
		if first(g, m.api) != m.version.Name || first(g, m.own) == "" {
			continue
		}
		mine = append(mine, m)
		if ticked(&m, g, m.version.Name) {
			mine = append(mine, m, m, m)
		}
	}
	return mine
}

func (q *ask) add(name, value string) { q.fields = append(q.fields, [2]string{name, value}) }

func drawVersion(t *rapid.T, q *ask, m *mount, who *held) {
	if rapid.IntRange(0, 3).Draw(t, "names a version") > 0 {
		return
	}
	version := rapid.SampledFrom([]string{m.version.Name, m.version.Name, "1", "2", "9", ""}).Draw(t, "version")
	if rapid.Bool().Draw(t, "by query") {
		q.target += "?IrVersion=" + version
		return
	}
	q.add(rapid.SampledFrom([]string{"IR-Version", "IR-Version", "C-Version"}).Draw(t, "field"), version)
}

// spell fills a template.
func spell(t *rapid.T, m *mount, who *held, tokens []held) (path string) {
	brandAt := -1
	for _, p := range m.own.Passthrough {
		brandAt = len(split(p.Prefix)) - 1
	}
	bound := false
	for i, s := range m.segments {
		at := hole.FindStringIndex(s)
		if at == nil {
			path += "/" + s
			continue
		}
		var v string
		switch {
		case !bound && !m.route.Outside && m.own.Bind != decide.BindNone:
			bound = true
			v = who.grant.SID
			if rapid.IntRange(0, 7).Draw(t, "another") == 0 {
				v = tokens[rapid.IntRange(0, len(tokens)-1).Draw(t, "whose")].grant.SID
			}
			if m.own.Bind == decide.BindAccount {
				v = strconv.FormatInt(who.grant.Account, 10)
			}
		case i == brandAt:
			v = drawBrand.Draw(t, "brand")
		default:
			v = drawFor(t, m, strings.Trim(s[at[0]:at[1]], "{}"))
		}
		path += "/" + s[:at[0]] + v + s[at[1]:]
	}
	if rapid.IntRange(0, 9).Draw(t, "format") == 0 {
		path += ".json"
	}
	if path == "" {
		return "/"
	}
	return path
}

// drawFor draws a value for a parameter, mostly one that its operation takes.
func drawFor(t *rapid.T, m *mount, name string) string {
	at := slices.IndexFunc(m.route.Params, func(p decide.Param) bool { return p.Name == name })
	if rapid.IntRange(0, 3).Draw(t, "any value") == 0 {
		return drawValue.Draw(t, "value")
	}
	if at < 0 {
		return rapid.SampledFrom([]string{"7", "a1", "a.b", "v", "21"}).Draw(t, "plain value")
	}
	switch p := m.route.Params[at]; {
	case p.Percent:
		return rapid.SampledFrom([]string{"%C3%A9", "a%20b", "x%20", "%22", "%E2%84%AA", "%40"}).Draw(t, "escaped value")
	case p.Allow != "":
		return rapid.SampledFrom([]string{"a:b", "@", "x:run"}).Draw(t, "odd value")
	}
	return "7"
}

// attacks are what SECURITY.md tells of peers, section 2.1 and 2.2, done to a request.
var attacks = []func(*rapid.T, *ask, *held, []held){
	attackPath, attackPath, attackPath, attackEscape, attackEscape, attackCase, attackQuery, attackVersion, attackMethod, attackMethod,
	attackCredential, attackCredential, attackFields, attackTarget,
}

// at gives a place in the path that is no slash's.
func place(t *rapid.T, q *ask) int {
	path, _, _ := strings.Cut(q.target, "?")
	return rapid.IntRange(1, max(1, len(path)-1)).Draw(t, "place")
}

// attackPath puts something between two octets, or at the end: classes 1 to 6.
func attackPath(t *rapid.T, q *ask, _ *held, _ []held) {
	what := rapid.SampledFrom([]string{
		"/", "//", "/.", "/..", "/./", "/../", "/..;/", "%2f", "%2F..%2f", "%2e%2e/", "..%2fexport", "%252f", "%5c", `\`, ";", ";x=1", "%3b", "%00", "%0d%0a",
		"#", "%23", "%3f", ".", "..", ".json", ".xml", ".JSON", "%20", "%09", "\xc3\xa9", "%c3%a9", "%c0%af", "%ff", "%u002f", "%", "%4", "%zz", "/jobs", "/export", "/../export", "/..%2fexport", "%EF%BC%8F",
		"~", "!", "@", ":run", "*",
	}).Draw(t, "what")
	path, query, asked := strings.Cut(q.target, "?")
	at := place(t, q)
	switch rapid.IntRange(0, 3).Draw(t, "where") {
	case 0, 1:
		at = len(path)
	case 2:
		if slash := strings.LastIndexByte(path, '/'); slash > 0 {
			at = slash
		}
	}
	at = min(at, len(path))
	q.target = path[:at] + what + path[at:]
	if asked {
		q.target += "?" + query
	}
}

// attackEscape spells one octet as an escape: classes 2 and 3.
func attackEscape(t *rapid.T, q *ask, _ *held, _ []held) {
	at := min(place(t, q), len(q.target)-1)
	form := rapid.SampledFrom([]string{"%%%02x", "%%%02X", "%%25%02x"}).Draw(t, "form")
	q.target = q.target[:at] + fmt.Sprintf(form, q.target[at]) + q.target[at+1:]
}

// attackCase turns one segment's case: class 4.
func attackCase(t *rapid.T, q *ask, _ *held, _ []held) {
	list := strings.Split(q.target, "/")
	at := rapid.IntRange(0, len(list)-1).Draw(t, "segment")
	list[at] = rapid.SampledFrom([]func(string) string{strings.ToUpper, strings.ToLower}).Draw(t, "case")(list[at])
	q.target = strings.Join(list, "/")
}

// attackQuery adds what some server reads from a query: classes 6, 8, 16 and 34.
func attackQuery(t *rapid.T, q *ask, who *held, _ []held) {
	separator := "?"
	if strings.Contains(q.target, "?") {
		separator = rapid.SampledFrom([]string{"&", ";"}).Draw(t, "separator")
	}
	q.target += separator + rapid.SampledFrom([]string{
		"_method=DELETE", "%5fmethod=PUT", "_METHOD=POST", "access_token=" + who.secret, "access%5Ftoken=x", "IrVersion=1", "IrVersion=2", "Ir%56ersion=1",
		"irversion=2", "IrVersion[]=1", "x=/../export", "x=%2e%2e%2f", "a=1&IrVersion=1&IrVersion=2", "x=1#y", "x=;IrVersion=3", "IrVersion", "",
	}).Draw(t, "query")
}

// attackVersion names a version once more, or otherwise: class 34.
func attackVersion(t *rapid.T, q *ask, _ *held, _ []held) {
	name := rapid.SampledFrom([]string{"IR-Version", "ir-version", "IR_Version", "IR.Version", "C-Version", "C_Version"}).Draw(t, "name")
	q.add(name, rapid.SampledFrom([]string{"1", "2", "3", "1,2", "01", "v1", "1;2", "latest"}).Draw(t, "version"))
	if rapid.Bool().Draw(t, "twice") {
		q.add(name, rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version"))
	}
}

// attackMethod replaces the method: class 8.
func attackMethod(t *rapid.T, q *ask, _ *held, _ []held) {
	if rapid.IntRange(0, 3).Draw(t, "spelling") == 0 {
		q.method = rapid.SampledFrom([]string{"get", "Get", "TRACE", "CONNECT", "PROPFIND", "GETS", "POST"}).Draw(t, "method")
		return
	}
	if rapid.Bool().Draw(t, "posted") {
		q.method = "POST"
	}
	name := rapid.SampledFrom([]string{"X-HTTP-Method-Override", "X-HTTP-Method-Override", "x-http-method", "X_HTTP_Method_Override", "X-Method-Override", "X.HTTP.Method"}).Draw(t, "name")
	q.add(name, rapid.SampledFrom([]string{"GET", "PUT", "DELETE", "put", "FOO", ""}).Draw(t, "instead"))
	if rapid.IntRange(0, 4).Draw(t, "twice") == 0 {
		q.add(name, "GET")
	}
}

// attackCredential spells, doubles, mixes and breaks credentials: classes 16, 27 and 36.
func attackCredential(t *rapid.T, q *ask, who *held, tokens []held) {
	otherToken := tokens[rapid.IntRange(0, len(tokens)-1).Draw(t, "mixed with")]
	cut := who.secret[:len(who.secret)-1]
	value := rapid.SampledFrom([]string{
		"bearer " + who.secret, "BEARER " + who.secret, "Bearer  " + who.secret, "Bearer\t" + who.secret, "Bearer " + cut, "Bearer " + cut + "0", "Bearer " + strings.ToUpper(who.secret),
		"Bearer " + who.secret + ",", "Bearer " + who.grant.SID, "Token " + who.secret, who.secret, "Bearer", "Bearer ",
		"Basic " + base64.StdEncoding.EncodeToString([]byte(otherToken.grant.SID+":"+who.secret)),
		"Basic " + base64.StdEncoding.EncodeToString([]byte(who.secret+":")),
		"Basic " + base64.RawStdEncoding.EncodeToString([]byte(who.grant.SID+":"+who.secret+"x")),
		"Basic " + base64.StdEncoding.EncodeToString([]byte(":"+who.secret)), "Basic ====", "Bearer " + otherToken.secret,
		"Bearer " + who.secret[:28] + otherToken.secret[28:], "Bearer " + who.secret + strings.Repeat("a", 500),
		"Bearer " + who.secret + ", Bearer " + otherToken.secret,
	}).Draw(t, "value")
	if rapid.Bool().Draw(t, "instead") {
		kept := q.fields[:0]
		for _, f := range q.fields {
			if textproto.CanonicalMIMEHeaderKey(f[0]) != "Authorization" {
				kept = append(kept, f)
			}
		}
		q.fields = kept
	}
	q.add(rapid.SampledFrom([]string{"Authorization", "authorization", "Authorization", "Proxy-Authorization", "X-Authorization"}).Draw(t, "name"), value)
}

// attackFields sends what only a proxy or the verifier may say: classes 10 to 15.
func attackFields(t *rapid.T, q *ask, _ *held, _ []held) {
	name := rapid.SampledFrom([]string{
		"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Counterfoil-Account", "X_Counterfoil_Sid", "X-Counterfoil.Scope",
		"X-Counterfoil-Brand", "X-Real-Ip", "X-Forwarded-For", "Forwarded",
	}).Draw(t, "name")
	q.add(name, rapid.SampledFrom([]string{"/A/x/export", "DELETE", "99", "127.0.0.1"}).Draw(t, "claim"))
}

// attackTarget is about forms of the target and the host: classes 7 and 17.
func attackTarget(t *rapid.T, q *ask, _ *held, _ []held) {
	q.target = rapid.SampledFrom([]string{
		"http://" + q.host + q.target, "https://" + q.host + q.target, "http://evil.example.com" + q.target, "//" + q.host + q.target, "*", "/", q.target[1:],
		q.target + "/" + strings.Repeat("a", 129), q.target + strings.Repeat("/a", 40), "http://" + q.host, "ftp://" + q.host + q.target,
	}).Draw(t, "form")
}
