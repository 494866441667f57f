package httpx

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"github.com/google/go-cmp/cmp"
)

// journal collects log lines of a server that runs beside the test.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// serve runs a handler behind Wrap on a real socket.
func serve(t *testing.T, c Config, limits Limits, handler http.HandlerFunc) (url string, log *journal) {
	t.Helper()
	log = &journal{}
	c.Log = log.logger()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, NewServer(Wrap(handler, c), limits, c.Log), listener, 5*time.Second) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String(), log
}

func raw(t *testing.T, url, request string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

func TestRequestIDIsOurs(t *testing.T) {
	var inside string
	h := Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = RequestID(r.Context()) }),
		Config{Log: (&journal{}).logger()})
	seen := map[string]bool{}
	for range 100 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Request-Id", "forged")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := w.Header().Values(RequestIDHeader)
		if len(got) != 1 || got[0] != inside || len(inside) != 26 || seen[inside] {
			t.Fatalf("answered %q, inside %q", got, inside)
		}
		seen[inside] = true
	}
}

func TestClientAddress(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		proxies Proxies
		peer    string
		fields  []string
		want    string
	}{
		"no list, forged field":        {nil, "10.0.0.1:5", []string{"203.0.113.9"}, "10.0.0.1"},
		"loopback is not on the list":  {nil, "127.0.0.1:5", []string{"203.0.113.9"}, "127.0.0.1"},
		"peer not on the list":         {proxies, "203.0.113.1:5", []string{"203.0.113.9"}, "203.0.113.1"},
		"one proxy":                    {proxies, "10.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9"},
		"client forged the left":       {proxies, "10.0.0.1:5", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		"client forged a proxy":        {proxies, "10.0.0.1:5", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		"forged in a field of its own": {proxies, "10.0.0.1:5", []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		"two proxies":                  {proxies, "10.0.0.1:5", []string{"198.51.100.1, 203.0.113.9, 192.0.2.7"}, "203.0.113.9"},
		"only proxies":                 {proxies, "10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"nothing said":                 {proxies, "10.0.0.1:5", nil, "10.0.0.1"},
		"garbage on the right":         {proxies, "10.0.0.1:5", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		"garbage behind a proxy":       {proxies, "10.0.0.1:5", []string{"x, 10.0.0.2"}, "10.0.0.2"},
		"empty entry":                  {proxies, "10.0.0.1:5", []string{"203.0.113.9,"}, "10.0.0.1"},
		"with a port":                  {proxies, "10.0.0.1:5", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		"IPv6 with a port":             {proxies, "[fd00::1]:5", []string{"[2001:db8::9]:4711"}, "2001:db8::9"},
		"IPv4 in IPv6 is IPv4":         {proxies, "[::ffff:10.0.0.1]:5", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"a zone is dropped":            {nil, "[fe80::1%eth0]:5", nil, "fe80::1"},
		"a socket file":                {proxies, "@", []string{"203.0.113.9"}, "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		for _, f := range c.fields {
			r.Header.Add("X-Forwarded-For", f)
		}
		r.Header.Set("X_forwarded_for", "198.51.100.66")
		r.Header.Set("X-Real-Ip", "198.51.100.66")
		r.Header.Set("Forwarded", "for=198.51.100.66")
		if got := c.proxies.Client(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestNoListOfProxiesIsEverybody(t *testing.T) {
	for _, s := range []string{"0.0.0.0/0", "::/0", "", "*", "example.com", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104", "10.0.0.1:80"} {
		if got, err := ParseProxies([]string{"10.0.0.1", s}); err == nil || got != nil {
			t.Errorf("%q: %v", s, got)
		}
	}
	got, err := ParseProxies([]string{"::ffff:10.0.0.1", "10.1.2.3/8"})
	if want := (Proxies{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}); err != nil || !cmp.Equal(got, want, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestErrorsPartWhatIsReadFromWhatIsLogged(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		code   api.Code
		logged bool
	}{
		"ours":            {api.NotFound("token"), 404, api.CodeNotFound, false},
		"ours, wrapped":   {fmt.Errorf("opening secret-host: %w", api.Forbidden("no")), 403, api.CodeForbidden, false},
		"theirs":          {errors.New("dial secret-host"), 500, api.CodeInternal, true},
		"in time":         {fmt.Errorf("asking secret-host: %w", context.DeadlineExceeded), 503, api.CodeUnavailable, true},
		"too large":       {fmt.Errorf("reading: %w", &http.MaxBytesError{Limit: 9}), 413, api.CodeUnsupported, false},
		"no status":       {&api.Error{Code: api.CodeConflict}, 500, api.CodeConflict, false},
		"a success code":  {&api.Error{Code: api.CodeConflict, Status: 200}, 500, api.CodeConflict, false},
		"a joined refuse": {errors.Join(errors.New("secret-host"), api.Conflict("x")), 409, api.CodeConflict, false},
	} {
		log := &journal{}
		w := httptest.NewRecorder()
		Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			WriteError(w, r, c.err)
			WriteError(w, r, c.err) // a second answer is none
		}), Config{Log: log.logger()}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x?token=abc", nil))

		var got api.Error
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s: %v in %s", name, err, w.Body)
		}
		if w.Code != c.status || got.Status != c.status || got.Code != c.code || got.RequestID != w.Header().Get(RequestIDHeader) || got.RequestID == "" {
			t.Errorf("%s: %d, %+v", name, w.Code, got)
		}
		if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Length") != "" {
			t.Errorf("%s: %v", name, w.Header())
		}
		if strings.Contains(w.Body.String(), "secret-host") {
			t.Errorf("%s: the cause went out: %s", name, w.Body)
		}
		if strings.Contains(log.String(), "request failed") != c.logged || c.logged && !strings.Contains(log.String(), "secret-host") && name != "in time" {
			t.Errorf("%s: log %s", name, log)
		}
	}
}

func TestAnErrorOfOursIsNotChangedByAnsweringIt(t *testing.T) {
	shared := api.NotFound("token")
	w := httptest.NewRecorder()
	Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { WriteError(w, r, shared) }),
		Config{Log: (&journal{}).logger()}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if shared.RequestID != "" {
		t.Error("the request id of one caller is in an error that another may get")
	}
}

func TestAPanicIsARefusal(t *testing.T) {
	url, log := serve(t, Config{}, Limits{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			if _, err := io.WriteString(w, strings.Repeat("allowed ", 1000)); err != nil {
				t.Error(err)
			}
		}
		panic("the state is torn")
	})
	answer, err := http.Get(url + "/early")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || answer.StatusCode != 500 || !strings.Contains(string(body), `"code":"internal"`) || strings.Contains(string(body), "torn") {
		t.Errorf("%d %s %v", answer.StatusCode, body, err)
	}
	answer, err = http.Get(url + "/late")
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	if err == nil {
		t.Error("half an answer read as a whole one")
	}
	if got := log.String(); strings.Count(got, `"msg":"panic"`) != 2 || !strings.Contains(got, "the state is torn") || !strings.Contains(got, "httpx_test.go") {
		t.Errorf("log %s", got)
	}
}

// The attack: a secret in a URL ends up in the access log (SECURITY.md, class 43), or a path forges a
// line of it (class 38e).
func TestAccessLogHoldsNoQueryAndNoLink(t *testing.T) {
	link := "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyMDA"
	url, log := serve(t, Config{Listener: "people"}, Limits{}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	})
	for _, target := range []string{
		"/sign-in?next=hidden-query", "/link/" + link, "/x%0a%7b%22msg%22:1%7d/\u2028", "/settings/technical/platform-rest-web-services",
		"/" + strings.Repeat("a/", 2000), "*",
	} {
		if status, body := raw(t, url, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); status != http.StatusTeapot {
			t.Errorf("%.40s: %d %s", target, status, body)
		}
	}
	got := log.String()
	if strings.Contains(got, "hidden-query") || strings.Contains(got, link) {
		t.Errorf("the log holds a secret:\n%s", got)
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 6 {
		t.Errorf("%d lines for 6 requests:\n%s", len(lines), got)
	}
	for _, l := range lines {
		var line struct {
			Listener, Method, Path, Client string
			RequestID                      string `json:"request_id"`
			Status                         int
		}
		if err := json.Unmarshal([]byte(l), &line); err != nil {
			t.Fatal(err)
		}
		if line.Listener != "people" || line.Method != "GET" || line.Status != 418 || line.Client != "127.0.0.1" || line.RequestID == "" || len(line.Path) > maxLogged {
			t.Errorf("%s", l)
		}
	}
	if !strings.Contains(got, `"/settings/technical/platform-rest-web-services"`) || !strings.Contains(got, `"/link/…"`) {
		t.Errorf("paths are not as they should be:\n%s", got)
	}
}

func TestLimitsOfSize(t *testing.T) {
	url, _ := serve(t, Config{MaxBody: 100}, Limits{}, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			WriteError(w, r, fmt.Errorf("reading the body: %w", err))
		}
	})
	head := func(line, fields string) string {
		return line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + "\r\n"
	}
	for name, c := range map[string]struct {
		request string
		want    int
	}{
		"headers of 31 KiB":         {head("GET /", "X: "+strings.Repeat("x", 31<<10)+"\r\n"), 200},
		"headers of 40 KiB":         {head("GET /", "X: "+strings.Repeat("x", 40<<10)+"\r\n"), 431},
		"a target of 8 KiB":         {head("GET /"+strings.Repeat("x", maxTarget-1), ""), 200},
		"a longer target":           {head("GET /"+strings.Repeat("x", maxTarget), ""), 414},
		"a body at the limit":       {head("POST /", "Content-Length: 100\r\n") + strings.Repeat("x", 100), 200},
		"a body over the limit":     {head("POST /", "Content-Length: 101\r\n") + strings.Repeat("x", 101), 413},
		"a chunked body over it":    {head("POST /", "Transfer-Encoding: chunked\r\n") + "65\r\n" + strings.Repeat("x", 101) + "\r\n0\r\n\r\n", 413},
		"CONNECT":                   {head("CONNECT x:80", ""), 405},
		"TRACE":                     {head("TRACE /", ""), 405},
		"OPTIONS * is not answered": {head("OPTIONS *", ""), 200},
	} {
		if status, body := raw(t, url, c.request); status != c.want {
			t.Errorf("%s: %d, want %d: %s", name, status, c.want, body)
		}
	}
	judged := httptest.NewRecorder()
	Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		Config{Log: (&journal{}).logger(), JudgesTargets: true}).ServeHTTP(judged, httptest.NewRequest(http.MethodTrace, "/", nil))
	if judged.Code != http.StatusTeapot {
		t.Errorf("a door's own judgement was taken from it: %d", judged.Code)
	}
}

func TestHeadersOfEveryPage(t *testing.T) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/static":
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		case "/error":
			WriteError(w, r, api.NotFound("page"))
		case "/redirect":
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case "/panic":
			panic("x")
		}
	})
	for _, https := range []bool{false, true} {
		for _, path := range []string{"/", "/static", "/error", "/redirect", "/panic"} {
			w := httptest.NewRecorder()
			Wrap(Secure(ok, https), Config{Log: (&journal{}).logger()}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			want := map[string]string{
				"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
				"X-Content-Type-Options":       "nosniff",
				"Referrer-Policy":              "same-origin",
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Cache-Control":                "no-store",
				"Strict-Transport-Security":    "",
			}
			if path == "/static" {
				want["Cache-Control"] = "public, max-age=31536000, immutable"
			}
			if https {
				want["Strict-Transport-Security"] = "max-age=63072000"
			}
			for name, value := range want {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s, https %v: %s is %q, want %q", path, https, name, got, value)
				}
			}
		}
	}
}

