package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
)

// target is what is dialled: an address that was checked, never a name that is resolved again
// (SECURITY.md, class 39).
type target struct {
	secure  bool
	address string // ip:port
	host    string // in the Host field
	name    string // in the certificate
	shown   string
}

func (t target) String() string { return t.shown }

// aim reads an address that an operator typed, and refuses what a desk has no business to ask.
func aim(ctx context.Context, raw, host string, hosts []string) (target, error) {
	invalid := func(words string) (target, error) { return target{}, api.Invalid("url", words) }
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return invalid("must be like https://api.example.com")
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(raw, "?#") {
		return invalid("must be scheme, host and perhaps a port, and nothing else")
	}
	name, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	listed := slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, name) })
	here := isHere(name)
	if !listed && !here {
		return invalid("must name a host of the catalogue, or this machine by its loopback address")
	}
	switch {
	case host == "" && listed:
		host = u.Host
	case host == "":
		return target{}, api.Invalid("host", "is required where the address is this machine's: say which host of the catalogue is asked for")
	case !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) }):
		return target{}, api.Invalid("host", "must be a host of the catalogue")
	}
	addr, err := resolve(ctx, name)
	if err != nil {
		return invalid("could not be resolved")
	}
	if !askable(addr, here) {
		return invalid("leads to an address that is not asked")
	}
	certified := host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		certified = bare
	}
	return target{
		name:   certified,
		secure: u.Scheme == "https", address: net.JoinHostPort(addr.String(), port), host: host,
		shown: u.Scheme + "://" + net.JoinHostPort(name, port) + " as " + host,
	}, nil
}

// isHere says whether a host is a loopback address, or the one name for it.
func isHere(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}

const resolving = 5 * time.Second

// resolve gives one address of a name. With several, all must be askable: one good answer among bad ones
// is an old trick.
func resolve(ctx context.Context, name string) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, resolving)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("resolving %s: %w", name, err)
	}
	best := netip.Addr{}
	for _, addr := range found {
		addr = addr.Unmap()
		if !askable(addr, true) {
			return addr, nil // which the caller refuses
		}
		if !best.IsValid() || addr.Is4() && !best.Is4() {
			best = addr
		}
	}
	if !best.IsValid() {
		return best, fmt.Errorf("resolving %s: no address", name)
	}
	return best, nil
}

// askable keeps the probe from link-local addresses (where clouds have their metadata), from groups, and,
// unless this machine was named as such, from itself. A host of the catalogue may be on a private network.
func askable(addr netip.Addr, loopback bool) bool {
	return addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() && !addr.IsLinkLocalUnicast() && addr.Zone() == "" &&
		(loopback || !addr.IsLoopback())
}
