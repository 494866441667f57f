package extauthz_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"counterfoil.dev/counterfoil/internal/extauthz"
	"counterfoil.dev/counterfoil/internal/measure"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

func TestMain(m *testing.M) {
	if os.Getenv(measure.AskingSide) != "" {
		if err := measure.Serve(os.Stdin, os.Stdout, connect); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// connect asks over gRPC. A request is the method, a space and the message in base64.
func connect(address string) (ask func(request string) error, err error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return func(request string) error {
		method, text, _ := strings.Cut(request, " ")
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return err
		}
		in, out := &authv3.CheckRequest{}, &authv3.CheckResponse{}
		if err := proto.Unmarshal(raw, in); err != nil {
			return err
		}
		if err := conn.Invoke(context.Background(), method, in, out); err != nil {
			return err
		}
		if method == authv3.Authorization_Check_FullMethodName && out.GetOkResponse() == nil {
			return fmt.Errorf("refused: %v", out)
		}
		return nil
	}, nil
}

// BenchmarkCheck asks with random tokens out of a million grants, and compares that with two handlers that
// do nothing: one that takes the same question, and one that takes and gives an empty message. Processor
// time of the serving side.
func BenchmarkCheck(b *testing.B) {
	crowd := verifytest.NewCrowd(b, 1_000_000, 20_000, "")
	door, err := extauthz.New(extauthz.Config{Verifier: crowd.Verifier, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	var questions, checks []string
	for i := range crowd.Tokens() {
		authorization, path := crowd.Question(i * 7919 % crowd.Tokens())
		raw, err := proto.Marshal(ask("GET", path, map[string]string{
			":authority": verifytest.CrowdHost, ":path": path, ":method": "GET", ":scheme": "https", "user-agent": "curl/8.5", "accept": "*/*",
			"authorization": authorization, "x-forwarded-proto": "https", "x-request-id": "9a62f1f6-4f4c-4b3a-9a1c-64c6b2a7c1f5",
		}))
		if err != nil {
			b.Fatal(err)
		}
		text := base64.StdEncoding.EncodeToString(raw)
		questions = append(questions, "/empty/Question "+text)
		checks = append(checks, authv3.Authorization_Check_FullMethodName+" "+text)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- door.Serve(ctx, l, time.Second) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	asker, empty := measure.Start(b), emptyServer(b)
	measure.Alternate(b, measure.Process, 21, 400*time.Millisecond,
		asker.Case("empty handler, empty message", empty, []string{"/empty/Nothing "}),
		asker.Case("empty handler, same question", empty, questions),
		asker.Case("check", l.Addr().String(), checks),
	)
}

func emptyServer(b *testing.B) (address string) {
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
	b.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return listener.Addr().String()
}
