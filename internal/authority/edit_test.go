package authority_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

func (w *world) edit(by authority.Actor, sid string, in api.TokenEdit) (api.Token, error) {
	w.t.Helper()
	if in.Revision == 0 {
		in.Revision = w.token(sid).Revision
	}
	out, err := w.EditToken(w.t.Context(), by, agency, sid, in)
	return out.Token, err
}

func TestAnEditChangesWhatItNamesAndKeepsTheSecret(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	in := wants("Before", harmless...)
	in.DeveloperEmails, in.Description = []string{"dev@people.example"}, "old"
	made := w.create(w.specialist, agency, in).Token
	secrets := w.digests(made.SID)

	edit := api.TokenEdit{
		Name: ptr("After"), Description: ptr(""), PrimaryContact: ptr(w.admin.Person), DeveloperEmails: &[]string{"new@people.example"},
		Scopes: &[]string{"reports.make-report", "jobs.read"}, Expires: ptr(w.now().Add(24 * time.Hour)), Revision: made.Revision,
	}
	preview, err := w.PreviewEdit(ctx, w.trusted, agency, made.SID, edit)
	if err != nil {
		t.Fatal(err)
	}
	if after := w.token(made.SID); after.Revision != made.Revision || after.Name != "Before" {
		t.Error("a preview changed the token")
	}
	changed, err := w.EditToken(ctx, w.trusted, agency, made.SID, edit)
	if err != nil {
		t.Fatal(err)
	}
	want := made
	want.Name, want.Description, want.DeveloperEmails, want.Expires, want.Revision = "After", "", []string{"new@people.example"}, edit.Expires, 2
	want.PrimaryContact = &api.PersonRef{Person: w.admin.Person, Name: "ada", Email: "ada@people.example", Active: true}
	want.Pins = slices.Clone(made.Pins)
	want.Pins[0].Scopes = []string{"jobs.read", "reports.make-report"}
	if diff := cmp.Diff(want, changed.Token); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(secrets, w.digests(made.SID)); diff != "" {
		t.Errorf("the secret:\n%s", diff)
	}
	page, err := w.History(ctx, w.admin, agency, authority.HistoryQuery{Subject: made.SID, Action: "token.edit"})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(err)
	}
	wantPairs := []api.HistoryPair{
		{Name: "name", Before: "Before", After: "After"},
		{Name: "description", Before: "old"},
		{Name: "expires", After: "2026-11-25 09:00 UTC"},
		{Name: "primary contact", Before: "sam", After: "ada"},
		{Name: "developer e-mails", Before: "dev@people.example", After: "new@people.example"},
		{Name: "scope", After: "reports.make-report"},
		{Name: "scope", Before: "jobs.get-job"},
	}
	if diff := cmp.Diff(wantPairs, page.Items[0].Details); diff != "" {
		t.Errorf("the history:\n%s", diff)
	}
	if diff := cmp.Diff(page.Items[0].Details, preview); diff != "" {
		t.Errorf("the preview and the history differ:\n%s", diff)
	}
}

