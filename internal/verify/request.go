package verify

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
)

// Request is what a door hands over of one request: what it received, raw.
type Request struct {
	Method string
	Target string              // the raw request target
	Host   string              // the Host field or :authority, raw
	Header map[string][]string // all fields but those of the connection ([EndToEnd]), by textproto.CanonicalMIMEHeaderKey
	Client netip.Addr          // who sent it, as far as that is known
	Agent  string              // its User-Agent
	ID     string              // the request id that the answer and the log carry
	Accept Kinds               // the zero value accepts no credential

	onBehalf bool // Client is not the token's holder, but a resource server that asks about it
}

// Kinds are the kinds of credential that a caller of the verifier accepts. A door accepts access tokens
// and nothing else; API-zero tokens open the management API alone (SECURITY.md, class 36).
type Kinds uint8

// Kinds that can be accepted.
const (
	AccessTokens Kinds = 1 << iota
	ZeroTokens
)

func (k Kinds) has(kind token.Kind) bool {
	switch kind {
	case token.Access:
		return k&AccessTokens != 0
	case token.Zero:
		return k&ZeroTokens != 0
	}
	return false
}

// Take reads a request that net/http received for itself, as middleware and gateway do, and removes the
// fields of the connection from it. It reports false for what net/http lets pass although it has two
// readings: a host field that differs from :authority (RFC 9113, section 8.3.1), and an expectation other
// than 100-continue, both over HTTP/2. Client, ID and Accept are the caller's to set.
func (r *Request) Take(in *http.Request) bool {
	EndToEnd(in.Header)
	*r = Request{
		Method: in.Method, Target: in.RequestURI, Host: in.Host, Header: in.Header, Agent: first(in.Header["User-Agent"]),
		Client: r.Client, ID: r.ID, Accept: r.Accept,
	}
	if hosts, two := in.Header["Host"]; two {
		if len(hosts) != 1 || !strings.EqualFold(hosts[0], in.Host) {
			return false
		}
		delete(in.Header, "Host") // the same said twice, or in place of :authority
	}
	expect := in.Header["Expect"]
	return len(expect) == 0 || len(expect) == 1 && strings.EqualFold(expect[0], "100-continue")
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// hopByHop are the fields that concern one connection (RFC 9110, section 7.6.1), in the spelling of net/http.
// Upgrade and Te are not among them: whoever forwards must look at both.
var hopByHop = [...]string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Trailer", "Transfer-Encoding"}

// EndToEnd removes the fields of the connection, and those that Connection names, from a request. It
// comes before judging, so that decision and forwarding see the same set: else "Connection: Authorization"
// would take the credential away after it had opened the door (SECURITY.md, class 15). The names of
// Connection are read without regard to case. Upgrade stays, since asking for one is a question of its own.
func EndToEnd(h http.Header) {
	for _, list := range h["Connection"] {
		for list != "" {
			var name string
			name, list, _ = strings.Cut(list, ",")
			name = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name))
			if name != "" && name != "Upgrade" {
				delete(h, name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// sameField compares field names as the most careless server does: without regard to case, and with
// _ and . for - (SECURITY.md, class 13).
func sameField(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldedField(a[i]) != foldedField(b[i]) {
			return false
		}
	}
	return true
}

func foldedField(c byte) byte {
	switch {
	case c == '_' || c == '.':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	}
	return c
}

// HasFoldedPrefix says whether a field name, as the most careless server reads it, begins with prefix,
// which is in lower case.
func HasFoldedPrefix(name, prefix string) bool {
	return len(name) >= len(prefix) && sameField(name[:len(prefix)], prefix)
}

// Aliased says whether some field of h is, for a careless server, one of names but is spelt otherwise.
// Names are in the spelling of net/http. A field that counts only from one sender must not have a
// second spelling that anybody may send (SECURITY.md, class 13).
func Aliased(h http.Header, names ...string) bool {
	for key := range h {
		for _, name := range names {
			if len(key) == len(name) && key != name && sameField(key, name) {
				return true
			}
		}
	}
	return false
}

const idDigits = "0123456789abcdefghjkmnpqrstvwxyz"

// NewRequestID makes the id of one request: 26 characters, 128 bits from the runtime's generator (ChaCha8,
// seeded by the system). It is a name, not a secret.
func NewRequestID() string {
	var id [26]byte
	for half := range 2 {
		random := rand.Uint64()
		for i := range 13 {
			id[13*half+i] = idDigits[random&31] // the last one has but four bits left
			random >>= 5
		}
	}
	return string(id[:])
}

// Reject refuses on behalf of a door that found something wrong before judging, with words of its own.
// It is counted and answered like every other refusal.
func (v *Verifier) Reject(r *Request, d *Decision, code api.Code, detail string) {
	d.begin(r)
	d.Code, d.detail = code, detail
	v.counts.add(d)
}
