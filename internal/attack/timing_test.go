package attack_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

var timing = flag.Bool("timing", false, "measure whether the time of an answer tells tokens apart, and fail if it does")

// guess is a token as somebody tries it who has its SID and not its secret.
type guess struct {
	class string
	sid   string
	text  string
}

// guesses makes tokens in each state, and tries of them with another secret of the right form.
func guesses(t testing.TB, h *house, each int) (list []guess) {
	t.Helper()
	h.authority.Account(api.AccountFacts{Account: agency})
	h.authority.Publish(decide.Catalogue{APIs: []decide.API{{
		Name: "a", Title: "A", Base: "/A/{Me}", Bind: decide.BindSID, Hosts: []string{host},
		Versions: []decide.Version{{
			Name: "1", State: "current", Scopes: []decide.ScopeWords{{Name: "jobs", Category: "Jobs", Label: "Jobs"}},
			Routes: []decide.Route{{Method: "GET", Template: "/Jobs", Needs: [][]string{{"jobs"}}}},
		}},
	}}})
	pin := api.Pin{API: "a", Version: "1", Scopes: []string{"jobs"}}
	for range each {
		for _, class := range []string{"enabled", "disabled", "expired", "deleted"} {
			tok := verifytest.Mint(t, token.Access, agency, pin)
			switch class {
			case "disabled":
				tok.State = api.StateDisabled
			case "expired":
				tok.Expires = api.Micros(time.Now().Add(-time.Hour).UnixMicro())
			}
			right := tok.Secrets
			h.authority.Put(tok.Grant)
			if class == "deleted" {
				h.authority.Remove(tok.SID)
			}
			list = append(list, guess{class, tok.SID, another(t, tok.SID, right)})
		}
	}
	h.authority.Settle(t, h.verifier)
	return list
}

// another is an Auth Token with that SID, a sound checksum and a secret that is not the token's.
func another(t testing.TB, sid string, right []api.Secret) string {
	t.Helper()
	parsed, err := token.ParseSID(sid)
	if err != nil {
		t.Fatal(err)
	}
	secret, digest, err := token.DefaultPrefix.MintFor(token.Access, parsed, rand.NewChaCha8([32]byte{byte(len(sid)), 7}))
	if err != nil {
		t.Fatal(err)
	}
	if digest.String() == right[0].Digest {
		t.Fatal("the guess is right")
	}
	return secret.Reveal()
}

// TestARefusalDoesNotSayHowNearAGuessWas: SECURITY.md, class 27. Unknown, broken, wrong and deleted are one
// answer at every door, octet for octet but for the request id, whatever the token's state; and nobody is
// asked about a SID that is known.
func TestARefusalDoesNotSayHowNearAGuessWas(t *testing.T) {
	h := newHouse(t)
	list := guesses(t, h, 1)
	unknown := verifytest.Mint(t, token.Access, agency)
	list = append(list, guess{"unknown", unknown.SID, unknown.AuthToken})
	broken := []byte(list[0].text)
	broken[len(broken)-1] ^= 1
	list = append(list, guess{"bad checksum", list[0].sid, string(broken)})
	bodies := map[string]any{}
	for _, g := range list {
		q := ask{method: "GET", target: "/A/" + g.sid + "/Jobs", host: host, fields: [][2]string{{"Authorization", "Bearer " + g.text}}}
		for _, path := range []string{doors.AuthorizePath, doors.AuthorizeNginxPath, "middleware", "gateway"} {
			got := h.whole(t, &q, path)
			if known, seen := bodies[path]; seen {
				if diff := gocmp.Diff(known, got); diff != "" {
					t.Errorf("%s at %s is told apart:\n%s", g.class, path, diff)
				}
			}
			bodies[path] = got
		}
		if h.byEnvoy(t, &q).code != api.CodeInvalidToken {
			t.Errorf("%s: Envoy was not told of an invalid token", g.class)
		}
		if asked := h.authority.Asked(g.sid); asked != 0 && g.class != "unknown" {
			t.Errorf("%s: the source was asked %d times", g.class, asked)
		}
	}
}

// whole is all of an answer that a client can see, without what is drawn anew for each.
func (h *house) whole(t *testing.T, q *ask, door string) any {
	t.Helper()
	var status int
	var header http.Header
	var body []byte
	switch door {
	case "gateway":
		conn, err := net.Dial("tcp", h.gate)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(q.raw()); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err = io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
		status, header = answer.StatusCode, answer.Header
	default:
		w := httptest.NewRecorder()
		if door == "middleware" {
			h.middleware.ServeHTTP(w, q.parsed())
		} else {
			h.doors.ServeHTTP(w, q.subrequest(door).parsed())
		}
		status, header, body = w.Code, w.Header(), w.Body.Bytes()
	}
	header = header.Clone()
	var problem map[string]any
	if err := json.Unmarshal(body, &problem); err != nil {
		t.Fatalf("%s: %v in %q", door, err, body)
	}
	if line := header.Get(doors.ProblemHeader); line != "" {
		var second map[string]any
		if err := json.Unmarshal([]byte(line), &second); err != nil {
			t.Fatal(err)
		}
		delete(second, "request_id")
		problem["line"] = second
	}
	for _, drawn := range []string{"Date", "X-Request-Id", doors.ProblemHeader} {
		header.Del(drawn)
	}
	if len(body) == 0 || status != http.StatusUnauthorized {
		t.Fatalf("%s: %d %q", door, status, body)
	}
	delete(problem, "request_id")
	return []any{status, header, problem, len(body)}
}

