package catalog

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const diffCatalogue = `apis:
  shop:
    title: Shop API
    accounts: [brand]
    base: /shops/{Shop}
    hosts: [api.example.com]
    versions:
      "1": {state: current, documents: [v1.yaml]}
`

// buildOne builds one API from a document's paths; catalogue may be "" for diffCatalogue.
func buildOne(t *testing.T, catalogue, paths string) *Result {
	t.Helper()
	if catalogue == "" {
		catalogue = diffCatalogue
	}
	src, loaded, err := Load(fstest.MapFS{
		"catalog.yaml": {Data: []byte(catalogue)},
		"v1.yaml":      {Data: []byte("openapi: 3.1.0\ninfo: {title: Shop, version: \"1\"}\npaths:\n" + paths)},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	res, built := Build(src, Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if problems := append(loaded, built...); HasFatal(problems) {
		t.Fatal(problems)
	}
	return res
}

const before = `
  /shops/{Shop}/orders:
    get: {operationId: list, tags: [Orders], summary: List orders, security: [{o: [read]}]}
    post: {operationId: add, tags: [Orders], security: [{o: [write, read]}]}
  /shops/{Shop}/items:
    get: {operationId: items, tags: [Items], security: [{o: [read]}]}
  /shops/{Shop}/gone: {get: {operationId: gone, tags: [Items]}}
  /shops/{Shop}/plain: {get: {operationId: plain, tags: [Items]}}
`

const after = `
  /shops/{Shop}/orders:
    get: {operationId: list, tags: [Orders], summary: List orders, security: [{o: [read]}]}
    post: {operationId: add, tags: [Orders], security: [{o: [write]}]}
    delete: {operationId: clear, tags: [Orders], security: [{o: [read]}]}
  /shops/{Sid}/items:
    get: {operationId: items, tags: [Items], security: [{o: [items]}]}
  /shops/{Shop}/plain: {get: {operationId: plain, tags: [Items], summary: Plain things}}
`

func TestDiffTellsWhatWidens(t *testing.T) {
	catalogue := strings.Replace(diffCatalogue, "state: current", "state: deprecated, deprecated: 2026-01-01, sunset: 2027-01-01", 1)
	catalogue = strings.Replace(catalogue, "hosts: [api.example.com]", "hosts: [api.example.com, api2.example.com]", 1)
	got := Compare(buildOne(t, "", before).APIs, buildOne(t, catalogue, after).APIs).String()
	want := `shop: hosts: api.example.com → api.example.com, api2.example.com
shop 1: deprecated: none → 2026-01-01
shop 1: state: current → deprecated
shop 1: sunset: none → 2027-01-01
shop 1: scope items added (Items: items)
shop 1: scope items.gone removed (Items: Gone)
shop 1: scope read now also opens
    DELETE /shops/{Shop}/orders
shop 1: scope write now also opens
    POST /shops/{Shop}/orders
shop 1: scope read no longer opens
    GET /shops/{Shop}/items
shop 1: scope items.plain is now called "Items: Plain things", was "Items: Plain"
shop 1: DELETE /shops/{Shop}/orders added
shop 1: GET /shops/{Shop}/gone removed
shop 1: GET /shops/{Sid}/items asks for items, asked for read
shop 1: POST /shops/{Shop}/orders asks for write, asked for read and write
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDiffOfTheSameIsEmpty(t *testing.T) {
	a, b := buildOne(t, "", before), buildOne(t, "", before)
	if d := Compare(a.APIs, b.APIs); !d.Empty() || d.String() != "nothing changes\n" {
		t.Errorf("got\n%s", d)
	}
	added := Compare(nil, a.APIs)
	if n := len(added.Only(APIAdded, VersionAdded)); n != 2 || len(added.Only(ScopeWidened)) != 0 {
		t.Errorf("from nothing:\n%s", added)
	}
	removed := Compare(a.APIs, nil)
	if n := len(removed.Only(APIRemoved, VersionRemoved)); n != 2 || len(removed.Only(ScopeRemoved)) != len(added.Only(ScopeAdded)) {
		t.Errorf("to nothing:\n%s", removed)
	}
}

func versionOf(r *Result) Version { return r.APIs[0].Versions[0] }

// TestNothingWidensSilentlyOnUpgrade: a scope is carried over only if its name opens nothing new.
func TestNothingWidensSilentlyOnUpgrade(t *testing.T) {
	from, to := versionOf(buildOne(t, "", before)), versionOf(buildOne(t, "", after))
	carried, ask := CarryOver(from, to, []string{"write", "read", "items.plain", "items.gone", "never.was", "items"})
	if want := []string{"items.plain"}; !slices.Equal(carried, want) {
		t.Errorf("carried %v, want %v", carried, want)
	}
	if want := []string{"items", "items.gone", "never.was", "read", "write"}; !slices.Equal(ask, want) {
		t.Errorf("to ask %v, want %v", ask, want)
	}
}

func TestCarryOver(t *testing.T) {
	const one = "  /shops/{Shop}/a: {get: {operationId: a, tags: [T], security: [%]}}\n"
	from := func(security string) Version {
		return versionOf(buildOne(t, "", strings.Replace(one, "%", security, 1)))
	}
	for _, c := range []struct {
		name, before, after, scope string
		carried                    bool
	}{
		{"the same", "{o: [s]}", "{o: [s]}", "s", true},
		{"asks for more", "{o: [s]}", "{o: [s, t]}", "s", true},
		{"asks for less", "{o: [s, t]}", "{o: [s]}", "s", false},
		{"another partner", "{o: [s, t]}", "{o: [s, u]}", "s", false},
		{"a new alternative with it", "{o: [t]}, {o: [s, v]}", "{o: [t]}, {o: [s]}", "s", false},
		{"an alternative beside it", "{o: [s]}", "{o: [s]}, {o: [t]}", "s", true},
		{"a useless alternative", "{o: [t]}, {o: [s, v]}", "{o: [t]}, {o: [s, t]}, {o: [s, v]}", "s", true},
	} {
		carried, ask := CarryOver(from(c.before), from(c.after), []string{c.scope})
		if got := len(carried) == 1; got != c.carried || len(carried)+len(ask) != 1 {
			t.Errorf("%s: carried %v, ask %v", c.name, carried, ask)
		}
	}
}

func TestHiddenScopesAreNotCarriedOver(t *testing.T) {
	catalogue := strings.Replace(diffCatalogue, "    versions:", "    scopes: {items.plain: {hide: true}}\n    versions:", 1)
	from, to := versionOf(buildOne(t, "", before)), versionOf(buildOne(t, catalogue, before))
	if carried, _ := CarryOver(from, to, []string{"items.plain"}); len(carried) != 0 {
		t.Errorf("carried %v", carried)
	}
}

func TestLatestIsTheNewestCurrentOne(t *testing.T) {
	a := API{Versions: []Version{
		{Name: "1", State: "current", Released: "2024-01-01"},
		{Name: "3", State: "current", Released: "2026-01-01"},
		{Name: "2", State: "current", Released: "2025-01-01"},
		{Name: "4", State: "preview", Released: "2027-01-01"},
	}}
	if v, ok := a.Latest(); !ok || v.Name != "3" {
		t.Errorf("latest is %q", v.Name)
	}
	if _, ok := (API{Versions: []Version{{State: "preview"}}}).Latest(); ok {
		t.Error("a preview is latest")
	}
}

func TestQualifiedNames(t *testing.T) {
	if api, scope, ok := ParseQualified(Qualified("brand", "jobs.replay-job")); !ok || api != "brand" || scope != "jobs.replay-job" {
		t.Errorf("got %q %q %v", api, scope, ok)
	}
	for _, bad := range []string{"jobs.replay-job", "/x", "brand/", "brand/a/b", "brand/a b"} {
		if _, _, ok := ParseQualified(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestEffectOnAToken(t *testing.T) {
	old, now := buildOne(t, "", before).APIs, buildOne(t, "", after).APIs
	grows, shrinks := Effect(old, now, "shop", "1", []string{"read", "items.gone"})
	if want := []string{"DELETE /shops/{Shop}/orders"}; !slices.Equal(grows, want) {
		t.Errorf("grows by %v, want %v", grows, want)
	}
	if want := []string{"GET /shops/{Shop}/gone", "GET /shops/{Shop}/items"}; !slices.Equal(shrinks, want) {
		t.Errorf("shrinks by %v, want %v", shrinks, want)
	}
	if grows, shrinks := Effect(old, old, "shop", "1", []string{"read", "write"}); len(grows)+len(shrinks) != 0 {
		t.Errorf("nothing changes, but %v %v", grows, shrinks)
	}
	grows, shrinks = Effect(old, nil, "shop", "1", []string{"write", "read"})
	if len(grows) != 0 || len(shrinks) != 3 {
		t.Errorf("the API goes: %v %v", grows, shrinks)
	}
}

func TestGainsPerScope(t *testing.T) {
	got := Gains(versionOf(buildOne(t, "", before)), versionOf(buildOne(t, "", after)))
	want := map[string][]string{
		"items": {"GET /shops/{Sid}/items"},
		"read":  {"DELETE /shops/{Shop}/orders"},
		"write": {"POST /shops/{Shop}/orders"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
