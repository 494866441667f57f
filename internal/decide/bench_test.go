package decide_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/measure"
)

// bigCatalogue has n routes in one version: resources with items, sub-resources and actions, as real
// documents have.
func bigCatalogue(n int) decide.Catalogue {
	v := decide.Version{Name: "3", State: "current"}
	add := func(method, template, name string) {
		v.Scopes = append(v.Scopes, decide.ScopeWords{Name: name})
		v.Routes = append(v.Routes, decide.Route{Method: method, Template: template, Needs: [][]string{{name}}})
	}
	for i := 0; len(v.Routes) < n; i++ {
		resource := fmt.Sprintf("/Resource%d", i)
		name := fmt.Sprintf("resource%d.", i)
		add("GET", resource, name+"list")
		add("POST", resource, name+"create")
		add("GET", resource+"/{Id}", name+"get")
		add("DELETE", resource+"/{Id}", name+"delete")
		add("GET", resource+"/{Id}/Notes/{NoteId}", name+"note")
		add("GET", resource+"/Export", name+"export")
		add("GET", resource+"/{Id}.json", name+"json")
	}
	return decide.Catalogue{APIs: []decide.API{{
		Name: "agency", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID, Hosts: []string{"api.example.com"},
		Header: "IR-Version", Query: "IrVersion", Versions: []decide.Version{v},
	}}}
}

const benchSID = "0123456789ABCDEFGHIJKL"

// benchCase is a plain call that passes: a version field, no query, the usual fields of a client.
func benchCase(t testing.TB, routes int) (*decide.Table, *decide.Request, *decide.Caller) {
	t.Helper()
	table := compile(t, bigCatalogue(routes))
	id := table.VersionID("agency", "3")
	caller := &decide.Caller{Account: 7, SID: benchSID, Pins: []decide.Pin{
		{Version: id, Scopes: table.ScopeSet(id, []string{"resource0.get", "resource40.note", "resource40.export"})},
	}}
	request := &decide.Request{
		Method: "GET", Target: "/Agencies/" + benchSID + "/Resource40/1001/Notes/17", Host: "api.example.com",
		Fields: table.AppendFields(nil, http.Header{
			"Accept": {"*/*"}, "Authorization": {"Bearer x"}, "User-Agent": {"curl/8"}, "Accept-Encoding": {"gzip"},
			"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/"}, "X-Forwarded-Host": {"api.example.com"}, "X-Forwarded-For": {"192.0.2.7"},
		}),
	}
	return table, request, caller
}

// BenchmarkDecide compares a decision with one SHA-256 of 64 bytes, which no check can be faster than, and
// shows that it does not grow with the number of routes.
func BenchmarkDecide(b *testing.B) {
	secret := make([]byte, 64)
	cases := []measure.Case{{Name: "SHA-256 of 64 bytes", Do: func(n int) {
		for range n {
			sum := sha256.Sum256(secret)
			secret[0] = sum[0]
		}
	}}}
	for _, routes := range []int{300, 1_000, 10_000} {
		table, request, caller := benchCase(b, routes)
		var m decide.Match
		var v decide.Verdict
		cases = append(cases, measure.Case{Name: fmt.Sprintf("decide, %d routes", routes), Do: func(n int) {
			for range n {
				if table.Match(request, &m) != decide.Allow || table.Decide(&m, caller, &v) != decide.Allow {
					b.Fatal("refused")
				}
			}
		}})
	}
	measure.Alternate(b, measure.Thread, 101, 10*time.Millisecond, cases...)
}

func BenchmarkMatch(b *testing.B) {
	table, request, _ := benchCase(b, 300)
	var m decide.Match
	for b.Loop() {
		if table.Match(request, &m) != decide.Allow {
			b.Fatal("refused")
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	c := bigCatalogue(10_000)
	for b.Loop() {
		if _, err := decide.Compile(&c, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDecidingDoesNotAllocate holds for every answer that a flood can ask for. Where templates cross, an
// allowed request allocates once, to join the names.
func TestDecidingDoesNotAllocate(t *testing.T) {
	table, request, caller := benchCase(t, 300)
	change := func(f func(r *decide.Request)) *decide.Request {
		r := *request
		f(&r)
		return &r
	}
	for name, c := range map[string]struct {
		request *decide.Request
		want    decide.Reason
	}{
		"allowed":   {request, decide.Allow},
		"missing":   {change(func(r *decide.Request) { r.Target = "/Agencies/" + benchSID + "/Resource3" }), decide.InsufficientScope},
		"foreign":   {change(func(r *decide.Request) { r.Target = "/Agencies/x/Resource3" }), decide.WrongAccount},
		"beaten":    {change(func(r *decide.Request) { r.Target = "/Agencies/" + benchSID + "/Resource40/Export" }), decide.Allow},
		"long":      {change(func(r *decide.Request) { r.Target = "/Agencies/" + benchSID + "/Resource0/" + strings.Repeat("x", 100) }), decide.Allow},
		"lookalike": {change(func(r *decide.Request) { r.Target = "/Agencies/" + benchSID + "/Resource40/EXPORT" }), decide.MalformedRequest},
		"no route":  {change(func(r *decide.Request) { r.Target = "/Agencies/x/y" }), decide.NoRoute},
		"malformed": {change(func(r *decide.Request) { r.Target = "/Agencies/%2e%2e/y" }), decide.MalformedRequest},
		"query":     {change(func(r *decide.Request) { r.Target += "?a=b&IrVersion=3&c" }), decide.Allow},
	} {
		t.Run(name, func(t *testing.T) {
			var m decide.Match
			var v decide.Verdict
			judge := func() decide.Reason {
				if reason := table.Match(c.request, &m); reason != decide.Allow {
					return reason
				}
				return table.Decide(&m, caller, &v)
			}
			if got := judge(); got != c.want {
				t.Fatalf("%v, want %v", got, c.want)
			}
			if n := testing.AllocsPerRun(200, func() { judge() }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// BenchmarkGrowth shows that what reads untrusted text takes time in proportion to it.
func BenchmarkGrowth(b *testing.B) {
	table, request, _ := benchCase(b, 300)
	var m decide.Match
	for name, target := range map[string]func(n int) string{
		"path":  func(n int) string { return strings.Repeat("/aaaaaaaaaaaaaaa", n) },
		"query": func(n int) string { return "/Agencies/x/y?" + strings.Repeat("%5fmethox=a&abc;", n) },
		"names": func(n int) string { return "/Agencies/x/y?" + strings.Repeat("&;&;&;&;&;&;&;&;", n) },
	} {
		for _, n := range []int{128, 256, 500} {
			b.Run(fmt.Sprintf("%s/bytes=%d", name, 16*n), func(b *testing.B) {
				r := *request
				r.Target = target(n)
				for b.Loop() {
					if table.Match(&r, &m) != decide.NoRoute {
						b.Fatal("not read to the end")
					}
				}
			})
		}
	}
}
