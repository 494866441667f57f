package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// limitsInput is the part *Limits* as it was typed, so that what is wrong comes back for mending.
type limitsInput struct {
	Rate      string `json:"rate,omitempty"`
	Per       string `json:"per,omitempty"`
	Burst     string `json:"burst,omitempty"`
	Daily     string `json:"daily,omitempty"`
	Monthly   string `json:"monthly,omitempty"`
	Allow     string `json:"allow,omitempty"`
	Deny      string `json:"deny,omitempty"`
	Hosts     string `json:"hosts,omitempty"`
	NotBefore string `json:"not_before,omitempty"`
}

// limitControls says which control asks for a field of the authority.
var limitControls = map[string]string{
	"limits.rate": "limit_rate", "limits.per": "limit_per", "limits.burst": "limit_burst", "limits.daily": "limit_daily",
	"limits.monthly": "limit_monthly", "limits.allow": "limit_allow", "limits.deny": "limit_deny", "limits.hosts": "limit_hosts",
	"limits.not_before": "limit_not_before",
}

// localTime is how a browser writes a moment without a zone; here it is UTC.
const localTime = "2006-01-02T15:04"

// limitsAsked says whether a form has the part at all.
func limitsAsked(form url.Values) bool { return form.Has("limit_rate") }

func takeLimits(form url.Values) limitsInput {
	text := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	return limitsInput{
		Rate: text("limit_rate"), Per: text("limit_per"), Burst: text("limit_burst"), Daily: text("limit_daily"), Monthly: text("limit_monthly"),
		Allow: text("limit_allow"), Deny: text("limit_deny"), Hosts: text("limit_hosts"), NotBefore: text("limit_not_before"),
	}
}

// typed is what the part shows of limits that are set.
func typed(l *api.Limits) limitsInput {
	if l == nil {
		return limitsInput{}
	}
	in := limitsInput{
		Daily: calls(l.Daily), Monthly: calls(l.Monthly),
		Allow: strings.Join(l.Allow, "\n"), Deny: strings.Join(l.Deny, "\n"), Hosts: strings.Join(l.Hosts, "\n"),
	}
	if l.Rate != nil {
		in.Rate, in.Per, in.Burst = calls(l.Rate.Calls), l.Rate.Per, calls(l.Rate.Burst)
	}
	if l.NotBefore != nil {
		in.NotBefore = l.NotBefore.UTC().Format(localTime)
	}
	return in
}

// accountTyped is typed for an account.
func accountTyped(l *api.AccountLimits) limitsInput {
	if l == nil {
		return limitsInput{}
	}
	return typed(&api.Limits{Rate: l.Rate, Daily: l.Daily, Monthly: l.Monthly})
}

func calls(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// limits is what the part asks for. It is never nil: with nothing typed, there shall be none.
func (in limitsInput) limits() (*api.Limits, []api.Field) {
	var bad []api.Field
	number := func(field, text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if text == "" {
			return 0
		}
		if err != nil || n < 1 {
			bad = append(bad, api.Field{Name: field, Message: "must be a whole number of calls, 1 or more, or empty"})
			return 0
		}
		return n
	}
	out := &api.Limits{
		Daily: number("limits.daily", in.Daily), Monthly: number("limits.monthly", in.Monthly),
		Allow: words(in.Allow), Deny: words(in.Deny), Hosts: words(in.Hosts),
	}
	burst := number("limits.burst", in.Burst)
	if n := number("limits.rate", in.Rate); n > 0 {
		out.Rate = &api.Rate{Calls: n, Per: in.Per, Burst: burst}
	} else if burst > 0 && in.Rate == "" {
		bad = append(bad, api.Field{Name: "limits.burst", Message: "needs a rate; fill in the calls, or leave it empty"})
	}
	if in.NotBefore != "" {
		at, err := time.Parse(localTime, in.NotBefore)
		if err != nil {
			bad = append(bad, api.Field{Name: "limits.not_before", Message: "must be a date and time like 2027-01-31T12:00, in UTC"})
		} else {
			out.NotBefore = &at
		}
	}
	return out, bad
}

// words parts a list by lines, blanks and commas.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
}

// allow adds an address to the allowed ones.
func (in limitsInput) allow(address string) limitsInput {
	if !slices.Contains(words(in.Allow), address) {
		in.Allow = strings.TrimSpace(in.Allow + "\n" + address)
	}
	return in
}

// form is the part as it is drawn.
func (in limitsInput) form(errs view.Errors) view.LimitsForm {
	f := view.LimitsForm{
		Rate: in.Rate, Per: in.Per, Burst: in.Burst, Daily: in.Daily, Monthly: in.Monthly,
		Allow: in.Allow, Deny: in.Deny, Hosts: in.Hosts, NotBefore: in.NotBefore, Errors: errs,
	}
	l, bad := in.limits()
	f.Words = limitWords(l)
	f.Open = len(f.Words) > 0 || len(bad) > 0
	for _, control := range limitControls {
		f.Open = f.Open || errs.For(control) != ""
	}
	return f
}

// limitWords says what is set, one sentence each.
func limitWords(l *api.Limits) []string {
	if l == nil {
		return nil
	}
	var out []string
	if r := l.Rate; r != nil {
		words := fmt.Sprintf("At most %d calls %s", r.Calls, article(r.Per))
		if r.AtOnce() != r.Calls {
			words += fmt.Sprintf(", %d at once", r.AtOnce())
		}
		out = append(out, words+".")
	}
	for _, quota := range []struct {
		calls  int64
		period string
	}{{l.Daily, "day"}, {l.Monthly, "month"}} {
		if quota.calls > 0 {
			out = append(out, fmt.Sprintf("At most %d calls a %s (UTC).", quota.calls, quota.period))
		}
	}
	for _, list := range []struct {
		words string
		items []string
	}{{"Only from ", l.Allow}, {"Never from ", l.Deny}, {"Only at ", l.Hosts}} {
		if len(list.items) > 0 {
			out = append(out, list.words+strings.Join(list.items, ", ")+".")
		}
	}
	if l.NotBefore != nil {
		out = append(out, "Not before "+l.NotBefore.UTC().Format("2 January 2006, 15:04")+" UTC.")
	}
	return out
}

func article(period string) string {
	if period == api.PerHour {
		return "an hour"
	}
	return "a " + period
}

// limitFaults is the refusal of what could not be read.
func limitFaults(bad []api.Field) error {
	if len(bad) == 0 {
		return nil
	}
	return api.InvalidFields(bad)
}
