package doors_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

// limitFields are those of an answer that tell how limits stand.
func limitFields(h http.Header) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"} {
		if value := h.Get(name); value != "" {
			out[name] = value
		}
	}
	return out
}

func TestLimitsAreToldThroughEveryDoor(t *testing.T) {
	a, tok := world(t)
	tok.Limits = &api.Limits{Rate: &api.Rate{Calls: 1, Per: "hour"}}
	a.Put(tok.Grant)
	middleware := func(v *verify.Verifier) http.Handler {
		return doors.Middleware(v, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	}
	forward := func(v *verify.Verifier) http.Handler {
		h, err := doors.New(doors.Config{Verifier: v})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for name, c := range map[string]struct {
		door   func(*verify.Verifier) http.Handler
		ask    *http.Request
		status int
	}{
		"forward-auth": {forward, question(doors.AuthorizePath, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/Agencies/"+tok.SID+"/Jobs", "X-Forwarded-Host", "api.example.com"), 429},
		"nginx":        {forward, question(doors.AuthorizeNginxPath, "X-Original-Method", "GET", "X-Original-Uri", "/Agencies/"+tok.SID+"/Jobs", "X-Forwarded-Host", "api.example.com"), 403},
		"middleware":   {middleware, question("/Agencies/" + tok.SID + "/Jobs"), 429},
	} {
		door := c.door(a.Start(t, verify.Config{})) // each verifier counts for itself
		c.ask.Header.Set("Authorization", "Bearer "+tok.AuthToken)
		c.ask.Host = "api.example.com"
		send := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			door.ServeHTTP(w, c.ask.Clone(t.Context()))
			return w
		}
		first := map[string]string{"RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "3600"}
		if w := send(); w.Code != 200 || cmp.Diff(first, limitFields(w.Header())) != "" {
			t.Errorf("%s: %d %s", name, w.Code, cmp.Diff(first, limitFields(w.Header())))
		}
		w := send()
		got := limitFields(w.Header())
		if w.Code != c.status || got["Retry-After"] != "3600" || got["RateLimit-Remaining"] != "0" {
			t.Errorf("%s: %d %v", name, w.Code, got)
		}
		if name == "nginx" && w.Header().Get(doors.StatusHeader) != "429" {
			t.Errorf("nginx is told %s", w.Header().Get(doors.StatusHeader))
		}
	}
}

// The address that lists are judged by is the one that a listed proxy names, and nobody's if it names none:
// the proxy's own address must not stand for its clients.
func TestAddressListsAreJudgedByWhatListedProxiesSay(t *testing.T) {
	a, tok := world(t)
	tok.Limits = &api.Limits{Allow: []string{"192.0.2.0/24", "127.0.0.0/8", "10.0.0.0/8"}}
	a.Put(tok.Grant)
	proxies, err := httpx.ParseProxies([]string{"127.0.0.0/8", "10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	door, err := doors.New(doors.Config{Verifier: a.Start(t, verify.Config{}), Proxies: proxies})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		forwarded []string
		status    int
	}{
		{[]string{"192.0.2.7"}, 200},
		{[]string{"::ffff:192.0.2.7"}, 200},
		{[]string{"198.51.100.1, 192.0.2.7"}, 200},
		{[]string{"192.0.2.7, 198.51.100.1"}, 403}, // what the client wrote itself is on the left
		{[]string{"192.0.2.7", "198.51.100.1"}, 403},
		{[]string{"192.0.2.7, 10.1.1.1"}, 200}, // through two of the operator's own
		{[]string{"198.51.100.1, 10.1.1.1"}, 403},
		{[]string{"10.1.1.1"}, 200}, // a client in the proxies' own network
		{nil, 403},
		{[]string{""}, 403},
		{[]string{"unknown"}, 403},
		{[]string{"192.0.2.7, unknown"}, 403},
		{[]string{"unknown, 10.1.1.1"}, 403},
	} {
		r := question(doors.AuthorizePath, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/Agencies/"+tok.SID+"/Jobs",
			"X-Forwarded-Host", "api.example.com", "Authorization", "Bearer "+tok.AuthToken)
		for _, value := range c.forwarded {
			r.Header.Add("X-Forwarded-For", value)
		}
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("X-Forwarded-For %q: %d, want %d", c.forwarded, w.Code, c.status)
		}
	}
}
