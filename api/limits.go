package api

import (
	"strconv"
	"time"
)

// Limits are what a token is held to beyond its scopes. Absent and empty fields do not limit.
type Limits struct {
	Rate      *Rate      `json:"rate,omitempty" doc:"Calls in a time, as each verifier counts them."`
	Daily     int64      `json:"daily,omitempty" minimum:"0" maximum:"1000000000000" doc:"Allowed calls in one UTC day; 0: no quota."`
	Monthly   int64      `json:"monthly,omitempty" minimum:"0" maximum:"1000000000000" doc:"Allowed calls in one UTC month; 0: no quota."`
	Allow     []string   `json:"allow,omitempty" maxItems:"100" doc:"Addresses and networks (CIDR, IPv4 or IPv6) that calls may come from. Empty: any."`
	Deny      []string   `json:"deny,omitempty" maxItems:"100" doc:"Addresses and networks that calls may not come from, also where allow has them."`
	Hosts     []string   `json:"hosts,omitempty" maxItems:"20" doc:"Request hosts that the token may be used at, of those of its APIs. Empty: all of them."`
	NotBefore *time.Time `json:"not_before,omitempty" doc:"The token opens nothing earlier."`
}

// AccountLimits hold all tokens of an account together.
type AccountLimits struct {
	Rate    *Rate `json:"rate,omitempty" doc:"Calls of all tokens in a time, as each verifier counts them."`
	Daily   int64 `json:"daily,omitempty" minimum:"0" maximum:"1000000000000" doc:"Allowed calls of all tokens in one UTC day; 0: no quota."`
	Monthly int64 `json:"monthly,omitempty" minimum:"0" maximum:"1000000000000" doc:"Allowed calls of all tokens in one UTC month; 0: no quota."`
}

// Rate is so many calls in a time, evenly spread, after a burst (the generic cell rate algorithm).
type Rate struct {
	Calls int64  `json:"calls" minimum:"1" maximum:"1000000000"`
	Per   string `json:"per" enum:"second,minute,hour"`
	Burst int64  `json:"burst,omitempty" minimum:"0" doc:"Calls that may come at once; absent or 0: as many as calls. At most ten times calls."`
}

// Times that a rate is counted in.
const (
	PerSecond = "second"
	PerMinute = "minute"
	PerHour   = "hour"
)

// Period is the time of a rate, or 0 if it names none.
func (r Rate) Period() time.Duration {
	switch r.Per {
	case PerSecond:
		return time.Second
	case PerMinute:
		return time.Minute
	case PerHour:
		return time.Hour
	}
	return 0
}

// AtOnce is the burst that is in force.
func (r Rate) AtOnce() int64 {
	if r.Burst == 0 {
		return r.Calls
	}
	return r.Burst
}

// String reads like 10/second, or 10/second burst 50.
func (r Rate) String() string {
	s := strconv.FormatInt(r.Calls, 10) + "/" + r.Per
	if r.AtOnce() != r.Calls {
		s += " burst " + strconv.FormatInt(r.Burst, 10)
	}
	return s
}

// IsZero says that nothing is limited. A nil one limits nothing.
func (l *Limits) IsZero() bool {
	return l == nil || l.Rate == nil && l.Daily == 0 && l.Monthly == 0 && l.NotBefore == nil &&
		len(l.Allow) == 0 && len(l.Deny) == 0 && len(l.Hosts) == 0
}

// IsZero says that nothing is limited. A nil one limits nothing.
func (l *AccountLimits) IsZero() bool {
	return l == nil || l.Rate == nil && l.Daily == 0 && l.Monthly == 0
}

// QuotaUse is how many allowed calls the authority has counted of a token or an account that has a quota: of
// the token if SID is set, and else of the account. Both counts are in UTC.
type QuotaUse struct {
	SID        string `json:"sid,omitempty"`
	Account    int64  `json:"account,omitempty"`
	Day        int64  `json:"day"` // YYYYMMDD
	DayCalls   int64  `json:"day_calls"`
	Month      int64  `json:"month"` // YYYYMM
	MonthCalls int64  `json:"month_calls"`
}

// QuotaDay is the number of a UTC day in [QuotaUse].
func QuotaDay(at time.Time) int64 {
	y, m, d := at.UTC().Date()
	return int64(y)*10_000 + int64(m)*100 + int64(d)
}

// QuotaMonth is the number of a UTC month in [QuotaUse].
func QuotaMonth(at time.Time) int64 { return QuotaDay(at) / 100 }
