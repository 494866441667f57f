package proxytest_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/proxytest"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// waiting are cases of the corpus that no door can answer yet, with the reason.
var waiting = map[string]string{
	"CRED-023": "tokens bound to a key (DPoP) do not exist yet",
}

// world is the corpus's desk, with doors on a listener as the product has it.
type world struct {
	c     *verifytest.Corpus
	doors string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{c: new(verifytest.Corpus)}
	if err := yaml.Unmarshal(verifytest.CorpusText(t), w.c); err != nil {
		t.Fatal(err)
	}
	v := w.c.Desk(t, "").Start(t, verify.Config{Console: "https://desk.example.com"})
	w.doors = proxytest.ServeDoors(t, v)
	return w
}

// tally counts what became of the cases behind one proxy.
type tally struct{ ran, allowed, byDoor, byProxy int }

// TestNoAttackOfTheCorpusPassesARealProxy sends every case that comes to the edge as raw octets to real
// proxies with the snippets that operators copy, and looks at what reached the backend (SECURITY.md,
// classes 1 to 9 and 13 to 16, end to end).
func TestNoAttackOfTheCorpusPassesARealProxy(t *testing.T) {
	w := newWorld(t)
	for _, family := range proxytest.Families {
		t.Run(family.Name, func(t *testing.T) {
			backend := proxytest.NewBackend(t)
			w.run(t, family.Start(t, proxytest.Setup{Doors: w.doors, Upstream: backend.Address}), backend)
		})
	}
	t.Run("traefik", func(t *testing.T) {
		backend := proxytest.NewBackend(t)
		w.run(t, traefik(t, w.doors, backend.Address), backend)
	})
}

// run sends all that comes to the edge through one proxy.
func (w *world) run(t *testing.T, proxy *proxytest.Proxy, backend *proxytest.Backend) {
	t.Helper()
	var n, more tally
	for i := range w.c.Cases {
		one := &w.c.Cases[i]
		switch {
		case one.Delivery != "edge":
		case waiting[one.ID] != "":
			t.Logf("%s waits: %s", one.ID, waiting[one.ID])
		case slices.Contains(one.Interfaces, "forward_auth"):
			w.judge(t, one, proxy, backend, &n)
		default:
			w.neverMore(t, one, proxy, backend, &more)
		}
	}
	t.Logf("%s: %d cases ran, %d passed as they may, %d were refused by the door, %d by the proxy; of %d more cases for other interfaces %d passed, granted all",
		proxy.Name, n.ran, n.allowed, n.byDoor, n.byProxy, more.ran, more.allowed)
	if n.ran < 140 || n.allowed < 20 || n.byDoor < 80 {
		t.Errorf("too few: %+v", n)
	}
}

// exchange sends a case and gives the answers with what reached the backend meanwhile.
func (w *world) exchange(t *testing.T, one *verifytest.Case, proxy *proxytest.Proxy, backend *proxytest.Backend) ([]verifytest.Answer, []proxytest.Seen) {
	t.Helper()
	raw := w.c.Raw(t, one)
	method, _, _ := strings.Cut(raw, " ")
	before := backend.Count()
	answers := verifytest.Exchange(t, proxy.Address, raw, method)
	return answers, backend.Since(before)
}

// judge holds a case to its expected answer.
func (w *world) judge(t *testing.T, one *verifytest.Case, proxy *proxytest.Proxy, backend *proxytest.Backend, n *tally) {
	t.Helper()
	answers, seen := w.exchange(t, one, proxy, backend)
	n.ran++
	if len(seen) > 1 {
		t.Errorf("%s: %d requests reached the backend", one.ID, len(seen))
	}
	var a verifytest.Answer
	if len(answers) > 0 {
		a = answers[0]
	}
	if len(seen) > 0 {
		n.allowed++
		if one.Expected.Decision == "deny" {
			t.Errorf("%s %s: passed as %s %s", one.ID, one.Title, seen[0].Method, seen[0].Target)
		}
		if one.Parsed != nil && (seen[0].Target != w.c.Spell(t, one, one.Parsed.Target) || seen[0].Method != one.Parsed.Method) {
			t.Errorf("%s: sent %s %s, the backend got %s %s", one.ID, one.Parsed.Method, one.Parsed.Target, seen[0].Method, seen[0].Target)
		}
		w.check(t, one, &seen[0])
		return
	}
	if one.Expected.Decision == "allow" {
		t.Errorf("%s %s: refused with %d %s %s", one.ID, one.Title, a.Status, a.Code(), a.Body)
	}
	code := a.Code()
	if code == "" && !(a.Header.Get("Www-Authenticate") != "" && len(a.Body) == 0) { // a refused HEAD has no body
		n.byProxy++
		return
	}
	n.byDoor++
	w.refusal(t, one, proxy, &a)
}

