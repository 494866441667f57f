package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing/fstest"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/examples/agencyapi"
	"counterfoil.dev/counterfoil/examples/catalogue"
	"counterfoil.dev/counterfoil/internal/httpx"
)

// demoFile is DIR/demo.json: every address of a running demo, and credentials that work.
type demoFile struct {
	Console         string      `json:"console"`
	Doors           string      `json:"doors"`
	Envoy           string      `json:"envoy"`
	Gateway         string      `json:"gateway"`
	Ops             string      `json:"ops"`
	Upstream        string      `json:"upstream"`
	SignIn          string      `json:"sign_in"`          // signs the sample administrator in, once
	OperatorSignIn  string      `json:"operator_sign_in"` // likewise the operator
	ManagementToken string      `json:"management_token"` // of the sample agency
	OperatorToken   string      `json:"operator_token"`
	Tokens          []demoToken `json:"tokens"`
	CurlAllowed     string      `json:"curl_allowed"`
	CurlRefused     string      `json:"curl_refused"`
}

type demoToken struct {
	Name      string   `json:"name"`
	Account   int64    `json:"account"`
	SID       string   `json:"sid"`
	AuthToken string   `json:"auth_token"`
	API       string   `json:"api"`
	Version   string   `json:"version"`
	Scopes    []string `json:"scopes"`
}

func demoCommand() *cobra.Command {
	c := local("demo", "Try it: sample accounts and tokens, and the sample API behind the gateway", cobra.NoArgs, demo)
	c.Flags().String("data", "demo-data", "folder for everything; a second start goes on with it")
	c.Flags().Int("port-base", 8080, "people N, doors N+1, Envoy N+2, gateway N+3, sample API N+4, operations N+9")
	return c
}

// ports of the demo, all on loopback.
type demoPorts struct{ people, doors, envoy, gateway, upstream, operations string }

func portsFrom(base int) demoPorts {
	at := func(offset int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(base+offset)) }
	return demoPorts{people: at(0), doors: at(1), envoy: at(2), gateway: at(3), upstream: at(4), operations: at(9)}
}

func demo(c *cobra.Command, _ []string) error {
	data, err := c.Flags().GetString("data")
	if err != nil {
		return err
	}
	base, err := c.Flags().GetInt("port-base")
	if err != nil {
		return err
	}
	if base < 1 || base > 65526 {
		return usagef("--port-base must be from 1 to 65526")
	}
	if data, err = filepath.Abs(data); err != nil {
		return fmt.Errorf("finding the data folder: %w", err)
	}
	d := &demoRun{folder: data, ports: portsFrom(base)}
	return d.run(c.Context(), c.OutOrStdout())
}

// demoRun is one start of the demo.
type demoRun struct {
	folder string
	ports  demoPorts
	node   *node
	file   demoFile
	fresh  bool // the sample data is made by this start
}

func (d *demoRun) path(name string) string { return filepath.Join(d.folder, name) }

func (d *demoRun) run(ctx context.Context, out io.Writer) error {
	if err := os.MkdirAll(d.folder, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	conf := d.config()
	if err := conf.check().err(nil); err != nil {
		return err
	}
	unlock, err := lockDatabase(conf.Database)
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.begin(); err != nil {
		return err
	}
	log, closeLog, err := d.logFile()
	if err != nil {
		return err
	}
	defer closeLog()
	if d.node, err = openNode(ctx, conf, log); err != nil {
		return stopped(ctx, err)
	}
	if err := d.prepare(ctx); err != nil {
		return stopped(ctx, errors.Join(err, d.node.closeListeners(), d.node.db.Close()))
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.node.run(running) }()
	if err := d.announce(running, out); err != nil {
		stop()
		return stopped(ctx, errors.Join(err, <-ended))
	}
	return <-ended
}

// prepare takes the ports, so that one in use is known before anything is made, and makes the sample data.
func (d *demoRun) prepare(ctx context.Context) error {
	err := d.node.openAll()
	if err == nil {
		err = d.upstream()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nChoose other ports with --port-base N: the demo takes N to N+4 and N+9", err)
	} else if err != nil {
		return err
	}
	return d.seed(ctx)
}

// announce proves that the running demo works, and says where everything is.
func (d *demoRun) announce(ctx context.Context, out io.Writer) error {
	if d.fresh {
		if err := d.firstCalls(ctx); err != nil {
			return err
		}
	}
	if err := d.write(); err != nil {
		return err
	}
	return d.print(out)
}

// stopped takes a stop that was asked for, while the demo was being made, as no fault.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// halfMade marks a folder whose sample data is still being written. What is in such a folder is ours and
// incomplete, so the next start makes it anew. demo.json is put in place last: where it is, all is.
const halfMade = "half-made"

func (d *demoRun) begin() error {
	switch {
	case exists(d.path("demo.json")):
		return d.resume()
	case exists(d.path(halfMade)):
		for _, name := range []string{"counterfoil.db", "counterfoil.db-wal", "counterfoil.db-shm", "counterfoil.key"} {
			if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("making the sample data anew: %w", err)
			}
		}
	case exists(d.path("counterfoil.db")):
		return fmt.Errorf("%s holds a database that is not a demo's: choose an empty folder", d.folder)
	}
	d.fresh = true
	if err := os.WriteFile(d.path(halfMade), nil, 0o600); err != nil {
		return fmt.Errorf("beginning the sample data: %w", err)
	}
	return nil
}

