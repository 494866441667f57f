package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil.dev/counterfoil/docs"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/gateway"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/notice"
	"counterfoil.dev/counterfoil/internal/rest"
	"counterfoil.dev/counterfoil/internal/seal"
	peoples "counterfoil.dev/counterfoil/internal/session"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// node is one running installation: the control plane, a verifier beside it, and their listeners.
type node struct {
	config    config
	log       *slog.Logger
	db        *store.DB
	authority *authority.Authority
	people    *peoples.People
	verifier  *verify.Verifier
	mailer    *notice.Mailer
	listeners []listening
}

type listening struct {
	name     string
	listener net.Listener
	server   *http.Server
}

// drainTime is how long requests under way may go on after a stop was asked for.
const drainTime = 10 * time.Second

// nodeName is this process's verifier to its own authority.
const nodeName = "serve"

// openNode opens the database and builds everything, listening on nothing yet.
func openNode(ctx context.Context, c config, log *slog.Logger) (_ *node, err error) {
	n := &node{config: c, log: log}
	defer func() {
		if err != nil && n.db != nil {
			err = errors.Join(err, n.db.Close())
		}
	}()
	key, err := seal.LoadOrCreate(c.KeyFile)
	if err != nil {
		return nil, err
	}
	if n.db, err = openDatabase(ctx, c.Database); err != nil {
		return nil, err
	}
	if n.authority, err = authority.Open(ctx, authority.Config{
		DB: n.db, Prefix: token.Prefix(c.Prefix), BaseURL: c.BaseURL, Key: key,
		ExpiryDefault: c.Expiry.Default, ExpiryMax: c.Expiry.Max, Zero: rest.Document(), Log: log,
	}); err != nil {
		return nil, err
	}
	if n.people, err = peoples.New(peoples.Config{
		DB: n.db, Key: key, BaseURL: c.BaseURL, CleanEmail: authority.CleanEmail, CleanName: authority.CleanName, Log: log,
	}); err != nil {
		return nil, err
	}
	if n.verifier, err = verify.New(verify.Config{
		Source: n.authority.Feed(nodeName), Node: nodeName, Prefix: n.authority.Prefix(), Console: c.BaseURL, MaxStale: c.MaxStale, Log: log,
	}); err != nil {
		return nil, err
	}
	sender, err := mailSender(c.Mail)
	if err != nil {
		return nil, err
	}
	if n.mailer, err = notice.New(notice.Config{DB: n.db, Key: key, Sender: sender, From: c.Mail.From, Poll: 2 * time.Second, Log: log}); err != nil {
		return nil, err
	}
	return n, nil
}

func mailSender(c mailConfig) (notice.Sender, error) {
	if c.Folder != "" {
		return notice.NewFolder(c.Folder)
	}
	host, portText, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, fmt.Errorf("mail.server: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("mail.server: port %q is no number", portText)
	}
	s := notice.SMTPConfig{
		Host: host, Port: port, User: c.User,
		Security: map[string]notice.Security{"starttls": notice.StartTLS, "implicit": notice.ImplicitTLS, "none": notice.PlainLoopback}[c.TLS],
	}
	if c.PasswordFile != "" {
		raw, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("reading the mail server's password: %w", err)
		}
		s.Password = notice.NewPassword(strings.TrimRight(string(raw), "\r\n"))
	}
	return notice.NewSMTP(s)
}

// listen opens every listener, so that an address in use is known before anything is served.
func (n *node) listen() error {
	clients, err := httpx.ParseProxies(n.config.Proxies.Clients)
	if err != nil {
		return fmt.Errorf("proxies.clients: %w", err)
	}
	people, err := n.peopleHandler()
	if err != nil {
		return err
	}
	if err := n.open("people", n.config.Listen.People, httpx.Wrap(people, httpx.Config{
		Listener: "people", Log: n.log, Proxies: clients, MaxBody: 72 << 20, // a catalogue's upload; forms and API bodies bound themselves lower
	}), httpx.Limits{}); err != nil {
		return err
	}
	if err := n.openDoors(); err != nil {
		return err
	}
	if err := n.openGateway(clients); err != nil {
		return err
	}
	operations, err := n.operations()
	if err != nil {
		return err
	}
	return n.open("operations", n.config.Listen.Operations, operations, httpx.Limits{Write: -1}) // profiles take their time
}