// refusal looks at what the client is told: the door's answer must come through whole.
func (w *world) refusal(t *testing.T, one *verifytest.Case, proxy *proxytest.Proxy, a *verifytest.Answer) {
	t.Helper()
	statuses := []int{401, 403, 429, 503}
	if proxy.Name == "nginx" {
		statuses = one.Expected.Status // the true one
	}
	w.c.Check(t, one, a, false, nil, statuses)
	if len(a.Body) > 0 && a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: the problem came as %q", one.ID, a.Header.Get("Content-Type"))
	}
	if a.Status == 405 && a.Header.Get("Allow") == "" {
		t.Errorf("%s: a 405 that names no method", one.ID)
	}
	challenges := len(a.Header["Www-Authenticate"])
	if a.Status == 401 && challenges != 1 {
		t.Errorf("%s: a 401 with %d challenges", one.ID, challenges)
	}
	if a.Code() == "insufficient_scope" && (challenges != 1 || !strings.Contains(a.Header.Get("Www-Authenticate"), `error="insufficient_scope"`)) {
		t.Errorf("%s: the challenge is %q", one.ID, a.Header["Www-Authenticate"])
	}
	for _, header := range []string{doors.StatusHeader, doors.ProblemHeader} {
		if a.Header.Get(header) != "" {
			t.Errorf("%s: the client got %s", one.ID, header)
		}
	}
	if bytes.Contains(a.Body, []byte(w.c.Token("TOK_READ").AuthToken)) {
		t.Errorf("%s: the answer holds the token", one.ID)
	}
}

// neverMore runs a case that is about another interface: framing and forms of the target, of which a proxy
// may make a plain request. Whatever it makes of it, nothing may pass that the token does not grant.
func (w *world) neverMore(t *testing.T, one *verifytest.Case, proxy *proxytest.Proxy, backend *proxytest.Backend, n *tally) {
	t.Helper()
	_, seen := w.exchange(t, one, proxy, backend)
	n.ran++
	n.allowed += len(seen)
	for i := range seen {
		w.check(t, one, &seen[i])
	}
}

// check looks at a request that reached the backend: nobody reads it as more than the token grants, and
// it is told of the caller by the verifier alone.
func (w *world) check(t *testing.T, one *verifytest.Case, r *proxytest.Seen) {
	t.Helper()
	tok := w.c.Token(one.Token)
	if got := r.Header.Get(verify.SIDHeader); got != tok.SID {
		// A case may carry another token than the one that it names.
		found := false
		for name := range w.c.Tokens {
			if w.c.Token(name).SID == got {
				tok, found = w.c.Token(name), true
			}
		}
		if !found {
			t.Errorf("%s: the backend was told of SID %q", one.ID, got)
		}
	}
	version := r.Header.Get(verify.VersionHeader)
	if how := proxytest.Misread(w.c, tok, version, r); how != "" {
		t.Errorf("%s %s: %s %s came through, and a backend may read it as what was not granted: %s", one.ID, one.Title, r.Method, r.Target, how)
	}
	if !strings.EqualFold(r.Host, verifytest.CorpusHost) {
		t.Errorf("%s: the backend was asked as %q", one.ID, r.Host)
	}
	checkFields(t, one.ID, tok, r)
}
