package probe_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/gateway"
	"counterfoil.dev/counterfoil/internal/probe"
	"counterfoil.dev/counterfoil/internal/proxytest"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

func TestTheFieldsAreTheVerifiers(t *testing.T) {
	if diff := cmp.Diff(verify.IdentityHeaders[:], probe.IdentityHeaders[:]); diff != "" {
		t.Errorf("verify (-), probe (+):\n%s", diff)
	}
}

// probed runs the self-test through a proxy, with a mirror in the place of the API.
func probed(t *testing.T, family string, edit func(string) string) *probe.Report {
	t.Helper()
	desk := proxytest.NewDesk(t)
	mirror, err := probe.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mirror.Close(); err != nil {
			t.Error(err)
		}
	})
	proxy := proxytest.FamilyOf(t, family).Start(t, proxytest.Setup{Doors: desk.Doors, Upstream: mirror.Address(), Edit: edit})
	report, err := probe.Run(t.Context(), config(desk, "http://"+proxy.Address, mirror))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func config(desk *proxytest.Desk, url string, mirror *probe.Mirror) probe.Config {
	return probe.Config{
		URL: url, Host: proxytest.Host, Hosts: []string{proxytest.Host}, Path: "/Agencies/0000000000000000000000/Jobs", Mirror: mirror,
		MadeUp: token.DefaultPrefix.Of(token.Access) + strings.Repeat("0", 71),
		Token: &probe.Token{
			Path: desk.Allowed, SID: desk.Token.SID, Account: strconv.FormatInt(desk.Token.Account, 10),
			Reveal: func() string { return desk.Token.AuthToken },
		},
	}
}

func faults(r *probe.Report) []string {
	var names []string
	for _, c := range r.Checks {
		if c.Status == probe.Fault {
			names = append(names, c.Name)
		}
	}
	return names
}

func say(t *testing.T, r *probe.Report) {
	t.Helper()
	for _, c := range r.Checks {
		t.Logf("%d %s: %s", c.Status, c.Title, c.Words)
	}
}

func TestTheSnippetsAreWiredWell(t *testing.T) {
	for _, family := range proxytest.Families {
		t.Run(family.Name, func(t *testing.T) {
			r := probed(t, family.Name, nil)
			if r.Faults() != 0 || r.Unseen() != 0 || len(r.Checks) != 13 {
				say(t, r)
				t.Errorf("%d faults, %d not seen, %d checks", r.Faults(), r.Unseen(), len(r.Checks))
			}
		})
	}
}

