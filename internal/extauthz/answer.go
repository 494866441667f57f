package extauthz

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"counterfoil.dev/counterfoil/internal/verify"
)

// identityPrefix begins every name by which a backend is told who calls.
const identityPrefix = "x-counterfoil-"

// identityNames are the identity headers as Envoy spells names, in lower case.
var identityNames = func() (names [len(verify.IdentityHeaders)]string) {
	for i, name := range verify.IdentityHeaders {
		names[i] = strings.ToLower(name)
	}
	return names
}()

func isIdentity(key string) bool { return slices.Contains(verify.IdentityHeaders[:], key) }

// metadataKeys are what later filters of the proxy, and its access log, find under
// envoy.filters.http.ext_authz: the identity headers' values, but for the request id.
var metadataKeys = [...]string{"account", "sid", "api", "version", "scope", "brand"}

var (
	allowed      = &rpc.Status{Code: int32(codes.OK)}
	unauthorized = &rpc.Status{Code: int32(codes.Unauthenticated)}
	denied       = &rpc.Status{Code: int32(codes.PermissionDenied)}
)

// allow tells the proxy to let the request pass: with all identity headers, whether empty or not, in place
// of what the client sent, and without the fields that no backend should see (SECURITY.md, classes 13, 14).
func (q *question) allow() *authv3.CheckResponse {
	d := &q.decision
	values := d.Identity()
	ok := &authv3.OkHttpResponse{Headers: make([]*corev3.HeaderValueOption, len(values))}
	options := make([]corev3.HeaderValueOption, len(values))
	fields := make([]corev3.HeaderValue, len(values))
	for i, value := range values {
		fields[i].Key, fields[i].Value = identityNames[i], value
		options[i].Header, options[i].KeepEmptyValue = &fields[i], true
		// Not the older field append, whose absence means the same: never beside what the client sent.
		options[i].AppendAction = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		ok.Headers[i] = &options[i]
	}
	ok.HeadersToRemove = slices.Clone(q.aliases)
	if a := d.Catalogued(); a == nil || !a.ForwardCredential {
		ok.HeadersToRemove = append(ok.HeadersToRemove, "authorization")
	}
	facts := make(map[string]*structpb.Value, len(metadataKeys))
	for i, key := range metadataKeys {
		facts[key] = structpb.NewStringValue(values[i])
	}
	return &authv3.CheckResponse{
		Status: allowed, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok},
		DynamicMetadata: &structpb.Struct{Fields: facts},
	}
}

// refuse hands the client what a forward-auth door answers: same status, same challenge, same problem.
func (s *Server) refuse(d *verify.Decision) *authv3.CheckResponse {
	page := &page{header: http.Header{}}
	s.verifier.Refuse(page, d, verify.ForwardAuth)
	return page.denial()
}

// page takes an answer as a handler writes it.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (p *page) Header() http.Header         { return p.header }
func (p *page) WriteHeader(status int)      { p.status = status }
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }

func (p *page) denial() *authv3.CheckResponse {
	no := &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: typev3.StatusCode(p.status)}, Body: p.body.String()}
	for _, name := range slices.Sorted(maps.Keys(p.header)) {
		for _, value := range p.header[name] {
			no.Headers = append(no.Headers, &corev3.HeaderValueOption{
				Header:       &corev3.HeaderValue{Key: strings.ToLower(name), Value: value},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			})
		}
	}
	status := denied
	if p.status == http.StatusUnauthorized {
		status = unauthorized
	}
	return &authv3.CheckResponse{Status: status, HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: no}}
}
