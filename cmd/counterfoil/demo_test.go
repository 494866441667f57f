package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
)

// What a newcomer is promised of `counterfoil demo`, one after the other on one running demo.
func TestDemoKeepsItsPromises(t *testing.T) {
	base := freePorts(t)
	d := startDemo(t, filepath.Join(t.TempDir(), "demo"), base)
	w := newWatch(d)
	t.Run("demo.json says everything", func(t *testing.T) { demoFileIsWhole(t, d) })
	t.Run("it listens on loopback only", func(t *testing.T) { loopbackOnly(t, d) })
	t.Run("the sign-in link works once", func(t *testing.T) { signInLinkWorksOnce(t, d, w) })
	t.Run("the printed commands do what they say", func(t *testing.T) { curlsWork(t, d) })
	t.Run("tokens of both versions list advertisers", func(t *testing.T) { bothVersionsPass(t, d) })
	t.Run("every act counts from the next request on", func(t *testing.T) { actsCountAtOnce(t, d, w) })
	t.Run("use is shown", func(t *testing.T) { useIsShown(t, d, w) })
	t.Run("what an operator ends is over at once", func(t *testing.T) { operatorActsCountAtOnce(t, d, w) })
	t.Run("a busy port is told", func(t *testing.T) { busyPortIsTold(t, d) })
	t.Run("a folder serves one program", func(t *testing.T) { folderServesOne(t, d) })
	t.Run("no secret is left lying about while it runs", func(t *testing.T) { w.look(t) })
	if t.Failed() {
		return
	}
	d.stop()
	if err := portsFree(base); err != nil {
		t.Fatalf("a port is taken after the end: %v", err)
	}
	t.Run("no secret is left lying about afterwards", func(t *testing.T) { w.look(t) })
	t.Run("a second start goes on", func(t *testing.T) { secondStartGoesOn(t, d) })
}

