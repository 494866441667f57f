package gateway_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"counterfoil.dev/counterfoil/internal/gateway"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// waiting are cases of the corpus that the gateway cannot answer yet, with the reason.
var waiting = map[string]string{
	"CRED-023": "tokens bound to a key (DPoP) do not exist yet",
}

// gate is a gateway with the corpus's desk on the listeners that the product has.
type gate struct {
	c       *verifytest.Corpus
	backend *backend
	log     *syncBuffer
	plain   *httptest.Server
	secure  *httptest.Server
	asked   map[string]*verifytest.Case // by request id: whose answer it was
}

func corpusGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{c: new(verifytest.Corpus), backend: newBackend(t), log: new(syncBuffer), asked: make(map[string]*verifytest.Case)}
	if err := yaml.Unmarshal(verifytest.CorpusText(t), g.c); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(g.log, nil))
	handler, err := gateway.New(gateway.Config{
		Verifier:  g.c.Desk(t, g.backend.URL).Start(t, verify.Config{}),
		Upstreams: []string{g.backend.Listener.Addr().String()}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(handler.Close)
	listen := func() *httptest.Server {
		server := httptest.NewUnstartedServer(nil)
		server.Config = httpx.NewServer(handler, httpx.Limits{Read: -1, Write: -1}, log)
		server.EnableHTTP2 = true
		t.Cleanup(server.Close)
		return server
	}
	g.plain, g.secure = listen(), listen()
	g.plain.Start()
	g.secure.StartTLS()
	return g
}

func TestNoAttackOfTheCorpusPassesTheGateway(t *testing.T) {
	g := corpusGate(t)
	ran := 0
	for i := range g.c.Cases {
		one := &g.c.Cases[i]
		if !slices.Contains(one.Interfaces, "gateway") || waiting[one.ID] != "" {
			continue
		}
		ran++
		switch {
		case one.Delivery == "h2":
			g.overHTTP2(t, one)
		case one.Expected.Decision == "sequence":
			g.sequence(t, one)
		default:
			g.overHTTP1(t, one)
		}
	}
	if ran < 170 {
		t.Errorf("only %d cases ran", ran)
	}
	// Once all is closed nothing comes late: whatever reached the backend belongs to a case that may pass.
	g.plain.Close()
	g.secure.Close()
	g.backend.Close()
	for id, requests := range g.backend.byID {
		one := g.asked[id]
		if one == nil || one.Expected.Decision == "deny" || len(requests) != 1 {
			t.Errorf("the backend got %d requests of %+v", len(requests), one)
		}
	}
	for name := range g.c.Tokens {
		if secret := g.c.Token(name).AuthToken[len("cfoil_")+22:]; strings.Contains(g.log.String(), secret) {
			t.Errorf("the log holds the secret of %s", name)
		}
	}
}

func (g *gate) overHTTP1(t *testing.T, one *verifytest.Case) {
	t.Helper()
	raw := g.c.Raw(t, one)
	method, _, _ := strings.Cut(raw, " ")
	began := time.Now()
	answers := verifytest.Exchange(t, g.plain.Listener.Addr().String(), raw, method)
	if len(answers) == 0 {
		t.Errorf("%s %s: no answer", one.ID, one.Title)
		return
	}
	if one.Expected.BeforeBody && time.Since(began) > 5*time.Second {
		t.Errorf("%s: answered after %v, so the body was waited for", one.ID, time.Since(began))
	}
	passed := 0
	for i := range answers {
		if g.judge(t, one, &answers[i]) {
			passed++
		}
		if i == 0 && one.Expected.MostRequests == 0 {
			break // what follows on the connection is not the case
		}
	}
	if most := max(1, one.Expected.MostRequests); passed > most {
		t.Errorf("%s: %d requests passed, want at most %d", one.ID, passed, most)
	}
}

// judge compares the answer, and what the backend got with what was sent, and says whether it passed.
func (g *gate) judge(t *testing.T, one *verifytest.Case, a *verifytest.Answer) (passed bool) {
	t.Helper()
	id := a.Header.Get("X-Request-Id")
	var identity http.Header
	if id != "" {
		g.asked[id] = one
	}
	if requests := g.backend.of(id); len(requests) > 0 && a.Status < 400 {
		passed = true
		r := requests[0]
		identity = r.Header
		if r.Host != verifytest.CorpusHost && r.Host != strings.ToUpper(verifytest.CorpusHost) {
			t.Errorf("%s: the backend was asked as %s", one.ID, r.Host)
		}
		if len(r.Header["Authorization"]) > 0 {
			t.Errorf("%s: the backend got the credential", one.ID)
		}
		if one.Parsed != nil && strings.HasPrefix(one.Parsed.Target, "/") {
			if want := g.c.Spell(t, one, one.Parsed.Target); r.RequestURI != want || r.Method != one.Parsed.Method {
				t.Errorf("%s: judged %s %s, the backend got %s %s", one.ID, one.Parsed.Method, want, r.Method, r.RequestURI)
			}
		}
	}
	g.c.Check(t, one, a, passed, identity, one.Expected.Status)
	if bytes.Contains(a.Body, []byte(g.c.Token("TOK_READ").AuthToken)) {
		t.Errorf("%s: the answer holds the token", one.ID)
	}
	return passed
}

// sequence sends several requests on one connection.
func (g *gate) sequence(t *testing.T, one *verifytest.Case) {
	t.Helper()
	answers := verifytest.Exchange(t, g.plain.Listener.Addr().String(), g.c.Raw(t, one), "GET")
	for i, want := range one.Expected.Sequence {
		if i >= len(answers) {
			if want.Decision == "allow" {
				t.Errorf("%s: no answer to request %d", one.ID, i)
			}
			continue
		}
		id := answers[i].Header.Get("X-Request-Id")
		g.asked[id] = one
		if passed := len(g.backend.of(id)) == 1 && answers[i].Status < 400; passed != (want.Decision == "allow") {
			t.Errorf("%s: request %d was answered %d, want %s", one.ID, i, answers[i].Status, want.Decision)
		}
		if len(want.Status) > 0 && !slices.Contains(want.Status, answers[i].Status) {
			t.Errorf("%s: request %d was answered %d, want one of %v", one.ID, i, answers[i].Status, want.Status)
		}
	}
}

// overHTTP2 sends exactly the fields of a case, which no client would.
func (g *gate) overHTTP2(t *testing.T, one *verifytest.Case) {
	t.Helper()
	conn, err := tls.Dial("tcp", g.secure.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range append(one.H2.Pseudo, one.H2.Fields...) {
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: g.c.Spell(t, one, field[1])}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	answer, broken := readStream(framer)
	if broken {
		if !one.Expected.StreamErrorOK {
			t.Errorf("%s: the stream broke", one.ID)
		}
		return
	}
	g.judge(t, one, answer)
}

// readStream reads the answer on stream 1; broken says that it was reset, or the connection ended.
func readStream(framer *http2.Framer) (a *verifytest.Answer, broken bool) {
	a = &verifytest.Answer{Header: http.Header{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return a, true
		}
		switch f := frame.(type) {
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return a, true
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name == ":status" {
					for _, digit := range field.Value {
						a.Status = a.Status*10 + int(digit-'0')
					}
					continue
				}
				a.Header.Add(field.Name, field.Value)
			}
		case *http2.DataFrame:
			a.Body = append(a.Body, f.Data()...)
		}
		if ended, ok := frame.(interface{ StreamEnded() bool }); ok && ended.StreamEnded() {
			return a, false
		}
	}
}
