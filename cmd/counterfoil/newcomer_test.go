package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/examples/agencyapi"
	"counterfoil.dev/counterfoil/examples/catalogue"
)

const (
	newcomerPassword = "nine quiet boats on the lake"
	memberPassword   = "eleven loud geese in the park"
)

// The first hour of an operator, from an empty folder to a call that passes, without a script: the set-up
// link, the catalogue, an account, its administrator's invitation, a token.
func TestTheFirstHour(t *testing.T) {
	upstream := httptest.NewServer(agencyapi.Handler())
	defer upstream.Close()
	folder, base := t.TempDir(), freePorts(t)
	file := filepath.Join(folder, "counterfoil.yaml")
	config := fmt.Sprintf(`
base_url: http://127.0.0.1:%d
listen: {people: 127.0.0.1:%d, doors: 127.0.0.1:%d, envoy: 127.0.0.1:%d, gateway: 127.0.0.1:%d, operations: 127.0.0.1:%d}
database: sqlite:data/counterfoil.db
key_file: data/counterfoil.key
mail: {folder: mail}
gateway: {url: http://127.0.0.1:%d, upstreams: ["%s"]}
`, base, base, base+1, base+2, base+3, base+9, base+3, upstream.Listener.Addr())
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, faults := start(t, "config", "check", file).exited(readyWithin); code != exitDone {
		t.Fatalf("the configuration has faults: %s", faults)
	}

	p := start(t, "serve", "--config", file)
	link := strings.TrimSpace(p.await("/set-up?key="))
	operator := newBrowser(t)
	setUp(t, operator, link)
	publishSample(t, operator, upstream.URL)

	operator.open("/operator/accounts/new")
	operator.send("Create", url.Values{"id": {"1001"}, "kind": {"agency"}, "name": {"Northlight Media"}, "admin_email": {"ada@northlight.example.com"}})
	operator.expect(http.StatusOK, "Northlight Media", "ada@northlight.example.com")

	member := newBrowser(t)
	member.open(invitationIn(t, filepath.Join(folder, "mail"), "ada@northlight.example.com"))
	member.expect(http.StatusOK, "Join Northlight Media")
	member.send("Join", url.Values{"name": {"Ada Northlight"}, "password": {memberPassword}})
	member.expect(http.StatusOK, "Create Access Token")
	member.send("Sign out", nil)
	member.open("/sign-in")
	member.send("Sign in", url.Values{"email": {"ada@northlight.example.com"}, "password": {memberPassword}})
	member.expect(http.StatusOK, "Create Access Token")
	sid, secret, err := member.wizard("The first token", "agency.advertisers", "agency/3/advertisers.list-advertisers")
	if err != nil {
		t.Fatal(err)
	}
	command := member.byID("curl")
	calls := func() {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command+" --silent --show-error --fail").CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("2101")) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	calls()
	p.stop()
	logged := p.faults.String()
	onlyForTheOwner(t, filepath.Join(folder, "data"))
	onlyForTheOwner(t, filepath.Join(folder, "mail"))

	// The second start knows its operator and prints no link; sessions and tokens go on.
	p = start(t, "serve", "--config", file)
	d := &demonstration{process: p, file: demoFile{Ops: fmt.Sprintf("http://127.0.0.1:%d", base+9)}}
	eventually(t, func() (string, bool) {
		answer, err := http.Get(d.file.Ops + "/readyz")
		if err != nil {
			return err.Error(), false
		}
		return answer.Status, answer.StatusCode == http.StatusOK && answer.Body.Close() == nil
	})
	calls()
	member.open(tokensPath)
	member.expect(http.StatusOK, "The first token")
	p.stop()
	if strings.Contains(p.out.String(), "key=") {
		t.Errorf("a set-up link on a database with an operator:\n%s", p.out.String())
	}
	key, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{newcomerPassword, memberPassword, secret, strings.TrimPrefix(secret, "cfoil_"+sid), key.Query().Get("key")}
	for c := range member.cookies {
		secrets = append(secrets, c)
	}
	if n := found([]byte(logged+p.faults.String()), secrets); n > 0 {
		t.Errorf("the log holds %d secrets", n)
	}
	if !strings.Contains(logged, `"msg":"request"`) {
		t.Error("nothing was logged")
	}
}

// onlyForTheOwner demands that no other user of the machine can read what is in a folder, nor the folder.
func onlyForTheOwner(t *testing.T, folder string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil || files < 2 {
		t.Errorf("%s: %d files (%v)", folder, files, err)
	}
}

func setUp(t *testing.T, b *browser, link string) {
	t.Helper()
	b.open(link)
	b.expect(http.StatusOK, "Set up Counterfoil")
	b.send("Become the operator", url.Values{"name": {"Olga Operator"}, "email": {"olga@example.com"}, "password": {"short"}})
	b.expect(http.StatusUnprocessableEntity, "15 characters")
	b.send("Become the operator", url.Values{"name": {"Olga Operator"}, "email": {"olga@example.com"}, "password": {newcomerPassword}})
	b.expect(http.StatusOK, "Accounts", "Olga Operator")
	again := newBrowser(t)
	again.open(link)
	again.expect(http.StatusGone, "no longer works")
}

// publishSample uploads the sample catalogue with this installation's hosts, looks at the difference and
// publishes it.
func publishSample(t *testing.T, b *browser, upstream string) {
	t.Helper()
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	err := fs.WalkDir(catalogue.FS, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := fs.ReadFile(catalogue.FS, path)
		if err != nil {
			return err
		}
		if path == "catalog.yaml" {
			body = []byte(strings.NewReplacer("api.example.com", "127.0.0.1", "http://127.0.0.1:8084", upstream).Replace(string(body)))
		}
		out, err := w.Create(path)
		if err != nil {
			return err
		}
		_, err = out.Write(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b.open("/operator/catalogue")
	b.send("Compare with what is live…", nil, upload{"catalogue.zip", packed.String()})
	b.expect(http.StatusOK, "Publish")
	b.send("Publish", nil)
	b.expect(http.StatusOK, "Agency API", "Brand API")
}

var linkInMail = regexp.MustCompile(`(?m)^http://\S+/invitation\?key=\S+$`)

// invitationIn waits for the message to an address and reads the link out of its text part.
func invitationIn(t *testing.T, folder, to string) string {
	t.Helper()
	return eventually(t, func() (string, bool) {
		files, err := filepath.Glob(filepath.Join(folder, "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			message, err := mail.ReadMessage(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(message.Header.Get("To"), "<"+to+">") {
				return linkInMail.FindString(plainText(t, message)), true
			}
		}
		return "no message", false
	})
}

func plainText(t *testing.T, message *mail.Message) string {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	part, err := multipart.NewReader(message.Body, parameters["boundary"]).NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	var body io.Reader = part
	if part.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(part)
	}
	return strings.ReplaceAll(readAll(t, body), "\r\n", "\n")
}
