package decide_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/scope"
)

// TestNothingOpensOfWhatIsRetiredOrGone: a pin outlives its version, and a scope its box.
func TestNothingOpensOfWhatIsRetiredOrGone(t *testing.T) {
	catalogue := func(state string, sunset int64, scopes ...string) *decide.Catalogue {
		v := decide.Version{Name: "3", State: state, Sunset: sunset}
		for _, name := range scopes {
			v.Scopes = append(v.Scopes, decide.ScopeWords{Name: name, Category: "Jobs", Label: name})
			v.Routes = append(v.Routes, decide.Route{Method: "GET", Template: "/" + name, Needs: [][]string{{name}}})
		}
		return &decide.Catalogue{APIs: []decide.API{{
			Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID, Hosts: []string{"api.example.com"}, Versions: []decide.Version{v},
		}}}
	}
	first, err := decide.Compile(catalogue("current", 0, "a", "b", "c"), nil)
	if err != nil {
		t.Fatal(err)
	}
	id := first.VersionID("agency", "3")
	held := first.ScopeSet(id, []string{"a", "c"})
	for name, c := range map[string]struct {
		next *decide.Catalogue
		id   decide.VersionID
		held scope.Set
		want []string
	}{
		"as it was":       {catalogue("current", 0, "a", "b", "c"), id, held, []string{"a", "c"}},
		"a scope is gone": {catalogue("current", 0, "b", "c"), id, held, []string{"c"}},
		"none is held":    {catalogue("current", 0, "a", "b", "c"), id, scope.Set{}, []string{}},
		"retired":         {catalogue("retired", 0, "a", "b", "c"), id, held, nil},
		"sunset is past":  {catalogue("deprecated", 100, "a", "b", "c"), id, held, nil},
		"the API is gone": {&decide.Catalogue{}, id, held, nil},
		"no version":      {catalogue("current", 0, "a", "b", "c"), 0, held, nil},
	} {
		table, err := decide.Compile(c.next, first)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		api, version, got := table.Opens(c.id, c.held, 100)
		if diff := cmp.Diff(c.want, got); diff != "" || (got != nil) != (api == "agency" && version == "3") {
			t.Errorf("%s: %q %q (-want +got):\n%s", name, api, version, diff)
		}
	}
}