// TestTimeTellsNoTokensApart: SECURITY.md, class 27. Welch's t of the times of guesses of tokens in every
// state, in random order; it asserts with -timing alone, on a machine that does nothing else.
func TestTimeTellsNoTokensApart(t *testing.T) {
	if !*timing {
		t.Skip("asks for -timing and a quiet machine")
	}
	h := newHouse(t)
	list := guesses(t, h, 4000) // so many that where each happens to lie says nothing of its class
	t.Run("in process", func(t *testing.T) {
		var d verify.Decision
		header := http.Header{"Authorization": {""}, "Accept": {"*/*"}}
		r := verify.Request{Method: "GET", Host: host, Header: header, ID: "x", Accept: verify.AccessTokens}
		compare(t, list, 300_000, func(g *guess) time.Duration {
			header["Authorization"][0], r.Target = "Bearer "+g.text, "/A/"+g.sid+"/Jobs"
			began := time.Now()
			h.verifier.Verify(&r, &d)
			return time.Since(began)
		})
	})
	t.Run("authorize", func(t *testing.T) {
		server := httptest.NewServer(h.doors)
		defer server.Close()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		in := make([]byte, 4<<10)
		compare(t, list, 30_000, func(g *guess) time.Duration {
			q := ask{method: "GET", target: "/A/" + g.sid + "/Jobs", host: host, fields: [][2]string{{"Authorization", "Bearer " + g.text}}}
			text := q.subrequest(doors.AuthorizePath).raw()
			began := time.Now()
			if _, err := conn.Write(text); err != nil {
				t.Fatal(err)
			}
			n, err := conn.Read(in)
			took := time.Since(began)
			if err != nil || !bytes.Contains(in[:n], []byte("invalid_token")) {
				t.Fatalf("%v: %s", err, in[:n])
			}
			return took
		})
	})
}

// limit is the |t| above which two classes are told apart (SECURITY.md, class 27).
const limit = 4.5

// compare measures every two classes in turn: so many samples, each class as often as the other and in random
// order, so that the processor's guesses at branches help neither; the slowest tenth of all, which the scheduler
// made, is left out.
func compare(t *testing.T, list []guess, samples int, measure func(*guess) time.Duration) {
	t.Helper()
	of := map[string][]*guess{}
	for i := range list {
		of[list[i].class] = append(of[list[i].class], &list[i])
	}
	classes := slices.Sorted(maps.Keys(of))
	for i, a := range classes {
		for _, b := range classes[:i] {
			taken := pair(of[a], of[b], samples, measure)
			mean, _ := moments(taken[0])
			meanB, _ := moments(taken[1])
			score := welch(taken[0], taken[1])
			t.Logf("%s (median %.0f, mean %.1f ns) and %s (%.0f, %.1f ns), %d samples: t = %.2f",
				a, taken[0][len(taken[0])/2], mean, b, taken[1][len(taken[1])/2], meanB, samples, score)
			if math.Abs(score) >= limit {
				t.Errorf("%s and %s are told apart: t = %.2f", a, b, score)
			}
		}
	}
}

func pair(a, b []*guess, samples int, measure func(*guess) time.Duration) (taken [2][]float64) {
	type sample struct {
		of   int
		took float64
	}
	classes := [2][]*guess{a, b}
	all := make([]sample, 0, samples)
	for i := range samples + samples/20 {
		of := rand.IntN(2)
		took := measure(classes[of][rand.IntN(len(classes[of]))])
		if i >= samples/20 { // by then caches are warm
			all = append(all, sample{of, float64(took.Nanoseconds())})
		}
	}
	slices.SortFunc(all, func(x, y sample) int { return cmp.Compare(x.took, y.took) })
	for _, s := range all[:samples*9/10] {
		taken[s.of] = append(taken[s.of], s.took)
	}
	return taken
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x)-1)
}

// welch is t of two samples of unequal variance.
func welch(a, b []float64) float64 {
	ma, va := moments(a)
	mb, vb := moments(b)
	return (ma - mb) / math.Sqrt(va/float64(len(a))+vb/float64(len(b)))
}
