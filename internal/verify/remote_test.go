package verify_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

func nodeCredential(t *testing.T, prefix token.Prefix) token.Secret {
	t.Helper()
	secret, _, _, err := prefix.Mint(token.Node, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// remote is a source whose authority answers as handler does.
func remote(t *testing.T, handler http.HandlerFunc) *verify.Remote {
	t.Helper()
	server := httptest.NewServer(handler)
	r, err := verify.NewRemote(verify.RemoteConfig{URL: server.URL, Credential: nodeCredential(t, token.DefaultPrefix)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		server.Close()
	})
	return r
}

// saying answers every question with one text.
func saying(status int, media, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

func TestARemoteAuthorityIsAskedOverHTTPSWithANodeCredential(t *testing.T) {
	access, _, _, err := token.DefaultPrefix.Mint(token.Access, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	node := nodeCredential(t, "acme")
	for _, c := range []struct {
		url        string
		credential token.Secret
		fine       bool
	}{
		{"https://desk.example.com", node, true},
		{"https://desk.example.com:8443/", node, true},
		{"http://127.0.0.1:8080", node, true},
		{"http://[::1]:8080", node, true},
		{"http://localhost:8080", node, true},
		{"http://desk.example.com", node, false},
		{"http://10.0.0.1", node, false},
		{"ftp://127.0.0.1", node, false},
		{"https://desk.example.com/api", node, false},
		{"https://desk.example.com?x", node, false},
		{"https://me@desk.example.com", node, false},
		{"desk.example.com", node, false},
		{"", node, false},
		{"https://desk.example.com", access, false},
		{"https://desk.example.com", token.Hold(node.Reveal()[:60]), false},
		{"https://desk.example.com", token.Secret{}, false},
	} {
		r, err := verify.NewRemote(verify.RemoteConfig{URL: c.url, Credential: c.credential})
		if (err == nil) != c.fine || c.fine && r.Prefix() != "acme" {
			t.Errorf("%s: %v", c.url, err)
		}
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), c.credential.Reveal()) && c.credential.Reveal() != "" {
			t.Errorf("%s: the error holds the credential", c.url)
		}
	}
}

// TestASnapshotThatIsNotWholeIsNone: cut off, out of order or miscounted.
func TestASnapshotThatIsNotWholeIsNone(t *testing.T) {
	const head, grant = `{"head":{"seq":3,"at":1,"accounts":[{"account":7}],"grants":null}}` + "\n", `{"grant":{"sid":"a","account":7,"state":"enabled","secrets":[],"pins":[]}}` + "\n"
	for name, c := range map[string]struct {
		text   string
		grants int // -1: refused
	}{
		"whole":           {head + grant + grant + `{"end":{"grants":2}}` + "\n", 2},
		"empty":           {head + `{"end":{"grants":0}}` + "\n", 0},
		"more afterwards": {head + `{"end":{"grants":0}}` + "\n" + grant, 0},
		"no end":          {head + grant, -1},
		"half a line":     {head + grant + `{"end":{"grants":1}}`, -1},
		"miscounted":      {head + grant + `{"end":{"grants":2}}` + "\n", -1},
		"two heads":       {head + head + `{"end":{"grants":0}}` + "\n", -1},
		"no head":         {grant + `{"end":{"grants":1}}` + "\n", -1},
		"only an end":     {`{"end":{"grants":0}}` + "\n", -1},
		"an empty line":   {head + "\n" + `{"end":{"grants":0}}` + "\n", -1},
		"no JSON":         {"<html>\n", -1},
		"nothing":         {"", -1},
	} {
		s, err := remote(t, saying(200, "application/x-ndjson", c.text)).Snapshot(t.Context())
		switch {
		case c.grants < 0 && (err == nil || s != nil):
			t.Errorf("%s: %+v", name, s)
		case c.grants >= 0 && (err != nil || len(s.Grants) != c.grants || s.Seq != 3):
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
}

func TestTheFeedIsAppliedAsItComes(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	lines := []string{
		`{"seq":4,"at":1}`, `{"seq":5,"at":1,"gone":"a"}`, `{"seq":6,"at":1,"gone":"` + long + `"}`, `{"seq":6,"at":1}`, `{"seq":3,"at":1,"gone":"old"}`, `{"seq":7,"at":1,"gone":"b"}`,
	}
	var asked atomic.Value
	r := remote(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.RequestURI)
		for _, line := range lines {
			io.WriteString(w, line+"\n")
			w.(http.Flusher).Flush()
		}
	})
	var got []string
	err := r.Follow(t.Context(), 4, func(entries []api.Entry) error {
		for _, e := range entries {
			got = append(got, fmt.Sprint(e.Seq, len(e.Gone)))
		}
		return nil
	})
	if diff := cmp.Diff([]string{"5 1", "6 200000", "7 1"}, got); diff != "" || err == nil || asked.Load() != "GET /api/v1/feed?after=4" {
		t.Errorf("%v %v (-want +got):\n%s", asked.Load(), err, diff)
	}
	enough := errors.New("enough")
	if err := r.Follow(t.Context(), 4, func([]api.Entry) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the error of apply: %v", err)
	}
}

// TestOnlyTheAuthoritysOwnWordCounts: a page of a proxy is neither "no such token" nor "begin anew".
func TestOnlyTheAuthoritysOwnWordCounts(t *testing.T) {
	problem := func(code api.Code, status int) string {
		return fmt.Sprintf(`{"type":"/docs/errors#%s","title":"x","status":%d,"code":"%s"}`, code, status, code)
	}
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		absent   bool
		snapshot bool
	}{
		"the authority's 404":  {saying(404, "application/problem+json", problem(api.CodeNotFound, 404)), true, false},
		"the authority's 409":  {saying(409, "application/problem+json", problem(api.CodeConflict, 409)), false, true},
		"a proxy's 404":        {saying(404, "text/html", "<h1>Not found</h1>"), false, false},
		"a proxy's 409":        {saying(409, "text/html", "<h1>Conflict</h1>"), false, false},
		"a problem of another": {saying(404, "application/problem+json", `{"title":"x","status":404}`), false, false},
		"a lying status":       {saying(502, "application/problem+json", problem(api.CodeNotFound, 404)), false, false},
		"401":                  {saying(401, "application/problem+json", problem(api.CodeInvalidToken, 401)), false, false},
		"an endless problem":   {saying(404, "application/problem+json", strings.Repeat(" ", 1<<20)+problem(api.CodeNotFound, 404)), false, false},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "elsewhere") {
				t.Error("the credential went elsewhere")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, false, false},
	} {
		r := remote(t, c.answer)
		grant, err := r.Grant(t.Context(), "0000000000000000000001")
		if grant != nil || (err == nil) != c.absent {
			t.Errorf("%s: %+v %v", name, grant, err)
		}
		if err := r.Follow(t.Context(), 4, func([]api.Entry) error { return nil }); err == nil || errors.Is(err, verify.ErrSnapshot) != c.snapshot {
			t.Errorf("%s: following: %v", name, err)
		}
		if err := r.Confirm(t.Context(), "", 4); err == nil {
			t.Errorf("%s: confirmed", name)
		}
		if err := r.Report(t.Context(), &api.UsageBatch{}); err == nil {
			t.Errorf("%s: reported", name)
		}
		if _, err := r.Snapshot(t.Context()); err == nil {
			t.Errorf("%s: a snapshot", name)
		}
	}
}

