package verify

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
)

// limits are what a token or an account is held to, compiled; many grants share a row.
type limits struct {
	api.AccountLimits
	allow, deny []netip.Prefix
	hosts       []string
}

// noLimits are those of whoever has none.
var noLimits limits

// compileLimits reads what the feed carries. What cannot be read refuses the token: a list that is left out
// would let everybody in (SECURITY.md, class 34).
func compileLimits(in *api.Limits) (limits, error) {
	out := limits{AccountLimits: api.AccountLimits{Rate: in.Rate, Daily: in.Daily, Monthly: in.Monthly}, hosts: in.Hosts}
	if err := out.check(); err != nil {
		return limits{}, err
	}
	for _, list := range []struct {
		in  []string
		out *[]netip.Prefix
	}{{in.Allow, &out.allow}, {in.Deny, &out.deny}} {
		for _, s := range list.in {
			network, err := netip.ParsePrefix(s)
			if addr, single := netip.ParseAddr(s); single == nil {
				network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
			}
			if err != nil {
				return limits{}, fmt.Errorf("reading an address list: %w", err)
			}
			*list.out = append(*list.out, network)
		}
	}
	return out, nil
}

func (l *limits) check() error {
	if r := l.Rate; r != nil && (r.Period() == 0 || r.Calls < 1 || time.Duration(r.Calls) > r.Period() || r.AtOnce() < 1 || r.AtOnce() > 10*r.Calls) {
		return fmt.Errorf("a rate of %s cannot be counted", r)
	}
	return nil
}

// holdLimits interns the limits of a grant; 0 for none.
func (v *view) holdLimits(in *api.Limits, compiled limits) (uint32, error) {
	if in.IsZero() {
		return 0, nil
	}
	key, err := json.Marshal(in)
	if err != nil {
		return 0, fmt.Errorf("interning limits: %w", err)
	}
	return v.limits.hold(sha256.Sum256(key), func() limits { return compiled }), nil
}

// admits says whether a token may be used from an address. With a list, an address that nobody knows is
// refused: whoever could hide it would be let in.
func (l *limits) admits(client netip.Addr) bool {
	if len(l.allow) == 0 && len(l.deny) == 0 {
		return true
	}
	client = client.Unmap().WithZone("")
	has := func(network netip.Prefix) bool { return network.Contains(client) }
	return client.IsValid() && !slices.ContainsFunc(l.deny, has) && (len(l.allow) == 0 || slices.ContainsFunc(l.allow, has))
}

func (l *limits) atHost(host string) bool {
	same := func(one string) bool { return strings.EqualFold(one, host) } // both are ASCII
	return len(l.hosts) == 0 || slices.ContainsFunc(l.hosts, same)
}

// limitKind says which limit a decision met, or which one it came nearest to.
type limitKind uint8

const (
	noLimit limitKind = iota
	tokenRate
	accountRate
	scopeRate
	tokenDaily
	tokenMonthly
	accountDaily
	accountMonthly
)

// limitAnswer is how one limit stands after a call.
type limitAnswer struct {
	kind  limitKind
	most  int64         // calls that the limit allows
	left  int64         // of them still there
	reset time.Duration // until all are there again
	wait  time.Duration // until one is, on a refusal
	rate  api.Rate      // of a rate
	scope *decide.ScopeWords
}

// ownLimits are those of a grant.
func (v *view) ownLimits(e *entry) *limits {
	if e.extra != 0 {
		if i := v.extras.at(e.extra).limits; i != 0 {
			return v.limits.at(i)
		}
	}
	return &noLimits
}

// place judges where an allowed call comes from, and to which host.
func (l *limits) place(r *Request, d *Decision) {
	switch {
	case !l.admits(r.Client):
		d.Allowed, d.Code, d.client = false, api.CodeAddressNotAllowed, r.Client
	case !l.atHost(d.match.Host()):
		d.Allowed, d.Code, d.hostOfToken = false, api.CodeHostNotAllowed, true
	}
}

