package extauthz_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc/codes"

	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// waiting are cases of the corpus that no door can answer yet, with the reason.
var waiting = map[string]string{
	"CRED-023": "tokens bound to a key (DPoP) do not exist yet",
}

// TestNoAttackOfTheCorpusPassesEnvoy puts every case as Envoy would: with fields joined in a map, and with
// encode_raw_headers, where they are apart.
func TestNoAttackOfTheCorpusPassesEnvoy(t *testing.T) {
	c := new(verifytest.Corpus)
	if err := yaml.Unmarshal(verifytest.CorpusText(t), c); err != nil {
		t.Fatal(err)
	}
	client := serve(t, c.Desk(t, "").Start(t, verify.Config{}), nil)
	ran := 0
	for i := range c.Cases {
		one := &c.Cases[i]
		if !slices.Contains(one.Interfaces, "ext_authz") || waiting[one.ID] != "" {
			continue
		}
		ran++
		if one.Delivery == "grpc" {
			judge(t, c, one, client, exactly(t, c, one))
			continue
		}
		for _, raw := range []bool{false, true} {
			one := *one
			if raw {
				one.ID += " raw"
			}
			judge(t, c, &one, client, asEnvoy(t, c, &one, raw))
		}
	}
	if ran < 140 {
		t.Errorf("only %d cases ran", ran)
	}
}

// exactly builds the question that a case spells, absent parts and all.
func exactly(t *testing.T, c *verifytest.Corpus, one *verifytest.Case) *authv3.CheckRequest {
	t.Helper()
	in := &authv3.CheckRequest{}
	if one.CheckRequest == nil {
		t.Fatalf("%s spells no question", one.ID)
	}
	if one.CheckRequest.Attributes == nil {
		return in
	}
	in.Attributes = &authv3.AttributeContext{}
	asked := one.CheckRequest.Attributes.Request
	if asked == nil {
		return in
	}
	in.Attributes.Request = &authv3.AttributeContext_Request{}
	if asked.HTTP == nil {
		return in
	}
	h := &authv3.AttributeContext_HttpRequest{
		Method: asked.HTTP.Method, Path: c.Spell(t, one, asked.HTTP.Path), Host: c.Spell(t, one, asked.HTTP.Host),
		Scheme: asked.HTTP.Scheme, Protocol: asked.HTTP.Protocol, Headers: map[string]string{},
	}
	for name, value := range asked.HTTP.Headers {
		h.Headers[name] = c.Spell(t, one, value)
	}
	for _, field := range asked.HTTP.HeaderMap {
		if h.HeaderMap == nil {
			h.HeaderMap = &corev3.HeaderMap{}
		}
		h.HeaderMap.Headers = append(h.HeaderMap.Headers, &corev3.HeaderValue{Key: field[0], RawValue: []byte(c.Spell(t, one, field[1]))})
	}
	in.Attributes.Request.Http = h
	return in
}

// asEnvoy builds the question that Envoy asks about what a client sent.
func asEnvoy(t *testing.T, c *verifytest.Corpus, one *verifytest.Case, raw bool) *authv3.CheckRequest {
	t.Helper()
	h := &authv3.AttributeContext_HttpRequest{
		Method: one.Parsed.Method, Path: c.Spell(t, one, one.Parsed.Target), Host: c.Spell(t, one, one.Parsed.Host),
		Scheme: "https", Protocol: "HTTP/1.1",
	}
	fields := [][2]string{{":method", h.Method}, {":path", h.Path}, {":authority", h.Host}, {":scheme", "https"}}
	for _, field := range one.Parsed.Headers {
		fields = append(fields, [2]string{strings.ToLower(c.Spell(t, one, field[0])), c.Spell(t, one, field[1])})
	}
	if raw {
		h.HeaderMap = &corev3.HeaderMap{}
		for _, f := range fields {
			h.HeaderMap.Headers = append(h.HeaderMap.Headers, &corev3.HeaderValue{Key: f[0], RawValue: []byte(f[1])})
		}
	} else {
		h.Headers = map[string]string{}
		for _, f := range fields {
			if earlier, twice := h.Headers[f[0]]; twice {
				f[1] = earlier + "," + f[1]
			}
			h.Headers[f[0]] = strings.ToValidUTF8(f[1], "!")
		}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: h}}}
}

func judge(t *testing.T, c *verifytest.Corpus, one *verifytest.Case, client authv3.AuthorizationClient, in *authv3.CheckRequest) {
	t.Helper()
	answer, err := client.Check(t.Context(), in)
	if err != nil {
		t.Errorf("%s %s: an error of gRPC, which failure_mode_allow takes for consent: %v", one.ID, one.Title, err)
		return
	}
	a, passed := read(t, answer)
	c.Check(t, one, &a, passed, a.Header, []int{http.StatusUnauthorized, http.StatusForbidden})
	if !passed && bytes.Contains(a.Body, []byte(c.Token("TOK_READ").AuthToken)) {
		t.Errorf("%s: the answer holds the token", one.ID)
	}
}

// read takes an answer apart as Envoy acts on it: the code decides, then the fields. On an allow the header
// is what the backend gets besides the client's own fields.
func read(t *testing.T, answer *authv3.CheckResponse) (a verifytest.Answer, passed bool) {
	t.Helper()
	a.Header = http.Header{}
	fields := answer.GetDeniedResponse().GetHeaders()
	switch code := codes.Code(answer.GetStatus().GetCode()); code {
	case codes.OK:
		passed, a.Status, fields = true, http.StatusOK, answer.GetOkResponse().GetHeaders()
		if answer.GetOkResponse() == nil || answer.GetDeniedResponse() != nil {
			t.Errorf("an allow without an answer: %v", answer)
		}
	case codes.PermissionDenied, codes.Unauthenticated:
		a.Status, a.Body = int(answer.GetDeniedResponse().GetStatus().GetCode()), []byte(answer.GetDeniedResponse().GetBody())
		if (a.Status == http.StatusUnauthorized) != (code == codes.Unauthenticated) {
			t.Errorf("code %v with status %d", code, a.Status)
		}
	default:
		t.Errorf("code %v", code)
	}
	for _, option := range fields {
		if option.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Errorf("%s is not set in place of what is there", option.GetHeader().GetKey())
		}
		a.Header.Add(option.GetHeader().GetKey(), option.GetHeader().GetValue())
	}
	return a, passed
}
