package extauthz

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"counterfoil.dev/counterfoil/internal/verify"
)

// question is one request as the verifier takes it; it is used again.
type question struct {
	request  verify.Request
	decision verify.Decision
	header   http.Header
	values   []string // what header's values lie in
	aliases  []string // fields of the client that a careless backend takes for ours
}

// usually is how many fields a request has, to begin with room for them.
const usually = 32

func newQuestion() any {
	return &question{header: make(http.Header, usually), values: make([]string, 0, usually)}
}

// forget drops what belongs to one request, so that a credential does not outlive it in a pool.
func (q *question) forget() {
	clear(q.header)
	clear(q.values)
	clear(q.aliases)
	q.values, q.aliases = q.values[:0], q.aliases[:0]
	q.request = verify.Request{}
}

// read takes the question from the attributes, or says what is wrong with it.
func (q *question) read(in *authv3.CheckRequest) (fault string) {
	asked := in.GetAttributes().GetRequest().GetHttp()
	if asked == nil {
		return "This door judges HTTP requests: the attributes of one are missing."
	}
	r := &q.request
	r.Method, r.Target, r.Host, r.Header = asked.GetMethod(), asked.GetPath(), asked.GetHost(), q.header
	if r.Method == "" || r.Target == "" || r.Host == "" {
		return "The proxy must send method, path and host."
	}
	// Envoy leaves both empty: the path has them. Beside a path they would be a second one (class 6).
	if asked.GetQuery() != "" || asked.GetFragment() != "" {
		return "The proxy must send the query within the path."
	}
	if fault := q.readFields(asked); fault != "" {
		return fault
	}
	verify.EndToEnd(q.header)
	if agent := q.header["User-Agent"]; len(agent) > 0 {
		r.Agent = agent[0]
	}
	r.Client = address(in.GetAttributes().GetSource())
	return ""
}

// readFields takes the fields from wherever they are: joined in one map, or raw and apart.
func (q *question) readFields(asked *authv3.AttributeContext_HttpRequest) (fault string) {
	raw := asked.GetHeaderMap().GetHeaders()
	if len(raw) > 0 && len(asked.GetHeaders()) > 0 {
		return "The proxy sent the fields in two ways."
	}
	for name, value := range asked.GetHeaders() {
		if fault := q.field(asked, name, value); fault != "" {
			return fault
		}
	}
	for _, field := range raw {
		value := field.GetValue()
		if len(field.GetRawValue()) > 0 {
			if value != "" {
				return "The proxy sent a field with two values."
			}
			value = string(field.GetRawValue())
		}
		if fault := q.field(asked, field.GetKey(), value); fault != "" {
			return fault
		}
	}
	return ""
}

// field adds one field. Pseudo-fields and host say again what the attributes say, and nothing else: were
// they different, the backend might act on the one that was not judged (SECURITY.md, classes 7 and 17).
func (q *question) field(asked *authv3.AttributeContext_HttpRequest, name, value string) (fault string) {
	again := value
	switch name {
	case ":path":
		again = asked.GetPath()
	case ":method":
		again = asked.GetMethod()
	case ":authority":
		again = asked.GetHost()
	case ":scheme":
	default:
		if strings.EqualFold(name, "host") {
			again = asked.GetHost()
			break
		}
		if name == "" || name[0] == ':' {
			return "The request has a pseudo-field that no route takes."
		}
		q.add(name, value)
		return ""
	}
	if again != value {
		return "The request has two methods, paths or hosts."
	}
	return ""
}

func (q *question) add(name, value string) {
	key := textproto.CanonicalMIMEHeaderKey(name)
	if verify.HasFoldedPrefix(name, identityPrefix) && !isIdentity(key) {
		q.aliases = append(q.aliases, name)
	}
	if earlier, twice := q.header[key]; twice {
		q.header[key] = append(earlier[:len(earlier):len(earlier)], value)
		return
	}
	q.values = append(q.values, value)
	n := len(q.values)
	q.header[key] = q.values[n-1 : n : n]
}

// address is the client as Envoy believes it: its own list of trusted hops decides that. The zero Addr
// stands for what is no IP address.
func address(peer *authv3.AttributeContext_Peer) netip.Addr {
	addr, err := netip.ParseAddr(peer.GetAddress().GetSocketAddress().GetAddress())
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
