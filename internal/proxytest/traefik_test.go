package proxytest_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/proxytest"
	"counterfoil.dev/counterfoil/internal/verify"
)

// traefikFile is the part of Traefik's dynamic configuration that the snippet uses, by the names of its
// own structures (pkg/config/dynamic, v3.7.12). Another key fails.
type traefikFile struct {
	HTTP struct {
		Routers map[string]struct {
			Rule        string   `yaml:"rule"`
			EntryPoints []string `yaml:"entryPoints"`
			Middlewares []string `yaml:"middlewares"`
			Service     string   `yaml:"service"`
		} `yaml:"routers"`
		Middlewares map[string]struct {
			ForwardAuth *struct {
				Address             string   `yaml:"address"`
				TrustForwardHeader  *bool    `yaml:"trustForwardHeader"`
				MaxResponseBodySize int64    `yaml:"maxResponseBodySize"`
				AuthResponseHeaders []string `yaml:"authResponseHeaders"`
			} `yaml:"forwardAuth"`
			Headers *struct {
				CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
			} `yaml:"headers"`
		} `yaml:"middlewares"`
		Services map[string]struct {
			LoadBalancer struct {
				Servers []struct {
					URL string `yaml:"url"`
				} `yaml:"servers"`
			} `yaml:"loadBalancer"`
		} `yaml:"services"`
	} `yaml:"http"`
}

func traefikSnippet(t *testing.T) *traefikFile {
	t.Helper()
	f := new(traefikFile)
	dec := yaml.NewDecoder(strings.NewReader(proxytest.Snippet(t, "traefik.yaml")))
	dec.KnownFields(true)
	if err := dec.Decode(f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheTraefikSnippetAsksBeforeItForwards(t *testing.T) {
	f := traefikSnippet(t)
	if len(f.HTTP.Routers) != 1 || len(f.HTTP.Middlewares) != 2 || len(f.HTTP.Services) != 1 {
		t.Fatalf("%+v", f.HTTP)
	}
	router := f.HTTP.Routers["api"]
	if diff := cmp.Diff([]string{"counterfoil", "counterfoil-no-credential"}, router.Middlewares); diff != "" {
		t.Errorf("the order of middlewares (-want +got):\n%s", diff)
	}
	ask := f.HTTP.Middlewares["counterfoil"].ForwardAuth
	if ask == nil || ask.TrustForwardHeader == nil || *ask.TrustForwardHeader || !strings.HasSuffix(ask.Address, doors.AuthorizePath) {
		t.Fatalf("the question: %+v", ask)
	}
	if diff := cmp.Diff(verify.IdentityHeaders[:], ask.AuthResponseHeaders); diff != "" {
		t.Errorf("identity headers (-want +got):\n%s", diff)
	}
	if drop := f.HTTP.Middlewares["counterfoil-no-credential"].Headers; drop == nil || !cmp.Equal(drop.CustomRequestHeaders, map[string]string{"Authorization": ""}) {
		t.Errorf("the credential is not taken away: %+v", drop)
	}
	if servers := f.HTTP.Services[router.Service].LoadBalancer.Servers; len(servers) != 1 {
		t.Errorf("the router's service has %d servers", len(servers))
	}
}

// traefik asks and forwards as Traefik 3.7.12 does with the snippet (pkg/middlewares/auth/forward.go, with
// trustForwardHeader false; pkg/middlewares/forwardedheaders for the fields that it deletes). It is not in
// any registry as a program; here are exactly its sub-requests, on the same HTTP library as its own.
func traefik(t *testing.T, doorsAddress, upstream string) *proxytest.Proxy {
	t.Helper()
	own := traefikSnippet(t).HTTP.Middlewares["counterfoil"].ForwardAuth.AuthResponseHeaders
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream})
	forward.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(t.Output(), nil), slog.LevelError)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dropNamed(r.Header)          // at its entry point, before anything else
		for name := range r.Header { // aliasHeadersStrategy: delete
			if strings.ContainsAny(name, "_.") {
				delete(r.Header, name)
			}
		}
		question, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+doorsAddress+doors.AuthorizePath, nil)
		if err != nil {
			t.Error(err)
			return
		}
		question.Header = traefikFields(r)
		answer, err := client.Do(question)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode < 200 || answer.StatusCode >= 300 {
			for name, values := range answer.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.StatusCode)
			if _, err := io.Copy(w, answer.Body); err != nil {
				t.Errorf("handing a refusal on: %v", err)
			}
			return
		}
		for _, name := range own {
			delete(r.Header, name)
			if values := answer.Header[name]; len(values) > 0 {
				r.Header[name] = slices.Clone(values)
			}
		}
		r.Header.Del("Authorization") // the snippet's second middleware
		forward.ServeHTTP(w, r)
	})
	server := httptest.NewUnstartedServer(nil)
	server.Config = httpx.NewServer(handler, httpx.Limits{}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	server.Start()
	t.Cleanup(server.Close)
	return &proxytest.Proxy{Name: "traefik", Address: server.Listener.Addr().String()}
}

// dropNamed takes away Connection and what it names.
func dropNamed(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(textproto.TrimString(name))
		}
	}
	h.Del("Connection")
}

// traefikFields are the fields of a question: the client's, without those of its connection and its
// X-Forwarded-*, and Traefik's own.
func traefikFields(r *http.Request) http.Header {
	fields := r.Header.Clone()
	dropNamed(fields)
	for _, name := range []string{"Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade", "Proxy-Authorization", "Proxy-Authenticate"} {
		fields.Del(name)
	}
	for _, name := range []string{
		"X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Uri",
		"X-Forwarded-Method", "X-Forwarded-Prefix", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-Real-Ip",
	} {
		fields.Del(name)
	}
	if client, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		fields.Set("X-Forwarded-For", client)
	}
	fields.Set("X-Forwarded-Method", r.Method)
	fields.Set("X-Forwarded-Proto", "http")
	fields.Set("X-Forwarded-Port", "80")
	fields.Set("X-Forwarded-Host", r.Host)
	fields.Set("X-Forwarded-Uri", r.URL.RequestURI())
	return fields
}
