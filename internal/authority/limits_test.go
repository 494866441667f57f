package authority_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

func limited(name string, l api.Limits) api.TokenCreate {
	in := wants(name, harmless...)
	in.Limits = &l
	return in
}

func TestLimitsAreKeptInOneSpelling(t *testing.T) {
	w := newWorld(t)
	from := w.now().Add(time.Hour)
	made := w.create(w.admin, agency, limited("Limited", api.Limits{
		Rate: &api.Rate{Calls: 10, Per: "second", Burst: 10}, Daily: 1000, Monthly: 20_000,
		Allow: []string{"2001:db8::/32", "10.0.0.0/8", "192.0.2.7/32", "::ffff:192.0.2.7", " 10.0.0.0/8 "}, Deny: []string{"10.1.0.0/16"},
		Hosts: []string{"API.platform.example"}, NotBefore: &from,
	})).Token
	want := &api.Limits{
		Rate: &api.Rate{Calls: 10, Per: "second"}, Daily: 1000, Monthly: 20_000,
		Allow: []string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"}, Deny: []string{"10.1.0.0/16"},
		Hosts: []string{"api.platform.example"}, NotBefore: &from,
	}
	if diff := gocmp.Diff(want, made.Limits); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	grant, err := w.Feed("node").Grant(t.Context(), made.SID)
	if err != nil {
		t.Fatal(err)
	}
	onFeed := *want
	onFeed.NotBefore = nil
	if diff := gocmp.Diff(&onFeed, grant.Limits); diff != "" || grant.NotBefore != api.Micros(from.UnixMicro()) {
		t.Errorf("verifiers hear %d, (-want +got):\n%s", grant.NotBefore, diff)
	}
	copied, err := w.DuplicateToken(t.Context(), w.admin, agency, made.SID, api.TokenDuplicate{Name: "Copy"}, authority.Once{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, copied.Token.Limits); diff != "" {
		t.Errorf("a copy (-want +got):\n%s", diff)
	}
	if none := w.create(w.admin, agency, limited("None", api.Limits{})).Token; none.Limits != nil {
		t.Errorf("no limits are kept as %+v", none.Limits)
	}
	if _, err := w.edit(w.admin, made.SID, api.TokenEdit{Limits: &api.Limits{}}); err != nil || w.token(made.SID).Limits != nil {
		t.Errorf("an empty object does not take limits off: %v", err)
	}
}

func TestLimitsThatCannotBeAreRefusedInWords(t *testing.T) {
	w := newWorld(t)
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("192.0.2.%d", i)
	}
	for name, c := range map[string]struct {
		in           api.Limits
		field, words string
	}{
		"no calls":          {api.Limits{Rate: &api.Rate{Per: "second"}}, "limits.rate", "disable a token"},
		"no time":           {api.Limits{Rate: &api.Rate{Calls: 1, Per: "day"}}, "limits.rate", "per second, minute or hour"},
		"burst":             {api.Limits{Rate: &api.Rate{Calls: 5, Per: "hour", Burst: 51}}, "limits.burst", "from 1 to 50"},
		"negative quota":    {api.Limits{Daily: -1}, "limits.daily", "0 for no quota"},
		"no address":        {api.Limits{Allow: []string{"localhost"}}, "limits.allow", "192.0.2.0/24"},
		"host bits":         {api.Limits{Allow: []string{"10.0.0.1/8"}}, "limits.allow", "write 10.0.0.0/8"},
		"interface":         {api.Limits{Deny: []string{"fe80::1%eth0"}}, "limits.deny", "interface"},
		"mixed":             {api.Limits{Deny: []string{"::ffff:0:0/64"}}, "limits.deny", "mixes"},
		"too many":          {api.Limits{Allow: many}, "limits.allow", "at most 100"},
		"all denied":        {api.Limits{Deny: []string{"0.0.0.0/1", "128.0.0.0/1", "::/0"}}, "limits.deny", "disable the token instead"},
		"allowed is denied": {api.Limits{Allow: []string{"10.1.0.0/16", "10.2.0.0/16"}, Deny: []string{"10.0.0.0/8"}}, "limits.deny", "no address"},
		"foreign host":      {api.Limits{Hosts: []string{"api.rival.example"}}, "limits.hosts", "choose of api.platform.example"},
		"begins at the end": {api.Limits{NotBefore: ptr(w.now().Add(time.Hour))}, "limits.not_before", "before the token's end"},
	} {
		in := limited(name, c.in)
		in.Expires = ptr(w.now().Add(time.Hour))
		_, err := w.CreateToken(t.Context(), w.admin, agency, in, authority.Once{})
		if e := refused(t, err, api.CodeInvalid, c.field); !strings.Contains(e.Error(), c.words) {
			t.Errorf("%s: %v", name, e)
		}
	}
	// One family alone may be shut out.
	w.create(w.admin, agency, limited("Only IPv6", api.Limits{Deny: []string{"0.0.0.0/0"}}))
}

