package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/rest"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// newNodes mints node credentials.
func (w *world) newNodes(names ...string) []rest.Node {
	w.t.Helper()
	w.nodes = make(map[string]token.Secret)
	var nodes []rest.Node
	for _, name := range names {
		secret, _, digest, err := token.DefaultPrefix.Mint(token.Node, rand.Reader)
		if err != nil {
			w.t.Fatal(err)
		}
		w.nodes[name] = secret
		nodes = append(nodes, rest.Node{Name: name, Digest: digest})
	}
	return nodes
}

// remote is a source of another machine.
func (w *world) remote(node string) *verify.Remote {
	w.t.Helper()
	r, err := verify.NewRemote(verify.RemoteConfig{URL: w.url, Credential: w.nodes[node]})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Close)
	return r
}

// issue makes a token of the agency that may list its advertisers.
func (w *world) issue(name string) api.Token {
	w.t.Helper()
	made, err := w.authority.CreateToken(w.t.Context(), operator, agency, api.TokenCreate{
		Name: name, API: "agency", Version: "3", Scopes: []string{"advertisers.list-advertisers"}, PrimaryContact: w.contact(agency),
	}, authority.Once{})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Token
}

// TestARemoteVerifierDecidesLikeTheOneBeside: snapshot, feed, confirmation, question and usage over HTTP.
func TestARemoteVerifierDecidesLikeTheOneBeside(t *testing.T) {
	w := newWorld(t)
	before := w.issue("before")
	source := w.remote("one")
	v, err := verify.New(verify.Config{Source: source, Node: "one", Prefix: source.Prefix()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	ask := func(sid string) *verify.Decision {
		parsed, err := token.ParseSID(sid)
		if err != nil {
			t.Fatal(err)
		}
		return v.Explain(parsed, &verify.Request{
			Method: "GET", Target: "/Agencies/" + sid + "/Advertisers", Host: "api.example.com", Accept: verify.AccessTokens,
		})
	}
	until(t, v, w.head())
	if d := ask(before.SID); !d.Allowed {
		t.Errorf("a token of the snapshot: %s", d.Code)
	}
	after := w.issue("after")
	until(t, v, w.head())
	if d := ask(after.SID); !d.Allowed {
		t.Errorf("a token of the feed: %s", d.Code)
	}
	// An act answers once the connected verifiers have confirmed it, so the next request here is refused.
	if _, err := w.authority.DeleteToken(t.Context(), operator, agency, before.SID, ""); err != nil {
		t.Fatal(err)
	}
	until(t, v, w.head())
	if d := ask(before.SID); d.Allowed || d.Code != api.CodeUnknownToken {
		t.Errorf("a deleted token: %v %s", d.Allowed, d.Code)
	}
	grant, err := source.Grant(t.Context(), after.SID)
	if err != nil || grant == nil || grant.SID != after.SID || len(grant.Secrets) != 1 {
		t.Errorf("asked for a token: %+v %v", grant, err)
	}
	if grant, err := source.Grant(t.Context(), before.SID); grant != nil || err != nil {
		t.Errorf("asked for a deleted token: %+v %v", grant, err)
	}
	batch := &api.UsageBatch{Node: "another's name", Number: time.Now().UnixMicro(), Uses: []api.Usage{{SID: after.SID, At: api.Micros(time.Now().UnixMicro()), Address: "192.0.2.7", Calls: 3}}}
	for range 2 { // the second is ignored
		if err := source.Report(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if shown, err := w.authority.Token(t.Context(), operator, agency, after.SID); err != nil || shown.LastUse == nil || shown.LastUse.Address != "192.0.2.7" {
		t.Errorf("last use: %+v %v", shown.LastUse, err)
	}
}

func (w *world) head() api.Seq {
	w.t.Helper()
	seq, err := w.authority.Feed("test").Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return seq
}

// until waits for a verifier to decide by a position.
func until(t *testing.T, v *verify.Verifier, seq api.Seq) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	limit := time.After(20 * time.Second)
	for v.Seq() < seq {
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("the verifier is at %d, not at %d", v.Seq(), seq)
		}
	}
}

// TestASnapshotOverHTTPIsTheOneInProcess, but for the time at which it was read.
func TestASnapshotOverHTTPIsTheOneInProcess(t *testing.T) {
	w := newWorld(t)
	w.issue("one")
	w.issue("two")
	want, err := w.authority.Feed("test").Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.remote("one").Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want.At, got.At = 0, 0
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-in process +over HTTP):\n%s", diff)
	}
}