// TestTheGatewayIsWiredWell: our own proxy passes the same test as everybody's.
func TestTheGatewayIsWiredWell(t *testing.T) {
	mirror, err := probe.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mirror.Close(); err != nil {
			t.Error(err)
		}
	})
	desk := proxytest.NewDeskBefore(t, mirror.Address())
	handler, err := gateway.New(gateway.Config{Verifier: desk.Verifier, Upstreams: []string{mirror.Address()}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(handler.Close)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r, err := probe.Run(t.Context(), config(desk, server.URL, mirror))
	if err != nil {
		t.Fatal(err)
	}
	if r.Faults() != 0 || r.Unseen() != 0 || len(r.Checks) != 13 {
		say(t, r)
		t.Errorf("%d faults, %d not seen, %d checks", r.Faults(), r.Unseen(), len(r.Checks))
	}
}

// dropLines leaves out every line that has one of the words.
func dropLines(words ...string) func(string) string {
	return func(snippet string) string {
		var kept []string
		for line := range strings.Lines(snippet) {
			if !slices.ContainsFunc(words, func(w string) bool {
				return strings.Contains(line, w) && !strings.HasPrefix(strings.TrimSpace(line), "#")
			}) {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
}

func swap(from, to string) func(string) string {
	return func(snippet string) string { return strings.ReplaceAll(snippet, from, to) }
}

// addMap lets a client's own field win over what is true.
func addMap(from, to string) func(string) string {
	return func(snippet string) string {
		return "map $http_x_forwarded_method $told {\n\t\"\" $request_method;\n\tdefault $http_x_forwarded_method;\n}\n" + strings.ReplaceAll(snippet, from, to)
	}
}

// TestTheProbeNamesTheFault breaks a snippet in one place: the check that is about it fails, says so, and
// shows the line that was taken out.
func TestTheProbeNamesTheFault(t *testing.T) {
	for _, c := range []struct {
		what, family string
		edit         func(string) string
		check, words string // the check that must find it, and what it must say
		line         string // what its fixes must show
	}{
		{"Authorization reaches the API", "nginx", dropLines(`Authorization "";`), "credential", "Authorization", `proxy_set_header Authorization "";`},
		{"the decoded path", "nginx", swap("X-Original-URI $request_uri;", "X-Original-URI $uri;"), "path", "decoded", "X-Original-URI $request_uri"},
		{"identity not overwritten", "nginx", dropLines("proxy_set_header X-Counterfoil-"), "spoofed", "X-Counterfoil-Account", "proxy_set_header X-Counterfoil-"},
		{"the brand not overwritten", "nginx", dropLines("proxy_set_header X-Counterfoil-Brand"), "spoofed", "X-Counterfoil-Brand", "also those that are empty"},
		{"no error_page", "nginx", dropLines("error_page 401 403"), "words", "problem document", "error_page 401 403 = @counterfoil_refused;"},
		{"the challenge twice", "nginx", swap("$counterfoil_challenge_once always", "$counterfoil_challenge always"), "words", "twice", "$counterfoil_challenge_once"},
		{"underscores pass", "nginx", swap("underscores_in_headers off", "underscores_in_headers on"), "spoofed", "X_counterfoil_account", "underscores_in_headers off"},
		{"no question", "nginx", dropLines("auth_request /_counterfoil"), "asked", "does not ask", "auth_request /_counterfoil;"},
		{"no method in the question", "nginx", dropLines("X-Original-Method"), "asked", "X-Original-Method", "X-Original-Method $request_method"},
		{"the client's method is believed", "nginx", addMap("X-Original-Method $request_method", "X-Original-Method $told"), "forwarded", "X-Forwarded-Method", "X-Original-Method $request_method"},
		{"the client's host is believed", "nginx", dropLines("X-Forwarded-Host"), "asked", "X-Forwarded-Host", "X-Forwarded-Host $http_host"},
		{"the question without the credential", "nginx", swap(`Content-Length "";`, `Content-Length ""; proxy_set_header Authorization "";`), "handed", "without the Authorization", "Authorization"},
		{"the wrong door", "nginx", swap("/authorize/nginx", "/authorize"), "words", "another kind of proxy", "/authorize/nginx"},
		{"the question is public", "nginx", dropLines("internal;"), "door", "/_counterfoil", "internal;"},
		{"Authorization reaches the API", "caddy", dropLines("header_up -Authorization"), "credential", "Authorization", "header_up -Authorization"},
		{"a field that is not copied", "caddy", swap("X-Counterfoil-Scope X-Counterfoil-Brand", "X-Counterfoil-Brand"), "identity", "X-Counterfoil-Scope is missing", "copy_headers"},
		{"Connection takes fields away", "caddy", dropLines("header_up X-Counterfoil-"), "spoofed", "X-Counterfoil-Sid", "header_up X-Counterfoil-"},
		{"a rewrite before the question", "caddy", swap("\troute {", "\troute {\n\t\turi strip_prefix /Agencies"), "same", "another operation", "forward_auth"},
		{"Authorization reaches the API", "haproxy", dropLines("del-header authorization"), "credential", "Authorization", "del-header authorization"},
		{"aliases pass", "haproxy", dropLines("http-restrict-req-hdr-names"), "spoofed", "X_counterfoil_account", "http-restrict-req-hdr-names"},
		{"a decoded path", "haproxy", swap("set-uri %[pathq]", "set-uri %[pathq,url_dec]"), "path", "decoded", "set-uri %[pathq]"},
	} {
		t.Run(c.family+": "+c.what, func(t *testing.T) {
			r := probed(t, c.family, c.edit)
			i := slices.IndexFunc(r.Checks, func(got probe.Check) bool { return got.Name == c.check && got.Status == probe.Fault })
			if i < 0 {
				say(t, r)
				t.Fatalf("found %v, want %s", faults(r), c.check)
			}
			found := r.Checks[i]
			if !strings.Contains(strings.ToLower(found.Words), strings.ToLower(c.words)) {
				t.Errorf("it says %q, without %q", found.Words, c.words)
			}
			if !slices.ContainsFunc(found.Fixes, func(f probe.Fix) bool {
				return strings.EqualFold(f.Proxy, c.family) && strings.Contains(f.Line, c.line)
			}) {
				t.Errorf("no line with %q for %s in %v", c.line, c.family, found.Fixes)
			}
		})
	}
}

// TestTheProbeAsksNobodyElse: SECURITY.md, class 39. Hosts of the catalogue and this machine by name, and
// nothing of an address but scheme, host and port.
func TestTheProbeAsksNobodyElse(t *testing.T) {
	for url, field := range map[string]string{
		"https://other.example.com":                    "url",
		"https://api.example.com.evil.test":            "url",
		"http://169.254.169.254":                       "url",
		"http://[fe80::1%25eth0]":                      "url",
		"http://0.0.0.0":                               "url",
		"http://0":                                     "url",
		"http://2130706433":                            "url",
		"http://[::]":                                  "url",
		"http://10.0.0.1":                              "url",
		"ftp://api.example.com":                        "url",
		"HTTP://evil.test@api.example.com":             "url",
		"https://user@api.example.com":                 "url",
		"https://api.example.com/path":                 "url",
		"https://api.example.com?x=1":                  "url",
		"https://api.example.com#f":                    "url",
		"https://[::ffff:169.254.169.254]":             "url",
		"":                                             "url",
		"api.example.com":                              "url",
		"http://127.0.0.1:9":                           "host", // which host of the catalogue is asked for?
		"http://metadata":                              "url",
		"http://listed-but-loopback.localhost.invalid": "url",
	} {
		_, err := probe.Run(t.Context(), probe.Config{URL: url, Path: "/x", MadeUp: "x", Hosts: []string{"api.example.com", "169.254.169.254", "metadata", "0.0.0.0"}})
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%q: %v, want the field %s refused", url, err, field)
		}
	}
}

// TestTheProbeIsBounded: whatever is at the other end, a run ends, and reads no more than it has to.
func TestTheProbeIsBounded(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "get" {
			<-r.Context().Done() // says nothing at all
			return
		}
		w.Header().Set("Location", "http://169.254.169.254/")
		w.WriteHeader(http.StatusFound)
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return // cut off by the probe
			}
		}
	}))
	defer endless.Close()
	c := config(proxytest.NewDesk(t), endless.URL, nil)
	c.Patience = 2 * time.Second
	r, err := probe.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Checks) != 1 || r.Checks[0].Name != "asked" || !strings.Contains(r.Checks[0].Words, "302") {
		say(t, r)
		t.Error("a redirect of endless length was taken for more than that")
	}
}

// TestWithoutAMirrorNothingUnseenIsFine: what cannot be seen is called unseen, never fine.
func TestWithoutAMirrorNothingUnseenIsFine(t *testing.T) {
	desk, backend := proxytest.NewDesk(t), proxytest.NewBackend(t)
	proxy := proxytest.FamilyOf(t, "nginx").Start(t, proxytest.Setup{Doors: desk.Doors, Upstream: backend.Address, Edit: dropLines(`Authorization "";`)})
	for _, token := range []bool{true, false} {
		c := config(desk, "http://"+proxy.Address, nil)
		if !token {
			c.Token = nil
		}
		before := backend.Count()
		r, err := probe.Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		came := backend.Count() - before
		if token && (r.Faults() != 0 || r.Unseen() != 4 || came != 1) || !token && (r.Faults() != 0 || len(r.Checks) != 8 || came != 0) {
			say(t, r)
			t.Errorf("with a token %v: %d faults, %d unseen, %d checks; %d requests reached the API", token, r.Faults(), r.Unseen(), len(r.Checks), came)
		}
	}
}
