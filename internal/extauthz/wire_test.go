package extauthz_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/extauthz"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// inProcess is the door, asked by a peer that it trusts.
func inProcess(t testing.TB, v *verify.Verifier) func(t *testing.T, question []byte) *authv3.CheckResponse {
	t.Helper()
	door, err := extauthz.New(extauthz.Config{Verifier: v, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx := peer.NewContext(context.Background(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}})
	return func(t *testing.T, question []byte) *authv3.CheckResponse {
		t.Helper()
		response := &authv3.CheckResponse{}
		if err := proto.Unmarshal(door.Check(ctx, question), response); err != nil {
			t.Fatalf("the answer is no CheckResponse: %v", err)
		}
		return response
	}
}

// TestAnythingTwiceIsARefusal: protobuf takes the last of two, and whoever wrote the question may mean the
// first (SECURITY.md, class 16).
func TestAnythingTwiceIsARefusal(t *testing.T) {
	a, tok := world(t)
	check := inProcess(t, a.Start(t, verify.Config{}))
	text := func(number protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), s)
	}
	join := func(parts ...[]byte) string {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return string(all)
	}
	path, credential := "/Agencies/"+tok.SID+"/Jobs", "Bearer "+tok.AuthToken
	header := func(name, value string) []byte { return text(3, join(text(1, name), text(2, value))) }
	raw := func(parts ...[]byte) []byte { return text(13, join(text(1, join(parts...)))) }
	asked := [][]byte{text(2, "GET"), text(4, path), text(5, "api.example.com"), header("authorization", credential)}
	question := func(asked ...[]byte) string { return join(text(1, join(text(4, join(text(2, join(asked...))))))) }
	whole := question(asked...)
	number := protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 12)
	for name, c := range map[string]struct {
		question string
		passes   bool
	}{
		"whole":                      {whole, true},
		"fields in another order":    {question(asked[3], asked[2], asked[1], asked[0]), true},
		"what we do not know":        {question(append(asked, number, text(99, "new"), text(6, "https"))...), true},
		"raw fields":                 {question(asked[0], asked[1], asked[2], raw(text(1, "authorization"), text(3, credential))), true},
		"two methods":                {question(append(asked, text(2, "GET"))...), false},
		"two paths":                  {question(append(asked, text(4, path))...), false},
		"two hosts":                  {question(append(asked, text(5, "api.example.com"))...), false},
		"two of one key":             {question(append(asked, header("authorization", credential))...), false},
		"two values of one key":      {question(append(asked[:3:3], text(3, join(text(1, "authorization"), text(2, credential), text(2, credential))))...), false},
		"two keys of one entry":      {question(append(asked[:3:3], text(3, join(text(1, "authorization"), text(1, "authorization"), text(2, credential))))...), false},
		"two values of a raw field":  {question(asked[0], asked[1], asked[2], raw(text(1, "authorization"), text(2, credential), text(3, credential))), false},
		"two lists of raw fields":    {question(asked[0], asked[1], asked[2], raw(text(1, "authorization"), text(3, credential)), raw()), false},
		"two requests":               {join(text(1, join(text(4, join(text(2, join(asked...)), text(2, join(asked...))))))), false},
		"two sets of attributes":     {whole + whole, false},
		"a number for a path":        {question(asked[0], asked[2], asked[3], protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 1)), false},
		"a number beside a path":     {question(append(asked, protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 1))...), false},
		"cut off":                    {whole[:len(whole)-1], false},
		"more than there is":         {whole + "\x0a", false},
		"a group":                    {whole + "\x13\x14", false},
		"field zero":                 {whole + "\x02\x00", false},
		"a length that does not end": {whole + "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", false},
		"a length beyond all":        {whole + "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", false},
	} {
		if got, passed := read(t, check(t, []byte(c.question))); passed != c.passes {
			t.Errorf("%s: passed %v, %d %s", name, passed, got.Status, got.Body)
		}
	}
}

// TestLongAnswersAreWrittenRight: lengths of one, two and three octets.
func TestLongAnswersAreWrittenRight(t *testing.T) {
	a, tok := world(t)
	check := inProcess(t, a.Start(t, verify.Config{}))
	for _, n := range []int{1, 100, 120, 127, 128, 129, 16_000, 16_383, 16_384, 70_000} {
		alias := "x_counterfoil_" + strings.Repeat("a", n)
		in := ask("GET", "/Agencies/"+tok.SID+"/Jobs", map[string]string{"authorization": "Bearer " + tok.AuthToken, alias: "1"})
		question, err := proto.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		answer := check(t, question)
		if _, passed := read(t, answer); !passed || answer.GetOkResponse().GetHeadersToRemove()[0] != alias {
			t.Errorf("an answer with a name of %d octets: %v", n, answer.GetStatus())
		}
	}
}

// FuzzQuestion: whatever octets come, the answer is a CheckResponse, and what passes is a question that
// protobuf itself reads as one with the right method, path, host and the one credential.
func FuzzQuestion(f *testing.F) {
	a, _ := world(f)
	// The same token in every process that fuzzes, so that what one found is a question to the others.
	secret, sid, digest, err := token.DefaultPrefix.Mint(token.Access, strings.NewReader(strings.Repeat("a", 48)))
	if err != nil {
		f.Fatal(err)
	}
	a.Put(api.Grant{
		SID: sid.String(), Account: 7, State: api.StateEnabled, Secrets: []api.Secret{{Digest: digest.String()}},
		Pins: []api.Pin{{API: "agency", Version: "3", Scopes: []string{"jobs.list"}}},
	})
	check := inProcess(f, a.Start(f, verify.Config{}))
	path, credential := "/Agencies/"+sid.String()+"/Jobs", "Bearer "+secret.Reveal()
	plain := ask("GET", path, map[string]string{"authorization": credential, ":path": path, "accept": "*/*"})
	raw := ask("GET", path+"?a=b", nil)
	httpOf(raw).HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "authorization", RawValue: []byte(credential)}, {Key: ":method", Value: "GET"}}}
	for _, in := range []*authv3.CheckRequest{plain, raw, {}, {Attributes: &authv3.AttributeContext{}}} {
		question, err := proto.Marshal(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(question)
	}
	f.Fuzz(func(t *testing.T, question []byte) {
		if _, passed := read(t, check(t, question)); !passed {
			return
		}
		var in authv3.CheckRequest
		if err := proto.Unmarshal(question, &in); err != nil {
			if strings.Contains(err.Error(), "UTF-8") {
				return // of a field that opens nothing
			}
			t.Fatalf("passed, and is no CheckRequest: %v", err)
		}
		h := httpOf(&in)
		credentials := 0
		for name, value := range h.GetHeaders() {
			if strings.EqualFold(name, "authorization") && value == credential {
				credentials++
			}
		}
		for _, field := range h.GetHeaderMap().GetHeaders() {
			if strings.EqualFold(field.GetKey(), "authorization") && field.GetValue()+string(field.GetRawValue()) == credential {
				credentials++
			}
		}
		target, _, _ := strings.Cut(h.GetPath(), "?")
		target = strings.TrimPrefix(strings.TrimPrefix(target, "https://api.example.com"), "http://api.example.com")
		if h.GetMethod() != "GET" && h.GetMethod() != "HEAD" || target != path || !strings.EqualFold(strings.TrimSuffix(strings.SplitN(h.GetHost(), ":", 2)[0], "."), "api.example.com") || credentials != 1 {
			t.Errorf("passed: %v", h)
		}
	})
}
