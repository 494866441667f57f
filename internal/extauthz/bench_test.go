package extauthz_test

import (
	"context"
	"net"
	"syscall"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"counterfoil.dev/counterfoil/internal/verify"
)

// BenchmarkOverGRPC asks the door, and two handlers that do nothing, over one connection: one that takes
// and gives an empty message, and one that takes the same question. Processor time of both ends is
// reported; half of each question's encoding is the client's.
func BenchmarkOverGRPC(b *testing.B) {
	a, tok := world(b)
	conn := dial(b, a.Start(b, verify.Config{}), nil)
	path := "/Agencies/" + tok.SID + "/Jobs"
	in := ask("GET", path, map[string]string{
		":authority": "api.example.com", ":path": path, ":method": "GET", ":scheme": "https", "user-agent": "curl/8.5", "accept": "*/*",
		"authorization": "Bearer " + tok.AuthToken, "x-forwarded-proto": "https", "x-request-id": "9a62f1f6-4f4c-4b3a-9a1c-64c6b2a7c1f5",
	})
	none := emptyServer(b)
	for _, c := range []struct {
		name string
		ask  func() error
	}{
		{"empty", func() error { return none.Invoke(b.Context(), "/empty/Nothing", &emptypb.Empty{}, &emptypb.Empty{}) }},
		{"empty/question", func() error { return none.Invoke(b.Context(), "/empty/Question", in, &authv3.CheckResponse{}) }},
		{"check", func() error {
			answer := &authv3.CheckResponse{}
			err := conn.Invoke(b.Context(), authv3.Authorization_Check_FullMethodName, in, answer)
			if err == nil && answer.GetOkResponse() == nil {
				b.Fatal(answer)
			}
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			began := processTime(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.ask(); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(processTime(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

func emptyServer(b *testing.B) *grpc.ClientConn {
	b.Helper()
	unary := func(take, give func() any) grpc.MethodHandler {
		return func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(take()); err != nil {
				return nil, err
			}
			return give(), nil
		}
	}
	empty := func() any { return &emptypb.Empty{} }
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "empty", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		{MethodName: "Nothing", Handler: unary(empty, empty)},
		{MethodName: "Question", Handler: unary(func() any { return &authv3.CheckRequest{} }, func() any { return &authv3.CheckResponse{} })},
	}}, struct{}{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := conn.Close(); err != nil {
			b.Error(err)
		}
		server.Stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return conn
}

func processTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
