package verifytest

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Answer is what came back for one request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Code is the code of the problem document, "" if there is none.
func (a *Answer) Code() api.Code {
	var problem api.Error
	if json.Unmarshal(a.Body, &problem) != nil {
		return ""
	}
	return problem.Code
}

// Exchange writes raw octets to a listener and reads every answer until the other side closes. It half
// closes nothing: the last request should ask for the connection to be closed, or be refused by closing.
func Exchange(t testing.TB, address, raw string, method string) []Answer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// The other side may answer and close before it has read all: then writing fails, and the answer counts.
	go io.WriteString(conn, raw)
	var answers []Answer
	in := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return answers
		}
		if response.StatusCode == http.StatusContinue {
			continue
		}
		body, err := io.ReadAll(response.Body)
		answers = append(answers, Answer{Status: response.StatusCode, Header: response.Header, Body: body})
		if err != nil || response.Close || response.StatusCode == http.StatusSwitchingProtocols {
			return answers
		}
		if tcp, ok := conn.(*net.TCPConn); ok && len(answers) >= strings.Count(raw, " HTTP/1.1") {
			if tcp.CloseWrite() != nil {
				return answers
			}
		}
	}
}

// Check compares an answer with what is expected of a case. Passed says whether the request came through;
// statuses, if not empty, are those that a refusal may have.
func (c *Corpus) Check(t testing.TB, one *Case, a *Answer, passed bool, identity http.Header, statuses []int) {
	t.Helper()
	want := &one.Expected
	switch want.Decision {
	case "allow":
		if !passed {
			t.Errorf("%s %s: refused with %d %s", one.ID, one.Title, a.Status, a.Code())
			return
		}
	case "deny":
		if passed {
			t.Errorf("%s %s: passed", one.ID, one.Title)
			return
		}
	case "either":
	default:
		t.Errorf("%s: decision %q is not known", one.ID, want.Decision)
	}
	if passed {
		c.checkIdentity(t, one, identity)
		return
	}
	if len(statuses) > 0 && !slices.Contains(statuses, a.Status) {
		t.Errorf("%s %s: status %d, want one of %v", one.ID, one.Title, a.Status, statuses)
	}
	if code := a.Code(); code != "" && !want.Explains(code) {
		t.Errorf("%s %s: code %s, want one of %v", one.ID, one.Title, code, want.Reasons)
	}
	challenge := strings.Join(a.Header["Www-Authenticate"], ", ")
	for _, part := range want.MustChallenge {
		if !strings.Contains(challenge, part) {
			t.Errorf("%s: challenge %q has no %s", one.ID, challenge, part)
		}
	}
	for _, part := range want.MayNotChallenge {
		if strings.Contains(challenge, part) {
			t.Errorf("%s: challenge %q has %s", one.ID, challenge, part)
		}
	}
	for key := range a.Header {
		if slices.Contains(verify.IdentityHeaders[:], key) {
			t.Errorf("%s: a refusal carries %s", one.ID, key)
		}
	}
}

// checkIdentity looks at what the backend is told on an allow: every field, once, by the verifier.
func (c *Corpus) checkIdentity(t testing.TB, one *Case, identity http.Header) {
	t.Helper()
	tok := c.Token(one.Token)
	route := c.Route(one.Expected.Route)
	version := one.Expected.Version
	for i, name := range verify.IdentityHeaders {
		values, there := identity[name]
		if !there || len(values) != 1 {
			t.Errorf("%s: %s came %d times, want once", one.ID, name, len(values))
			continue
		}
		want := [...]string{"1", tok.SID, "agency", version, route.Scope, "", ""}[i]
		switch {
		case name == verify.RequestIDHeader && values[0] == "":
			t.Errorf("%s: no request id", one.ID)
		case name == verify.RequestIDHeader, name == verify.VersionHeader && version == "":
		case values[0] != want:
			t.Errorf("%s: %s is %q, want %q", one.ID, name, values[0], want)
		}
	}
	for key := range identity {
		if verify.HasFoldedPrefix(key, "x-counterfoil-") && !slices.Contains(verify.IdentityHeaders[:], key) {
			t.Errorf("%s: the backend may be told by %s", one.ID, key)
		}
	}
}
