package extauthz_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/extauthz"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// dial puts the door on a real listener and connects to it.
func dial(t testing.TB, v *verify.Verifier, peers []netip.Prefix) *grpc.ClientConn {
	t.Helper()
	door, err := extauthz.New(extauthz.Config{Verifier: v, Peers: peers, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- door.Serve(ctx, listener, time.Second) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return conn
}

func serve(t testing.TB, v *verify.Verifier, peers []netip.Prefix) authv3.AuthorizationClient {
	t.Helper()
	return authv3.NewAuthorizationClient(dial(t, v, peers))
}

// world is a desk with one API that keeps the credential to itself, one that hands it on, and a token.
func world(t testing.TB) (*verifytest.Authority, verifytest.Token) {
	t.Helper()
	a := verifytest.NewAuthority()
	a.Account(api.AccountFacts{Account: 7})
	of := func(name, base string, forward bool) decide.API {
		return decide.API{
			Name: name, Title: name, Base: base, Bind: decide.BindSID, Hosts: []string{"api.example.com"}, ForwardCredential: forward,
			Versions: []decide.Version{{
				Name: "3", State: "current", Scopes: []decide.ScopeWords{{Name: "jobs.list", Category: "Jobs", Label: "List"}, {Name: "jobs.end", Category: "Jobs", Label: "End"}},
				Routes: []decide.Route{
					{Method: "GET", Template: "/Jobs", Needs: [][]string{{"jobs.list"}}},
					{Method: "DELETE", Template: "/Jobs", Needs: [][]string{{"jobs.end"}}},
				},
			}},
		}
	}
	a.Publish(decide.Catalogue{APIs: []decide.API{of("agency", "/Agencies/{AccountSID}", false), of("open", "/Open/{AccountSID}", true)}})
	tok := verifytest.Mint(t, token.Access, 7,
		api.Pin{API: "agency", Version: "3", Scopes: []string{"jobs.list"}}, api.Pin{API: "open", Version: "3", Scopes: []string{"jobs.list"}})
	a.Put(tok.Grant)
	return a, tok
}

func ask(method, path string, headers map[string]string) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "192.0.2.7"},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: method, Path: path, Host: "api.example.com", Headers: headers,
		}},
	}}
}

func httpOf(in *authv3.CheckRequest) *authv3.AttributeContext_HttpRequest {
	return in.GetAttributes().GetRequest().GetHttp()
}

