package attack_test

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
)

const host = "api.example.com"

// Accounts of the world: two agencies, of which the first manages the first two brands, a suspended one, and
// three brands.
const (
	agency    = 11
	other     = 12
	suspended = 13
	brandOne  = 21
	brandTwo  = 22
	brandFar  = 23
)

func accounts() map[int64]api.AccountFacts {
	return map[int64]api.AccountFacts{
		agency:    {Account: agency, Manages: []int64{brandOne, brandTwo}},
		other:     {Account: other, Manages: []int64{brandFar}},
		suspended: {Account: suspended, Suspended: true},
		brandOne:  {Account: brandOne}, brandTwo: {Account: brandTwo}, brandFar: {Account: brandFar},
	}
}

// Alphabets are small, so that templates overlap and paths hit them, and words look like one another.
var (
	scopeNames   = []string{"s.a", "s.b", "s.c", "s.d"}
	versionNames = []string{"1", "2", "3"}
	drawMethod   = rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE"})
	drawSegment  = rapid.SampledFrom([]string{"jobs", "jobs", "export", "B", "{p}", "{p}", "{p}", "v{p}", "{p}:run", "x-{p}-y"})
	drawScopes   = rapid.SliceOfNDistinct(rapid.SampledFrom(scopeNames), 0, 4, rapid.ID[string])
	drawState    = rapid.SampledFrom([]string{"current", "current", "current", "supported", "supported", "deprecated", "preview", "retired"})
)

func drawRoute(t *rapid.T) decide.Route {
	r := decide.Route{Method: drawMethod.Draw(t, "method")}
	for i := range rapid.IntRange(0, 3).Draw(t, "depth") {
		name := fmt.Sprintf("p%d", i)
		segment := strings.ReplaceAll(drawSegment.Draw(t, "segment"), "{p}", "{"+name+"}")
		r.Template += "/" + segment
		if strings.Contains(segment, "{") && rapid.IntRange(0, 2).Draw(t, "narrow") == 0 {
			p := rapid.SampledFrom([]decide.Param{
				{Integer: true}, {Enum: []string{"7", "jobs", "a1"}}, {Pattern: "[a-z0-9]+"}, {Allow: ":@"}, {Percent: true}, {Allow: "!+", Percent: true},
			}).Draw(t, "param")
			p.Name = name
			r.Params = append(r.Params, p)
		}
	}
	for range rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3, 0}).Draw(t, "alternatives") {
		if names := drawScopes.Draw(t, "names"); len(names) > 0 {
			slices.Sort(names)
			r.Needs = append(r.Needs, names)
		}
	}
	r.Public = rapid.IntRange(0, 7).Draw(t, "public") == 0
	return r
}

// drawAPI draws what an API's versions have; what would not compile is told apart by drawCatalogue.
func drawAPI(t *rapid.T, a *decide.API, now int64) {
	a.Title = a.Name
	a.Override = rapid.Bool().Draw(t, "override")
	if rapid.IntRange(0, 3).Draw(t, "suffixes") == 0 {
		a.Suffixes = []string{".json"}
	}
	switch rapid.IntRange(0, 5).Draw(t, "methods") {
	case 0:
		a.MethodHeader = "X-HTTP-Method-Override"
	case 1:
		a.MethodInBody = true
	}
	for _, name := range versionNames[:rapid.IntRange(1, 3).Draw(t, "versions")] {
		v := decide.Version{Name: name, State: drawState.Draw(t, "state")}
		switch rapid.IntRange(0, 15).Draw(t, "sunset") {
		case 0:
			v.Sunset = now - 3_600_000_000
		case 1:
			v.Sunset = now + 3_600_000_000
		}
		for _, name := range scopeNames {
			v.Scopes = append(v.Scopes, decide.ScopeWords{Name: name, Category: "C", Label: name})
		}
		for range rapid.IntRange(0, 9).Draw(t, "routes") {
			r := drawRoute(t)
			if a.Name == "c" && rapid.IntRange(0, 5).Draw(t, "outside") == 0 {
				r.Outside, r.Bind, r.Template = true, decide.BindNone, "/Out"+r.Template
			}
			if !slices.ContainsFunc(v.Routes, func(o decide.Route) bool { return sameRoute(&o, &r) }) {
				v.Routes = append(v.Routes, r)
			}
		}
		slices.SortFunc(v.Routes, func(a, b decide.Route) int {
			return strings.Compare(a.Template+" "+a.Method, b.Template+" "+b.Method)
		})
		a.Versions = append(a.Versions, v)
	}
}

func sameRoute(a, b *decide.Route) bool {
	return a.Method == b.Method && a.Outside == b.Outside && slices.Equal(shapes(split(a.Template)), shapes(split(b.Template)))
}