func demoFileIsWhole(t *testing.T, d *demonstration) {
	raw, err := os.ReadFile(filepath.Join(d.folder, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{
		"console", "doors", "envoy", "gateway", "ops", "upstream", "sign_in", "management_token", "tokens", "curl_allowed", "curl_refused",
	} {
		if keys[k] == nil {
			t.Errorf("demo.json has no %q", k)
		}
	}
	var tokens []map[string]json.RawMessage
	if err := json.Unmarshal(keys["tokens"], &tokens); err != nil {
		t.Fatal(err)
	}
	for _, one := range tokens {
		for _, k := range []string{"name", "account", "sid", "auth_token", "api", "version", "scopes"} {
			if one[k] == nil {
				t.Errorf("a token of demo.json has no %q", k)
			}
		}
	}
	for address, want := range map[string]int{
		d.file.Console + "/sign-in":  http.StatusOK,
		d.file.Ops + "/healthz":      http.StatusOK,
		d.file.Ops + "/readyz":       http.StatusOK,
		d.file.Ops + "/metrics":      http.StatusOK,
		d.file.Doors + "/authorize":  http.StatusForbidden, // nothing forwarded
		d.file.Gateway + "/Agencies": http.StatusUnauthorized,
		d.file.Upstream + "/":        http.StatusNotFound,
	} {
		if got := status(t, address); got != want {
			t.Errorf("GET %s: %d, want %d", address, got, want)
		}
	}
	info, err := os.Stat(d.folder)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, and its demo.json holds secrets", info.Mode().Perm())
	}
}

func status(t *testing.T, address string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, answer.Body)
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// loopbackOnly tries every other address of this machine.
func loopbackOnly(t *testing.T, d *demonstration) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.IsLoopback() {
			continue
		}
		for _, offset := range demoPortOffsets {
			// To listen there ourselves is possible exactly when nobody listens on all addresses.
			l, err := net.Listen("tcp", net.JoinHostPort(ip.IP.String(), strconv.Itoa(d.base+offset)))
			if err != nil {
				if ip.IP.IsLinkLocalUnicast() {
					continue // needs a zone
				}
				t.Errorf("port N+%d is taken on %s too: %v", offset, ip.IP, err)
				continue
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func signInLinkWorksOnce(t *testing.T, d *demonstration, w *watch) {
	w.link(d.file.SignIn)
	w.link(d.file.OperatorSignIn)
	b := w.browser(t)
	for range 2 { // looking does not spend it
		b.open(d.file.SignIn)
		b.expect(http.StatusOK)
	}
	b.send("Sign in", nil)
	b.expect(http.StatusOK, "Create Access Token", tokenCurrent)
	if b.at.Path != tokensPath {
		t.Errorf("signed in at %s, not at the token list", b.at.Path)
	}
	again := w.browser(t)
	again.open(d.file.SignIn)
	again.send("Sign in", nil)
	again.expect(http.StatusGone, "no longer works")
	again.open(tokensPath)
	if again.at.Path != "/sign-in" {
		t.Errorf("who used the link a second time is at %s", again.at)
	}
	// Two people who both have the form open: the first one to send it has it.
	one, two := w.browser(t), w.browser(t)
	one.open(d.file.OperatorSignIn)
	two.open(d.file.OperatorSignIn)
	one.send("Sign in", nil)
	one.expect(http.StatusOK, "Accounts")
	two.send("Sign in", nil)
	two.expect(http.StatusGone, "no longer works")
}

func curlsWork(t *testing.T, d *demonstration) {
	run := func(command string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command+" --silent --show-error --include").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if got := run(d.file.CurlAllowed); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "2101") {
		t.Errorf("the call that passes was answered\n%s", got)
	}
	refused := run(d.file.CurlRefused)
	for _, word := range []string{"HTTP/1.1 403 ", `"code":"insufficient_scope"`, `"category":"Company"`, `"label":"Get the company"`, "?tick=agency/company.get-company"} {
		if !strings.Contains(refused, word) {
			t.Errorf("the refusal does not hold %s\n%s", word, refused)
		}
	}
}

func bothVersionsPass(t *testing.T, d *demonstration) {
	versions := map[string]bool{}
	for _, one := range d.file.Tokens {
		if !slices.Contains(one.Scopes, "advertisers.list-advertisers") {
			continue
		}
		versions[one.Version] = true
		for door, ask := range map[string]func(testing.TB, string, string, string) answer{"gateway": d.atGateway, "authorize": d.atDoor} {
			if got := ask(t, one.SID, one.AuthToken, "/Advertisers"); got != passes {
				t.Errorf("%s at %s: %s", one.Name, door, got)
			}
		}
	}
	if diff := cmp.Diff(map[string]bool{"2": true, "3": true}, versions); diff != "" {
		t.Error(diff)
	}
	offer, err := d.client(d.file.ManagementToken).GetOffer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range offer.APIs {
		for _, v := range a.Versions {
			if a.Name == "agency" && v.Name == "2" && (v.State != "deprecated" || v.Sunset == nil || !v.Sunset.After(time.Now())) {
				t.Errorf("version 2 is %s with the sunset %v; it must be deprecated, and callable still", v.State, v.Sunset)
			}
		}
	}
}

// loops is how often each act is tried: a verifier that hears late would pass once by luck.
const loops = 20

func actsCountAtOnce(t *testing.T, d *demonstration, w *watch) {
	c, ctx := d.client(d.file.ManagementToken), t.Context()
	list, none := []string{"advertisers.list-advertisers"}, []string{"company.get-company"}
	for i := range loops {
		made, err := c.CreateToken(ctx, api.TokenCreate{Name: fmt.Sprintf("At once %d", i), API: "agency", Version: "3", Scopes: list}, "")
		if err != nil {
			t.Fatal(err)
		}
		sid, secret := made.Token.SID, w.secret(*made.AuthToken)
		want := func(after string, secret string, want answer) {
			t.Helper()
			if got := d.atGateway(t, sid, secret, "/Advertisers"); got != want {
				t.Errorf("round %d, gateway after %s: %s, want %s", i, after, got, want)
			}
			if got := d.atDoor(t, sid, secret, "/Advertisers"); got != want {
				t.Errorf("round %d, /authorize after %s: %s, want %s", i, after, got, want)
			}
		}
		edit := func(scopes []string) {
			t.Helper()
			now, err := c.GetToken(ctx, sid)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.EditToken(ctx, sid, api.TokenEdit{Scopes: &scopes, Revision: now.Revision}); err != nil {
				t.Fatal(err)
			}
		}
		want("create", secret, passes)
		edit(none)
		want("taking the box away", secret, boxMissing)
		edit(list)
		want("ticking it again", secret, passes)
		if _, err := c.DisableToken(ctx, sid, api.Why{Why: "for a while"}); err != nil {
			t.Fatal(err)
		}
		want("disable", secret, isDisabled)
		if _, err := c.EnableToken(ctx, sid, api.TokenEnable{}); err != nil {
			t.Fatal(err)
		}
		want("enable", secret, passes)
		reset, err := c.ResetToken(ctx, sid, api.TokenReset{})
		if err != nil {
			t.Fatal(err)
		}
		want("reset, with the old secret", secret, notKnown)
		secret = w.secret(*reset.AuthToken)
		want("reset", secret, passes)
		if _, err := c.DeleteToken(ctx, sid, api.Why{Why: "done"}); err != nil {
			t.Fatal(err)
		}
		want("delete", secret, notKnown)
	}
}

// useIsShown makes a token in the wizard, runs the command that its page shows, and finds the call on
// the token's page and in the API.
func useIsShown(t *testing.T, d *demonstration, w *watch) {
	b := w.browser(t)
	b.open(d.file.Console + "/sign-in")
	b.send("Sign in", map[string][]string{"email": {demoAdministrator}, "password": {demoPassword}})
	sid, secret, err := b.wizard("First call", "agency.advertisers", "agency/3/advertisers.list-advertisers")
	if err != nil {
		t.Fatal(err)
	}
	w.secret(secret)
	command := b.byID("curl")
	c := d.client(d.file.ManagementToken)
	before, err := c.GetToken(t.Context(), sid)
	if err != nil {
		t.Fatal(err)
	}
	if before.FirstCall != nil || before.LastUse != nil || before.Calls != 0 {
		t.Errorf("used before its first call: %+v", before)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", command+" --silent --show-error --fail --user-agent shell-of-the-test").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	used := eventually(t, func() (api.Token, bool) {
		now, err := c.GetToken(t.Context(), sid)
		if err != nil {
			t.Fatal(err)
		}
		return now, now.LastUse != nil
	})
	if used.FirstCall == nil || used.Calls != 1 || used.LastUse.Address != "127.0.0.1" || used.LastUse.Agent != "shell-of-the-test" || time.Since(used.LastUse.At) > time.Minute {
		t.Errorf("after one call: first %v, last %+v, %d calls", used.FirstCall, used.LastUse, used.Calls)
	}
	b.open(tokensPath + "/" + sid)
	b.expect(http.StatusOK, "127.0.0.1")
	b.open(tokensPath + "/" + sid + "/first-call")
	b.expect(http.StatusOK)
}

// eventually asks until the answer is the one, for what is reported in batches.
func eventually[T any](t *testing.T, ask func() (T, bool)) T {
	t.Helper()
	late := time.After(readyWithin)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		got, ok := ask()
		if ok {
			return got
		}
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("still %+v", got)
		}
	}
}

