package attack_test

import (
	"flag"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/proxytest"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// requests is how many are drawn for each catalogue; how many catalogues, says -rapid.checks (100).
var requests = flag.Int("requests", 400, "requests for each catalogue that is drawn")

// tally counts what was asked, so that a run shows that it was about something.
type tally struct {
	catalogues, asked, allowed, wire, alike, readings int
	codes                                             map[api.Code]int
}

// TestEveryDoorAnswersAsTheOracle draws catalogues, tokens and requests (SECURITY.md, section 3.4, and classes
// 1 to 17, 26, 34 and 35): each door gives the oracle's answer, and whatever passes opens, to no careless
// backend, an operation that the token does not.
func TestEveryDoorAnswersAsTheOracle(t *testing.T) {
	h := newHouse(t)
	for _, facts := range accounts() {
		h.authority.Account(facts)
	}
	h.authority.Publish(everyVersion())
	n := tally{codes: map[api.Code]int{}}
	rapid.Check(t, func(rt *rapid.T) {
		o, tokens := h.world(t, rt)
		n.catalogues++
		for range *requests {
			q := drawAsk(rt, o, tokens)
			h.agree(rt, o, &q, &n)
		}
		for _, tok := range tokens {
			h.authority.Remove(tok.grant.SID)
		}
	})
	t.Logf("%d catalogues, %d requests at 6 doors: %d allowed, %d that net/http answers itself, %d alike, %d readings by backends; %v",
		n.catalogues, n.asked, n.allowed, n.wire, n.alike, n.readings, n.codes)
	for _, code := range []api.Code{
		"", api.CodeMalformedRequest, api.CodeNoCredential, api.CodeInvalidToken, api.CodeTokenExpired, api.CodeTokenNotYetValid, api.CodeTokenDisabled,
		api.CodeTokenOnHold, api.CodeAccountSuspended, api.CodeNoRoute, api.CodeMethodNotAllowed, api.CodeWrongAccount, api.CodeBrandNotManaged,
		api.CodeBrandOutOfReach, api.CodeVersionNotAllowed, api.CodeVersionRetired, api.CodeInsufficientScope, api.CodeHostNotAllowed,
	} {
		if n.codes[code] == 0 && n.catalogues >= 100 {
			t.Errorf("no request was answered %q", code)
		}
	}
}

// world publishes a catalogue that is drawn, and tokens.
func (h *house) world(t testing.TB, rt *rapid.T) (*oracle, []held) {
	now := api.Micros(time.Now().UnixMicro())
	c := drawCatalogue(rt, int64(now))
	for i := range c.APIs {
		c.APIs[i].Upstream = "http://" + h.backend.Address
	}
	if _, err := decide.Compile(c, nil); err != nil {
		rt.Skip(err)
	}
	o := &oracle{catalogue: c, accounts: accounts(), grants: map[string]api.Grant{}, now: now}
	h.authority.Publish(*c)
	var tokens []held
	for i := range rapid.IntRange(1, 4).Draw(rt, "tokens") {
		kind := token.Access
		if i > 0 && rapid.IntRange(0, 9).Draw(rt, "kind") == 0 {
			kind = token.Zero
		}
		minted := verifytest.Mint(t, kind, agency)
		one := held{minted.Grant, minted.AuthToken}
		drawGrant(rt, &one, now)
		tokens = append(tokens, one)
		if rapid.IntRange(0, 15).Draw(rt, "unknown") == 0 {
			continue
		}
		o.grants[one.grant.SID] = one.grant
		h.authority.Put(one.grant)
	}
	h.authority.Settle(t, h.verifier)
	return o, tokens
}

// agree asks one request at every door.
func (h *house) agree(t *rapid.T, o *oracle, q *ask, n *tally) {
	want := o.judge(*q)
	alike := o.alike(q)
	n.asked++
	n.codes[want.code]++
	var d verify.Decision
	h.verify(q, &d)
	inProcess := outcome{door: "Verify", allowed: d.Allowed}
	if !d.Allowed {
		inProcess.code = d.Public()
	}
	got := []outcome{inProcess, h.byForwardAuth(q, doors.AuthorizePath), h.byForwardAuth(q, doors.AuthorizeNginxPath), h.byEnvoy(t, q)}
	for i := range got {
		check(t, o, q, &want, alike, &got[i])
		if got[i].code != got[0].code {
			t.Fatalf("%s says %q, %s %q\n%s", got[0].door, got[0].code, got[i].door, got[i].code, q.raw())
		}
	}
	if d.Allowed {
		n.allowed++
		checkDecision(t, q, &want, &d)
	}
	h.overTheWire(t, o, q, n)
}

// overTheWire asks the doors that take the request from their own listener: its host is that of the target.
func (h *house) overTheWire(t *rapid.T, o *oracle, q *ask, n *tally) {
	r := q.parsed()
	byGate, seen := h.byGateway(t, q)
	if r == nil {
		n.wire++
		if byGate.allowed || byGate.status < 400 {
			t.Fatalf("the gateway let pass what net/http refuses\n%s", q.raw())
		}
		return
	}
	own := *q
	own.host = r.Host
	want, alike := o.judge(own), o.alike(&own)
	if alike {
		n.alike++
	}
	byMiddleware := h.byMiddleware(r)
	check(t, o, &own, &want, alike, &byMiddleware)
	if q.method == "CONNECT" || q.method == "HEAD" {
		byGate.code = byMiddleware.code // there is no body to tell
	}
	if byGate.status == http.StatusBadRequest && byGate.code == "" {
		n.wire++ // the server of net/http is stricter than its reader
		return
	}
	check(t, o, &own, &want, alike, &byGate)
	if byGate.code != byMiddleware.code || len(seen) > 1 {
		t.Fatalf("the middleware says %q, the gateway %q, %d requests passed\n%s", byMiddleware.code, byGate.code, len(seen), q.raw())
	}
	for i := range seen {
		if wantTarget := strings.TrimPrefix(own.target, absolute.FindString(own.target)); seen[i].Target != wantTarget || seen[i].Method != own.method || seen[i].Host != own.host {
			t.Fatalf("judged %s %s, the backend got %s %s of %s", own.method, wantTarget, seen[i].Method, seen[i].Target, seen[i].Host)
		}
		if how := o.misread(&own, &want, &seen[i], n); how != "" {
			text, _ := o.catalogue.Canonical()
			t.Fatalf("a backend may read %s %s as what the token does not open: %s\n%s%s", seen[i].Method, seen[i].Target, how, q.raw(), text)
		}
	}
}

// check compares one door's answer with the oracle's.
func check(t *rapid.T, o *oracle, q *ask, want *answer, alike bool, got *outcome) {
	if got.allowed != (got.code == "") {
		t.Fatalf("%s: allowed is %v, and the code %q\n%s", got.door, got.allowed, got.code, q.raw())
	}
	if got.code == api.CodeMalformedRequest && alike {
		return
	}
	if got.code != want.code {
		text, _ := o.catalogue.Canonical()
		t.Fatalf("%s says %q, the oracle %q\n%s%+v\n%s", got.door, got.code, want.code, q.raw(), o.grants, text)
	}
	if !got.allowed || got.identity == nil {
		return
	}
	if version := got.identity.Get(verify.VersionHeader); version != want.version || got.identity.Get(verify.APIHeader) != want.asked[0].api.Name {
		t.Fatalf("%s: judged %s %s, want %s\n%s", got.door, got.identity.Get(verify.APIHeader), version, want.version, q.raw())
	}
	if scopes := words(got.identity.Get(verify.ScopeHeader)); !slices.Equal(scopes, words(strings.Join(want.scopes, " "))) {
		t.Fatalf("%s: opened by %q, want %q\n%s", got.door, scopes, want.scopes, q.raw())
	}
	brand := ""
	if want.brand != 0 {
		brand = strconv.FormatInt(want.brand, 10)
	}
	for _, name := range verify.IdentityHeaders {
		if len(got.identity[name]) != 1 {
			t.Fatalf("%s: %s came %d times\n%s", got.door, name, len(got.identity[name]), q.raw())
		}
	}
	if got.identity.Get(verify.BrandHeader) != brand || got.identity.Get(verify.AccountHeader) == "99" {
		t.Fatalf("%s: brand %q, want %q\n%s", got.door, got.identity.Get(verify.BrandHeader), brand, q.raw())
	}
}

// words are the names in a list, each once, in order.
func words(list string) []string {
	return slices.Compact(slices.Sorted(slices.Values(strings.Fields(list))))
}

// checkDecision compares what only a caller in process is told: the operation.
func checkDecision(t *rapid.T, q *ask, want *answer, d *verify.Decision) {
	route := d.Route()
	if route == nil || !slices.ContainsFunc(want.asked, func(m mount) bool { return m.route.Method == route.Method && m.route.Template == route.Template }) {
		t.Fatalf("judged as %+v, want one of %+v\n%s", route, want.asked, q.raw())
	}
	if d.Version != want.version || d.Brand != want.brand {
		t.Fatalf("judged in version %s for brand %d, want %s and %d\n%s", d.Version, d.Brand, want.version, want.brand, q.raw())
	}
}

// alike says whether a careless server may take the path for another operation: then malformed_request is
// right, whatever else would be.
func (o *oracle) alike(q *ask) bool {
	path, _, sound := q.read()
	return sound && slices.ContainsFunc(o.mounts(), func(m mount) bool { return !m.matches(m.cut(path)) && (m.near(path) || m.near(m.cut(path))) })
}

// misread says how some backend would take a request that passed for an operation that was not granted.
func (o *oracle) misread(q *ask, granted *answer, seen *proxytest.Seen, n *tally) string {
	front, judged := granted.asked[0].own, granted.asked[0].api
	methods := proxytest.Methods(seen)
	if front.MethodHeader != "" && len(q.values(front.MethodHeader)) > 0 {
		methods = q.values(front.MethodHeader) // that backend honours it, and it was judged by it
	}
	g := o.grants[seen.Header.Get(verify.SIDHeader)]
	for path, how := range proxytest.Readings(seen.Target) {
		if strings.Contains(how, "strip_prefix") {
			continue // who cuts the front off finds anything in a catalogue whose words are few
		}
		n.readings++
		var here []mount
		for _, m := range o.mounts() {
			if m.own == front && m.api == judged && m.version.Name == granted.version && m.careless(split(path)) {
				here = append(here, m)
			}
		}
		for _, m := range here {
			beaten := slices.ContainsFunc(here, func(o mount) bool { return o.beats(&m) })
			own := seen.Method == "HEAD" && m.route.Method == "GET" && slices.ContainsFunc(here, func(o mount) bool { return o.route.Method == "HEAD" && !m.beats(&o) })
			if beaten || own || !slices.Contains(methods, m.route.Method) {
				continue
			}
			if why := o.opens(&m, &g, granted.version); why != "" {
				return how + ": " + path + " is " + m.route.Method + " /" + strings.Join(m.segments, "/") + ", " + why
			}
		}
	}
	return ""
}

// careless is matches in any case.
func (m *mount) careless(path []string) bool {
	if len(path) != len(m.segments) {
		return false
	}
	m.path = m.cut(path)
	for i, s := range m.path {
		if _, ok := value(strings.ToLower(hole.ReplaceAllString(m.segments[i], "{}")), strings.ToLower(s)); !ok {
			return false
		}
	}
	return true
}

// ticked says whether a token has the scopes of an operation in one version.
func ticked(m *mount, g *api.Grant, version string) bool {
	for _, p := range g.Pins {
		if p.API != m.api.Name || p.Version != version {
			continue
		}
		return slices.ContainsFunc(m.route.Needs, func(all []string) bool {
			return !slices.ContainsFunc(all, func(name string) bool { return !slices.Contains(p.Scopes, name) })
		})
	}
	return false
}

// opens says why a token does not open an operation where a backend finds it, "" if it does.
func (o *oracle) opens(m *mount, g *api.Grant, version string) string {
	if !m.route.Public && !ticked(m, g, version) {
		return "whose scopes it has not"
	}
	if g.SID == "" {
		return ""
	}
	named, bind := m.bound()
	namesake, there := o.grants[named]
	mine := strings.EqualFold(named, g.SID) || bind == decide.BindAnySID && there && namesake.Account == g.Account ||
		bind == decide.BindAccount && named == strconv.FormatInt(g.Account, 10) || bind == decide.BindNone
	if !mine {
		return "of another caller, " + named
	}
	if brand, is := m.brand(m.path); is && brand != strconv.FormatInt(brandOne, 10) && brand != strconv.FormatInt(brandTwo, 10) && (g.Account != other || brand != strconv.FormatInt(brandFar, 10)) {
		return "of brand " + brand
	}
	return ""
}
