package extauthz_test

import (
	"context"
	"net"
	"syscall"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"counterfoil.dev/counterfoil/internal/verify"
)

// octets is a codec that sends what it is given and keeps nothing, so that the client's side of the wire
// costs the same whatever the messages are.
type octets struct{}

func (octets) Name() string { return "proto" }

func (octets) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (octets) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*int) = data.Len()
	return nil
}

// BenchmarkOverGRPC asks the door, and a handler that does nothing, over one connection. Processor time of
// both ends is reported. The client encodes and decodes nothing, so the difference is the door's.
func BenchmarkOverGRPC(b *testing.B) {
	a, tok := world(b)
	door := dial(b, a.Start(b, verify.Config{}), nil)
	path := "/Agencies/" + tok.SID + "/Jobs"
	question, err := proto.Marshal(ask("GET", path, map[string]string{
		":authority": "api.example.com", ":path": path, ":method": "GET", ":scheme": "https", "user-agent": "curl/8.5", "accept": "*/*",
		"authorization": "Bearer " + tok.AuthToken, "x-forwarded-proto": "https", "x-request-id": "9a62f1f6-4f4c-4b3a-9a1c-64c6b2a7c1f5",
	}))
	if err != nil {
		b.Fatal(err)
	}
	none := emptyServer(b)
	for _, c := range []struct {
		name, method string
		conn         *grpc.ClientConn
		send         []byte
		atLeast      int // octets of the answer: an allow has all its fields
	}{
		{"empty", "/empty/Nothing", none, nil, 0},
		{"check", authv3.Authorization_Check_FullMethodName, door, question, 300},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			began := processTime(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					var got int
					if err := c.conn.Invoke(b.Context(), c.method, c.send, &got, grpc.ForceCodecV2(octets{})); err != nil || got < c.atLeast {
						b.Errorf("%d octets, %v", got, err)
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
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "empty", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Nothing",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return &emptypb.Empty{}, decode(&emptypb.Empty{})
		},
	}}}, struct{}{})
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
