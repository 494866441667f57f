package console

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
	"counterfoil.dev/counterfoil/internal/probe"
	"counterfoil.dev/counterfoil/internal/token"
)

// probing lets one run go at a time: a mirror has one address, and nobody makes the desk a flood of requests.
type probing struct{ mu sync.Mutex }

// selfTestLife is the end of a run's token, should the desk stop before it deletes it.
const selfTestLife = 5 * time.Minute

func (c *Console) selfTestPage(v *visit) error {
	p, _, err := c.selfTestForm(v)
	if err != nil {
		return err
	}
	return v.draw(http.StatusOK, view.SelfTest(p))
}

// selfTestForm is the page before a run, and the catalogue as the operator reads it.
func (c *Console) selfTestForm(v *visit) (view.SelfTestPage, api.Offer, error) {
	offer, err := c.authority.Published(v.r.Context(), v.by)
	if err != nil {
		return view.SelfTestPage{}, offer, err
	}
	p := view.SelfTestPage{
		Frame: v.frame(), URL: strings.TrimSpace(v.form.Get("url")), Host: v.form.Get("host"),
		Account: strings.TrimSpace(v.form.Get("account")), Mirror: strings.TrimSpace(v.form.Get("mirror")),
	}
	for _, a := range offer.APIs {
		for _, host := range a.Hosts {
			if !a.Zero && !slices.Contains(p.Hosts, host) {
				p.Hosts = append(p.Hosts, host)
			}
		}
	}
	if p.URL == "" && len(p.Hosts) > 0 {
		p.URL = "https://" + p.Hosts[0]
	}
	return p, offer, nil
}

// selfTest runs the test and shows what it found.
func (c *Console) selfTest(v *visit) error {
	if !c.probing.mu.TryLock() {
		return api.Conflict("Another test of a proxy is running. Wait until it has ended.")
	}
	defer c.probing.mu.Unlock()
	p, offer, err := c.selfTestForm(v)
	if err != nil {
		return err
	}
	report, call, err := c.runSelfTest(v, p, offer)
	if errs, ok := fieldErrors(err, nil); ok {
		p.Errors = errs
		return v.draw(statusOf(errs), view.SelfTest(p))
	} else if err != nil {
		return err
	}
	p.Asked, p.Call, p.Faults, p.Unseen = report.URL, call, report.Faults(), report.Unseen()
	kinds := map[probe.Status]string{probe.Fault: "fault", probe.Unseen: "not seen", probe.Fine: "fine"}
	for _, check := range report.Checks {
		shown := view.SelfTestCheck{Title: check.Title, Words: check.Words, Kind: kinds[check.Status]}
		for _, fix := range check.Fixes {
			shown.Fixes = append(shown.Fixes, view.SelfTestFix{Proxy: fix.Proxy, Line: fix.Line})
		}
		p.Checks = append(p.Checks, shown)
	}
	return v.draw(http.StatusOK, view.SelfTest(p))
}

// runSelfTest asks. With an account, a token of it lives for the run.
func (c *Console) runSelfTest(v *visit, p view.SelfTestPage, offer api.Offer) (_ *probe.Report, call string, err error) {
	at, ok := firstReading(offer, askedHost(p))
	if !ok {
		return nil, "", api.Invalid("url", "cannot be tested before the catalogue has an operation that reads, has no parameter beyond its base, and needs a scope")
	}
	config := probe.Config{
		URL: p.URL, Host: p.Host, Hosts: p.Hosts, Path: at.path(strings.Repeat("0", len(token.SID{}))),
		MadeUp: c.authority.Prefix().Of(token.Access) + strings.Repeat("0", madeUpLength),
	}
	if p.Mirror != "" {
		if p.Account == "" {
			return nil, "", api.Invalid("account", "is required with a mirror: only a request that passes reaches it")
		}
		if _, port, err := net.SplitHostPort(p.Mirror); err != nil || port == "" || port == "0" {
			return nil, "", api.Invalid("mirror", "must be host:port of the desk's machine")
		}
		if config.Mirror, err = probe.Listen(v.r.Context(), p.Mirror); err != nil {
			return nil, "", err
		}
		defer func() { err = errors.Join(err, config.Mirror.Close()) }()
	}
	if p.Account != "" {
		issued, reading, err := c.selfTestToken(v, p)
		if err != nil {
			return nil, "", err
		}
		defer func() { err = errors.Join(err, c.endSelfTestToken(v, issued.account, issued.sid)) }()
		config.Token = &probe.Token{
			Path: reading.path(issued.sid), Other: reading.path(p.Account), SID: issued.sid, Account: p.Account, Reveal: issued.secret.Reveal,
		}
		call = http.MethodGet + " " + config.Token.Path
	}
	report, err := probe.Run(v.r.Context(), config)
	return report, call, err
}

