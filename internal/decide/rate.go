package decide

import (
	"errors"
	"strconv"
	"strings"
)

// Rate is how many calls a scope opens for one token in a time.
type Rate struct {
	Calls   int64 `json:"calls"`
	Seconds int64 `json:"seconds"`         // 1, 60 or 3600
	Burst   int64 `json:"burst,omitempty"` // calls that may come at once; 0: as many as Calls
}

const (
	maxRate      = 1_000_000_000 // calls
	maxBurstRate = 10            // times the calls
)

var errRate = errors.New("is no rate; write it like 10/second, 600/minute burst 50, or 1000/hour, with a burst of at most ten times the calls")

// ParseRate reads a rate as [Rate.String] writes it.
func ParseRate(s string) (Rate, error) {
	words := strings.Fields(s)
	if len(words) != 1 && (len(words) != 3 || words[1] != "burst") {
		return Rate{}, errRate
	}
	calls, per, _ := strings.Cut(words[0], "/")
	n, err := strconv.ParseInt(calls, 10, 64)
	r := Rate{Calls: n, Seconds: map[string]int64{"second": 1, "minute": 60, "hour": 3600}[per]}
	if err == nil && len(words) == 3 {
		r.Burst, err = strconv.ParseInt(words[2], 10, 64)
		if r.Burst == 0 {
			return Rate{}, errRate
		}
	}
	if r.Burst == r.Calls {
		r.Burst = 0
	}
	if err != nil || !r.valid() {
		return Rate{}, errRate
	}
	return r, nil
}

func (r Rate) valid() bool {
	return r.Calls >= 1 && r.Calls <= maxRate && r.Burst >= 0 && r.Burst <= maxBurstRate*r.Calls && r.Per() != ""
}

// Per is the time's name, or "" if it has none.
func (r Rate) Per() string {
	switch r.Seconds {
	case 1:
		return "second"
	case 60:
		return "minute"
	case 3600:
		return "hour"
	}
	return ""
}

// AtOnce is the burst that is in force.
func (r Rate) AtOnce() int64 {
	if r.Burst == 0 {
		return r.Calls
	}
	return r.Burst
}

func (r Rate) String() string {
	s := strconv.FormatInt(r.Calls, 10) + "/" + r.Per()
	if r.Burst != 0 {
		s += " burst " + strconv.FormatInt(r.Burst, 10)
	}
	return s
}
