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
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil.dev/counterfoil/docs"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/notice"
	"counterfoil.dev/counterfoil/internal/ops"
	"counterfoil.dev/counterfoil/internal/rest"
	"counterfoil.dev/counterfoil/internal/seal"
	peoples "counterfoil.dev/counterfoil/internal/session"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// node is one running installation: the control plane, a verifier beside it, and their listeners.
type node struct {
	verifierNode
	db        *store.DB
	authority *authority.Authority
	people    *peoples.People
	mailer    *notice.Mailer
}

// nodeName is this process's verifier to its own authority.
const nodeName = "serve"

// openNode opens the database and builds everything, listening on nothing yet.
func openNode(ctx context.Context, c config, log *slog.Logger) (_ *node, err error) {
	n := &node{verifierNode: verifierNode{config: c, log: log}}
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
	if n.clients, err = c.clients(n.authority.Prefix()); err != nil {
		return nil, fmt.Errorf("introspection: %w", err)
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

// openAll opens every listener, so that an address in use is known before anything is served.
func (n *node) openAll() error {
	clients, err := httpx.ParseProxies(n.config.Proxies.Clients)
	if err != nil {
		return fmt.Errorf("proxies.clients: %w", err)
	}
	ending := make(chan struct{}) // closed when the listener stops
	people, err := n.peopleHandler(ending)
	if err != nil {
		return err
	}
	server, err := n.openTLS("people", n.config.Listen.People, httpx.Wrap(people, httpx.Config{
		Listener: "people", Log: n.log, Proxies: clients, MaxBody: 72 << 20, // a catalogue's upload; forms and API bodies bound themselves lower
	}), httpx.Limits{}, n.config.TLS.People)
	if err != nil {
		return err
	}
	server.RegisterOnShutdown(sync.OnceFunc(func() { close(ending) }))
	if err := n.openCheck(clients); err != nil {
		return err
	}
	operations, err := n.operations(ops.Check{Name: "database", Run: n.db.Ping})
	if err != nil {
		return err
	}
	return n.open("operations", n.config.Listen.Operations, operations, httpx.Limits{Write: -1}) // profiles take their time
}

// peopleHandler is the console with the management API beside it.
func (n *node) peopleHandler(ending <-chan struct{}) (http.Handler, error) {
	followers, err := n.config.nodes(n.authority.Prefix())
	if err != nil {
		return nil, fmt.Errorf("nodes: %w", err)
	}
	pages, err := console.New(console.Config{
		Authority: n.authority, People: n.people, GatewayURL: n.config.Gateway.URL, Errors: docs.Errors, Log: n.log,
	})
	if err != nil {
		return nil, err
	}
	management := rest.New(rest.Config{Authority: n.authority, Verifier: n.verifier, Nodes: followers, Ending: ending, Log: n.log})
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

	err := n.serve(ctx, work)
	stopWork()
	return errors.Join(err, background.Wait(), n.db.Close())
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
