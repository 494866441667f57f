package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
)

// readyWithin is how long a start may take on a machine that is busy with other tests.
const readyWithin = 60 * time.Second

// program builds the product as it is shipped, once, beside the commands of the scripts, which are
// removed at the end of the run.
var program = sync.OnceValues(func() (string, error) {
	scripts, err := exec.LookPath("counterfoil") // put there by testscript.Main
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(scripts), "counterfoil-built")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

// process is one run of the program.
type process struct {
	testing.TB
	command *exec.Cmd
	lines   chan string   // of standard output; closed at its end
	ended   chan struct{} // closed when the process is gone
	exit    error         // of Wait; after ended
	out     transcript    // standard output so far
	faults  transcript    // standard error so far
}

// transcript is what was written, also while more of it is.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// start runs the program. It is killed at the end of the test, if it still runs then.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{TB: t, command: exec.Command(path, args...), lines: make(chan string, 1000), ended: make(chan struct{})}
	p.command.Stderr = &p.faults
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		read := bufio.NewScanner(out)
		for read.Scan() {
			fmt.Fprintln(&p.out, read.Text())
			p.lines <- read.Text()
		}
		close(p.lines)
		p.exit = p.command.Wait()
	}()
	t.Cleanup(func() {
		if err := p.signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		<-p.ended
		if t.Failed() {
			t.Logf("%s %s: %s", filepath.Base(path), strings.Join(args, " "), p.faults.String())
		}
	})
	return p
}

func (p *process) signal(s syscall.Signal) error {
	err := p.command.Process.Signal(s)
	if err == os.ErrProcessDone {
		return nil
	}
	return err
}

// kill ends the process as a power cut would, as far as a process can tell.
func (p *process) kill() {
	p.Helper()
	if err := p.signal(syscall.SIGKILL); err != nil {
		p.Fatal(err)
	}
	<-p.ended
}

// await waits until a line with a word is printed, and returns that line.
func (p *process) await(word string) string {
	p.Helper()
	late := time.After(readyWithin)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				<-p.ended
				p.Fatalf("ended before it printed %q: %v\n%s", word, p.exit, p.faults.String())
			}
			if strings.Contains(line, word) {
				return line
			}
		case <-late:
			p.Fatalf("did not print %q in time", word)
		}
	}
}

// exited waits for the end and returns the exit code with what was written to standard error.
func (p *process) exited(within time.Duration) (int, string) {
	p.Helper()
	select {
	case <-p.ended:
		return p.command.ProcessState.ExitCode(), p.faults.String()
	case <-time.After(within):
		p.Fatalf("runs still after %v", within)
		return 0, ""
	}
}

// stop asks for an end and demands a clean one.
func (p *process) stop() {
	p.Helper()
	if err := p.signal(syscall.SIGTERM); err != nil {
		p.Fatal(err)
	}
	if code, faults := p.exited(15 * time.Second); code != 0 {
		p.Fatalf("exit %d after SIGTERM\n%s", code, faults)
	}
}

// demoPortOffsets are the ports of a demo, from its base.
var demoPortOffsets = []int{0, 1, 2, 3, 4, 9}

var nextBase = 15000 + os.Getpid()%1500*10

// freePorts finds ten ports of which those that a demo takes are free. They are below those that the
// system gives to callers.
func freePorts(t testing.TB) int {
	t.Helper()
	for range 1000 {
		base := nextBase
		if nextBase += 10; nextBase > 32000 {
			nextBase = 15000
		}
		if portsFree(base) == nil {
			return base
		}
	}
	t.Fatal("no ten ports are free")
	return 0
}

func portsFree(base int) (err error) {
	for _, offset := range demoPortOffsets {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+offset)))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// demonstration is a running demo.
type demonstration struct {
	*process
	folder string
	base   int
	file   demoFile
}

// startDemo starts the demo on a folder and waits until it says that it runs.
func startDemo(t testing.TB, folder string, base int) *demonstration {
	t.Helper()
	d := &demonstration{process: start(t, "demo", "--data", folder, "--port-base", strconv.Itoa(base)), folder: folder, base: base}
	d.ready()
	return d
}

// ready waits for the last line that a demo prints, and reads demo.json.
func (d *demonstration) ready() {
	d.Helper()
	d.await("operations http")
	raw, err := os.ReadFile(filepath.Join(d.folder, "demo.json"))
	if err != nil {
		d.Fatal(err)
	}
	d.file = demoFile{}
	if err := json.Unmarshal(raw, &d.file); err != nil {
		d.Fatal(err)
	}
}

func (d *demonstration) client(token string) *api.Client {
	d.Helper()
	c, err := api.NewClient(d.file.Console, token, nil)
	if err != nil {
		d.Fatal(err)
	}
	return c
}

// token finds a sample token by its name.
func (d *demonstration) token(name string) demoToken {
	d.Helper()
	for _, t := range d.file.Tokens {
		if t.Name == name {
			return t
		}
	}
	d.Fatalf("demo.json has no token %q", name)
	return demoToken{}
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
