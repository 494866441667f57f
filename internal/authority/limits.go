package authority

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// Bounds of limits.
const (
	MaxNetworks  = 100 // in one list
	MaxHosts     = 20
	maxRate      = 1_000_000_000
	maxQuota     = 1_000_000_000_000
	maxBurstTime = 10 // a burst is at most so many times the calls of its rate
)

// cleanLimits reads what a token shall be held to, in its one spelling, or nil for nothing. ends is the
// token's end, and served the hosts that its APIs have (nil: any).
func cleanLimits(in *api.Limits, ends *int64, served []string, bad *faults) *api.Limits {
	if in.IsZero() {
		return nil
	}
	out := &api.Limits{
		Rate: cleanRate(in.Rate, bad), Daily: cleanQuota("daily", in.Daily, bad), Monthly: cleanQuota("monthly", in.Monthly, bad),
		Allow: cleanNetworks("allow", in.Allow, bad), Deny: cleanNetworks("deny", in.Deny, bad), Hosts: cleanHosts(in.Hosts, served, bad),
	}
	if len(out.Deny) > 0 && deniesAll(parsed(out.Allow), parsed(out.Deny)) {
		bad.add("limits.deny", "leaves no address from which the token could be used; disable the token instead, or deny less")
	}
	if in.NotBefore != nil {
		from := when(in.NotBefore.UnixMicro())
		out.NotBefore = &from
		if ends != nil && from.UnixMicro() >= *ends {
			bad.add("limits.not_before", "is not before the token's end ("+when(*ends).Format("2006-01-02 15:04 UTC")+"); choose an earlier time")
		}
	}
	if out.IsZero() {
		return nil
	}
	return out
}

// cleanAccountLimits is the same for an account.
func cleanAccountLimits(in *api.AccountLimits, bad *faults) *api.AccountLimits {
	if in.IsZero() {
		return nil
	}
	return &api.AccountLimits{Rate: cleanRate(in.Rate, bad), Daily: cleanQuota("daily", in.Daily, bad), Monthly: cleanQuota("monthly", in.Monthly, bad)}
}

func cleanRate(in *api.Rate, bad *faults) *api.Rate {
	if in == nil {
		return nil
	}
	out := *in
	if out.Period() == 0 {
		bad.add("limits.rate", "must be per second, minute or hour")
	}
	if out.Calls < 1 || out.Calls > maxRate {
		bad.add("limits.rate", fmt.Sprintf("must be from 1 to %d calls; leave the rate out for none, and disable a token that shall make no call", int64(maxRate)))
	} else if out.Burst < 0 || out.Burst > maxBurstTime*out.Calls {
		bad.add("limits.burst", fmt.Sprintf("must be from 1 to %d, ten times the calls; leave it out for as many as the calls", maxBurstTime*out.Calls))
	}
	if out.Burst == out.Calls {
		out.Burst = 0
	}
	return &out
}

func cleanQuota(field string, calls int64, bad *faults) int64 {
	if calls < 0 || calls > maxQuota {
		bad.add("limits."+field, fmt.Sprintf("must be from 1 to %d calls, or 0 for no quota", int64(maxQuota)))
		return 0
	}
	return calls
}

// cleanNetworks reads addresses and networks: sorted, each once, a single address without its length.
func cleanNetworks(field string, in []string, bad *faults) []string {
	field = "limits." + field
	var out []netip.Prefix
	for _, s := range in {
		network, fault := cleanNetwork(s)
		if fault != "" {
			bad.add(field, fmt.Sprintf("“%s” %s", clip(s), fault))
			continue
		}
		out = append(out, network)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	out = slices.Compact(out)
	if len(out) > MaxNetworks {
		bad.add(field, fmt.Sprintf("holds %d networks; at most %d are allowed, so join neighbours into larger ones", len(out), MaxNetworks))
	}
	var texts []string
	for _, network := range out {
		if network.IsSingleIP() {
			texts = append(texts, network.Addr().String())
			continue
		}
		texts = append(texts, network.String())
	}
	return texts
}

// cleanNetwork reads one address or network. An IPv4 address in IPv6 clothes is the IPv4 address, or a list
// could be walked around by writing the other form.
func cleanNetwork(s string) (netip.Prefix, string) {
	s = strings.TrimSpace(s)
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Zone() != "" {
			return netip.Prefix{}, "names a network interface; write the address alone"
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), ""
	}
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, "is no address and no network; write them like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
	}
	if network.Addr().Is4In6() {
		if network.Bits() < 96 {
			return netip.Prefix{}, "mixes IPv4 and IPv6; write the IPv4 network, like 192.0.2.0/24"
		}
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	if masked := network.Masked(); masked != network {
		return netip.Prefix{}, "has bits set beyond its length; for the network write " + masked.String()
	}
	return network, ""
}

