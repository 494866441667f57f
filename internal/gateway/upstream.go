package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
)

// errNoUpstream says that an API cannot be forwarded to: a mistake of the configuration, not of the caller.
var errNoUpstream = errors.New("no upstream")

// upstreams are where requests may go. The catalogue names an upstream for each API; it counts only if the
// gateway's own configuration lists its host, so that whoever may publish a catalogue cannot send
// credentials and requests elsewhere.
type upstreams struct {
	listed map[string]bool // host:port, lower case
	parsed sync.Map        // upstream as the catalogue spells it → parsedUpstream
}

type parsedUpstream struct {
	base *url.URL
	err  error
}

func newUpstreams(list []string) (*upstreams, error) {
	u := &upstreams{listed: make(map[string]bool, len(list))}
	for _, host := range list {
		if _, port, err := net.SplitHostPort(host); err != nil || port == "" {
			return nil, fmt.Errorf("gateway: upstream %q: want a host with its port, such as 127.0.0.1:8084", host)
		}
		u.listed[strings.ToLower(host)] = true
	}
	return u, nil
}

// of is where requests of an API go whose catalogue names this upstream.
func (u *upstreams) of(apiName, upstream string) (*url.URL, error) {
	if known, ok := u.parsed.Load(upstream); ok {
		if p, ok := known.(parsedUpstream); ok {
			return p.base, p.err
		}
	}
	base, err := u.parse(upstream)
	if err != nil {
		err = fmt.Errorf("API %s: %w", apiName, err)
	}
	u.parsed.Store(upstream, parsedUpstream{base, err})
	return base, err
}

func (u *upstreams) parse(upstream string) (*url.URL, error) {
	if upstream == "" {
		return nil, fmt.Errorf("%w: the catalogue names none", errNoUpstream)
	}
	base, err := url.Parse(upstream)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoUpstream, err)
	}
	port := base.Port()
	switch {
	case base.Scheme == "http" && port == "":
		port = "80"
	case base.Scheme == "https" && port == "":
		port = "443"
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf("%w: %q is neither http nor https", errNoUpstream, upstream)
	}
	if base.User != nil || base.Path != "" && base.Path != "/" || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%w: %q is more than scheme and host", errNoUpstream, upstream)
	}
	if host := net.JoinHostPort(base.Hostname(), port); !u.listed[strings.ToLower(host)] {
		return nil, fmt.Errorf("%w: the gateway's configuration does not list %s", errNoUpstream, host)
	}
	return base, nil
}
