package decide_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"counterfoil.dev/counterfoil/internal/decide"
)

// model decides as CATALOGUE.md says it, one template after the other, without trees, bits or tricks. It
// knows one API at /A/{SID}, and paths that are well formed.
type model struct {
	api *decide.API
}

func (d *model) version(name string) *decide.Version {
	for i := range d.api.Versions {
		if d.api.Versions[i].Name == name {
			return &d.api.Versions[i]
		}
	}
	return nil
}

// matching returns the routes of the most specific templates that match.
func (d *model) matching(v *decide.Version, segments []string) []*decide.Route {
	var matching []*decide.Route
	for i := range v.Routes {
		if shapeMatches(v.Routes[i].Template, segments) {
			matching = append(matching, &v.Routes[i])
		}
	}
	return slices.DeleteFunc(slices.Clone(matching), func(r *decide.Route) bool {
		return slices.ContainsFunc(matching, func(o *decide.Route) bool { return moreSpecific(o.Template, r.Template) })
	})
}

var modelParameter = regexp.MustCompile(`\{[^}]*\}`)

func modelSegments(template string) []string {
	return strings.Split(strings.TrimPrefix(modelParameter.ReplaceAllString(template, "{}"), "/"), "/")
}

func shapeMatches(template string, segments []string) bool {
	shape := modelSegments(template)
	if len(shape) != len(segments) {
		return false
	}
	for i, s := range shape {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(s), `\{\}`, `(.+)`)
		value := regexp.MustCompile(`^` + pattern + `$`).FindStringSubmatch(segments[i])
		if value == nil || len(value) == 2 && (value[1] == "." || value[1] == "..") {
			return false
		}
	}
	return true
}

func rank(segment string) int {
	switch {
	case segment == "{}":
		return 0
	case strings.Contains(segment, "{}"):
		return 1
	}
	return 2
}

func moreSpecific(a, b string) bool {
	as, bs := modelSegments(a), modelSegments(b)
	more := false
	for i := range as {
		x, y := rank(as[i]), rank(bs[i])
		if x < y || x == 1 && y == 1 && as[i] != bs[i] {
			return false
		}
		more = more || x > y
	}
	return more
}

// takes reports whether the operation's own schema takes the path.
func takes(r *decide.Route, segments []string) bool {
	for i, s := range strings.Split(strings.TrimPrefix(r.Template, "/"), "/") {
		for _, p := range r.Params {
			before, after, found := strings.Cut(s, "{"+p.Name+"}")
			if !found || !p.Integer {
				continue
			}
			if value := strings.TrimSuffix(strings.TrimPrefix(segments[i], before), after); !regexp.MustCompile(`^-?[0-9]{1,19}$`).MatchString(value) {
				return false
			}
		}
	}
	return true
}

// withMethod returns what the method is in a list of routes: HEAD follows GET where it is not there itself.
func withMethod(routes []*decide.Route, method string) []*decide.Route {
	var out []*decide.Route
	for _, r := range routes {
		sibling := slices.ContainsFunc(routes, func(o *decide.Route) bool {
			return o.Method == "HEAD" && slices.Equal(modelSegments(o.Template), modelSegments(r.Template))
		})
		if r.Method == method || method == "HEAD" && r.Method == "GET" && !sibling {
			out = append(out, r)
		}
	}
	return out
}

// route asks one version.
func (d *model) route(v *decide.Version, method string, segments []string) ([]*decide.Route, decide.Reason) {
	winners := d.matching(v, segments)
	asked := withMethod(winners, method)
	switch {
	case len(winners) == 0:
		return nil, decide.NoRoute
	case len(asked) == 0:
		return nil, decide.MethodNotAllowed
	case !slices.ContainsFunc(asked, func(r *decide.Route) bool { return takes(r, segments) }):
		return nil, decide.NoRoute
	}
	return asked, decide.Allow
}

func (d *model) decide(method string, segments []string, sid, pathSID, pinned, named string, scopes map[string][]string) decide.Reason {
	best := decide.NoRoute
	for i := range d.api.Versions {
		switch _, reason := d.route(&d.api.Versions[i], method, segments); {
		case reason == decide.Allow:
			best = decide.Allow
		case reason == decide.MethodNotAllowed && best == decide.NoRoute:
			best = reason
		}
	}
	if best != decide.Allow {
		return best
	}
	if sid != pathSID {
		return decide.WrongAccount
	}
	judged := pinned
	if named != "" && named != pinned {
		if _, ticked := scopes[named]; !d.api.Override || !ticked {
			return decide.VersionNotAllowed
		}
		judged = named
	}
	v := d.version(judged)
	if v.State == "retired" {
		return decide.VersionRetired
	}
	asked, reason := d.route(v, method, segments)
	if reason != decide.Allow {
		return reason
	}
	for _, r := range asked {
		held := func(alternative []string) bool {
			return !slices.ContainsFunc(alternative, func(name string) bool { return !slices.Contains(scopes[judged], name) })
		}
		if !r.Public && !slices.ContainsFunc(r.Needs, held) {
			return decide.InsufficientScope
		}
	}
	return decide.Allow
}

