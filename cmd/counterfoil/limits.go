package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
)

// none takes one limit off, where a flag would set it.
const none = "none"

// limitFlags are the flags by which limits are set. Those that are not given leave theirs as it is.
type limitFlags struct {
	rate              string
	burst             int64
	daily, monthly    int64
	allow, deny, host []string
	notBefore         dateFlag
	off               bool
}

// forAccount adds the flags that an account has.
func (f *limitFlags) forAccount(c *cobra.Command, whose string) {
	flags := c.Flags()
	flags.StringVar(&f.rate, "rate", "", "calls "+whose+" in a time, as 10/second, 600/minute or 1000/hour; none: no rate")
	flags.Int64Var(&f.burst, "burst", 0, "calls of the rate that may come at once; 0: as many as the rate's calls")
	flags.Int64Var(&f.daily, "daily", 0, "calls "+whose+" in one UTC day; 0: no quota")
	flags.Int64Var(&f.monthly, "monthly", 0, "calls "+whose+" in one UTC month; 0: no quota")
	flags.BoolVar(&f.off, "no-limits", false, "take all limits off that the other flags do not set")
}

// forToken adds those that a token has.
func (f *limitFlags) forToken(c *cobra.Command) {
	f.forAccount(c, "of the token")
	flags := c.Flags()
	flags.StringArrayVar(&f.allow, "allow", nil, "address or network that calls may come from; once for each; none: any")
	flags.StringArrayVar(&f.deny, "deny", nil, "address or network that calls may not come from; once for each; none: no such")
	flags.StringArrayVar(&f.host, "host", nil, "request host that the token may be used at; once for each; none: any")
	flags.Var(&f.notBefore, "not-before", "date, time, or days from now as 90d, before which the token opens nothing")
}

// limitNames are the flags that set a limit.
var limitNames = []string{"rate", "burst", "daily", "monthly", "allow", "deny", "host", "not-before", "no-limits"}

func limitsGiven(c *cobra.Command) bool {
	return slices.ContainsFunc(limitNames, c.Flags().Changed)
}

// token is what the flags make of the limits that a token has, or nil if none was given.
func (f *limitFlags) token(c *cobra.Command, now *api.Limits) (*api.Limits, error) {
	if !limitsGiven(c) {
		return nil, nil
	}
	var out api.Limits
	if now != nil && !f.off {
		out = *now
	}
	given := c.Flags().Changed
	var err error
	if out.Rate, err = f.rateOf(c, out.Rate); err != nil {
		return nil, err
	}
	for flag, field := range map[string]struct {
		to   *[]string
		list []string
	}{"allow": {&out.Allow, f.allow}, "deny": {&out.Deny, f.deny}, "host": {&out.Hosts, f.host}} {
		if given(flag) {
			*field.to = slices.DeleteFunc(slices.Clone(field.list), func(s string) bool { return s == none })
		}
	}
	f.quotas(c, &out.Daily, &out.Monthly)
	if given("not-before") {
		out.NotBefore = &f.notBefore.Time
	}
	return &out, nil
}

// account is the same for an account.
func (f *limitFlags) account(c *cobra.Command, now *api.AccountLimits) (*api.AccountLimits, error) {
	if !limitsGiven(c) {
		return nil, nil
	}
	var out api.AccountLimits
	if now != nil && !f.off {
		out = *now
	}
	var err error
	if out.Rate, err = f.rateOf(c, out.Rate); err != nil {
		return nil, err
	}
	f.quotas(c, &out.Daily, &out.Monthly)
	return &out, nil
}

func (f *limitFlags) quotas(c *cobra.Command, daily, monthly *int64) {
	if c.Flags().Changed("daily") {
		*daily = f.daily
	}
	if c.Flags().Changed("monthly") {
		*monthly = f.monthly
	}
}

func (f *limitFlags) rateOf(c *cobra.Command, now *api.Rate) (*api.Rate, error) {
	out := now
	if c.Flags().Changed("rate") {
		if f.rate == none {
			return nil, nil
		}
		r, err := decide.ParseRate(f.rate)
		if err != nil {
			return nil, usagef("--rate %s %v", f.rate, err)
		}
		out = &api.Rate{Calls: r.Calls, Per: r.Per(), Burst: r.Burst}
	}
	if c.Flags().Changed("burst") {
		if out == nil {
			return nil, usagef("--burst is the burst of a rate; add --rate")
		}
		with := *out
		with.Burst = f.burst
		out = &with
	}
	return out, nil
}

// showLimits tells limits, one to a line; without any, that there are none.
func showLimits(t *table, l *api.Limits) {
	if l.IsZero() {
		t.fact("Limits", none)
		return
	}
	showAccountLimits(t, &api.AccountLimits{Rate: l.Rate, Daily: l.Daily, Monthly: l.Monthly})
	for _, list := range []struct {
		name  string
		items []string
	}{{"Allowed addresses", l.Allow}, {"Denied addresses", l.Deny}, {"Hosts", l.Hosts}} {
		if len(list.items) > 0 {
			t.fact(list.name, strings.Join(list.items, ", "))
		}
	}
	if l.NotBefore != nil {
		t.fact("Not before", words(*l.NotBefore))
	}
}

func showAccountLimits(t *table, l *api.AccountLimits) {
	if l == nil {
		return
	}
	if l.Rate != nil {
		t.fact("Rate", l.Rate.String())
	}
	if l.Daily > 0 {
		t.fact("Daily quota", fmt.Sprintf("%d calls", l.Daily))
	}
	if l.Monthly > 0 {
		t.fact("Monthly quota", fmt.Sprintf("%d calls", l.Monthly))
	}
}