func TestAnAllowSetsEveryIdentityHeaderAndRemovesWhatClientsMadeUp(t *testing.T) {
	a, tok := world(t)
	client := serve(t, a.Start(t, verify.Config{}), nil)
	for _, c := range []struct {
		base, name string
		removed    []string
	}{
		{"/Agencies/", "agency", []string{"authorization", "x-counterfoil-status", "x-counterfoil.sid", "x_counterfoil_account"}},
		{"/Open/", "open", []string{"x-counterfoil-status", "x-counterfoil.sid", "x_counterfoil_account"}},
	} {
		answer, err := client.Check(t.Context(), ask("GET", c.base+tok.SID+"/Jobs?q=1", map[string]string{
			"authorization": "Bearer " + tok.AuthToken, "x_counterfoil_account": "1", "x-counterfoil.sid": "x", "x-counterfoil-status": "200",
			"x-counterfoil-account": "1", ":path": c.base + tok.SID + "/Jobs?q=1", "host": "api.example.com",
		}))
		if err != nil {
			t.Fatal(err)
		}
		got, passed := read(t, answer)
		id := got.Header.Get(verify.RequestIDHeader)
		want := http.Header{
			verify.AccountHeader: {"7"}, verify.SIDHeader: {tok.SID}, verify.APIHeader: {c.name}, verify.VersionHeader: {"3"},
			verify.ScopeHeader: {"jobs.list"}, verify.BrandHeader: {""}, verify.RequestIDHeader: {id},
		}
		if diff := cmp.Diff(want, got.Header); diff != "" || !passed || len(id) != 26 {
			t.Errorf("%s: passed %v (-want +got):\n%s", c.name, passed, diff)
		}
		removed := slices.Sorted(slices.Values(answer.GetOkResponse().GetHeadersToRemove()))
		if diff := cmp.Diff(c.removed, removed); diff != "" {
			t.Errorf("%s: removed (-want +got):\n%s", c.name, diff)
		}
		metadata := map[string]any{"account": "7", "sid": tok.SID, "api": c.name, "version": "3", "scope": "jobs.list", "brand": ""}
		if diff := cmp.Diff(metadata, answer.GetDynamicMetadata().AsMap()); diff != "" {
			t.Errorf("%s: metadata (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestARefusalReachesTheClientWhole(t *testing.T) {
	a, tok := world(t)
	client := serve(t, a.Start(t, verify.Config{Console: "https://desk.example.com"}), nil)
	for name, c := range map[string]struct {
		in        *authv3.CheckRequest
		status    int
		code      api.Code
		challenge string
	}{
		"no credential": {ask("GET", "/Agencies/"+tok.SID+"/Jobs", nil), 401, api.CodeNoCredential, `Bearer realm="counterfoil"`},
		"no box": {
			ask("DELETE", "/Agencies/"+tok.SID+"/Jobs", map[string]string{"authorization": "Bearer " + tok.AuthToken}), 403, api.CodeInsufficientScope,
			`Bearer realm="counterfoil", error="insufficient_scope", scope="jobs.end"`,
		},
		"no route": {ask("GET", "/Nothing", map[string]string{"authorization": "Bearer " + tok.AuthToken}), 403, api.CodeNoRoute, ""},
	} {
		answer, err := client.Check(t.Context(), c.in)
		if err != nil {
			t.Fatal(err)
		}
		got, passed := read(t, answer)
		want := http.Header{"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}
		if c.challenge != "" {
			want["Www-Authenticate"] = []string{c.challenge}
		}
		if diff := cmp.Diff(want, got.Header); diff != "" || passed || got.Status != c.status || got.Code() != c.code {
			t.Errorf("%s: passed %v, %d %s (-want +got):\n%s", name, passed, got.Status, got.Code(), diff)
		}
		var problem api.Error
		if err := json.Unmarshal(got.Body, &problem); err != nil || problem.RequestID == "" || problem.Status != c.status {
			t.Errorf("%s: %v in %s", name, err, got.Body)
		}
	}
}

// TestAStaleVerifierAnswers503: Envoy hands on whatever status it is told.
func TestAStaleVerifierAnswers503(t *testing.T) {
	a, tok := world(t)
	v, err := verify.New(verify.Config{Source: a, Node: "never run"})
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, v, nil)
	answer, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), ask("GET", "/Agencies/"+tok.SID+"/Jobs", map[string]string{"authorization": "Bearer " + tok.AuthToken}))
	if err != nil {
		t.Fatal(err)
	}
	if got, passed := read(t, answer); passed || got.Status != 503 || got.Code() != api.CodeStale {
		t.Errorf("passed %v, %d %s", passed, got.Status, got.Code())
	}
	health, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v %v", health, err)
	}
}

func TestHealthIsThatOfTheVerifier(t *testing.T) {
	a, _ := world(t)
	client := healthv1.NewHealthClient(dial(t, a.Start(t, verify.Config{}), nil))
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		answer, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v %v", service, answer, err)
		}
	}
	if _, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "other"}); status.Code(err) != codes.NotFound {
		t.Errorf("another service: %v", err)
	}
}