// Small alphabets make templates overlap and paths hit them. No two words look alike to a careless server.
var (
	modelScopes = []string{"s.a", "s.b", "s.c", "s.d"}
	modelWords  = []string{"a", "b", "c7", "7", "va", "v7", "a.x", "v7.x"}
	drawSegment = rapid.SampledFrom([]string{"a", "b", "va", "{p}", "{p}", "v{p}", "{p}.x"})
	drawMethod  = rapid.SampledFrom([]string{"GET", "GET", "HEAD", "POST"})
	drawNames   = rapid.SliceOfNDistinct(rapid.SampledFrom(modelScopes), 0, 4, rapid.ID[string])
)

func drawRoute(t *rapid.T) decide.Route {
	r := decide.Route{Method: drawMethod.Draw(t, "method")}
	for i := range rapid.IntRange(1, 3).Draw(t, "depth") {
		name := fmt.Sprintf("p%d", i)
		segment := strings.ReplaceAll(drawSegment.Draw(t, "segment"), "{p}", "{"+name+"}")
		r.Template += "/" + segment
		if strings.Contains(segment, "{") && rapid.Bool().Draw(t, "integer") {
			r.Params = append(r.Params, decide.Param{Name: name, Integer: true})
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "alternatives") {
		if names := drawNames.Draw(t, "names"); len(names) > 0 {
			r.Needs = append(r.Needs, names)
		}
	}
	r.Public = rapid.IntRange(0, 9).Draw(t, "public") == 0
	return r
}

func addRoute(v *decide.Version, r decide.Route) bool {
	for _, o := range v.Routes {
		if o.Method == r.Method && slices.Equal(modelSegments(o.Template), modelSegments(r.Template)) {
			return false
		}
	}
	v.Routes = append(v.Routes, r)
	return true
}

func drawCatalogue(t *rapid.T) decide.Catalogue {
	a := decide.API{Name: "a", Base: "/A/{SID}", Bind: decide.BindSID, Header: "Api-Version", Override: rapid.Bool().Draw(t, "override")}
	for _, name := range []string{"1", "2"} {
		v := decide.Version{Name: name, State: rapid.SampledFrom([]string{"current", "supported", "retired"}).Draw(t, "state")}
		for _, scope := range modelScopes {
			v.Scopes = append(v.Scopes, decide.ScopeWords{Name: scope})
		}
		for range rapid.IntRange(0, 8).Draw(t, "routes") {
			addRoute(&v, drawRoute(t))
		}
		a.Versions = append(a.Versions, v)
	}
	return decide.Catalogue{APIs: []decide.API{a}}
}

type modelCall struct {
	method, sid, pathSID, pinned, named string
	segments                            []string
	scopes                              map[string][]string
}

func drawCall(t *rapid.T) modelCall {
	c := modelCall{
		method: rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PUT"}).Draw(t, "called"), sid: "S1",
		pathSID:  rapid.SampledFrom([]string{"S1", "S1", "S1", "S2"}).Draw(t, "sid"),
		pinned:   rapid.SampledFrom([]string{"1", "2"}).Draw(t, "pinned"),
		named:    rapid.SampledFrom([]string{"", "", "1", "2", "3"}).Draw(t, "named"),
		segments: rapid.SliceOfN(rapid.SampledFrom(modelWords), 1, 3).Draw(t, "path"),
	}
	c.scopes = map[string][]string{c.pinned: drawNames.Draw(t, "held")}
	if rapid.Bool().Draw(t, "second pin") {
		c.scopes[map[string]string{"1": "2", "2": "1"}[c.pinned]] = drawNames.Draw(t, "held otherwise")
	}
	return c
}

func (c *modelCall) ask(table *decide.Table) (decide.Reason, *decide.Verdict) {
	caller := &decide.Caller{Account: 1, SID: c.sid}
	for _, version := range []string{c.pinned, map[string]string{"1": "2", "2": "1"}[c.pinned]} {
		if scopes, ticked := c.scopes[version]; ticked {
			id := table.VersionID("a", version)
			caller.Pins = append(caller.Pins, decide.Pin{Version: id, Scopes: table.ScopeSet(id, scopes)})
		}
	}
	r := &decide.Request{Method: c.method, Target: "/A/" + c.pathSID + "/" + strings.Join(c.segments, "/")}
	if c.named != "" {
		r.Fields = []decide.Field{{Name: "Api-Version", Values: []string{c.named}}}
	}
	reason, _, v := ask(table, r, caller)
	return reason, v
}

func mustCompile(t *rapid.T, c *decide.Catalogue) *decide.Table {
	table, err := decide.Compile(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestDecisionsAreThoseOfTheModel compares the tree with the rules as they are written.
func TestDecisionsAreThoseOfTheModel(t *testing.T) {
	reasons := map[decide.Reason]int{}
	rapid.Check(t, func(t *rapid.T) {
		catalogue := drawCatalogue(t)
		table := mustCompile(t, &catalogue)
		for range 20 {
			c := drawCall(t)
			d := model{&catalogue.APIs[0]}
			want := d.decide(c.method, c.segments, c.sid, c.pathSID, c.pinned, c.named, c.scopes)
			got, _ := c.ask(table)
			if got == decide.MalformedRequest && looksAlike(&catalogue.APIs[0], c.segments) {
				continue // refused for a reason that the model does not know
			}
			if got != want {
				t.Fatalf("%+v\n got %v\nwant %v", c, got, want)
			}
			reasons[got]++
		}
	})
	for _, r := range []decide.Reason{
		decide.Allow, decide.NoRoute, decide.MethodNotAllowed, decide.WrongAccount, decide.VersionNotAllowed,
		decide.VersionRetired, decide.InsufficientScope,
	} {
		if reasons[r] == 0 && !testing.Short() { // a short run draws too few calls to meet every reason
			t.Errorf("no call ended in %v", r)
		}
	}
}

// looksAlike reports a last segment whose format, cut off, leaves a literal of the alphabet.
func looksAlike(a *decide.API, segments []string) bool {
	last, _, dotted := strings.Cut(segments[len(segments)-1], ".")
	return dotted && slices.ContainsFunc(a.Versions, func(v decide.Version) bool {
		return slices.ContainsFunc(v.Routes, func(r decide.Route) bool { return strings.HasSuffix(r.Template, "/"+last) })
	})
}

// TestFewerScopesNeverOpen: whoever loses boxes, versions, brands or reach never gains a pass.
func TestFewerScopesNeverOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		catalogue := drawCatalogue(t)
		table := mustCompile(t, &catalogue)
		more := drawCall(t)
		fewer := more
		fewer.scopes = map[string][]string{}
		for version, names := range more.scopes {
			if version != more.pinned && rapid.Bool().Draw(t, "drop the pin") {
				continue
			}
			fewer.scopes[version] = slices.DeleteFunc(slices.Clone(names), func(string) bool { return rapid.Bool().Draw(t, "untick") })
		}
		with, _ := more.ask(table)
		without, _ := fewer.ask(table)
		if without == decide.Allow && with != decide.Allow {
			t.Fatalf("%+v is %v, yet with %v it passes", more, with, fewer.scopes)
		}
	})
}