// TestTheFeedOpensToNodesAlone: SECURITY.md, class 36. And what nodes present opens nothing else.
func TestTheFeedOpensToNodesAlone(t *testing.T) {
	w := newWorld(t)
	_, zero := w.zeroToken(0, w.every(0)...)
	stranger, _, _, err := token.DefaultPrefix.Mint(token.Node, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	node := w.nodes["one"].Reveal()
	sid := w.issue("one").SID
	feed := [][2]string{
		{"GET", "/api/v1/feed/snapshot"},
		{"GET", "/api/v1/feed?after=0"},
		{"GET", "/api/v1/feed/grants/" + sid},
		{"POST", "/api/v1/feed/usage"},
		{"POST", "/api/v1/feed/confirm"},
		{"GET", "/api/v1/feed/other"},
	}
	for name, authorization := range map[string][]string{
		"nothing": nil, "an API-zero token": {"Bearer " + zero}, "a stranger's": {"Bearer " + stranger.Reveal()}, "a cut one": {"Bearer " + node[:len(node)-1]},
		"two": {"Bearer " + node, "Bearer " + node}, "Basic": {"Basic " + node}, "a joined one": {"Bearer " + node + ", Bearer " + node},
	} {
		for _, one := range feed {
			if status, body := w.plain(one[0], one[1], authorization, "{}"); status != 401 || !strings.Contains(body, `"invalid_token"`) {
				t.Errorf("%s at %s %s: %d %s", name, one[0], one[1], status, body)
			}
		}
	}
	for _, path := range []string{"/api/v1/tokens", "/api/v1/whoami", "/api/v1/history", "/api/v1/catalog"} {
		if status, body := w.plain("GET", path, []string{"Bearer " + node}, ""); status != 401 {
			t.Errorf("a node at %s: %d %s", path, status, body)
		}
	}
}

// plain is one request with exactly these fields, answered within a second or cut off.
func (w *world) plain(method, path string, authorization []string, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if authorization != nil {
		r.Header["Authorization"] = authorization
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestAWrongQuestionToTheFeedIsRefused: none of them is guessed at.
func TestAWrongQuestionToTheFeedIsRefused(t *testing.T) {
	w := newWorld(t)
	node := []string{"Bearer " + w.nodes["one"].Reveal()}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/api/v1/feed", "", 422},
		{"GET", "/api/v1/feed?after=", "", 422},
		{"GET", "/api/v1/feed?after=-1", "", 422},
		{"GET", "/api/v1/feed?after=01", "", 422},
		{"GET", "/api/v1/feed?after=1&after=2", "", 422},
		{"GET", "/api/v1/feed?before=1", "", 422},
		{"GET", "/api/v1/feed?after=999999", "", 409}, // ahead of a database that was restored
		{"POST", "/api/v1/feed?after=1", "{}", 404},
		{"GET", "/api/v1/feed/snapshot?after=1", "", 404},
		{"GET", "/api/v1/feed/grants/short", "", 404},
		{"GET", "/api/v1/feed/grants/0000000000000000000000", "", 404},
		{"GET", "/api/v1/feed/grants/", "", 404},
		{"POST", "/api/v1/feed/confirm", `{"seq":999999}`, 409},
		{"POST", "/api/v1/feed/confirm", `[]`, 422},
		{"POST", "/api/v1/feed/confirm", `{"seq":1}{`, 422},
		{"POST", "/api/v1/feed/confirm", `{"seq":1,"newer":true}`, 204},
		{"POST", "/api/v1/feed/usage", `{"number":0}`, 422},
		{"POST", "/api/v1/feed/usage", `{"number":1}`, 204},
	} {
		if status, body := w.plain(c.method, c.path, node, c.body); status != c.status {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, status, body, c.status)
		}
	}
}

// TestTheFeedSaysEverySecondThatItLives, and ends when the listener is about to.
func TestTheFeedSaysEverySecondThatItLives(t *testing.T) {
	w := newWorld(t)
	head := w.head()
	r, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/api/v1/feed?after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.nodes["two"].Reveal())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/x-ndjson" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	in := bufio.NewReader(answer.Body)
	next := func() api.Entry {
		t.Helper()
		line, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var e api.Entry
		if err := json.NewDecoder(bytes.NewReader(line)).Decode(&e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	for seq := api.Seq(1); seq <= head; seq++ {
		if e := next(); e.Seq != seq {
			t.Fatalf("position %d follows %d", e.Seq, seq-1)
		}
	}
	for range 2 {
		if e := next(); e.Seq != head || e.Grant != nil || e.Account != nil || e.Catalogue != nil || e.Gone != "" {
			t.Fatalf("no line without news: %+v", e)
		}
	}
	close(w.ending)
	for {
		if _, err := in.ReadBytes('\n'); err != nil {
			return
		}
	}
}