// parsed are networks that [cleanNetworks] wrote.
func parsed(texts []string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(texts))
	for _, s := range texts {
		if network, fault := cleanNetwork(s); fault == "" {
			out = append(out, network)
		}
	}
	return out
}

// everywhere is every address there is.
var everywhere = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// deniesAll says whether no address is left. Nothing in allow stands for all.
func deniesAll(allow, deny []netip.Prefix) bool {
	if len(allow) == 0 {
		allow = everywhere
	}
	return spans(deny, allow)
}

// spans says whether every address of inner is one of outer.
func spans(outer, inner []netip.Prefix) bool {
	return !slices.ContainsFunc(inner, func(network netip.Prefix) bool { return !covered(outer, network) })
}

// covered halves a network for as long as some of outer lies inside of it.
func covered(outer []netip.Prefix, network netip.Prefix) bool {
	var inside []netip.Prefix
	for _, o := range outer {
		if !o.Overlaps(network) {
			continue
		}
		if o.Bits() <= network.Bits() {
			return true
		}
		inside = append(inside, o)
	}
	if len(inside) == 0 {
		return false
	}
	low := netip.PrefixFrom(network.Addr(), network.Bits()+1)
	high := netip.PrefixFrom(withBit(network.Addr(), network.Bits()), network.Bits()+1)
	return covered(inside, low) && covered(inside, high)
}

// withBit is addr with its bit n (from the left) set.
func withBit(addr netip.Addr, n int) netip.Addr {
	raw := addr.AsSlice()
	raw[n/8] |= 1 << (7 - n%8)
	set, _ := netip.AddrFromSlice(raw) // of the same length, so always one
	return set
}