// resume goes on with what an earlier start made.
func (d *demoRun) resume() error {
	raw, err := os.ReadFile(d.path("demo.json"))
	if err != nil {
		return fmt.Errorf("reading demo.json: %w", err)
	}
	if err := json.Unmarshal(raw, &d.file); err != nil {
		return fmt.Errorf("reading %s: %w", d.path("demo.json"), err)
	}
	if !exists(d.path("counterfoil.db")) {
		return fmt.Errorf("%s holds a demo.json without its database: remove it, or choose an empty folder", d.folder)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (d *demoRun) config() config {
	c := defaultConfig()
	c.BaseURL = "http://" + d.ports.people
	c.Database, c.KeyFile = "sqlite:"+d.path("counterfoil.db"), d.path("counterfoil.key")
	c.Mail.Folder = d.path("mail")
	c.Listen = listenConfig{People: d.ports.people, Doors: d.ports.doors, Envoy: d.ports.envoy, Gateway: d.ports.gateway, Operations: d.ports.operations}
	c.Gateway.Upstreams, c.Gateway.URL = []string{d.ports.upstream}, "http://"+d.ports.gateway
	c.Log.Format = "text"
	return c
}

// documents are the sample catalogue with its hosts and upstream filled in: in a demo both are on
// loopback.
func (d *demoRun) documents() (fs.FS, error) {
	folder := fstest.MapFS{}
	err := fs.WalkDir(catalogue.FS, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := fs.ReadFile(catalogue.FS, path)
		folder[path] = &fstest.MapFile{Data: body}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the sample catalogue: %w", err)
	}
	file := folder["catalog.yaml"]
	file.Data = []byte(strings.NewReplacer(
		"hosts: [api.example.com]", "hosts: [127.0.0.1, localhost]",
		"upstream: http://127.0.0.1:8084", "upstream: http://"+d.ports.upstream,
	).Replace(string(file.Data)))
	return folder, nil
}

// upstream serves the sample API beside the desk.
func (d *demoRun) upstream() error {
	return d.node.open("sample API", d.ports.upstream, agencyapi.Handler(), httpx.Limits{})
}

// write replaces demo.json whole; then the folder is no longer half-made.
func (d *demoRun) write() error {
	raw, err := json.MarshalIndent(d.file, "", "  ")
	if err != nil {
		return fmt.Errorf("writing demo.json: %w", err)
	}
	next := d.path("demo.json.next")
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing demo.json: %w", err)
	}
	if err := os.Rename(next, d.path("demo.json")); err != nil {
		return fmt.Errorf("writing demo.json: %w", err)
	}
	if err := os.Remove(d.path(halfMade)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ending the sample data: %w", err)
	}
	return nil
}

func (d *demoRun) print(out io.Writer) error {
	_, err := fmt.Fprintf(out, `Counterfoil is running. Everything is in %s; stop it with Ctrl-C.

  Sign in as the sample agency's administrator (the link works once):
    %s
  Or with e-mail %s and password %s

  The operator's desk (the link works once):
    %s

  A call that passes:
    %s

  A call that is refused, and says which box is missing:
    %s

  Gateway %s   doors %s   sample API %s   operations %s
`, d.folder, d.file.SignIn, demoAdministrator, demoPassword, d.file.OperatorSignIn, d.file.CurlAllowed, d.file.CurlRefused,
		d.file.Gateway, d.file.Doors, d.file.Upstream, d.file.Ops)
	if err != nil {
		return fmt.Errorf("saying where everything is: %w", err)
	}
	return nil
}

// firstCalls makes one real call with two of the tokens, so that the list shows what use looks like. It
// also proves, before anything is printed, that the whole path works. Only the start that made the tokens
// does so: later they are the visitor's, who may have disabled them.
func (d *demoRun) firstCalls(ctx context.Context) error {
	client := &http.Client{}
	for _, t := range d.file.Tokens {
		if !t.calls() {
			continue
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.file.Gateway+"/Agencies/"+t.SID+"/Advertisers", nil)
		if err != nil {
			return fmt.Errorf("making a first call: %w", err)
		}
		r.SetBasicAuth(t.SID, t.AuthToken)
		r.Header.Set("User-Agent", "counterfoil-demo")
		answer, err := client.Do(r)
		if err != nil {
			return fmt.Errorf("making a first call: %w", err)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return fmt.Errorf("making a first call: %w", err)
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("the first call with %s was answered %s", t.Name, answer.Status)
		}
	}
	return nil
}
