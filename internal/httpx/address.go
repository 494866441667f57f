package httpx

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the peers that may say who the client is. The zero value is nobody.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks: 192.0.2.7, 10.0.0.0/8, fd00::/8. It refuses a network of
// everybody: a list that trusts all is how forwarded addresses were spoofed elsewhere (class 10).
func ParseProxies(list []string) (Proxies, error) {
	var proxies Proxies
	for _, s := range list {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			addr, addrErr := netip.ParseAddr(s)
			if addrErr != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("proxy %q: want an address (192.0.2.7) or a network (10.0.0.0/8)", s)
			}
			addr = addr.Unmap()
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if prefix.Bits() == 0 {
			return nil, fmt.Errorf("proxy %q: trusts everybody; list the proxies themselves", s)
		}
		if prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("proxy %q: write it as an IPv4 network", s)
		}
		proxies = append(proxies, prefix.Masked())
	}
	return proxies, nil
}

// Trusts says whether an address is one of the proxies.
func (p Proxies) Trusts(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Client is who sent a request. The X-Forwarded-For list counts only from a trusted peer, and is read
// from the right: each proxy appends who spoke to it, so the part that the client wrote itself is on
// the left and is never reached. An entry that is no address ends the walk at the proxy that sent it.
// The zero Addr means that the peer has no address (a socket file).
func (p Proxies) Client(r *http.Request) netip.Addr { return p.ClientBehind(peer(r), r.Header) }

// ClientBehind is [Proxies.Client] for a peer that is known already.
func (p Proxies) ClientBehind(client netip.Addr, header http.Header) netip.Addr {
	client, _ = p.walk(client, header)
	return client
}

// KnownBehind is ClientBehind for whoever lets clients in by their address: the zero Addr if a proxy did not
// say who spoke to it, or said no address. Its own address stands for no client then, or a list that has the
// network of the proxies in it would let everybody in.
func (p Proxies) KnownBehind(client netip.Addr, header http.Header) netip.Addr {
	client, known := p.walk(client, header)
	if !known {
		return netip.Addr{}
	}
	return client
}

func (p Proxies) walk(client netip.Addr, header http.Header) (_ netip.Addr, known bool) {
	if !p.Trusts(client) {
		return client, client.IsValid()
	}
	lists := header["X-Forwarded-For"]
	for i := len(lists) - 1; i >= 0; i-- {
		for list, more := lists[i], true; more; {
			at := strings.LastIndexByte(list, ',')
			hop, ok := parseHop(strings.TrimSpace(list[at+1:]))
			if !ok {
				return client, false
			}
			client, known = hop, true
			if !p.Trusts(client) {
				return client, true
			}
			if more = at >= 0; more {
				list = list[:at]
			}
		}
	}
	return client, known
}

// Peer is the other end of the connection: who must be on a list for forwarded fields to count.
func Peer(r *http.Request) netip.Addr { return peer(r) }

func peer(r *http.Request) netip.Addr {
	addrPort, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addrPort.Addr().Unmap().WithZone("")
}

// parseHop reads an address, or an address with a port as some proxies write it.
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		addrPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = addrPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}
