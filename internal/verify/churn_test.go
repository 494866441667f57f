package verify_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// TestChurnLeavesEveryGrantAsItWasLastSaid compares the verifier with a model over enough tokens and changes
// that directories grow, side tables fill with garbage and are swept, and tombstones are left behind.
func TestChurnLeavesEveryGrantAsItWasLastSaid(t *testing.T) {
	const tokens, changes = 6000, 30000
	a := desk()
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]verifytest.Token, tokens)
	live := make(map[string]api.Grant)
	for i := range all {
		all[i] = verifytest.Mint(t, token.Access, 7)
	}
	a.Remove(all[0].SID) // never heard of: a tombstone without an account
	v := a.Start(t, verify.Config{})
	for range changes {
		g := all[random.IntN(tokens)].Grant
		if random.IntN(3) == 0 {
			a.Remove(g.SID)
			delete(live, g.SID)
			continue
		}
		g.Pins = []api.Pin{pin("agency", "3", fmt.Sprint("only.", random.IntN(4000)))} // mostly a set of its own
		if random.IntN(2) == 0 {
			g.Pins[0].Scopes = append(g.Pins[0].Scopes, "jobs.list")
		}
		g.Reach = api.ReachNone
		if random.IntN(2) == 0 {
			g.Reach, g.Brands = api.ReachList, []int64{12, int64(1000 + random.IntN(4000))}
		}
		if random.IntN(4) == 0 {
			g.Expires, g.NotBefore = 1, 0
		} else if random.IntN(4) == 0 {
			g.NotBefore = 1 << 60
		}
		if random.IntN(4) == 0 {
			// No address of the questions' own is asked for by Explain; the row moves with its grant.
			g.Limits = &api.Limits{Daily: int64(1 + random.IntN(500)), Allow: []string{"10.0.0.0/8"}}
		} else {
			g.Limits = nil
		}
		g.Pins = append(g.Pins, pin("brand", "14", "ads.list"))
		a.Put(g)
		live[g.SID] = g
	}
	a.Settle(t, v)
	want := func(g api.Grant, known bool, scoped bool) api.Code {
		switch {
		case !known:
			return api.CodeUnknownToken
		case g.NotBefore != 0:
			return api.CodeTokenNotYetValid
		case g.Expires != 0:
			return api.CodeTokenExpired
		case !scoped:
			return api.CodeInsufficientScope
		}
		return ""
	}
	for i := range all {
		sid, err := token.ParseSID(all[i].SID)
		if err != nil {
			t.Fatal(err)
		}
		g, known := live[all[i].SID]
		scoped := known && len(g.Pins[0].Scopes) == 2
		if got := v.Explain(sid, request(all[i], "GET", jobs)).Code; got != want(g, known, scoped) {
			t.Fatalf("%s: %q, want %q of %+v", sid, got, want(g, known, scoped), g)
		}
		brand := want(g, known, true)
		if brand == "" && g.Reach != api.ReachList {
			brand = api.CodeBrandOutOfReach
		}
		if got := v.Explain(sid, request(all[i], "GET", "/Agencies/{SID}/Advertisers/12/Ads")).Code; got != brand {
			t.Fatalf("%s on brand 12: %q, want %q of %+v", sid, got, brand, g)
		}
	}
	if got := v.Status().Grants; got != len(live) {
		t.Errorf("%d grants are known, want %d", got, len(live))
	}
}