func TestTheSecondOfTwoEditsIsToldAndOverwritesNothing(t *testing.T) {
	w := newWorld(t)
	made := w.create(w.admin, agency, wants("Edited", harmless...)).Token
	if _, err := w.edit(w.admin, made.SID, api.TokenEdit{Description: ptr("first")}); err != nil {
		t.Fatal(err)
	}
	for _, revision := range []int64{made.Revision, 99, -1} {
		_, err := w.edit(w.trusted, made.SID, api.TokenEdit{Name: ptr("Second"), Description: ptr("second"), Revision: revision})
		refused(t, err, api.CodeConflict)
		_, err = w.PreviewEdit(t.Context(), w.trusted, agency, made.SID, api.TokenEdit{Revision: revision})
		refused(t, err, api.CodeConflict)
	}
	if got := w.token(made.SID); got.Description != "first" || got.Name != "Edited" {
		t.Errorf("%+v", got)
	}
	// A reset or a change of state is a change too.
	now := w.token(made.SID).Revision
	if _, err := w.ResetToken(t.Context(), w.admin, agency, made.SID, now); err != nil {
		t.Fatal(err)
	}
	_, err := w.edit(w.trusted, made.SID, api.TokenEdit{Name: ptr("Third"), Revision: now})
	refused(t, err, api.CodeConflict)

	var wg sync.WaitGroup
	now = w.token(made.SID).Revision
	var mu sync.Mutex
	won := 0
	for i := range 10 {
		wg.Go(func() {
			if _, err := w.EditToken(t.Context(), w.admin, agency, made.SID, api.TokenEdit{Name: ptr(fmt.Sprint("Racer ", i)), Revision: now}); err == nil {
				mu.Lock()
				defer mu.Unlock()
				won++
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 10 edits of one revision were written", won)
	}
}

// Keeping a scope needs no right to give it; adding one does.
func TestAddingNeedsTheRightAndKeepingDoesNot(t *testing.T) {
	w := newWorld(t)
	made := w.create(w.admin, agency, wants("Sensitive", sensitive...)).Token

	if got, err := w.edit(w.specialist, made.SID, api.TokenEdit{Scopes: &[]string{"keys.get-key", "jobs.read", "jobs.get-job"}}); err != nil || len(got.Pins[0].Scopes) != 3 {
		t.Errorf("keeping a sensitive scope and adding a harmless one: %v", err)
	}
	if _, err := w.edit(w.specialist, made.SID, api.TokenEdit{Name: ptr("Renamed")}); err != nil {
		t.Errorf("an edit of the name: %v", err)
	}
	if got, err := w.edit(w.specialist, made.SID, api.TokenEdit{Scopes: &[]string{"jobs.read"}}); err != nil || len(got.Pins[0].Scopes) != 1 {
		t.Errorf("dropping a sensitive scope: %v", err)
	}
	_, err := w.edit(w.specialist, made.SID, api.TokenEdit{Scopes: &[]string{"jobs.read", "keys.get-key"}})
	refused(t, err, api.CodeInvalid, "scopes")
	if _, err := w.edit(w.trusted, made.SID, api.TokenEdit{Scopes: &[]string{"jobs.read", "keys.get-key"}}); err != nil {
		t.Errorf("by one who may: %v", err)
	}
	_, err = w.edit(w.trusted, made.SID, api.TokenEdit{Scopes: &[]string{"jobs.cancel-job"}})
	refused(t, err, api.CodeInvalid, "scopes")
}

// A wider reach and a later end give the old scopes more to open, so they ask for the right to give them.
func TestWideningReachOrExpiryAsksAgain(t *testing.T) {
	w := newWorld(t)
	in := wants("Keys", append([]string{"brand/bank.get-bank"}, sensitive...)...)
	in.Reach, in.Brands, in.Expires = api.ReachList, []int64{brandA}, ptr(w.now().Add(48*time.Hour))
	made := w.create(w.admin, agency, in).Token

	for name, edit := range map[string]api.TokenEdit{
		"another brand":  {Brands: &[]int64{brandA, brandB}},
		"the other one":  {Brands: &[]int64{brandB}},
		"all brands":     {Reach: ptr(api.ReachAll), Brands: &[]int64{}},
		"a later end":    {Expires: ptr(w.now().Add(72 * time.Hour))},
		"no end":         {NeverExpires: ptr(true)},
		"brand version":  {BrandVersion: ptr("7"), Scopes: &[]string{"jobs.read", "keys.get-key", "brand/bank.get-bank"}},
		"both, by a lie": {Brands: &[]int64{brandA, brandB}, Scopes: &[]string{"keys.get-key", "brand/bank.get-bank"}},
	} {
		before := w.token(made.SID)
		if _, err := w.edit(w.specialist, made.SID, edit); err == nil {
			t.Errorf("%s by one who may not give the scopes: passed", name)
		} else {
			refusal(t, err)
		}
		if diff := cmp.Diff(before, w.token(made.SID)); diff != "" {
			t.Errorf("%s was refused, and changed:\n%s", name, diff)
		}
	}
	for _, c := range []struct {
		name string
		edit api.TokenEdit
	}{
		{"an earlier end", api.TokenEdit{Expires: ptr(w.now().Add(24 * time.Hour))}},
		{"the same end", api.TokenEdit{Expires: ptr(w.now().Add(24 * time.Hour))}},
		{"the same reach", api.TokenEdit{Reach: ptr(api.ReachList), Brands: &[]int64{brandA}}},
		{"no reach", api.TokenEdit{Reach: ptr(api.ReachNone)}},
	} {
		if _, err := w.edit(w.specialist, made.SID, c.edit); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got := w.token(made.SID); len(got.Pins) != 1 || got.Reach != api.ReachNone || len(got.Brands) != 0 {
		t.Errorf("without reach it opens %+v", got.Pins)
	}
	_, err := w.edit(w.specialist, made.SID, api.TokenEdit{Reach: ptr(api.ReachAll)})
	refused(t, err, api.CodeForbidden)
	if got, err := w.edit(w.admin, made.SID, api.TokenEdit{Reach: ptr(api.ReachAll), NeverExpires: ptr(true)}); err != nil || len(got.Pins) != 2 || len(got.Pins[1].Scopes) != 0 {
		t.Errorf("by one who may: %+v, %v", got.Pins, err)
	}
}

// Between versions a scope's name is no promise (SECURITY.md, class 34): ads.read opens more in version 8.
// An edit that changes the version of the nested API says which scopes it wants there.
func TestAnotherBrandVersionNeverTakesScopesByTheirName(t *testing.T) {
	w := newWorld(t)
	in := wants("Brands", "jobs.read", "brand/ads.read")
	in.Reach, in.BrandVersion = api.ReachAll, "7"
	made := w.create(w.admin, agency, in).Token
	_, err := w.edit(w.admin, made.SID, api.TokenEdit{BrandVersion: ptr("8")})
	refused(t, err, api.CodeInvalid, "scopes")
	if got := w.token(made.SID); got.Pins[1].Version != "7" {
		t.Errorf("%+v", got.Pins[1])
	}
	if _, err := w.edit(w.admin, made.SID, api.TokenEdit{BrandVersion: ptr("7")}); err != nil {
		t.Errorf("the same version: %v", err)
	}
	got, err := w.edit(w.admin, made.SID, api.TokenEdit{BrandVersion: ptr("8"), Scopes: &[]string{"jobs.read", "brand/ads.read", "brand/ads.make-ad"}})
	if err != nil || got.Pins[1].Version != "8" || len(got.Pins[1].Scopes) != 2 {
		t.Errorf("with its scopes: %+v, %v", got.Pins, err)
	}
}

// What a form sends back unchanged is no change, although it could not be chosen anew.
func TestAnEditIsNotStoppedByWhatItKeeps(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	in := wants("Kept", "jobs.read", "brand/ads.read")
	in.Version, in.Reach, in.Brands, in.Expires = "2", api.ReachList, []int64{brandA, brandB}, ptr(w.now().Add(time.Hour))
	made := w.create(w.specialist, agency, in).Token
	if _, err := w.EndManagement(ctx, w.operator, agency, brandB); err != nil {
		t.Fatal(err)
	}
	w.pass(200 * 24 * time.Hour) // version 2 is retired, the token has expired
	whole := api.TokenEdit{
		Name: ptr("Renamed"), Description: ptr(""), Expires: made.Expires, Reach: ptr(api.ReachList), Brands: &[]int64{brandA, brandB},
		BrandVersion: ptr("8"), PrimaryContact: ptr(w.specialist.Person), DeveloperEmails: &[]string{}, Scopes: &[]string{"jobs.read", "brand/ads.read"},
	}
	got, err := w.edit(w.specialist, made.SID, whole)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "Renamed" || !got.Expires.Equal(*made.Expires) || got.State != api.StateExpired || len(got.Brands) != 2 {
		t.Errorf("%+v", got)
	}
	whole.Brands = &[]int64{brandA}
	if _, err := w.edit(w.specialist, made.SID, whole); err != nil {
		t.Fatal(err)
	}
	whole.Brands = &[]int64{brandA, brandB}
	_, err = w.edit(w.specialist, made.SID, whole) // once dropped, it is asked for anew
	refused(t, err, api.CodeInvalid, "brands")
}

func TestAPlanSaysWhatAnUpgradeDoesToTheTokensOwnScopes(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	in := wants("Old", "jobs.read", "jobs.get-job", "jobs.cancel-job", "keys.get-key", "brand/ads.read")
	in.Version, in.Reach, in.BrandVersion = "2", api.ReachAll, "7"
	made := w.create(w.admin, agency, in).Token
	plan, err := w.PlanUpgrade(ctx, w.specialist, agency, made.SID, "", "")
	if err != nil {
		t.Fatal(err)
	}
	names := func(steps []api.UpgradeStep) (out []string) {
		for _, s := range steps {
			out = append(out, s.Scope)
		}
		return out
	}
	if plan.From != "2" || plan.To != "3" || plan.API != "agency" {
		t.Errorf("%+v", plan)
	}
	if diff := cmp.Diff([][]string{{"jobs.get-job", "keys.get-key"}, {"jobs.read"}, {"jobs.cancel-job"}}, [][]string{names(plan.Carried), names(plan.Ask), names(plan.Gone)}); diff != "" {
		t.Errorf("carried, ask, gone:\n%s", diff)
	}
	if len(plan.Ask[0].Added) != 1 || !strings.Contains(plan.Ask[0].Added[0], "/Log") || !plan.Ask[0].Allowed {
		t.Errorf("what jobs.read would open: %+v", plan.Ask[0])
	}

	// Nobody ticks: what covers more is dropped. The specialist may not give keys.get-key, and keeps it.
	done, err := w.UpgradeToken(ctx, w.specialist, agency, made.SID, api.TokenUpgrade{Revision: made.Revision})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"jobs.get-job", "keys.get-key"}, done.Token.Pins[0].Scopes); diff != "" || done.Token.Version != "3" || done.Token.Pins[0].Version != "3" {
		t.Errorf("%+v\n%s", done.Token.Pins[0], diff)
	}
	if done.Token.Pins[1].Version != "7" {
		t.Error("the nested API moved along")
	}
	_, err = w.UpgradeToken(ctx, w.specialist, agency, made.SID, api.TokenUpgrade{})
	refused(t, err, api.CodeInvalid, "version") // it is there already
}

func TestAnUpgradeTakesWhatIsTickedAndAskedFor(t *testing.T) {
	w := newWorld(t)
	ctx, n := t.Context(), 0
	old := func(scopes ...string) api.Token {
		n++
		in := wants(fmt.Sprint("Old ", n), scopes...)
		in.Version, in.Reach, in.BrandVersion = "2", api.ReachAll, "7"
		return w.create(w.admin, agency, in).Token
	}
	tick := func(by authority.Actor, token api.Token, in api.TokenUpgrade) (api.Token, error) {
		secrets := w.digests(token.SID)
		out, err := w.UpgradeToken(ctx, by, agency, token.SID, in)
		if diff := cmp.Diff(secrets, w.digests(token.SID)); diff != "" {
			t.Errorf("an upgrade changed the secret:\n%s", diff)
		}
		return out.Token, err
	}
	got, err := tick(w.specialist, old("jobs.read"), api.TokenUpgrade{Scopes: []string{"jobs.read", "jobs.run-job"}})
	if err != nil || !slices.Equal(got.Pins[0].Scopes, []string{"jobs.read", "jobs.run-job"}) {
		t.Errorf("%+v, %v", got.Pins, err)
	}
	got, err = tick(w.admin, old("brand/ads.read"), api.TokenUpgrade{API: "brand", Scopes: []string{"ads.read"}})
	if err != nil || got.Pins[1].Version != "8" || len(got.Pins[1].Scopes) != 1 || got.Version != "2" {
		t.Errorf("the nested API: %+v, %v", got.Pins, err)
	}
	for name, c := range map[string]struct {
		by    authority.Actor
		in    api.TokenUpgrade
		field string
	}{
		"a sensitive scope that it did not hold": {w.specialist, api.TokenUpgrade{Scopes: []string{"keys.get-key"}}, "scopes"},
		"a scope that is gone":                   {w.admin, api.TokenUpgrade{Scopes: []string{"jobs.cancel-job"}}, "scopes"},
		"a scope of another API":                 {w.admin, api.TokenUpgrade{Scopes: []string{"brand/ads.make-ad"}}, "scopes"},
		"a retired version":                      {w.admin, api.TokenUpgrade{Version: "1"}, "version"},
		"no such version":                        {w.admin, api.TokenUpgrade{Version: "9"}, "version"},
		"an API that it does not open":           {w.admin, api.TokenUpgrade{API: "counterfoil"}, "api"},
	} {
		token := old("jobs.get-job")
		_, err := tick(c.by, token, c.in)
		refused(t, err, api.CodeInvalid, c.field)
		if diff := cmp.Diff(token, w.token(token.SID)); diff != "" {
			t.Errorf("%s was refused, and changed:\n%s", name, diff)
		}
	}
	stale := old("jobs.get-job")
	if _, err := w.edit(w.admin, stale.SID, api.TokenEdit{Description: ptr("x")}); err != nil {
		t.Fatal(err)
	}
	_, err = tick(w.admin, stale, api.TokenUpgrade{Revision: stale.Revision})
	refused(t, err, api.CodeConflict)
}