// TestALiteralRouteOpensItsOwnPathAlone: publishing one more literal route opens nothing but its own path,
// and that only to those who hold what it asks for.
func TestALiteralRouteOpensItsOwnPathAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		catalogue := drawCatalogue(t)
		before := mustCompile(t, &catalogue)
		added := decide.Route{
			Method: drawMethod.Draw(t, "method"), Needs: [][]string{{rapid.SampledFrom(modelScopes).Draw(t, "need")}},
			Template: "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(modelWords), 1, 3).Draw(t, "literal"), "/"),
		}
		v := &catalogue.APIs[0].Versions[rapid.IntRange(0, 1).Draw(t, "version")]
		v.Routes = slices.Clone(v.Routes)
		if !addRoute(v, added) {
			t.Skip("the route is there")
		}
		after := mustCompile(t, &catalogue)
		c := drawCall(t)
		was, _ := c.ask(before)
		is, verdict := c.ask(after)
		if is != decide.Allow || was == decide.Allow {
			return
		}
		if own := "/" + strings.Join(c.segments, "/"); own != added.Template || verdict.Version != v.Name || !slices.Contains(c.scopes[v.Name], added.Needs[0][0]) {
			t.Fatalf("%s %s opens %+v, which was %v", added.Method, added.Template, c, was)
		}
	})
}

// TestLessManagedLessReached: the same for brands.
func TestLessManagedLessReached(t *testing.T) {
	table := compile(t, parseCatalogue(t, `
		api agency /A/{SID} sid
		  through /A/{SID}/B/{Brand} brand
		  version 1 current
		    GET /B/{Brand} = x.y
		api brand /B/{SID} sid
		  version 1 current
		    GET /Jobs = x.y`))
	brands := rapid.SliceOfDistinct(rapid.Int64Range(1, 6), rapid.ID[int64])
	rapid.Check(t, func(t *rapid.T) {
		caller := callerLine{pins: []pinLine{{"agency", "1", []string{"x.y"}}, {"brand", "1", []string{"x.y"}}}}.in(table)
		caller.SID = "S"
		caller.Managed, caller.Reach = brands.Draw(t, "managed"), brands.Draw(t, "reach")
		slices.Sort(caller.Managed)
		slices.Sort(caller.Reach)
		caller.ReachAll = rapid.Bool().Draw(t, "all")
		brand := rapid.Int64Range(1, 6).Draw(t, "brand")
		want := decide.Allow
		switch {
		case !slices.Contains(caller.Managed, brand):
			want = decide.BrandNotManaged
		case !caller.ReachAll && !slices.Contains(caller.Reach, brand):
			want = decide.BrandOutOfReach
		}
		for _, suffix := range []string{"", "/Jobs"} {
			r := &decide.Request{Method: "GET", Target: fmt.Sprintf("/A/S/B/%d%s", brand, suffix)}
			if got, _, v := ask(table, r, caller); got != want || v.Brand != brand {
				t.Fatalf("%s: %v with brand %d, want %v", r.Target, got, v.Brand, want)
			}
		}
	})
}
