package verifytest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Crowd is a verifier with many grants, for measuring. What asking takes lies in one string, so that it costs
// the collector nothing: for every token that is asked with, the Authorization field and the path.
type Crowd struct {
	Verifier *verify.Verifier
	texts    string
	length   int
}

const (
	crowdScheme = "Bearer "
	crowdFront  = len(crowdScheme) + len("cfoil_") // of a text, before the SID
	crowdToken  = crowdFront + 22 + 43 + 6
)

// CrowdHost is the host of the crowd's API.
const CrowdHost = "api.example.com"

// CrowdCatalogue has one API with 300 routes in one version.
func CrowdCatalogue(upstream string) decide.Catalogue {
	v := decide.Version{Name: "3", State: "current"}
	add := func(method, template, scope string) {
		v.Scopes = append(v.Scopes, decide.ScopeWords{Name: scope, Category: "Jobs", Label: scope})
		v.Routes = append(v.Routes, decide.Route{Method: method, Template: template, Needs: [][]string{{scope}}})
	}
	for i := range 60 {
		resource, scope := fmt.Sprintf("/Jobs%d", i), fmt.Sprintf("jobs%d.", i)
		add("GET", resource, scope+"list")
		add("POST", resource, scope+"create")
		add("GET", resource+"/{Id}", scope+"get")
		add("DELETE", resource+"/{Id}", scope+"delete")
		add("GET", resource+"/Export", scope+"export")
	}
	return decide.Catalogue{APIs: []decide.API{{
		Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID, Hosts: []string{CrowdHost},
		Header: "IR-Version", Query: "IrVersion", Upstream: upstream, Versions: []decide.Version{v},
	}}}
}

// NewCrowd makes so many grants of forty kinds, and keeps the tokens of asking of them. It runs until the
// program ends.
func NewCrowd(tb testing.TB, grants, asking int, upstream string) *Crowd {
	tb.Helper()
	a := NewAuthority()
	a.Account(api.AccountFacts{Account: 7})
	a.Publish(CrowdCatalogue(upstream))
	s, err := a.Snapshot(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	s.Grants = make([]api.Grant, grants)
	var texts strings.Builder
	c := new(Crowd)
	for i := range s.Grants {
		tok := Mint(tb, token.Access, 7, api.Pin{API: "agency", Version: "3", Scopes: []string{"jobs0.list", "jobs40.get", fmt.Sprintf("jobs%d.create", i%40)}})
		s.Grants[i] = tok.Grant
		if i%(grants/asking) == 0 {
			text := crowdScheme + tok.AuthToken + "/Agencies/" + tok.SID + "/Jobs40/1001"
			texts.WriteString(text)
			c.length = len(text)
		}
	}
	c.texts = texts.String()
	source := &prepared{Authority: a, snapshot: s}
	if c.Verifier, err = verify.New(verify.Config{Source: source, Node: "crowd"}); err != nil {
		tb.Fatal(err)
	}
	go func() {
		if err := c.Verifier.Run(context.Background()); err != nil {
			panic(err)
		}
	}()
	if err := a.Await(context.Background(), c.Verifier.Ready); err != nil {
		tb.Fatal(err)
	}
	return c
}

// Tokens is how many tokens can be asked with.
func (c *Crowd) Tokens() int { return len(c.texts) / c.length }

// Question is the Authorization field of one token, and the path of an operation that it may call.
func (c *Crowd) Question(i int) (authorization, path string) {
	text := c.texts[i*c.length : (i+1)*c.length]
	return text[:crowdToken], text[crowdToken:]
}

// prepared hands out one snapshot, once.
type prepared struct {
	*Authority
	once     sync.Once
	snapshot *api.Snapshot
}

// Snapshot is the prepared one, which is forgotten, so that the verifier's memory is what is measured.
func (p *prepared) Snapshot(ctx context.Context) (s *api.Snapshot, err error) {
	p.once.Do(func() { s, p.snapshot = p.snapshot, nil })
	if s == nil {
		return p.Authority.Snapshot(ctx)
	}
	return s, nil
}