// Whoever loosens a limit could as well have made the token without it, and must be one who may.
func TestLooseningALimitNeedsTheRightAndTighteningDoesNot(t *testing.T) {
	w := newWorld(t)
	from := w.now().Add(time.Hour)
	held := api.Limits{
		Rate: &api.Rate{Calls: 60, Per: "minute", Burst: 60}, Daily: 100, Monthly: 1000,
		Allow: []string{"10.0.0.0/8"}, Deny: []string{"10.1.0.0/16"}, Hosts: []string{"api.platform.example"}, NotBefore: &from,
	}
	for name, c := range map[string]struct {
		change func(*api.Limits)
		loose  bool
	}{
		"same":             {func(*api.Limits) {}, false},
		"slower":           {func(l *api.Limits) { l.Rate = &api.Rate{Calls: 1, Per: "minute"} }, false},
		"same, other unit": {func(l *api.Limits) { l.Rate = &api.Rate{Calls: 1, Per: "second"} }, false},
		"faster":           {func(l *api.Limits) { l.Rate = &api.Rate{Calls: 2, Per: "second"} }, true},
		"more at once":     {func(l *api.Limits) { l.Rate = &api.Rate{Calls: 10, Per: "hour", Burst: 100} }, true},
		"no rate":          {func(l *api.Limits) { l.Rate = nil }, true},
		"less a day":       {func(l *api.Limits) { l.Daily = 99 }, false},
		"more a day":       {func(l *api.Limits) { l.Daily = 101 }, true},
		"no day":           {func(l *api.Limits) { l.Daily = 0 }, true},
		"no month":         {func(l *api.Limits) { l.Monthly = 0 }, true},
		"narrower":         {func(l *api.Limits) { l.Allow = []string{"10.0.0.0/9", "10.200.0.1"} }, false},
		"both halves":      {func(l *api.Limits) { l.Allow = []string{"10.0.0.0/9", "10.128.0.0/9"} }, false},
		"another network":  {func(l *api.Limits) { l.Allow = []string{"10.0.0.0/8", "192.0.2.1"} }, true},
		"any address":      {func(l *api.Limits) { l.Allow = nil }, true},
		"denies more":      {func(l *api.Limits) { l.Deny = []string{"10.0.0.0/15"} }, false},
		"denies less":      {func(l *api.Limits) { l.Deny = []string{"10.1.0.0/17"} }, true},
		"any host":         {func(l *api.Limits) { l.Hosts = nil }, true},
		"later":            {func(l *api.Limits) { l.NotBefore = ptr(from.Add(time.Hour)) }, false},
		"earlier":          {func(l *api.Limits) { l.NotBefore = ptr(from.Add(-time.Minute)) }, true},
		"at once":          {func(l *api.Limits) { l.NotBefore = nil }, true},
	} {
		in := wants(name, sensitive...)
		in.Limits = &held
		made := w.create(w.admin, agency, in).Token
		other := held
		c.change(&other)
		_, err := w.edit(w.specialist, made.SID, api.TokenEdit{Limits: &other})
		if c.loose {
			refused(t, err, api.CodeForbidden)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.edit(w.admin, made.SID, api.TokenEdit{Limits: &other}); err != nil {
			t.Errorf("%s, by one who may: %v", name, err)
		}
	}
}

func TestLimitsAreToldInTheHistory(t *testing.T) {
	w := newWorld(t)
	made := w.create(w.admin, agency, limited("Told", api.Limits{Rate: &api.Rate{Calls: 10, Per: "second", Burst: 50}, Allow: []string{"10.0.0.0/8", "192.0.2.1"}})).Token
	edit := api.TokenEdit{Limits: &api.Limits{Daily: 500, Allow: []string{"10.0.0.0/8"}, NotBefore: ptr(w.now().Add(time.Hour))}}
	if _, err := w.edit(w.admin, made.SID, edit); err != nil {
		t.Fatal(err)
	}
	page, err := w.History(t.Context(), w.admin, agency, authority.HistoryQuery{Subject: made.SID, Action: "token.edit"})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(err)
	}
	want := []api.HistoryPair{
		{Name: "rate", Before: "10/second burst 50"},
		{Name: "daily quota", After: "500 calls"},
		{Name: "not before", After: "2026-11-24 10:00 UTC"},
		{Name: "allowed address", Before: "192.0.2.1"},
	}
	if diff := gocmp.Diff(want, page.Items[0].Details); diff != "" {
		t.Errorf("the history:\n%s", diff)
	}
}