// hold judges the limits of a call that everything else allowed: addresses, hosts, quotas, rates. A call that
// one of them refuses is counted by none.
func (v *Verifier) hold(view *view, e *entry, r *Request, d *Decision, now time.Time) {
	own, all := view.ownLimits(e), d.accountLimits
	if own == &noLimits && all == nil && len(d.verdict.Limited) == 0 {
		return
	}
	if all == nil {
		all = &noLimits
	}
	if own.place(r, d); !d.Allowed {
		return
	}
	token, account := quotaSubject{sid: e.sid}, quotaSubject{account: d.Account}
	if !v.spend(&token, own, tokenDaily, d, now) {
		return
	}
	if !v.spend(&account, all, accountDaily, d, now) {
		v.unspend(&token, own, now)
		return
	}
	if !v.pace(e, own, all, d, now) {
		v.unspend(&token, own, now)
		v.unspend(&account, all, now)
	}
}

// spend counts a call against the quotas of a token or an account.
func (v *Verifier) spend(s *quotaSubject, l *limits, daily limitKind, d *Decision, now time.Time) bool {
	if l.Daily == 0 && l.Monthly == 0 {
		return true
	}
	before, room := v.quotas.take(s, l.Daily, l.Monthly, now)
	if !room {
		d.Allowed, d.Code, d.limit = false, api.CodeQuotaExceeded, limitAnswer{}
	}
	if l.Daily > 0 {
		d.meet(limitAnswer{kind: daily, most: l.Daily, left: l.Daily - before.dayCalls, reset: untilTomorrow(now)}, room)
	}
	if l.Monthly > 0 {
		d.meet(limitAnswer{kind: daily + 1, most: l.Monthly, left: l.Monthly - before.monthCalls, reset: untilNextMonth(now)}, room)
	}
	return room
}

func (v *Verifier) unspend(s *quotaSubject, l *limits, now time.Time) {
	if l.Daily > 0 || l.Monthly > 0 {
		v.quotas.giveBack(s, now)
	}
}

// meet keeps the answer that says most to the caller: on an allow the limit with fewest calls left, on a
// refusal the one that is used up for longest. left is that before the call.
func (d *Decision) meet(a limitAnswer, room bool) {
	if room {
		a.left--
		if d.limit.kind == noLimit || a.left < d.limit.left {
			d.limit = a
		}
		return
	}
	if a.left > 0 {
		return
	}
	if a.left, a.wait = 0, a.reset; d.limit.kind == noLimit || a.wait > d.limit.wait {
		d.limit = a
	}
}

// pace counts a call against the rates of the token, its account, and the scopes that opened it.
func (v *Verifier) pace(e *entry, own, all *limits, d *Decision, now time.Time) bool {
	asks := d.asks[:0]
	if own.Rate != nil {
		asks = append(asks, askOf(Subject{SID: e.sid}, own.Rate.Period(), own.Rate.Calls, own.Rate.AtOnce()))
	}
	if all.Rate != nil {
		asks = append(asks, askOf(Subject{Account: d.Account}, all.Rate.Period(), all.Rate.Calls, all.Rate.AtOnce()))
	}
	for _, words := range d.verdict.Limited {
		r := words.Limit
		asks = append(asks, askOf(Subject{SID: e.sid, API: d.API, Scope: words.Name}, time.Duration(r.Seconds)*time.Second, r.Calls, r.AtOnce()))
	}
	d.asks = asks
	if len(asks) == 0 || v.limiter.Take(now, asks) {
		for i := range asks {
			a := d.paceAnswer(i, own, all)
			if d.limit.kind == noLimit || a.left < d.limit.left {
				d.limit = a
			}
		}
		return true
	}
	d.Allowed, d.Code, d.limit = false, api.CodeRateLimited, limitAnswer{}
	for i := range asks {
		if a := d.paceAnswer(i, own, all); a.wait > d.limit.wait {
			d.limit = a
			d.limit.left = 0
		}
	}
	return false
}

func askOf(s Subject, period time.Duration, calls, burst int64) Ask {
	return Ask{Subject: s, Every: period / time.Duration(calls), Burst: burst}
}

