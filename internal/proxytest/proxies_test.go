package proxytest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/proxytest"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// get begins a request of a desk's token; the last line is the caller's.
func get(desk *proxytest.Desk, path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + proxytest.Host + "\r\nAuthorization: Bearer " + desk.Token.AuthToken + "\r\n"
}

// checkFields holds a request that reached the backend to what the verifier said of its caller: every
// identity field at most once and true, none in a second spelling, and no credential. A field that is
// empty may be left out.
func checkFields(t *testing.T, what string, tok verifytest.Token, r *proxytest.Seen) {
	t.Helper()
	want := map[string]string{
		verify.AccountHeader: strconv.FormatInt(tok.Account, 10), verify.SIDHeader: tok.SID, verify.APIHeader: "agency", verify.BrandHeader: "",
	}
	for _, name := range verify.IdentityHeaders {
		values := r.Header[name]
		if len(values) > 1 {
			t.Errorf("%s: %s came %d times", what, name, len(values))
		}
		if expected, fixed := want[name]; fixed && r.Header.Get(name) != expected {
			t.Errorf("%s: %s is %q, want %q", what, name, values, expected)
		} else if !fixed && (r.Header.Get(name) == "" || r.Header.Get(name) == "evil") {
			t.Errorf("%s: %s is %q", what, name, values)
		}
	}
	if id := r.Header.Get(verify.RequestIDHeader); len(id) != 26 {
		t.Errorf("%s: request id %q is not the verifier's", what, id)
	}
	for key, values := range r.Header {
		if verify.Aliased(http.Header{key: values}, verify.IdentityHeaders[:]...) {
			t.Errorf("%s: the backend may be told by %s", what, key)
		}
		if strings.Contains(strings.Join(values, "\n"), tok.AuthToken) {
			t.Errorf("%s: the backend got the credential in %s", what, key)
		}
	}
	if len(r.Header["Authorization"]) > 0 {
		t.Errorf("%s: the backend got an Authorization field", what)
	}
}

// spellings are the ways in which a field's name is one of ours to some backend.
func spellings(name string) []string {
	return []string{
		name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."),
		strings.Replace(name, "-", "_", 1), strings.ToLower(strings.Replace(name, "-", ".", 1)), strings.Replace(name, "foil-", "foil_", 1),
	}
}

// TestNoClientSpeaksForTheVerifier: SECURITY.md, classes 13 and 14. Each identity field is sent by the
// client in every spelling, alone and twice, and named in Connection.
func TestNoClientSpeaksForTheVerifier(t *testing.T) {
	desk := proxytest.NewDesk(t)
	for _, family := range proxytest.Families {
		t.Run(family.Name, func(t *testing.T) {
			backend := proxytest.NewBackend(t)
			proxy := family.Start(t, proxytest.Setup{Doors: desk.Doors, Upstream: backend.Address})
			head := get(desk, desk.Allowed)
			for _, name := range verify.IdentityHeaders {
				for _, spelt := range spellings(name) {
					before := backend.Count()
					answers := verifytest.Exchange(t, proxy.Address, head+spelt+": evil\r\n"+spelt+": evil\r\nConnection: close\r\n\r\n", "GET")
					seen := backend.Since(before)
					if len(answers) != 1 || len(seen) > 1 || (answers[0].Status == 200) != (len(seen) == 1) {
						t.Errorf("%s: %d answers, %d requests reached the backend", spelt, len(answers), len(seen))
						continue
					}
					if len(seen) == 0 {
						t.Errorf("%s: refused with %d", spelt, answers[0].Status)
						continue
					}
					checkFields(t, spelt, desk.Token, &seen[0])
				}
				// What Connection names is taken away by whoever reads it: neither may the client's value come
				// instead, nor the verifier's be lost on the way (class 15).
				before := backend.Count()
				verifytest.Exchange(t, proxy.Address, head+name+": evil\r\nConnection: close, "+name+"\r\n\r\n", "GET")
				seen := backend.Since(before)
				if len(seen) != 1 {
					t.Errorf("Connection names %s: %d requests reached the backend", name, len(seen))
					continue
				}
				checkFields(t, "Connection names "+name, desk.Token, &seen[0])
			}
		})
	}
}

// TestADoorThatIsGoneOpensNothing: SECURITY.md, class 45.
func TestADoorThatIsGoneOpensNothing(t *testing.T) {
	desk := proxytest.NewDesk(t)
	for _, family := range proxytest.Families {
		t.Run(family.Name, func(t *testing.T) {
			backend := proxytest.NewBackend(t)
			nobody := httptest.NewServer(nil)
			address := nobody.Listener.Addr().String()
			nobody.Close()
			proxy := family.Start(t, proxytest.Setup{Doors: address, Upstream: backend.Address})
			answers := verifytest.Exchange(t, proxy.Address, get(desk, desk.Allowed)+"Connection: close\r\n\r\n", "GET")
			if len(answers) != 1 || answers[0].Status < 500 || backend.Count() != 0 {
				t.Errorf("answers %+v, %d requests reached the backend", answers, backend.Count())
			}
		})
	}
}