// peopleHandler is the console with the management API beside it.
func (n *node) peopleHandler() (http.Handler, error) {
	pages, err := console.New(console.Config{
		Authority: n.authority, People: n.people, GatewayURL: n.config.Gateway.URL, Errors: docs.Errors, Log: n.log,
	})
	if err != nil {
		return nil, err
	}
	management := rest.New(rest.Config{Authority: n.authority, Verifier: n.verifier, Log: n.log})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The target as it came: the management API judges it raw, like every guarded API. Nothing under
		// its base ever meets a cookie.
		if strings.HasPrefix(r.RequestURI, rest.Base+"/") || strings.HasPrefix(r.URL.Path, rest.Base+"/") {
			management.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}), nil
}

func (n *node) openDoors() error {
	var proxies httpx.Proxies
	if len(n.config.Proxies.Doors) > 0 {
		var err error
		if proxies, err = httpx.ParseProxies(n.config.Proxies.Doors); err != nil {
			return fmt.Errorf("proxies.doors: %w", err)
		}
	}
	handler, err := doors.New(doors.Config{Verifier: n.verifier, Proxies: proxies})
	if err != nil {
		return err
	}
	return n.open("doors", n.config.Listen.Doors, handler, httpx.Limits{})
}

func (n *node) openGateway(clients httpx.Proxies) error {
	if len(n.config.Gateway.Upstreams) == 0 {
		return nil
	}
	handler, err := gateway.New(gateway.Config{
		Verifier: n.verifier, Upstreams: n.config.Gateway.Upstreams, Proxies: clients, MaxBody: n.config.Gateway.MaxBody, Log: n.log,
	})
	if err != nil {
		return err
	}
	// Bodies stream for as long as they move: the gateway bounds them itself.
	return n.open("gateway", n.config.Listen.Gateway, handler, httpx.Limits{Read: -1, Write: -1})
}

func (n *node) open(name, address string, handler http.Handler, limits httpx.Limits) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Join(fmt.Errorf("listening for %s: %w", name, err), n.closeListeners())
	}
	n.listeners = append(n.listeners, listening{name, l, httpx.NewServer(handler, limits, n.log)})
	return nil
}

func (n *node) closeListeners() error {
	var errs []error
	for _, l := range n.listeners {
		errs = append(errs, l.listener.Close())
	}
	n.listeners = nil
	return errors.Join(errs...)
}

// run serves until ctx ends, then drains. The control plane outlives its listeners, so that what is
// under way can be finished.
func (n *node) run(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	background, work := errgroup.WithContext(work)
	background.Go(func() error { return ended(n.authority.Run(work)) })
	background.Go(func() error { return ended(n.people.Run(work)) })
	background.Go(func() error { return ended(n.verifier.Run(work)) })
	background.Go(func() error { return ended(n.mailer.Run(work)) })

	n.awaitVerifier(ctx, work)
	serving, serveCtx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(work, func() { // one part of the background failed: nothing is served without it
		for _, l := range n.listeners {
			l.server.Close()
		}
	})
	defer stop()
	for _, l := range n.listeners {
		n.log.Info("listening", "for", l.name, "address", l.listener.Addr().String())
		serving.Go(func() error { return httpx.Serve(serveCtx, l.server, l.listener, drainTime) })
	}
	err := serving.Wait()
	stop()
	stopWork()
	return errors.Join(err, background.Wait(), n.db.Close())
}

// snapshotWait is how long nothing is served while the verifier reads its first snapshot.
const snapshotWait = 10 * time.Second

// awaitVerifier holds callers back while the verifier knows nothing yet, so that a restart costs them a
// wait and no refusal. When it takes too long, the desk is served all the same: a catalogue that cannot
// be read is put right there, and the verifier refuses by itself until then.
func (n *node) awaitVerifier(ctx, work context.Context) {
	limit, cancel := context.WithTimeout(ctx, snapshotWait)
	defer cancel()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !n.verifier.Ready() {
		select {
		case <-look.C:
		case <-work.Done():
			return
		case <-limit.Done():
			n.log.Warn("serving, although the verifier is not ready")
			return
		}
	}
}

// ended takes the end that was asked for as no fault.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// logger writes one JSON or text line for each event.
func logger(c logConfig) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // config.check has refused others
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, options))
}