// drawCatalogue has an agency API, one that nests in it, and one that binds in some other way.
func drawCatalogue(t *rapid.T, now int64) *decide.Catalogue {
	binds := []decide.Bind{decide.BindSID, decide.BindSID, decide.BindAnySID, decide.BindAccount}
	a := decide.API{Name: "a", Base: "/A/{Me}", Bind: rapid.SampledFrom(binds).Draw(t, "bind"), Header: "IR-Version", Query: "IrVersion"}
	b := decide.API{Name: "b", Base: "/B/{Me}", Bind: decide.BindSID, Header: "IR-Version", Query: "IrVersion"}
	c := decide.API{Name: "c", Base: "/C", Bind: decide.BindNone, Header: "C-Version"}
	if rapid.Bool().Draw(t, "c binds") {
		c.Base, c.Bind = "/C/{Me}", rapid.SampledFrom(binds).Draw(t, "bind")
	}
	if rapid.Bool().Draw(t, "hosts") {
		a.Hosts, b.Hosts, c.Hosts = []string{host}, []string{host}, []string{host, "other.example.com"}
	}
	if rapid.IntRange(0, 3).Draw(t, "nests") > 0 {
		a.Passthrough = []decide.Passthrough{{Prefix: "/A/{Me}/B/{Brand}", Brand: "Brand", API: "b"}}
	}
	list := []decide.API{a, b, c}
	for i := range list {
		drawAPI(t, &list[i], now)
	}
	return &decide.Catalogue{APIs: list}
}

// held is a token with its secret, as its holder has it.
type held struct {
	grant  api.Grant
	secret string
}

// drawGrant changes what was minted.
func drawGrant(t *rapid.T, h *held, now api.Micros) {
	const hour = 3_600_000_000
	g := &h.grant
	g.Account = rapid.SampledFrom([]int64{agency, agency, agency, agency, agency, agency, agency, other, other, suspended}).Draw(t, "account")
	g.State = rapid.SampledFrom([]api.State{
		api.StateEnabled, api.StateEnabled, api.StateEnabled, api.StateEnabled, api.StateEnabled, api.StateEnabled, api.StateEnabled,
		api.StateEnabled, api.StateEnabled, api.StateEnabled, api.StateEnabled, api.StateEnabled, api.StateEnabled, api.StateEnabled,
		api.StateDisabled, api.StateOnHold, api.StateLeaked, api.StateDeleted,
	}).Draw(t, "token state")
	g.Pins = nil
	for _, name := range []string{"a", "b", "c"} {
		pinned := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "1", "2", "3"}), rapid.SampledFrom([]int{0, 1, 1, 1, 1}).Draw(t, "at least"), 3, rapid.ID[string]).Draw(t, "pins")
		for _, version := range pinned {
			scopes := rapid.Permutation(scopeNames).Draw(t, "ticked")[:rapid.SampledFrom([]int{0, 1, 2, 3, 3, 4, 4, 4, 4, 4}).Draw(t, "so many")]
			scopes = slices.Sorted(slices.Values(scopes))
			g.Pins = append(g.Pins, api.Pin{API: name, Version: version, Scopes: scopes})
		}
	}
	switch g.Reach = rapid.SampledFrom([]api.Reach{api.ReachAll, api.ReachAll, api.ReachList, api.ReachNone}).Draw(t, "reach"); g.Reach {
	case api.ReachList:
		g.Brands = []int64{brandOne, brandFar}
	default:
		g.Brands = nil
	}
	switch rapid.IntRange(0, 19).Draw(t, "time") {
	case 0:
		g.Expires = now - hour
	case 1:
		g.NotBefore = now + hour
	case 2:
		g.Expires, g.NotBefore = now+hour, now-hour
	}
	old := api.Secret{Digest: token.DigestOf(strings.Repeat("1", 43)).String()}
	switch rapid.IntRange(0, 19).Draw(t, "secrets") {
	case 0: // rotated; the one at hand is the old one and counts a while
		g.Secrets = []api.Secret{old, {Digest: g.Secrets[0].Digest, Until: now + hour}}
	case 1: // rotated, and its time is over
		g.Secrets = []api.Secret{old, {Digest: g.Secrets[0].Digest, Until: now - hour}}
	case 2: // reset
		g.Secrets = []api.Secret{old}
	case 3: // rotated; the one at hand is the new one
		g.Secrets = []api.Secret{g.Secrets[0], {Digest: old.Digest, Until: now + hour}}
	}
}

// everyVersion has all that may be drawn, so that a version which a catalogue has not is one that has gone.
func everyVersion() decide.Catalogue {
	var c decide.Catalogue
	for _, name := range []string{"a", "b", "c"} {
		a := decide.API{Name: name, Base: "/" + strings.ToUpper(name), Bind: decide.BindNone}
		for _, version := range versionNames {
			a.Versions = append(a.Versions, decide.Version{Name: version, State: "current"})
		}
		c.APIs = append(c.APIs, a)
	}
	return c
}
