package extauthz

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/peer"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Check answers one question. The error is always nil: see the package's words on failure_mode_allow.
func (s *Server) Check(ctx context.Context, in *authv3.CheckRequest) (answer *authv3.CheckResponse, _ error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.ErrorContext(ctx, "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			answer = broken()
		}
	}()
	q, ok := s.asked.Get().(*question)
	if !ok {
		return broken(), nil
	}
	q.request.ID, q.request.Accept = verify.NewRequestID(), verify.AccessTokens
	d := &q.decision
	if fault := s.read(ctx, in, q); fault != "" {
		s.verifier.Reject(&q.request, d, api.CodeMalformedRequest, fault)
	} else {
		s.verifier.Verify(&q.request, d)
	}
	if d.Allowed {
		answer = q.allow()
	} else {
		answer = s.refuse(d)
	}
	q.forget() // not after a panic: such a question is not used again
	s.asked.Put(q)
	return answer, nil
}

func (s *Server) read(ctx context.Context, in *authv3.CheckRequest, q *question) (fault string) {
	if !s.listed(ctx) {
		return "This door answers proxies that the operator has listed, and nobody else."
	}
	return q.read(in)
}

// listed says whether the other end of the connection is on the list. A peer without an IP address is not.
func (s *Server) listed(ctx context.Context) bool {
	other, known := peer.FromContext(ctx)
	if !known {
		return false
	}
	tcp, ok := other.Addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, network := range s.peers {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// broken refuses when nothing else can be relied on.
func broken() *authv3.CheckResponse {
	p := &page{header: http.Header{}}
	verify.WriteProblem(p, &api.Error{
		Code: api.CodeInternal, Status: http.StatusForbidden, Title: "Something went wrong on our side", Detail: "The log of the verifier has the cause.",
	})
	return p.denial()
}

// loopback is who may ask when nobody is listed.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
