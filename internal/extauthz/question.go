package extauthz

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"

	"counterfoil.dev/counterfoil/internal/verify"
)

// question is one request as the proxy tells of it and the verifier takes it; it is used again.
type question struct {
	request  verify.Request
	decision verify.Decision

	attributes
	fields []field

	header  http.Header
	values  []string // what header's values lie in
	aliases []string // fields of the client that a careless backend takes for ours
}

// attributes are those of a CheckRequest, as they came (envoy.service.auth.v3.AttributeContext).
type attributes struct {
	whole                               bool // the octets are a message without two of anything
	asked                               bool // it is about an HTTP request
	method, path, host, query, fragment string
	source                              string // address of the client
}

// field is one field of the client's request. Raw ones are those of header_map, where the proxy was told not
// to join fields of one name.
type field struct {
	name, value string
	raw         bool
}

// usually is how many fields a request has, to begin with room for them.
const usually = 32

func newQuestion() any {
	return &question{fields: make([]field, 0, usually), header: make(http.Header, usually), values: make([]string, 0, usually)}
}

// forget drops what belongs to one request, so that a credential does not outlive it in a pool.
func (q *question) forget() {
	clear(q.header)
	clear(q.fields)
	clear(q.values)
	clear(q.aliases)
	q.fields, q.values, q.aliases = q.fields[:0], q.values[:0], q.aliases[:0]
	q.attributes = attributes{}
	q.request = verify.Request{}
}

// decode reads a CheckRequest.
func (q *question) decode(text string) {
	var attributes, source, request, asked, addressed, socket string
	q.whole = pick(text, []want{{1, &attributes}}, nil) &&
		pick(attributes, []want{{1, &source}, {4, &request}}, nil) &&
		pick(source, []want{{1, &addressed}}, nil) &&
		pick(addressed, []want{{1, &socket}}, nil) &&
		pick(socket, []want{{2, &q.source}}, nil) &&
		pick(request, []want{{2, &asked}}, nil) &&
		q.decodeHTTP(asked)
	q.asked = asked != ""
}

// decodeHTTP reads AttributeContext.HttpRequest.
func (q *question) decodeHTTP(text string) bool {
	var headerMap string
	wanted := []want{{2, &q.method}, {4, &q.path}, {5, &q.host}, {7, &q.query}, {8, &q.fragment}, {13, &headerMap}}
	whole := pick(text, wanted, func(number uint64, value string) bool {
		if number != 3 { // headers, a map: each entry is a message
			return true
		}
		var f field
		q.fields = append(q.fields, f)
		last := &q.fields[len(q.fields)-1]
		return pick(value, []want{{1, &last.name}, {2, &last.value}}, nil)
	})
	return whole && pick(headerMap, nil, func(number uint64, value string) bool {
		if number != 1 {
			return true
		}
		f := field{raw: true}
		var raw string
		if !pick(value, []want{{1, &f.name}, {2, &f.value}, {3, &raw}}, nil) || f.value != "" && raw != "" {
			return false
		}
		f.value += raw
		q.fields = append(q.fields, f)
		return true
	})
}

// read takes the question from the attributes, or says what is wrong with it.
func (q *question) read() (fault string) {
	if !q.whole {
		return "The question is no CheckRequest, or has something twice."
	}
	if !q.asked {
		return "This door judges HTTP requests: the attributes of one are missing."
	}
	r := &q.request
	r.Method, r.Target, r.Host, r.Header = q.method, q.path, q.host, q.header
	if r.Method == "" || r.Target == "" || r.Host == "" {
		return "The proxy must send method, path and host."
	}
	// Envoy leaves both empty: the path has them. Beside a path they would be a second one (class 6).
	if q.query != "" || q.fragment != "" {
		return "The proxy must send the query within the path."
	}
	for i := range q.fields {
		if q.fields[i].raw != q.fields[0].raw {
			return "The proxy sent the fields in two ways."
		}
		if fault := q.take(&q.fields[i]); fault != "" {
			return fault
		}
	}
	verify.EndToEnd(q.header)
	if agent := q.header["User-Agent"]; len(agent) > 0 {
		r.Agent = agent[0]
	}
	r.Client = address(q.source)
	return ""
}

// take adds one field. Pseudo-fields and host say again what the attributes say, and nothing else: were
// they different, the backend might act on the one that was not judged (SECURITY.md, classes 7 and 17).
func (q *question) take(f *field) (fault string) {
	again := f.value
	switch f.name {
	case ":path":
		again = q.path
	case ":method":
		again = q.method
	case ":authority":
		again = q.host
	case ":scheme":
	default:
		if strings.EqualFold(f.name, "host") {
			again = q.host
			break
		}
		if f.name == "" || f.name[0] == ':' {
			return "The request has a pseudo-field that no route takes."
		}
		q.add(f.name, f.value)
		return ""
	}
	if again != f.value {
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
func address(text string) netip.Addr {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