func cleanHosts(in, served []string, bad *faults) []string {
	var out []string
	for _, s := range in {
		host := strings.ToLower(strings.TrimSpace(s))
		switch {
		case served != nil && !slices.Contains(served, host):
			bad.add("limits.hosts", fmt.Sprintf("“%s” is no host of the token's APIs; choose of %s", clip(s), strings.Join(served, ", ")))
		case served == nil && !plainHost(host):
			bad.add("limits.hosts", fmt.Sprintf("“%s” is no host; write the name alone, like api.example.com, without scheme and port", clip(s)))
		default:
			out = append(out, host)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > MaxHosts {
		bad.add("limits.hosts", fmt.Sprintf("holds %d hosts; at most %d are allowed", len(out), MaxHosts))
	}
	return out
}

func plainHost(s string) bool {
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return addr.Is4() || strings.HasPrefix(s, "[")
	}
	ascii, err := hosts.ToASCII(s)
	return err == nil && ascii == s
}

// servedHosts are the hosts of the APIs that a token opens; nil if one of them takes any.
func (a *Authority) servedHosts(pins []api.Pin) []string {
	served := []string{}
	for _, p := range pins {
		found, _ := a.catalogue().api(p.API)
		if len(found.Hosts) == 0 {
			return nil
		}
		served = append(served, found.Hosts...)
	}
	slices.Sort(served)
	return slices.Compact(served)
}

// loosens says whether a token could do more under after than under before.
func loosens(before, after *api.Limits) bool {
	if before.IsZero() {
		return false
	}
	if after == nil {
		after = &api.Limits{}
	}
	switch {
	case faster(before.Rate, after.Rate), more(before.Daily, after.Daily), more(before.Monthly, after.Monthly):
		return true
	case before.NotBefore != nil && (after.NotBefore == nil || after.NotBefore.Before(*before.NotBefore)):
		return true
	case len(before.Hosts) > 0 && (len(after.Hosts) == 0 || len(minus(after.Hosts, before.Hosts)) > 0):
		return true
	case !spans(parsed(after.Deny), parsed(before.Deny)):
		return true
	case len(before.Allow) == 0:
		return false
	}
	return len(after.Allow) == 0 || !spans(parsed(before.Allow), parsed(after.Allow))
}

func more(before, after int64) bool { return before > 0 && (after == 0 || after > before) }

// faster compares two rates by what each lets pass in the long run, and at once.
func faster(before, after *api.Rate) bool {
	switch {
	case before == nil:
		return false
	case after == nil:
		return true
	}
	return after.Calls*int64(before.Period()/time.Second) > before.Calls*int64(after.Period()/time.Second) || after.AtOnce() > before.AtOnce()
}

// limitsOf reads the limits of a token's row; nil if it has none.
func limitsOf(sid, text string) (*api.Limits, error) {
	return readLimits[api.Limits]("token "+sid, text)
}

// accountLimitsOf reads those of an account's row.
func accountLimitsOf(id int64, text string) (*api.AccountLimits, error) {
	return readLimits[api.AccountLimits]("account "+strconv.FormatInt(id, 10), text)
}

func readLimits[T any](whose, text string) (*T, error) {
	if text == "" {
		return nil, nil
	}
	out := new(T)
	if err := json.Unmarshal([]byte(text), out); err != nil {
		return nil, fmt.Errorf("reading the limits of %s: %w", whose, err)
	}
	return out, nil
}

// limitsText is how a row keeps limits.
func limitsText[T any](l *T) string {
	if l == nil {
		return ""
	}
	return jsonText(l)
}

// limitDetails says what differs between the limits of two rows.
func limitDetails(before, after store.Token) []audit.Detail {
	old, oldErr := limitsOf(before.SID, before.Limits)
	now, nowErr := limitsOf(after.SID, after.Limits)
	if old == nil || oldErr != nil { // a foreign form reads as none: the details are for people
		old = &api.Limits{}
	}
	if now == nil || nowErr != nil {
		now = &api.Limits{}
	}
	d := changed(
		audit.Detail{Field: "rate", Before: rateWords(old.Rate), After: rateWords(now.Rate)},
		audit.Detail{Field: "daily quota", Before: quotaWords(old.Daily), After: quotaWords(now.Daily)},
		audit.Detail{Field: "monthly quota", Before: quotaWords(old.Monthly), After: quotaWords(now.Monthly)},
		audit.Detail{Field: "hosts", Before: strings.Join(old.Hosts, ", "), After: strings.Join(now.Hosts, ", ")},
		audit.Detail{Field: "not before", Before: notBeforeWords(old), After: notBeforeWords(now)},
	)
	for _, list := range []struct {
		field       string
		before, now []string
	}{{"allowed address", old.Allow, now.Allow}, {"denied address", old.Deny, now.Deny}} {
		for _, words := range scopeWords(minus(list.now, list.before)) {
			d = append(d, audit.Detail{Field: list.field, After: words})
		}
		for _, words := range scopeWords(minus(list.before, list.now)) {
			d = append(d, audit.Detail{Field: list.field, Before: words})
		}
	}
	return d
}

// accountLimitDetails is limitDetails for accounts.
func accountLimitDetails(before, after store.Account) ([]audit.Detail, error) {
	var pair [2]api.AccountLimits
	for i, row := range []store.Account{before, after} {
		limits, err := accountLimitsOf(row.ID, row.Limits)
		if err != nil {
			return nil, err
		}
		if limits != nil {
			pair[i] = *limits
		}
	}
	old, now := pair[0], pair[1]
	return changed(
		audit.Detail{Field: "rate", Before: rateWords(old.Rate), After: rateWords(now.Rate)},
		audit.Detail{Field: "daily quota", Before: quotaWords(old.Daily), After: quotaWords(now.Daily)},
		audit.Detail{Field: "monthly quota", Before: quotaWords(old.Monthly), After: quotaWords(now.Monthly)},
	), nil
}

func rateWords(r *api.Rate) string {
	if r == nil {
		return ""
	}
	return r.String()
}

func quotaWords(calls int64) string {
	if calls == 0 {
		return ""
	}
	return strconv.FormatInt(calls, 10) + " calls"
}

func notBeforeWords(l *api.Limits) string {
	if l.NotBefore == nil {
		return ""
	}
	at := l.NotBefore.UnixMicro()
	return dateWords(&at)
}
