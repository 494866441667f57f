package decide_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/decide"
)

func TestARateIsReadInOneSpelling(t *testing.T) {
	for text, want := range map[string]decide.Rate{
		"10/second":               {Calls: 10, Seconds: 1},
		"600/minute burst 50":     {Calls: 600, Seconds: 60, Burst: 50},
		"1/hour burst 10":         {Calls: 1, Seconds: 3600, Burst: 10},
		" 1000000000/hour ":       {Calls: 1_000_000_000, Seconds: 3600},
		"5/second   burst     50": {Calls: 5, Seconds: 1, Burst: 50},
	} {
		got, err := decide.ParseRate(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if again, err := decide.ParseRate(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, which reads as %+v, %v", text, got, again, err)
		}
	}
	if same, err := decide.ParseRate("7/second burst 7"); err != nil || same.String() != "7/second" {
		t.Errorf("a burst that is the calls: %s, %v", same, err)
	}
	for _, text := range []string{
		"", "10", "/second", "10/day", "0/second", "-1/second", "10/second burst", "10/second burst 0", "10/second burst 101",
		"10/second burst -1", "1000000001/second", "1e3/second", "10 / second", "10/second burst 1 2", "99999999999999999999/hour",
	} {
		if got, err := decide.ParseRate(text); err == nil || !strings.Contains(err.Error(), "10/second") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// The scopes that opened a call and have a limit are told, each once, and of a call that is refused none.
func TestAnAllowTellsTheScopesThatAreLimited(t *testing.T) {
	rate := func(calls int64) *decide.Rate { return &decide.Rate{Calls: calls, Seconds: 1} }
	c := decide.Catalogue{APIs: []decide.API{{
		Name: "a", Base: "/A/{AccountSID}", Bind: decide.BindSID,
		Versions: []decide.Version{{
			Name: "1", State: "current",
			Scopes: []decide.ScopeWords{{Name: "free"}, {Name: "one", Limit: rate(1)}, {Name: "two", Limit: rate(2)}},
			Routes: []decide.Route{
				{Method: "GET", Template: "/both", Needs: [][]string{{"one", "free", "two"}}},
				{Method: "GET", Template: "/either", Needs: [][]string{{"free"}, {"one"}}},
				{Method: "GET", Template: "/x/{Y}", Needs: [][]string{{"one"}}},
				{Method: "GET", Template: "/{X}/y", Needs: [][]string{{"two", "one"}}},
			},
		}},
	}}}
	table, err := decide.Compile(&c, nil)
	if err != nil {
		t.Fatal(err)
	}
	version := table.VersionID("a", "1")
	var m decide.Match
	var v decide.Verdict
	for _, one := range []struct{ path, held, want string }{
		{"/both", "free one two", "one two"},
		{"/either", "free one two", ""},
		{"/either", "one", "one"},
		{"/x/y", "one two", "two one"},
		{"/both", "one free", ""},
	} {
		caller := &decide.Caller{SID: "S", Pins: []decide.Pin{{Version: version, Scopes: table.ScopeSet(version, strings.Fields(one.held))}}}
		if reason := table.Match(parseRequest(t, "GET /A/S"+one.path), &m); reason != decide.Allow {
			t.Fatal(reason)
		}
		reason := table.Decide(&m, caller, &v)
		got := []string{}
		for _, words := range v.Limited {
			got = append(got, words.Name)
		}
		if diff := cmp.Diff(strings.Fields(one.want), got); diff != "" || (reason == decide.Allow) == (one.path == "/both" && one.held == "one free") {
			t.Errorf("%s with %s: %v %s", one.path, one.held, reason, diff)
		}
	}
	c.APIs[0].Versions[0].Scopes[1].Limit = &decide.Rate{Calls: 1}
	if _, err := decide.Compile(&c, nil); err == nil || !strings.Contains(err.Error(), "limit of scope one") {
		t.Errorf("a limit without a time: %v", err)
	}
}
