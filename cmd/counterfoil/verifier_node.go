package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/extauthz"
	"counterfoil.dev/counterfoil/internal/gateway"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

// verifierNode is the half of a program that decides: a verifier, and the listeners at which it is asked. serve
// has one beside its desk; gateway and verifier are nothing else.
type verifierNode struct {
	config    config
	log       *slog.Logger
	verifier  *verify.Verifier
	clients   verify.Clients // that may ask about tokens
	listeners []listening
}

// listening is one open listener. serve answers on it until the context ends, and then lets what is under
// way finish; cut ends it at once.
type listening struct {
	name     string
	listener net.Listener
	serve    func(context.Context) error
	cut      func() error
}

// drainTime is how long requests under way may go on after a stop was asked for.
const drainTime = 10 * time.Second

// openCheck opens the listeners of everything that asks the verifier.
func (k *verifierNode) openCheck(clients httpx.Proxies) error {
	if err := k.openDoors(); err != nil {
		return err
	}
	if err := k.openEnvoy(); err != nil {
		return err
	}
	return k.openGateway(clients)
}

// askers are the proxies that may ask at a door. Nil means those of this machine.
func (k *verifierNode) askers() (httpx.Proxies, error) {
	if len(k.config.Proxies.Doors) == 0 {
		return nil, nil
	}
	proxies, err := httpx.ParseProxies(k.config.Proxies.Doors)
	if err != nil {
		return nil, fmt.Errorf("proxies.doors: %w", err)
	}
	return proxies, nil
}

// doorTime is how long one question may take from its first octet to its answer. A door waits for its
// source for two seconds at most, and for nothing else.
const doorTime = 10 * time.Second

func (k *verifierNode) openDoors() error {
	proxies, err := k.askers()
	if err != nil {
		return err
	}
	handler, err := doors.New(doors.Config{Verifier: k.verifier, Proxies: proxies, Clients: k.clients})
	if err != nil {
		return err
	}
	limits := httpx.Limits{}
	if k.config.TLS.Doors.CertFile == "" {
		limits.Quick = doorTime
	}
	_, err = k.openTLS("doors", k.config.Listen.Doors, handler, limits, k.config.TLS.Doors)
	return err
}

func (k *verifierNode) openEnvoy() error {
	proxies, err := k.askers()
	if err != nil {
		return err
	}
	secure, err := k.tlsOf(k.config.TLS.Doors)
	if err != nil {
		return err
	}
	door, err := extauthz.New(extauthz.Config{Verifier: k.verifier, Peers: []netip.Prefix(proxies), TLS: secure, Log: k.log})
	if err != nil {
		return err
	}
	l, err := k.listen("Envoy", k.config.Listen.Envoy)
	if err != nil {
		return err
	}
	k.listeners = append(k.listeners, listening{
		name: "Envoy", listener: l, cut: l.Close,
		serve: func(ctx context.Context) error { return door.Serve(ctx, l, drainTime) },
	})
	return nil
}

func (k *verifierNode) openGateway(clients httpx.Proxies) error {
	if len(k.config.Gateway.Upstreams) == 0 {
		return nil
	}
	handler, err := gateway.New(gateway.Config{
		Verifier: k.verifier, Upstreams: k.config.Gateway.Upstreams, Proxies: clients, MaxBody: k.config.Gateway.MaxBody, Log: k.log,
	})
	if err != nil {
		return err
	}
	// Bodies stream for as long as they move: the gateway bounds them itself.
	_, err = k.openTLS("gateway", k.config.Listen.Gateway, handler, httpx.Limits{Read: -1, Write: -1}, k.config.TLS.Gateway)
	return err
}

func (k *verifierNode) listen(name, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for %s: %w", name, err), k.closeListeners())
	}
	return l, nil
}

// open opens a listener in the clear, for loopback or what a proxy stands before.
func (k *verifierNode) open(name, address string, handler http.Handler, limits httpx.Limits) error {
	_, err := k.openTLS(name, address, handler, limits, pairConfig{})
	return err
}

// openTLS opens a listener, with TLS if a certificate is named.
func (k *verifierNode) openTLS(name, address string, handler http.Handler, limits httpx.Limits, pair pairConfig) (*http.Server, error) {
	server := httpx.NewServer(handler, limits, k.log)
	var err error
	if server.TLSConfig, err = k.tlsOf(pair); err != nil {
		return nil, errors.Join(err, k.closeListeners())
	}
	l, err := k.listen(name, address)
	if err != nil {
		return nil, err
	}
	if limits.Quick > 0 {
		l = httpx.Watch(l, limits)
	}
	k.listeners = append(k.listeners, listening{
		name: name, listener: l, cut: server.Close,
		serve: func(ctx context.Context) error { return httpx.Serve(ctx, server, l, drainTime) },
	})
	return server, nil
}

// tlsOf is nil when no certificate is named.
func (k *verifierNode) tlsOf(pair pairConfig) (*tls.Config, error) {
	if pair.CertFile == "" {
		return nil, nil
	}
	certificate, err := httpx.LoadCertificate(pair.CertFile, pair.KeyFile, k.log)
	if err != nil {
		return nil, err
	}
	return certificate.Config(), nil
}

func (k *verifierNode) closeListeners() error {
	var errs []error
	for _, l := range k.listeners {
		errs = append(errs, l.listener.Close())
	}
	k.listeners = nil
	return errors.Join(errs...)
}

// serve answers on all listeners until ctx ends, or until work does: then one part of the background has
// failed, and nothing is served without it.
func (k *verifierNode) serve(ctx, work context.Context) error {
	k.awaitVerifier(ctx, work)
	serving, serveCtx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(work, func() {
		for _, l := range k.listeners {
			if err := l.cut(); err != nil {
				k.log.Warn("a listener did not close", "for", l.name, "err", err)
			}
		}
	})
	defer stop()
	for _, l := range k.listeners {
		k.log.Info("listening", "for", l.name, "address", l.listener.Addr().String())
		serving.Go(func() error { return l.serve(serveCtx) })
	}
	return serving.Wait()
}

// snapshotWait is how long nothing is served while the verifier reads its first snapshot.
const snapshotWait = 10 * time.Second

// awaitVerifier holds callers back while the verifier knows nothing yet, so that a restart costs them a
// wait and no refusal. When it takes too long, the desk is served all the same: a catalogue that cannot
// be read is put right there, and the verifier refuses by itself until then.
func (k *verifierNode) awaitVerifier(ctx, work context.Context) {
	limit, cancel := context.WithTimeout(ctx, snapshotWait)
	defer cancel()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !k.verifier.Ready() {
		select {
		case <-look.C:
		case <-work.Done():
			return
		case <-limit.Done():
			k.log.Warn("serving, although the verifier is not ready")
			return
		}
	}
}