// TestTheProblemComesThroughWhole: the box that is missing, the link that ticks it and the request id reach the
// client through every proxy, as one JSON document.
func TestTheProblemComesThroughWhole(t *testing.T) {
	desk := proxytest.NewDesk(t)
	for _, family := range proxytest.Families {
		t.Run(family.Name, func(t *testing.T) {
			backend := proxytest.NewBackend(t)
			proxy := family.Start(t, proxytest.Setup{Doors: desk.Doors, Upstream: backend.Address})
			answers := verifytest.Exchange(t, proxy.Address, get(desk, desk.Refused)+"Connection: close\r\n\r\n", "GET")
			if len(answers) != 1 {
				t.Fatalf("%d answers", len(answers))
			}
			var problem struct {
				Code, Detail, Fix string
				RequestID         string `json:"request_id"`
				Missing           []struct{ Scope, Category, Label string }
			}
			if err := json.Unmarshal(answers[0].Body, &problem); err != nil {
				t.Fatalf("%v in %s", err, answers[0].Body)
			}
			if problem.Code != "insufficient_scope" || len(problem.Missing) != 1 || problem.Missing[0].Scope != "secrets.list" ||
				!strings.HasPrefix(problem.Fix, "https://desk.example.com/") || len(problem.RequestID) != 26 || answers[0].Status != 403 {
				t.Errorf("%d %+v", answers[0].Status, problem)
			}
		})
	}
}

// TestEveryRefusalReachesTheClient drives the snippets with each answer that a door may give (DESIGN.md,
// section 6): status, problem, challenge, Retry-After and Allow come through, each once.
func TestEveryRefusalReachesTheClient(t *testing.T) {
	var status int // the true one
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Www-Authenticate", `Bearer realm="x", error="e"`)
		h.Set("Retry-After", "17")
		h.Set("Content-Type", "application/problem+json")
		answer := status
		if r.URL.Path == doors.AuthorizeNginxPath {
			h.Set("Allow", "GET, HEAD")
			h.Set(doors.StatusHeader, strconv.Itoa(status))
			h.Set(doors.ProblemHeader, `{"code":"c","detail":"\u00fc \"x\" $host"}`)
			if status != http.StatusUnauthorized {
				answer = http.StatusForbidden
			}
		}
		w.WriteHeader(answer)
		if _, err := w.Write([]byte(`{"code":"c","detail":"\u00fc \"x\" $host"}`)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(door.Close)
	for _, family := range proxytest.Families {
		t.Run(family.Name, func(t *testing.T) {
			backend := proxytest.NewBackend(t)
			proxy := family.Start(t, proxytest.Setup{Doors: door.Listener.Addr().String(), Upstream: backend.Address})
			for _, status = range []int{400, 401, 403, 404, 405, 429, 500, 503} {
				answers := verifytest.Exchange(t, proxy.Address, "GET /x HTTP/1.1\r\nHost: "+proxytest.Host+"\r\nConnection: close\r\n\r\n", "GET")
				if len(answers) != 1 {
					t.Fatalf("%d: %d answers", status, len(answers))
				}
				a := answers[0]
				got := map[string][]string{"Retry-After": a.Header["Retry-After"], "Www-Authenticate": a.Header["Www-Authenticate"], "Content-Type": a.Header["Content-Type"]}
				want := map[string][]string{"Retry-After": {"17"}, "Www-Authenticate": {`Bearer realm="x", error="e"`}, "Content-Type": {"application/problem+json"}}
				if family.Name == "nginx" {
					got["Allow"], want["Allow"] = a.Header["Allow"], []string{"GET, HEAD"}
				}
				if diff := cmp.Diff(want, got); diff != "" || a.Status != status || string(a.Body) != `{"code":"c","detail":"\u00fc \"x\" $host"}` {
					t.Errorf("%d: the client got %d %s (-want +got):\n%s", status, a.Status, a.Body, diff)
				}
			}
			if backend.Count() != 0 {
				t.Error("a refused request reached the backend")
			}
		})
	}
}

// TestWhatIsSaidOnAnAllowReachesTheClient: limits and the end of a version (DESIGN.md, section 6), once each,
// and nothing where the door says nothing.
func TestWhatIsSaidOnAnAllowReachesTheClient(t *testing.T) {
	said := map[string]string{
		"Ratelimit-Limit": "100", "Ratelimit-Remaining": "99", "Ratelimit-Reset": "1", "Deprecation": "@1767225600", "Sunset": "Wed, 31 Mar 2027 00:00:00 GMT",
	}
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range said {
			if r.Header.Get("Say") != "" {
				w.Header().Set(name, value)
			}
		}
		for _, name := range verify.IdentityHeaders {
			w.Header().Set(name, "")
		}
	}))
	t.Cleanup(door.Close)
	for _, family := range proxytest.Families {
		t.Run(family.Name, func(t *testing.T) {
			backend := proxytest.NewBackend(t)
			proxy := family.Start(t, proxytest.Setup{Doors: door.Listener.Addr().String(), Upstream: backend.Address})
			for field, want := range map[string]bool{"Say: yes": true, "Other: x": false} {
				answers := verifytest.Exchange(t, proxy.Address, "GET /x HTTP/1.1\r\nHost: "+proxytest.Host+"\r\n"+field+"\r\nConnection: close\r\n\r\n", "GET")
				if len(answers) != 1 || answers[0].Status != 200 {
					t.Fatalf("%+v", answers)
				}
				for name, value := range said {
					got := answers[0].Header[name]
					if want && !slices.Equal(got, []string{value}) || !want && len(got) != 0 {
						t.Errorf("%s: the client got %s: %q", field, name, got)
					}
				}
			}
		})
	}
}
