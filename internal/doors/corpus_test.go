package doors_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// waiting are cases of the corpus that no door can answer yet, with the reason.
var waiting = map[string]string{
	"CRED-023": "tokens bound to a key (DPoP) do not exist yet",
}

func corpus(t *testing.T) *verifytest.Corpus {
	t.Helper()
	c := new(verifytest.Corpus)
	if err := yaml.Unmarshal(verifytest.CorpusText(t), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// profile is how one family of proxies asks: which door, and which fields it sets in place of the client's.
type profile struct {
	name, path string
	own        func(method, target, host string) [][2]string
}

var profiles = []profile{
	{"traefik", doors.AuthorizePath, func(method, target, host string) [][2]string {
		return [][2]string{
			{"X-Forwarded-Method", method},
			{"X-Forwarded-Uri", target},
			{"X-Forwarded-Host", host},
			{"X-Forwarded-Proto", "https"},
			{"X-Forwarded-Port", "443"},
			{"X-Forwarded-For", "192.0.2.7"},
		}
	}},
	{"caddy", doors.AuthorizePath, func(method, target, host string) [][2]string {
		return [][2]string{
			{"X-Forwarded-Method", method},
			{"X-Forwarded-Uri", target},
			{"X-Forwarded-Host", host},
			{"X-Forwarded-Proto", "https"},
			{"X-Forwarded-For", "192.0.2.7"},
		}
	}},
	{"nginx", doors.AuthorizeNginxPath, func(method, target, host string) [][2]string {
		return [][2]string{{"X-Original-Method", method}, {"X-Original-URI", target}, {"X-Forwarded-Host", host}}
	}},
}

// subrequest is the question of a proxy that received the fields of a client.
func (p *profile) subrequest(method, target, host string, client [][2]string) string {
	own := p.own(method, target, host)
	var b strings.Builder
	b.WriteString("GET " + p.path + " HTTP/1.1\r\nHost: verifier.internal\r\nConnection: close\r\n")
	for _, field := range append(own, client...) {
		overwritten := slices.ContainsFunc(own, func(o [2]string) bool { return strings.EqualFold(o[0], field[0]) && o[1] != field[1] })
		if !overwritten && !strings.EqualFold(field[0], "Content-Length") {
			b.WriteString(field[0] + ": " + field[1] + "\r\n")
		}
	}
	return b.String() + "\r\n"
}

func TestNoAttackOfTheCorpusPassesForwardAuth(t *testing.T) {
	c := corpus(t)
	v := c.Desk(t, "").Start(t, verify.Config{})
	address := serve(t, v)
	ran := 0
	for i := range c.Cases {
		one := &c.Cases[i]
		if !slices.Contains(one.Interfaces, "forward_auth") || waiting[one.ID] != "" {
			continue
		}
		var client [][2]string
		for _, field := range one.Parsed.Headers {
			client = append(client, [2]string{c.Spell(t, one, field[0]), c.Spell(t, one, field[1])})
		}
		ran++
		if one.Delivery == "trusted" {
			trusted(t, c, one, address, client)
			continue
		}
		for _, p := range profiles {
			raw := p.subrequest(one.Parsed.Method, c.Spell(t, one, one.Parsed.Target), c.Spell(t, one, one.Parsed.Host), client)
			one := *one
			one.ID += " by " + p.name
			check(t, c, &one, address, raw)
		}
	}
	if ran < 140 {
		t.Errorf("only %d cases ran", ran)
	}
}

// trusted delivers a sub-request as the case spells it, and with the host that the documented snippets add
// where the case has none.
func trusted(t *testing.T, c *verifytest.Corpus, one *verifytest.Case, address string, fields [][2]string) {
	path, hosted := doors.AuthorizePath, false
	for _, field := range fields {
		if strings.EqualFold(field[0], "X-Original-URI") {
			path = doors.AuthorizeNginxPath
		}
		hosted = hosted || field[0] == "X-Forwarded-Host"
	}
	raw := "GET " + path + " HTTP/1.1\r\nHost: " + verifytest.CorpusHost + "\r\nConnection: close\r\n"
	for _, field := range fields {
		raw += field[0] + ": " + field[1] + "\r\n"
	}
	if hosted {
		check(t, c, one, address, raw+"\r\n")
		return
	}
	check(t, c, one, address, raw+"X-Forwarded-Host: "+verifytest.CorpusHost+"\r\n\r\n")
	without := *one
	without.ID += " without a host"
	without.Expected = verifytest.Expected{Decision: "deny"}
	check(t, c, &without, address, raw+"\r\n")
}

func check(t *testing.T, c *verifytest.Corpus, one *verifytest.Case, address, raw string) {
	t.Helper()
	answers := verifytest.Exchange(t, address, raw, "GET")
	if len(answers) != 1 {
		t.Errorf("%s: %d answers", one.ID, len(answers))
		return
	}
	a := &answers[0]
	statuses := []int{401, 403}
	if a.Status == 431 || a.Status == 400 {
		statuses = append(statuses, one.Expected.Status...) // the listener refused before the door was asked
	}
	c.Check(t, one, a, a.Status == 200, a.Header, statuses)
	if a.Status == 200 && len(a.Body) != 0 {
		t.Errorf("%s: an allow has a body", one.ID)
	}
	if bytes.Contains(a.Body, []byte(c.Token("TOK_READ").AuthToken)) {
		t.Errorf("%s: the answer holds the token", one.ID)
	}
	if line := a.Header.Get(doors.ProblemHeader); line != "" {
		var problem map[string]any
		if err := json.Unmarshal([]byte(line), &problem); err != nil || len(line) > 2048 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%s: the problem line is not one of ASCII JSON: %q", one.ID, line)
		}
		if got := a.Header.Get(doors.StatusHeader); len(one.Expected.Status) > 0 && !slices.ContainsFunc(one.Expected.Status, func(s int) bool { return got == http.StatusText(s) || strings.Contains(got, itoa(s)) }) {
			t.Errorf("%s: the true status is %s, want one of %v", one.ID, got, one.Expected.Status)
		}
	}
}

// TestNoAttackOfTheCorpusPassesMiddleware: raw octets on a real listener, and a handler that counts.
func TestNoAttackOfTheCorpusPassesMiddleware(t *testing.T) {
	c := corpus(t)
	v := c.Desk(t, "").Start(t, verify.Config{})
	var passed atomic.Int64
	identity := make(chan http.Header, 64)
	server := httptest.NewServer(doors.Middleware(v, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passed.Add(1)
		if _, ok := doors.CallerFrom(r.Context()); !ok {
			t.Error("a request without a caller")
		}
		identity <- r.Header.Clone()
		w.WriteHeader(http.StatusNoContent)
	})))
	t.Cleanup(server.Close)
	ran := 0
	for i := range c.Cases {
		one := &c.Cases[i]
		if !slices.Contains(one.Interfaces, "middleware") || one.Delivery == "h2" || waiting[one.ID] != "" {
			continue
		}
		raw := c.Raw(t, one)
		if one.Parsed != nil && one.RawText == "" {
			t.Fatalf("%s has no raw form", one.ID)
		}
		ran++
		before := passed.Load()
		method, _, _ := strings.Cut(raw, " ")
		answers := verifytest.Exchange(t, server.Listener.Addr().String(), raw, method)
		if len(answers) == 0 {
			t.Errorf("%s %s: no answer", one.ID, one.Title)
			continue
		}
		came := passed.Load() - before
		var headers http.Header
		if came > 0 {
			headers = <-identity
		}
		if came > 1 {
			t.Errorf("%s: %d requests came through", one.ID, came)
		}
		c.Check(t, one, &answers[0], came > 0, headers, one.Expected.Status)
	}
	if ran < 140 {
		t.Errorf("only %d cases ran", ran)
	}
}
