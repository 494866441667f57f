package extauthz

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"counterfoil.dev/counterfoil/internal/verify"
)

// Config says what the door is made of.
type Config struct {
	Verifier *verify.Verifier // required
	Peers    []netip.Prefix   // proxies that may ask; nil means those of this machine, empty nobody
	TLS      *tls.Config      // nil means in the clear
	Log      *slog.Logger     // required
}

// Server is the door.
type Server struct {
	verifier *verify.Verifier
	peers    []netip.Prefix
	tls      *tls.Config
	log      *slog.Logger
	asked    sync.Pool // of *question
}

// New makes the door.
func New(c Config) (*Server, error) {
	if c.Verifier == nil || c.Log == nil {
		return nil, errors.New("extauthz: a verifier and a log are required")
	}
	s := &Server{verifier: c.Verifier, peers: c.Peers, tls: c.TLS, log: c.Log}
	if s.peers == nil {
		s.peers = loopback
	}
	s.asked.New = newQuestion
	return s, nil
}

// Limits of a connection. Envoy asks on few connections, with many streams on each; its own limit for the
// fields of a request is 60 KiB, and the door wants no body.
const (
	maxQuestion  = 1 << 20  // octets of one question; more is an error of gRPC
	maxMetadata  = 16 << 10 // octets of its own gRPC fields
	maxStreams   = 1024     // questions under way on one connection
	handshake    = 5 * time.Second
	leastPing    = 10 * time.Second
	idlePing     = time.Minute
	pingPatience = 20 * time.Second
)

func (s *Server) options() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()), grpc.MaxRecvMsgSize(maxQuestion), grpc.MaxHeaderListSize(maxMetadata), grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshake),
		// Goroutines that are kept have the stack that a question needs already. When all are busy, there is a new one.
		grpc.NumStreamWorkers(2 * uint32(runtime.GOMAXPROCS(0))),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: leastPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: idlePing, Timeout: pingPatience}),
	}
	if s.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.tls)))
	}
	return options
}

// Serve answers on the listener until ctx ends, and then gives what is under way up to grace to finish. It
// returns nil after a stop that was asked for. It takes the listener as its own and closes it.
func (s *Server) Serve(ctx context.Context, listener net.Listener, grace time.Duration) error {
	server := grpc.NewServer(s.options()...)
	server.RegisterService(&service, s)
	healthv1.RegisterHealthServer(server, health{verifier: s.verifier})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving Envoy on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	cut := time.AfterFunc(grace, server.Stop)
	defer cut.Stop()
	server.GracefulStop()
	if err := <-ended; err != nil {
		return fmt.Errorf("stopping to serve Envoy on %s: %w", listener.Addr(), err)
	}
	return nil
}

// health answers grpc.health.v1 for the whole server and for the door by name: serving while requests are
// judged. It has no Watch, so that no stream stays open.
type health struct {
	healthv1.UnimplementedHealthServer
	verifier *verify.Verifier
}

func (h health) Check(_ context.Context, in *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	switch in.GetService() {
	case "", serviceName:
	default:
		return nil, status.Error(codes.NotFound, "there is no such service here")
	}
	if !h.verifier.Ready() {
		return &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_NOT_SERVING}, nil
	}
	return &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVING}, nil
}
