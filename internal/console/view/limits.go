package view

// LimitsForm is the optional part *Limits* of the wizard's first step, of the edit page and, without what is
// a token's alone, of an account's settings. Posted fields: limit_rate and limit_burst (calls), limit_per
// ("second", "minute", "hour"), limit_daily and limit_monthly (calls; empty is none), limit_allow, limit_deny
// and limit_hosts (one to a line), limit_not_before (YYYY-MM-DDTHH:MM, UTC); go "seen" adds Seen to limit_allow.
type LimitsForm struct {
	Rate, Per, Burst   string
	Daily, Monthly     string
	Allow, Deny, Hosts string
	NotBefore          string
	OfAccount          bool     // of all tokens of an account together
	Open               bool     // something is set, wrong, or was asked for
	Words              []string // what is set, one sentence each
	Served             []string // hosts of the token's APIs; empty: any
	Seen               string   // the address that the token was used from last, unless it is in Allow already
	Errors             Errors
}

var periods = []Choice{{Value: "second", Label: "a second"}, {Value: "minute", Label: "a minute"}, {Value: "hour", Label: "an hour"}}

// per is the period that is chosen: a minute, if none is.
func (f LimitsForm) per() string {
	if f.Per == "" {
		return "minute"
	}
	return f.Per
}

func (f LimitsForm) rateHint() string {
	if f.OfAccount {
		return "Calls of all its tokens together. Each verifier counts for itself. Empty: no rate."
	}
	return "Calls, evenly spread. Each verifier counts for itself. Empty: no rate."
}

func (f LimitsForm) summary() string {
	if len(f.Words) == 0 {
		return "none"
	}
	return count(len(f.Words), "limit", "limits")
}

func hostsHint(served []string) string {
	hint := "Request hosts that the token may be used at, one to a line. Empty: all of its APIs."
	if len(served) > 0 {
		hint += " They have: " + list(served) + "."
	}
	return hint
}
