package proxytest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy is a proxy that runs with its snippet.
type Proxy struct {
	Name    string
	Address string // host:port where clients ask
}

// Setup says between what a proxy stands.
type Setup struct {
	Doors, Upstream string // host:port
	// Edit changes the snippet before it is used, to break it on purpose; nil leaves it as it is.
	Edit func(snippet string) string
}

// Families are the proxies that can be run here.
var Families = []Family{
	{"nginx", nginx},
	{"haproxy", haproxy},
	{"caddy", caddy},
}

// Family is one kind of proxy.
type Family struct {
	Name  string
	build func(testing.TB, *launch) []string
}

// FamilyOf is a family by its name.
func FamilyOf(t testing.TB, name string) Family {
	t.Helper()
	for _, f := range Families {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no proxy %q", name)
	return Family{}
}

// launch is what a family needs to write its configuration.
type launch struct {
	Setup
	dir, listen string
}

// patience is how long a proxy may take to come up on a busy machine.
const patience = 60 * time.Second

// Start runs the proxy until the test ends, and returns once it takes connections.
func (f Family) Start(t testing.TB, s Setup) *Proxy {
	t.Helper()
	l := &launch{Setup: s, dir: t.TempDir(), listen: freeAddress(t)}
	command := f.build(t, l)
	ctx, stop := context.WithCancel(context.Background())
	run := exec.CommandContext(ctx, command[0], command[1:]...)
	run.Dir = l.dir
	run.Env = []string{"HOME=" + l.dir, "XDG_DATA_HOME=" + l.dir, "XDG_CONFIG_HOME=" + l.dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = 5 * time.Second
	said := new(journal)
	run.Stdout, run.Stderr = said, said
	if err := run.Start(); err != nil {
		stop()
		t.Fatalf("starting %s: %v", f.Name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := run.Wait(); err != nil && ctx.Err() == nil {
			said.add(fmt.Sprintf("it ended: %v\n", err))
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", f.Name, said)
		}
	})
	if err := comesUp(l.listen, ended); err != nil {
		t.Fatalf("%s: %v; it said:\n%s", f.Name, err, said)
	}
	return &Proxy{Name: f.Name, Address: l.listen}
}

// comesUp waits until somebody listens at an address, or the process that should has ended.
func comesUp(address string, ended <-chan struct{}) error {
	limit := time.After(patience)
	try := time.NewTicker(20 * time.Millisecond)
	defer try.Stop()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-try.C:
		case <-ended:
			return fmt.Errorf("it ended before it took connections")
		case <-limit:
			return fmt.Errorf("no connection was taken in %v: %w", patience, err)
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Snippet is a file of examples/proxies.
func Snippet(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "examples", "proxies", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// root is the folder of the module.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
}

// fill puts the test's addresses in place of those that the snippet has. One that is not there fails.
func (l *launch) fill(t testing.TB, snippet string, replace ...string) string {
	t.Helper()
	replace = append(replace, "127.0.0.1:8081", l.Doors, "127.0.0.1:9000", l.Upstream)
	if l.Edit != nil {
		edited := l.Edit(snippet)
		if edited == snippet {
			t.Fatal("the edit changed nothing in the snippet")
		}
		snippet = edited
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(snippet, replace[i]) {
			t.Fatalf("the snippet has no %q", replace[i])
		}
		snippet = strings.ReplaceAll(snippet, replace[i], replace[i+1])
	}
	return snippet
}

func (l *launch) write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// program finds a proxy of Debian's.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, path := range []string{"/usr/sbin/" + name, "/usr/bin/" + name, "/usr/local/sbin/" + name} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing: install the Debian package %s (scripts/setup-test.sh does)", name, name)
	return ""
}

// nginx takes the snippet inside of its http block, as from /etc/nginx/conf.d.
func nginx(t testing.TB, l *launch) []string {
	snippet := l.fill(t, Snippet(t, "nginx.conf"), "listen 80", "listen "+l.listen)
	conf := l.write(t, "nginx.conf", `daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events { }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
`+snippet+"}\n")
	return []string{program(t, "nginx"), "-p", l.dir, "-e", "stderr", "-c", conf}
}

// haproxy takes the snippet whole; the script is where it says.
func haproxy(t testing.TB, l *launch) []string {
	script := l.write(t, "counterfoil.lua", Snippet(t, "counterfoil.lua"))
	conf := l.write(t, "haproxy.cfg", l.fill(t, Snippet(t, "haproxy.cfg"), "/etc/haproxy/counterfoil.lua", script, "bind :80", "bind "+l.listen))
	return []string{program(t, "haproxy"), "-db", "-f", conf}
}

var caddyOnce struct {
	sync.Mutex
	path string
}

// caddy takes the snippet as its whole Caddyfile, on plain HTTP: certificates are not what is tested.
func caddy(t testing.TB, l *launch) []string {
	_, port, err := net.SplitHostPort(l.listen)
	if err != nil {
		t.Fatal(err)
	}
	snippet := l.fill(t, Snippet(t, "Caddyfile"), "api.example.com {", "http://api.example.com:"+port+" {\n\tbind 127.0.0.1")
	conf := l.write(t, "Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\n"+snippet)
	return []string{caddyProgram(t), "run", "--config", conf, "--adapter", "caddyfile"}
}

// caddyProgram is Caddy, built once from the module that tools/caddy pins.
func caddyProgram(t testing.TB) string {
	t.Helper()
	caddyOnce.Lock()
	defer caddyOnce.Unlock()
	if caddyOnce.path != "" {
		return caddyOnce.path
	}
	dir := root(t)
	build := exec.Command(filepath.Join(dir, "scripts", "tools.sh"), "caddy")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building Caddy by scripts/tools.sh: %v\n%s", err, out)
	}
	caddyOnce.path = filepath.Join(dir, ".cache", "bin", "caddy")
	return caddyOnce.path
}

// journal keeps what a process says.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) add(s string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.WriteString(s)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
