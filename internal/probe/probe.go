package probe

import (
	"context"
	"errors"
	"time"

	"counterfoil.dev/counterfoil/api"
)

// Config says what is probed.
type Config struct {
	URL   string   // of the proxied API: http or https, a host, perhaps a port, and nothing else
	Hosts []string // the hosts of the catalogue, which may be asked
	// Host is the one that is asked for, where URL names this machine; "" means the URL's own.
	Host string
	// Path is that of an operation which takes GET and needs a token, with every parameter filled in.
	Path string
	// MadeUp is a credential in the right shape with a wrong checksum: the door judges the route before it, so
	// that the answer tells what the door was asked about.
	MadeUp string
	// Token lives for the run and may GET its Path. Nil: only what needs no credential is asked.
	Token *Token
	// Mirror stands in the place of the API. Nil: what the API receives is not seen.
	Mirror *Mirror
	// Patience bounds the whole run; zero means 20 seconds.
	Patience time.Duration
}

// Token is a credential of the run.
type Token struct {
	Path    string // like Config.Path, with the token's SID as the caller
	Other   string // with the account's id, for an API whose paths name that; "" where there is none
	SID     string
	Account string // the account's id, decimal
	Reveal  func() string
}

// Status is what a check found. The zero value is a fault.
type Status uint8

// Statuses of a check.
const (
	Fault  Status = iota
	Unseen        // it could not be told; Words says why
	Fine
)

// Check is one thing that was looked at.
type Check struct {
	Name   string // stable, for tests and programs
	Title  string // what should be true
	Status Status
	Words  string // what was found; with a fault, what is mis-wired
	Fixes  []Fix  // the line that is missing, for each proxy that has one
}

// Fix is a line of a snippet.
type Fix struct {
	Proxy string // "nginx"
	Line  string
}

// Report is all that was looked at, in the order of looking.
type Report struct {
	URL    string // as it was asked
	Checks []Check
}

// Faults is how many checks found one.
func (r *Report) Faults() int { return r.count(Fault) }

// Unseen is how many checks could not tell.
func (r *Report) Unseen() int { return r.count(Unseen) }

func (r *Report) count(s Status) int {
	n := 0
	for i := range r.Checks {
		if r.Checks[i].Status == s {
			n++
		}
	}
	return n
}

const defaultPatience = 20 * time.Second

// run is one self-test under way.
type run struct {
	Config
	target target
	madeUp string // as a line
	nonce  string
	report Report
	// words says that refusals come with the door's code, without which the rest cannot be told.
	words bool
}

// Run probes. It answers an error of kind [api.CodeInvalid] for an address that it does not ask; what it finds
// wrong with the proxy is in the report.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Patience <= 0 {
		c.Patience = defaultPatience
	}
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	if c.Path == "" || c.Path[0] != '/' {
		return nil, api.Invalid("path", "must be the path of an operation")
	}
	if c.MadeUp == "" {
		return nil, errors.New("probe: a made-up credential is required")
	}
	t, err := aim(ctx, c.URL, c.Host, c.Hosts)
	if err != nil {
		return nil, err
	}
	r := &run{Config: c, target: t, madeUp: "Authorization: Bearer " + c.MadeUp, report: Report{URL: t.String()}}
	if c.Mirror != nil {
		r.nonce = c.Mirror.begin()
		defer c.Mirror.end()
	}
	if !r.outside(ctx) {
		return &r.report, nil
	}
	if c.Token != nil {
		r.inside(ctx)
	}
	return &r.report, nil
}

// add notes a check.
func (r *run) add(c Check) { r.report.Checks = append(r.report.Checks, c) }

// verdict notes a check that is fine unless words say what is wrong.
func (r *run) verdict(name, title, fine, wrong string) {
	c := Check{Name: name, Title: title, Status: Fine, Words: fine}
	if wrong != "" {
		c.Status, c.Words, c.Fixes = Fault, wrong, fixes[name]
	}
	r.add(c)
}

func (r *run) unseen(name, title, why string) {
	r.add(Check{Name: name, Title: title, Status: Unseen, Words: why})
}
