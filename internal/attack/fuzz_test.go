package attack_test

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/proxytest"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// fuzzWorld is the same in every process, so that what one worker finds another understands.
func fuzzWorld(t testing.TB, h *house) (*oracle, held) {
	t.Helper()
	var sid token.SID
	copy(sid[:], "0123456789ABCDEFabcdef")
	secret, digest, err := token.DefaultPrefix.MintFor(token.Access, sid, rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	words := []decide.ScopeWords{}
	for _, name := range []string{"actions.create", "actions.export", "actions.get", "actions.list", "invoices.list", "odd.get"} {
		words = append(words, decide.ScopeWords{Name: name, Category: "C", Label: name})
	}
	routes := []decide.Route{
		{Method: "GET", Template: "/Actions", Needs: [][]string{{"actions.list"}}},
		{Method: "POST", Template: "/Actions", Needs: [][]string{{"actions.create"}}},
		{Method: "GET", Template: "/Actions/export", Needs: [][]string{{"actions.export"}}},
		{Method: "GET", Template: "/Actions/{id}", Needs: [][]string{{"actions.get"}}, Params: []decide.Param{{Name: "id", Pattern: "[A-Za-z0-9._-]{1,64}"}}},
		{Method: "GET", Template: "/Invoices", Needs: [][]string{{"invoices.list"}}},
		{Method: "GET", Template: "/Odd/{id}", Needs: [][]string{{"odd.get"}}, Params: []decide.Param{{Name: "id", Allow: ":@+", Percent: true}}},
		{Method: "GET", Template: "/Open", Public: true},
		{Method: "GET", Template: "/x-{id}-y", Needs: [][]string{{"invoices.list"}}},
		{Method: "GET", Template: "/{kind}", Needs: [][]string{{"actions.get"}}},
	}
	c := &decide.Catalogue{APIs: []decide.API{{
		Name: "agency", Title: "Agency", Base: "/Agencies/{sid}", Bind: decide.BindSID, Hosts: []string{host}, Header: "Api-Version", Query: "apiVersion",
		Upstream: "http://" + h.backend.Address,
		Versions: []decide.Version{{Name: "15", State: "supported", Scopes: words, Routes: routes[:5]}, {Name: "16", State: "current", Scopes: words, Routes: routes}},
	}}}
	now := api.Micros(time.Now().UnixMicro())
	g := api.Grant{
		SID: sid.String(), Account: agency, State: api.StateEnabled, Secrets: []api.Secret{{Digest: digest.String()}},
		Pins: []api.Pin{{API: "agency", Version: "16", Scopes: []string{"actions.get", "actions.list", "odd.get"}}},
	}
	h.authority.Account(api.AccountFacts{Account: agency})
	h.authority.Publish(*c)
	h.authority.Put(g)
	h.authority.Settle(t, h.verifier)
	return &oracle{catalogue: c, accounts: accounts(), grants: map[string]api.Grant{g.SID: g}, now: now}, held{g, secret.Reveal()}
}

// seeds are requests of the corpus, where it is beside the checkout, with the token of this world.
func seeds(f *testing.F, who held) {
	plain := ask{method: "GET", target: "/Agencies/" + who.grant.SID + "/Actions/7", host: host, fields: [][2]string{{"Authorization", "Bearer " + who.secret}}}
	for _, target := range []string{plain.target, "/Agencies/" + who.grant.SID + "/Odd/a:b%C3%A9", "/Agencies/" + who.grant.SID + "/Open?apiVersion=16", "/Agencies/" + who.grant.SID + "/Actions/..%2fInvoices"} {
		plain.target = target
		f.Add(plain.raw())
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "corpus.yaml"))
	if err != nil {
		f.Logf("seeded without the attack corpus: %v", err)
		return
	}
	c := new(verifytest.Corpus)
	if err := yaml.Unmarshal(text, c); err != nil {
		f.Fatal(err)
	}
	c.Desk(f, "")
	ours := strings.NewReplacer(c.Token("TOK_READ").AuthToken, who.secret, c.Token("TOK_READ").SID, who.grant.SID)
	for i := range c.Cases {
		if one := &c.Cases[i]; (one.RawText != "" || one.RawB64 != "") && len(one.Expand) == 0 {
			f.Add([]byte(ours.Replace(c.Raw(f, one))))
		}
	}
}

// connection are the fields that concern one connection (RFC 9110, section 7.6.1).
var connection = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Trailer", "Transfer-Encoding"}

// asked is a request that net/http has read, as the oracle takes it.
func asked(r *http.Request) ask {
	q := ask{method: r.Method, target: r.RequestURI, host: r.Host}
	drop := slices.Clone(connection)
	for _, list := range r.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			drop = append(drop, strings.TrimSpace(name))
		}
	}
	for name, values := range r.Header {
		if slices.ContainsFunc(drop, func(d string) bool { return strings.EqualFold(d, name) && d != "Upgrade" }) {
			continue
		}
		for _, v := range values {
			q.add(name, v)
		}
	}
	return q
}

// FuzzOctetsToDecision: whatever octets a client sends, nothing panics, and the middleware lets pass only what
// the oracle allows and no backend reads as more (SECURITY.md, classes 1 to 8, 15 and 16).
func FuzzOctetsToDecision(f *testing.F) {
	h := newHouse(f)
	o, who := fuzzWorld(f, h)
	seeds(f, who)
	f.Fuzz(func(t *testing.T, octets []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(octets)))
		if err != nil {
			return
		}
		q := asked(r)
		want, alike := o.judge(q), o.alike(&q)
		got := h.byMiddleware(r)
		if !got.allowed {
			if got.code == "" {
				t.Fatalf("refused without a code\n%q", octets)
			}
			return
		}
		if want.code != "" || got.identity.Get(verify.VersionHeader) != want.version {
			t.Fatalf("passed in version %q, and the oracle says %q\n%q", got.identity.Get(verify.VersionHeader), want.code, octets)
		}
		seen := proxytest.Seen{Method: q.method, Target: q.target, Host: q.host, Header: got.identity}
		if how := o.misread(&q, &want, &seen, &tally{}); how != "" {
			t.Fatalf("passed (alike: %v), and a backend may read it as what the token does not open: %s\n%q", alike, how, octets)
		}
	})
}
