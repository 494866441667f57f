package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
)

// apart is a desk and a verifier, each a program of its own, on the sample data of a demo that has ended.
type apart struct {
	*testing.T
	folder         string
	file           demoFile
	desk, verifier *process
	base           int // of the desk's ports
	doors          string
	gateway        string
	introspection  string // credential
}

func (a *apart) write(name, text string) string {
	a.Helper()
	path := filepath.Join(a.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.Fatal(err)
	}
	return path
}

// mint runs `counterfoil credential`.
func (a *apart) mint(kind, out string) (made minted) {
	a.Helper()
	path, err := program()
	if err != nil {
		a.Fatal(err)
	}
	args := []string{"credential", kind, "--json"}
	if out != "" {
		args = append(args, "--out", filepath.Join(a.folder, out))
	}
	raw, err := exec.CommandContext(a.Context(), path, args...).Output()
	if err != nil {
		a.Fatal(err)
	}
	if err := json.Unmarshal(raw, &made); err != nil {
		a.Fatal(err)
	}
	return made
}

// certificate writes a self-signed pair for loopback.
func (a *apart) certificate() {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		a.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	a.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	a.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func startApart(t *testing.T) *apart {
	t.Helper()
	a := &apart{T: t, folder: t.TempDir(), base: freePorts(t)}
	demo := startDemo(t, filepath.Join(a.folder, "demo"), a.base)
	a.file = demo.file
	demo.stop()
	a.mint("node", "edge.node")
	made := a.mint("introspection", "")
	a.introspection = made.Credential
	a.certificate()
	a.startDesk(made.Digest)
	far := freePorts(t)
	a.doors, a.gateway = fmt.Sprintf("http://127.0.0.1:%d", far+1), fmt.Sprintf("https://127.0.0.1:%d", far+3)
	a.verifier = start(t, "verifier", "--config", a.write("verifier.yaml", fmt.Sprintf(`
authority: {url: "http://127.0.0.1:%d", credential_file: edge.node}
listen: {doors: "127.0.0.1:%d", envoy: "127.0.0.1:%d", gateway: "127.0.0.1:%d", operations: "127.0.0.1:%d"}
tls: {gateway: {cert_file: cert.pem, key_file: key.pem}}
gateway: {upstreams: ["127.0.0.1:%d"]}
introspection: [{id: jobs, digest: %s, apis: [agency]}]
`, a.base, far+1, far+2, far+3, far+9, a.base+4, made.Digest)))
	eventually(t, func() (int, bool) {
		got, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", far+9))
		if err != nil {
			return 0, false
		}
		return got.StatusCode, got.Body.Close() == nil && got.StatusCode == http.StatusOK
	})
	return a
}

func (a *apart) startDesk(digest string) {
	a.Helper()
	a.desk = start(a, "serve", "--config", a.write("serve.yaml", fmt.Sprintf(`
base_url: http://127.0.0.1:%d
database: sqlite:demo/counterfoil.db
key_file: demo/counterfoil.key
mail: {folder: demo/mail}
listen: {people: "127.0.0.1:%d", doors: "127.0.0.1:%d", envoy: "127.0.0.1:%d", operations: "127.0.0.1:%d"}
nodes: [{name: edge, secret_file: edge.node}]
introspection: [{id: jobs, digest: %s, apis: [agency]}]
`, a.base, a.base, a.base+1, a.base+2, a.base+9, digest)))
	eventually(a.T, func() (int, bool) {
		got, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", a.base+9))
		if err != nil {
			return 0, false
		}
		return got.StatusCode, got.Body.Close() == nil && got.StatusCode == http.StatusOK
	})
}

// door asks the verifier as a proxy would.
func (a *apart) door(tok demoToken) answer {
	a.Helper()
	d := &demonstration{process: a.verifier, file: demoFile{Doors: a.doors, Gateway: a.file.Gateway}}
	return d.atDoor(a, tok.SID, tok.AuthToken, "/Advertisers")
}

// introspect asks about a token.
func (a *apart) introspect(tok demoToken) (active bool) {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), http.MethodPost, a.doors+"/oauth2/introspect", strings.NewReader(url.Values{"token": {tok.AuthToken}}.Encode()))
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("jobs", a.introspection)
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer got.Body.Close()
	var is struct{ Active bool }
	if err := json.NewDecoder(got.Body).Decode(&is); err != nil || got.StatusCode != http.StatusOK {
		a.Fatalf("%s %v", got.Status, err)
	}
	return is.Active
}

// TestAVerifierOfItsOwn follows a desk on another port as it would one on another machine.
func TestAVerifierOfItsOwn(t *testing.T) {
	a := startApart(t)
	var tok demoToken
	for _, one := range a.file.Tokens {
		if one.calls() {
			tok = one
			break
		}
	}
	if got := a.door(tok); got != passes {
		t.Fatalf("at the door: %v", got)
	}
	if !a.introspect(tok) {
		t.Error("the token is not active")
	}
	// TLS and HTTP/2 at the gateway. The sample API ended with the demo, so what passes finds nobody.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	for user, want := range map[string]int{tok.SID: http.StatusBadGateway, "nobody": http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.gateway+"/Agencies/"+tok.SID+"/Advertisers", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(user, tok.AuthToken)
		got, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Body.Close(); err != nil || got.StatusCode != want || got.ProtoMajor != 2 {
			t.Errorf("at the gateway as %s: %s by %s, %v", user, got.Status, got.Proto, err)
		}
	}
	// The desk ends at once, although the verifier follows it, and the verifier goes on.
	began := time.Now()
	a.desk.stop()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the desk took %v to end", took)
	}
	if got := a.door(tok); got != passes {
		t.Errorf("without the desk: %v", got)
	}
	a.startDesk(a.mint("introspection", "").Digest)
	d := &demonstration{process: a.desk, file: demoFile{Console: fmt.Sprintf("http://127.0.0.1:%d", a.base)}}
	if _, err := d.client(a.file.ManagementToken).DeleteToken(t.Context(), tok.SID, api.Why{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() (answer, bool) {
		got := a.door(tok)
		return got, got == notKnown
	})
	if a.introspect(tok) {
		t.Error("a deleted token is active")
	}
	a.verifier.stop()
}

// TestGatewayAndVerifierNeedTheirOwnConfiguration: a desk's file is no verifier's, and the other way round.
func TestGatewayAndVerifierNeedTheirOwnConfiguration(t *testing.T) {
	a := &apart{T: t, folder: t.TempDir()}
	a.mint("node", "edge.node")
	verifier := a.write("verifier.yaml", "authority: {url: \"https://desk.example.com\", credential_file: edge.node}\nlisten: {operations: \"127.0.0.1:0\", doors: \"127.0.0.1:0\", envoy: \"127.0.0.1:0\"}\n")
	desk := a.write("serve.yaml", "base_url: http://127.0.0.1:1\nmail: {folder: mail}\n")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"verifier"}, exitUsage, "needs --config"},
		{[]string{"gateway", "--config", verifier}, exitUsage, "gateway.upstreams"},
		{[]string{"verifier", "--config", desk}, exitUsage, "has no authority"},
		{[]string{"gateway", "--config", desk}, exitUsage, "has no authority"},
		{[]string{"serve", "--config", verifier}, exitUsage, "counterfoil verifier"},
		{[]string{"config", "check", verifier}, exitDone, ""},
	} {
		p := start(t, c.args...)
		if code, faults := p.exited(readyWithin); code != c.code || !strings.Contains(faults, c.says) {
			t.Errorf("%v: exit %d\n%s", c.args, code, faults)
		}
	}
}