func operatorActsCountAtOnce(t *testing.T, d *demonstration, w *watch) {
	operator, ctx := d.client(d.file.OperatorToken), t.Context()
	w.secret(d.file.OperatorToken)
	one, brands := d.token(tokenCurrent), d.token("Brand catalogue sync")
	const nested = "/Advertisers/2101/Catalogs"
	for i := range loops {
		if _, err := operator.SuspendAccount(ctx, one.Account, api.Why{Why: "unpaid"}); err != nil {
			t.Fatal(err)
		}
		if got := d.atGateway(t, one.SID, one.AuthToken, "/Advertisers"); got != isSuspended {
			t.Errorf("round %d, suspended: %s", i, got)
		}
		if _, err := operator.ResumeAccount(ctx, one.Account); err != nil {
			t.Fatal(err)
		}
		if got := d.atGateway(t, one.SID, one.AuthToken, "/Advertisers"); got != passes {
			t.Errorf("round %d, resumed: %s", i, got)
		}
		if got := d.atGateway(t, brands.SID, brands.AuthToken, nested); got != passes {
			t.Errorf("round %d, brand managed: %s", i, got)
		}
		if _, err := operator.EndManagement(ctx, one.Account, 2101); err != nil {
			t.Fatal(err)
		}
		if got := d.atGateway(t, brands.SID, brands.AuthToken, nested); got != isNotManaged {
			t.Errorf("round %d, management ended: %s", i, got)
		}
		if got := d.atDoor(t, brands.SID, brands.AuthToken, nested); got != isNotManaged {
			t.Errorf("round %d, management ended, /authorize: %s", i, got)
		}
		if _, err := operator.CreateManagement(ctx, api.ManagementCreate{Agency: one.Account, Brand: 2101}); err != nil {
			t.Fatal(err)
		}
	}
}

