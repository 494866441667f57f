package extauthz

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/verify"
)

// serviceName and its one method are those of Envoy's protocol.
const serviceName = "envoy.service.auth.v3.Authorization"

var service = grpc.ServiceDesc{
	ServiceName: serviceName, HandlerType: (*any)(nil), Metadata: "envoy/service/auth/v3/external_auth.proto",
	Methods: []grpc.MethodDesc{{MethodName: "Check", Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		s, ok := srv.(*Server)
		if !ok {
			return broken(), nil
		}
		return s.check(ctx, decode)
	}}},
}

// Check answers one CheckRequest with one CheckResponse, both in the octets of protobuf.
func (s *Server) Check(ctx context.Context, request []byte) (response []byte) {
	answer, err := s.check(ctx, func(into any) error {
		if q, ours := into.(*question); ours {
			q.decode(string(request))
		}
		return nil
	})
	if err != nil {
		return broken()
	}
	return answer
}

// check answers one question. The only error is that of gRPC, which could not take the question whole.
func (s *Server) check(ctx context.Context, decode func(any) error) (_ answer, err error) {
	var out answer
	q, ok := s.asked.Get().(*question)
	if !ok {
		return broken(), nil
	}
	out, err = s.answer(ctx, q, decode)
	if out != nil {
		q.forget() // not after a panic: such a question is not used again
		s.asked.Put(q)
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return broken(), nil
}

// answer is nil after a panic, which is a refusal (SECURITY.md, class 45).
func (s *Server) answer(ctx context.Context, q *question, decode func(any) error) (out answer, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.ErrorContext(ctx, "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			out, err = nil, nil
		}
	}()
	if err := decode(q); err != nil {
		return nil, err
	}
	q.request.ID, q.request.Accept = verify.NewRequestID(), verify.AccessTokens
	d := &q.decision
	if fault := s.read(ctx, q); fault != "" {
		s.verifier.Reject(&q.request, d, api.CodeMalformedRequest, fault)
	} else {
		s.verifier.Verify(&q.request, d)
	}
	if d.Allowed {
		return q.allow(), nil
	}
	return s.refuse(d), nil
}

func (s *Server) read(ctx context.Context, q *question) (fault string) {
	if !s.listed(ctx) {
		return "This door answers proxies that the operator has listed, and nobody else."
	}
	return q.read()
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
func broken() answer {
	p := &page{header: http.Header{}}
	verify.WriteProblem(p, &api.Error{
		Code: api.CodeInternal, Status: http.StatusForbidden, Title: "Something went wrong on our side", Detail: "The log of the verifier has the cause.",
	})
	return p.denial()
}

// loopback is who may ask when nobody is listed.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