func TestAnAccountsLimitsReachVerifiers(t *testing.T) {
	w := newWorld(t)
	account := func() api.Account {
		got, err := w.Account(t.Context(), w.operator, agency)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	follower := newReplica(w.snapshot())
	want := &api.AccountLimits{Rate: &api.Rate{Calls: 100, Per: "minute"}, Daily: 7}
	edited, err := w.EditAccount(t.Context(), w.operator, agency, api.AccountEdit{Limits: want, Revision: account().Revision})
	if err != nil {
		t.Fatal(err)
	}
	w.follow(follower)
	facts := follower.accounts[agency]
	if diff := gocmp.Diff([]*api.AccountLimits{want, want}, []*api.AccountLimits{edited.Limits, facts.Limits}); diff != "" || len(facts.Manages) != 2 {
		t.Errorf("%v\n%s", facts, diff)
	}
	if diff := gocmp.Diff(follower.text(t), newReplica(w.snapshot()).text(t)); diff != "" {
		t.Error(diff)
	}
	_, err = w.EditAccount(t.Context(), w.operator, agency, api.AccountEdit{Limits: &api.AccountLimits{Daily: -1}, Revision: edited.Revision})
	refused(t, err, api.CodeInvalid, "limits.daily")
	if _, err := w.EditAccount(t.Context(), w.admin, agency, api.AccountEdit{Limits: &api.AccountLimits{}, Revision: edited.Revision}); err == nil {
		t.Error("an account took its own limits off")
	}
	if _, err := w.EditAccount(t.Context(), w.operator, agency, api.AccountEdit{Limits: &api.AccountLimits{}, Revision: edited.Revision}); err != nil || account().Limits != nil {
		t.Errorf("%v", err)
	}
}

// quotas follows the feed until a total that is wanted was heard.
func (w *world) quotas(after api.Seq, want api.QuotaUse) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer stop()
	err := w.Feed("tester").Follow(ctx, after, func(entries []api.Entry) error {
		for _, e := range entries {
			if len(e.Quotas) > 0 && e.Seq != after {
				w.t.Errorf("quotas moved the position to %d", e.Seq)
			}
			for _, use := range e.Quotas {
				if use == want {
					return errFollowed
				}
			}
		}
		return nil
	})
	if !errors.Is(err, errFollowed) {
		w.t.Fatalf("the feed did not say %+v: %v", want, err)
	}
}

func TestQuotasAddUpOverNodesBatchesDaysAndRestarts(t *testing.T) {
	w := newWorld(t)
	acct, err := w.Account(t.Context(), w.operator, agency)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.EditAccount(t.Context(), w.operator, agency, api.AccountEdit{Limits: &api.AccountLimits{Monthly: 1000}, Revision: acct.Revision}); err != nil {
		t.Fatal(err)
	}
	one := w.create(w.admin, agency, limited("One", api.Limits{Daily: 100})).Token
	two := w.create(w.admin, agency, wants("Two", harmless...)).Token
	free := w.create(w.rivalAdmin, rival, wants("Three", harmless...)).Token
	report := func(a *authority.Authority, node string, number int64, at time.Time, calls int64) {
		t.Helper()
		batch := &api.UsageBatch{Node: node, Number: number}
		for _, sid := range []string{one.SID, two.SID, free.SID} {
			batch.Uses = append(batch.Uses, api.Usage{SID: sid, At: api.Micros(at.UnixMicro()), Calls: calls, Refused: 5})
		}
		if err := a.Feed(node).Report(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	report(w.Authority, "a", 1, w.now(), 3)
	report(w.Authority, "a", 1, w.now(), 3) // sent again: counts once
	report(w.Authority, "b", 1, w.now().Add(time.Hour*24), 4)
	again := w.open() // on the same database, as after a restart
	report(again, "b", 2, w.now(), 1)
	want := []api.QuotaUse{
		{Account: agency, Day: 20261124, DayCalls: 16, Month: 202611, MonthCalls: 16},
		{SID: one.SID, Day: 20261124, DayCalls: 8, Month: 202611, MonthCalls: 8},
	}
	byKind := gocmp.Transformer("byKind", func(in []api.QuotaUse) map[string]api.QuotaUse {
		out := map[string]api.QuotaUse{}
		for _, u := range in {
			out[u.SID] = u
		}
		return out
	})
	if diff := gocmp.Diff(want, w.snapshot().Quotas, byKind); diff != "" {
		t.Errorf("a snapshot (-want +got):\n%s", diff)
	}
	head := api.Seq(w.head())
	w.quotas(head, want[0])
	w.quotas(head, want[1])
	w.pass(24 * time.Hour)
	report(w.Authority, "a", 2, w.now(), 2)
	w.quotas(head, api.QuotaUse{SID: one.SID, Day: 20261125, DayCalls: 2, Month: 202611, MonthCalls: 10})
	report(w.Authority, "a", 3, w.now().Add(-24*time.Hour), 1) // late: counts for its own day
	w.quotas(head, api.QuotaUse{SID: one.SID, Day: 20261125, DayCalls: 2, Month: 202611, MonthCalls: 11})
}