// paceAnswer is what the limiter said of one ask.
func (d *Decision) paceAnswer(i int, own, all *limits) limitAnswer {
	ask := &d.asks[i]
	a := limitAnswer{most: ask.Burst, left: ask.Left, reset: ask.Full, wait: ask.Wait}
	switch {
	case ask.Subject.Scope != "":
		a.kind, a.scope = scopeRate, d.verdict.Limited[i-(len(d.asks)-len(d.verdict.Limited))]
	case ask.Subject.SID.IsZero():
		a.kind, a.rate = accountRate, *all.Rate
	default:
		a.kind, a.rate = tokenRate, *own.Rate
	}
	return a
}

// Fields for the client, in the spelling of net/http.
const (
	RateLimitHeader     = "Ratelimit-Limit"
	RateRemainingHeader = "Ratelimit-Remaining"
	RateResetHeader     = "Ratelimit-Reset"
)

// RateHeaders are their names.
var RateHeaders = [...]string{RateLimitHeader, RateRemainingHeader, RateResetHeader}

// Limited says whether the caller is told how its limits stand: of calls that something limits, it is told
// of the limit that has fewest left, or that refused.
func (d *Decision) Limited() bool { return d.limit.kind != noLimit }

// SetLimits sets the fields that tell the client how its limits stand, in place of what was there; on a
// refusal for a limit also Retry-After (RFC 9110, section 10.2.3). Times are whole seconds, rounded up.
func (d *Decision) SetLimits(h http.Header) {
	if !d.Limited() {
		return
	}
	h[RateLimitHeader] = []string{strconv.FormatInt(d.limit.most, 10)}
	h[RateRemainingHeader] = []string{strconv.FormatInt(max(0, d.limit.left), 10)}
	h[RateResetHeader] = []string{seconds(d.limit.reset)}
	if !d.Allowed && (d.Code == api.CodeRateLimited || d.Code == api.CodeQuotaExceeded) {
		h["Retry-After"] = []string{seconds(max(d.limit.wait, 1))}
	}
}

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// limitFix is where a limit is set: on the token's page, unless it is the account's, a scope's, or the API's.
func (v *Verifier) limitFix(d *Decision) string {
	switch {
	case d.limit.kind == accountRate, d.limit.kind == accountDaily, d.limit.kind == accountMonthly, d.limit.kind == scopeRate,
		d.Code == api.CodeHostNotAllowed && !d.hostOfToken:
		return ""
	}
	return v.fix(d, "#limits")
}

// limitWords are the words of a refusal for a limit.
func (d *Decision) limitWords() (title, detail string) {
	switch d.Code {
	case api.CodeAddressNotAllowed:
		if !d.client.IsValid() {
			return "The address is not known", "The token may be used from certain addresses only, and the proxy in front did not say from where this request comes."
		}
		return "The token may not be used from this address", "The request comes from " + d.client.Unmap().String() + ". The token's page lists the addresses that it may be used from."
	case api.CodeHostNotAllowed:
		return "The token may not be used at this host", "The token's page lists the hosts that it may be used at."
	case api.CodeQuotaExceeded:
		return "The quota is used up", d.quotaWords() + " Try again in " + seconds(d.limit.wait) + " seconds."
	}
	return "Too many calls", d.rateWords() + " Try again in " + seconds(max(d.limit.wait, 1)) + " seconds."
}

func (d *Decision) quotaWords() string {
	whose, period := "the token", "day"
	if d.limit.kind == accountDaily || d.limit.kind == accountMonthly {
		whose = "all tokens of the account together"
	}
	if d.limit.kind == tokenMonthly || d.limit.kind == accountMonthly {
		period = "month"
	}
	return fmt.Sprintf("The %d calls of %s for this %s (UTC) are used.", d.limit.most, whose, period)
}

func (d *Decision) rateWords() string {
	switch d.limit.kind {
	case accountRate:
		return "All tokens of the account together may make " + rateWords(d.limit.rate) + "."
	case scopeRate:
		s := d.limit.scope
		return fmt.Sprintf("Calls opened by “%s → %s” are limited to %s for each token.", s.Category, s.Label, s.Limit)
	}
	return "The token may make " + rateWords(d.limit.rate) + "."
}

func rateWords(r api.Rate) string {
	words := fmt.Sprintf("%d calls a %s", r.Calls, r.Per)
	if r.AtOnce() != r.Calls {
		words += fmt.Sprintf(", %d at once", r.AtOnce())
	}
	return words
}