// madeUpLength is that of SID, secret and checksum together.
const madeUpLength = 22 + 43 + 6

// reading is an operation that takes GET, has no parameter but its base's, and needs a scope.
type reading struct {
	api, version, template string
	scopes                 []string
}

// path fills the base's parameter in.
func (r reading) path(caller string) string {
	from, to := strings.IndexByte(r.template, '{'), strings.IndexByte(r.template, '}')
	if from < 0 || to < from {
		return r.template
	}
	return r.template[:from] + caller + r.template[to+1:]
}

// firstReading finds one in the newest version of an API at the host ("" means any).
func firstReading(offer api.Offer, host string) (reading, bool) {
	for _, a := range offer.APIs {
		if a.Zero || a.Nested || len(a.Versions) == 0 || host != "" && !slices.Contains(a.Hosts, host) {
			continue
		}
		version := a.Versions[0]
		allowed := map[string]bool{}
		for _, category := range version.Categories {
			for _, s := range category.Scopes {
				allowed[s.Name] = s.Allowed
			}
		}
		for _, op := range version.Operations {
			rest, under := strings.CutPrefix(op.Path, a.Base)
			if op.Method != http.MethodGet || op.Public || !under || strings.Count(a.Base, "{") > 1 || strings.ContainsAny(rest, "{}") || len(op.Scopes) == 0 {
				continue
			}
			if !slices.ContainsFunc(op.Scopes[0], func(name string) bool { return !allowed[name] }) {
				return reading{api: a.Name, version: version.Name, template: op.Path, scopes: op.Scopes[0]}, true
			}
		}
	}
	return reading{}, false
}

// selfTestIssued is the token of a run.
type selfTestIssued struct {
	account int64
	sid     string
	secret  token.Secret
}

// selfTestToken makes the token of a run through the authority, like every other: as an act of the operator in
// an account, for one scope that reads, with an end of its own.
func (c *Console) selfTestToken(v *visit, p view.SelfTestPage) (selfTestIssued, reading, error) {
	var none selfTestIssued
	account, err := strconv.ParseInt(p.Account, 10, 64)
	if err != nil || account < 1 {
		return none, reading{}, api.Invalid("account", "must be the number of an account")
	}
	offer, err := c.authority.Offer(v.r.Context(), v.by, account)
	if errors.Is(err, &api.Error{Code: api.CodeNotFound}) {
		return none, reading{}, api.Invalid("account", "must be the number of an account")
	} else if err != nil {
		return none, reading{}, err
	}
	at, ok := firstReading(offer, askedHost(p))
	switch {
	case !ok:
		return none, reading{}, api.Invalid("account", "has no API with an operation that reads and has no parameter beyond its base; choose another")
	case len(offer.Contacts) == 0:
		return none, reading{}, api.Invalid("account", "has no active member who could be the token's contact; choose another")
	}
	ends := c.now().Add(selfTestLife)
	issued, err := c.authority.CreateToken(v.r.Context(), v.by, account, api.TokenCreate{
		Name: "Test of a proxy " + c.now().UTC().Format("2006-01-02 15:04:05.000"), Description: "Made by the operator's test of a proxy, and deleted after it.",
		API: at.api, Version: at.version, Expires: &ends, PrimaryContact: offer.Contacts[0].Person, Scopes: at.scopes,
	}, authority.Once{})
	if err != nil {
		return none, reading{}, err
	}
	return selfTestIssued{account: account, sid: issued.Token.SID, secret: issued.Secret}, at, nil
}

// endSelfTestToken deletes the token of a run, also when the person has gone meanwhile.
func (c *Console) endSelfTestToken(v *visit, account int64, sid string) error {
	_, err := c.authority.DeleteToken(context.WithoutCancel(v.r.Context()), v.by, account, sid, "The test of the proxy is over.")
	return err
}

// askedHost is the catalogue's host that a run is about, or "" where the form does not say.
func askedHost(p view.SelfTestPage) string {
	if p.Host != "" {
		return p.Host
	}
	if u, err := url.Parse(p.URL); err == nil && slices.Contains(p.Hosts, u.Hostname()) {
		return u.Hostname()
	}
	return ""
}