// TestQuestionsOfOthersAreRefused: SECURITY.md, class 10. The default list is this machine.
func TestQuestionsOfOthersAreRefused(t *testing.T) {
	a, tok := world(t)
	v := a.Start(t, verify.Config{})
	good := ask("GET", "/Agencies/"+tok.SID+"/Jobs", map[string]string{"authorization": "Bearer " + tok.AuthToken})
	for _, c := range []struct {
		peers  []netip.Prefix
		passes bool
	}{
		{nil, true},
		{[]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, true},
		{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, false},
		{[]netip.Prefix{}, false},
	} {
		answer, err := serve(t, v, c.peers).Check(t.Context(), good)
		if err != nil {
			t.Fatal(err)
		}
		if got, passed := read(t, answer); passed != c.passes || !passed && (got.Status != 403 || got.Code() != api.CodeMalformedRequest) {
			t.Errorf("listed %v: passed %v, %d %s", c.peers, passed, got.Status, got.Code())
		}
	}
}

// TestAQuestionWithTwoReadingsIsRefused: whatever is missing, doubled or contradicted.
func TestAQuestionWithTwoReadingsIsRefused(t *testing.T) {
	a, tok := world(t)
	client := serve(t, a.Start(t, verify.Config{}), nil)
	path, credential := "/Agencies/"+tok.SID+"/Jobs", "Bearer "+tok.AuthToken
	whole := func() *authv3.CheckRequest {
		return ask("GET", path, map[string]string{"authorization": credential})
	}
	raw := func(fields ...string) func(*authv3.CheckRequest) {
		return func(in *authv3.CheckRequest) {
			httpOf(in).Headers, httpOf(in).HeaderMap = nil, &corev3.HeaderMap{}
			for i := 0; i < len(fields); i += 2 {
				httpOf(in).HeaderMap.Headers = append(httpOf(in).HeaderMap.Headers, &corev3.HeaderValue{Key: fields[i], RawValue: []byte(fields[i+1])})
			}
		}
	}
	field := func(name, value string) func(*authv3.CheckRequest) {
		return func(in *authv3.CheckRequest) { httpOf(in).Headers[name] = value }
	}
	for name, c := range map[string]struct {
		change func(*authv3.CheckRequest)
		passes bool
	}{
		"whole":                      {func(*authv3.CheckRequest) {}, true},
		"raw fields":                 {raw("authorization", credential, ":path", path), true},
		"no attributes":              {func(in *authv3.CheckRequest) { in.Attributes = nil }, false},
		"no request":                 {func(in *authv3.CheckRequest) { in.Attributes.Request = nil }, false},
		"no HTTP":                    {func(in *authv3.CheckRequest) { in.Attributes.Request.Http = nil }, false},
		"no method":                  {func(in *authv3.CheckRequest) { httpOf(in).Method = "" }, false},
		"no path":                    {func(in *authv3.CheckRequest) { httpOf(in).Path = "" }, false},
		"no host":                    {func(in *authv3.CheckRequest) { httpOf(in).Host = "" }, false},
		"a query beside the path":    {func(in *authv3.CheckRequest) { httpOf(in).Query = "a=1" }, false},
		"a fragment beside the path": {func(in *authv3.CheckRequest) { httpOf(in).Fragment = "a" }, false},
		"another path":               {field(":path", "/Agencies/"+tok.SID+"/Other"), false},
		"another method":             {field(":method", "DELETE"), false},
		"another authority":          {field(":authority", "admin.example.com"), false},
		"another host":               {field("host", "admin.example.com"), false},
		"another host, aloud":        {field("Host", "admin.example.com"), false},
		"a tunnel":                   {field(":protocol", "websocket"), false},
		"a field without a name":     {field("", "x"), false},
		"two credentials joined":     {field("authorization", credential+","+credential), false},
		"two credentials by case":    {field("Authorization", credential), false},
		"two credentials apart":      {raw("authorization", credential, "authorization", credential), false},
		"the connection takes it":    {field("connection", "Authorization"), false},
		"fields in two ways": {func(in *authv3.CheckRequest) {
			httpOf(in).HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "accept", Value: "*/*"}}}
		}, false},
		"a field with two values": {func(in *authv3.CheckRequest) {
			httpOf(in).Headers, httpOf(in).HeaderMap = nil, &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "authorization", Value: credential, RawValue: []byte("x")}}}
		}, false},
	} {
		in := whole()
		c.change(in)
		answer, err := client.Check(t.Context(), in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, passed := read(t, answer); passed != c.passes || !passed && got.Code() == "" {
			t.Errorf("%s: passed %v, %d %s", name, passed, got.Status, got.Body)
		}
	}
}