// TestAGrantThatDoesNotEndIsCutOff before it fills the machine.
func TestAGrantThatDoesNotEndIsCutOff(t *testing.T) {
	r := remote(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"sid":"`)
		for chunk := strings.Repeat("x", 1<<16); r.Context().Err() == nil; {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	if grant, err := r.Grant(t.Context(), "0000000000000000000001"); err == nil || grant != nil {
		t.Errorf("%v %v", grant, err)
	}
}

// TestSilenceEndsTheFeed: a connection that is open and dead must not look like an authority without news.
func TestSilenceEndsTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		lines := verify.NewLines(reader, func(cause error) { writer.CloseWithError(cause) })
		go func() {
			for range 20 {
				io.WriteString(writer, `{"seq":4,"at":1}`+"\n")
				time.Sleep(time.Second) // of the bubble's clock
			}
		}()
		began, err := time.Now(), error(nil)
		for err == nil {
			_, err = lines(4)
		}
		if took := time.Since(began); took != 29*time.Second || !strings.Contains(err.Error(), "too long") {
			t.Errorf("ended after %s with %v", took, err)
		}
	})
}

func TestAStoppedQuestionEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := remote(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"seq":4,"at":1}`+"\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	err := r.Follow(ctx, 4, func([]api.Entry) error {
		stop()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