func TestFormsFromElsewhereAreRefused(t *testing.T) {
	h := SameOrigin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), nil)
	for name, c := range map[string]struct {
		method string
		fields map[string]string
		want   int
	}{
		"reading from elsewhere":      {"GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 418},
		"our own form":                {"POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, 418},
		"another site's form":         {"POST", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a sibling host's form":       {"POST", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"an old browser, elsewhere":   {"POST", map[string]string{"Origin": "https://evil.example"}, 403},
		"an old browser, no origin":   {"POST", map[string]string{"Origin": "null"}, 403},
		"an old browser, ourselves":   {"POST", map[string]string{"Origin": "https://example.com"}, 418},
		"deleting from elsewhere":     {"DELETE", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"no browser: no ambient auth": {"POST", nil, 418},
	} {
		r := httptest.NewRequest(c.method, "https://example.com/x", nil)
		for k, v := range c.fields {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want || c.want == 403 && !strings.Contains(w.Body.String(), `"cross_origin"`) {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
	}
}

func TestContentTypes(t *testing.T) {
	for sent, want := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON;charset=\"UTF-8\"": true,
		"": false, "text/plain": false, "application/json; charset=utf-16": false, "application/jsonp": false,
		"application/json, text/plain": false, "application/json;;": false, "application/x-www-form-urlencoded": false,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Content-Type", sent)
		err := CheckType(r, "application/json")
		var refusal *api.Error
		if (err == nil) != want || err != nil && (!errors.As(err, &refusal) || refusal.Status != 415) {
			t.Errorf("%q: %v", sent, err)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header["Content-Type"] = []string{"application/json", "text/plain"}
	if CheckType(r, "application/json") == nil {
		t.Error("two content types passed")
	}
}