// broken is a context in which whatever is asked goes wrong.
type broken struct{ context.Context }

func (broken) Value(any) any { panic("broken") }

// TestAPanicIsARefusal: SECURITY.md, class 45. So is no question at all.
func TestAPanicIsARefusal(t *testing.T) {
	a, tok := world(t)
	lines := &strings.Builder{}
	door, err := extauthz.New(extauthz.Config{Verifier: a.Start(t, verify.Config{}), Log: slog.New(slog.NewTextHandler(lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	good := ask("GET", "/Agencies/"+tok.SID+"/Jobs", map[string]string{"authorization": "Bearer " + tok.AuthToken})
	for _, c := range []struct {
		ctx  context.Context
		in   *authv3.CheckRequest
		code api.Code
	}{
		{broken{t.Context()}, good, api.CodeInternal},
		{t.Context(), nil, api.CodeMalformedRequest},
	} {
		question, err := proto.Marshal(c.in)
		if err != nil {
			t.Fatal(err)
		}
		answer := &authv3.CheckResponse{}
		if err := proto.Unmarshal(door.Check(c.ctx, question), answer); err != nil {
			t.Fatal(err)
		}
		if got, passed := read(t, answer); passed || got.Status != 403 || got.Code() != c.code {
			t.Errorf("passed %v, %d %s", passed, got.Status, got.Body)
		}
	}
	if strings.Count(lines.String(), "level=ERROR") != 1 || strings.Contains(lines.String(), tok.AuthToken) {
		t.Errorf("the log: %s", lines)
	}
}

// TestUsageNamesTheClientOfTheProxy: last use is told with the address that Envoy believes.
func TestUsageNamesTheClientOfTheProxy(t *testing.T) {
	a, tok := world(t)
	client := serve(t, a.Start(t, verify.Config{}), nil)
	if _, err := client.Check(t.Context(), ask("GET", "/Agencies/"+tok.SID+"/Jobs", map[string]string{"authorization": "Bearer " + tok.AuthToken, "user-agent": "curl/8"})); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := a.Await(ctx, func() bool { return len(a.Batches()) > 0 }); err != nil {
		t.Fatal(err)
	}
	use := a.Batches()[0].Uses[0]
	if use.SID != tok.SID || use.Address != "192.0.2.7" || use.Agent != "curl/8" || use.Calls != 1 {
		t.Errorf("reported %+v", use)
	}
}

func TestLimitsAreToldThroughEnvoy(t *testing.T) {
	a, tok := world(t)
	tok.Limits = &api.Limits{Rate: &api.Rate{Calls: 1, Per: "hour"}}
	a.Put(tok.Grant)
	client := serve(t, a.Start(t, verify.Config{}), nil)
	in := ask("GET", "/Agencies/"+tok.SID+"/Jobs", map[string]string{"authorization": "Bearer " + tok.AuthToken})
	answer, err := client.Check(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, option := range answer.GetOkResponse().GetResponseHeadersToAdd() {
		told[option.GetHeader().GetKey()] = option.GetHeader().GetValue()
	}
	want := map[string]string{"ratelimit-limit": "1", "ratelimit-remaining": "0", "ratelimit-reset": "3600"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("an allow (-want +got):\n%s", diff)
	}
	if answer, err = client.Check(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	got, passed := read(t, answer)
	if passed || got.Status != 429 || got.Code() != api.CodeRateLimited || got.Header.Get("Retry-After") != "3600" || got.Header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("a refusal: passed %v, %d %v", passed, got.Status, got.Header)
	}
}