func busyPortIsTold(t *testing.T, d *demonstration) {
	p := start(t, "demo", "--data", filepath.Join(t.TempDir(), "other"), "--port-base", strconv.Itoa(d.base))
	code, faults := p.exited(readyWithin)
	if code != exitRefused || !strings.Contains(faults, "address already in use") || !strings.Contains(faults, "--port-base") {
		t.Errorf("exit %d: %s", code, faults)
	}
}

// A second program on the folder would have a verifier that hears of revocations late.
func folderServesOne(t *testing.T, d *demonstration) {
	p := start(t, "demo", "--data", d.folder, "--port-base", strconv.Itoa(freePorts(t)))
	code, faults := p.exited(readyWithin)
	if code != exitRefused || !strings.Contains(faults, "another counterfoil is using the database") {
		t.Errorf("exit %d: %s", code, faults)
	}
}

func secondStartGoesOn(t *testing.T, first *demonstration) {
	d := startDemo(t, first.folder, freePorts(t))
	if diff := cmp.Diff(first.file.Tokens, d.file.Tokens); diff != "" {
		t.Error(diff)
	}
	if d.file.ManagementToken != first.file.ManagementToken || d.file.OperatorToken != first.file.OperatorToken {
		t.Error("a management token is another one after a second start")
	}
	if d.file.SignIn == first.file.SignIn || d.file.OperatorSignIn == first.file.OperatorSignIn {
		t.Error("a sign-in link is the same after a second start")
	}
	bothVersionsPass(t, d)
	curlsWork(t, d)
	b := newBrowser(t)
	b.open(d.file.SignIn)
	b.send("Sign in", nil)
	b.expect(http.StatusOK, tokenCurrent)
	// The sample's tokens are the visitor's now, and no start may need them.
	if _, err := d.client(d.file.ManagementToken).DeleteToken(t.Context(), d.token(tokenCurrent).SID, api.Why{Why: "mine now"}); err != nil {
		t.Fatal(err)
	}
	d.stop()

	d = startDemo(t, first.folder, d.base)
	for _, offset := range demoPortOffsets { // callers that never end what they began
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(d.base+offset)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nemail="); err != nil {
			t.Fatal(err)
		}
	}
	if got := status(t, d.file.Console+"/sign-in"); got != http.StatusOK { // by now the desk reads those too
		t.Errorf("the sign-in page: %d", got)
	}
	d.stop()
}
