package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/verify"
)

func verifierCommand() *cobra.Command {
	c := local("verifier", "Run a verifier on another machine than the desk: doors, and the gateway if configured", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		return runVerifier(c, (*verifierNode).openCheck)
	})
	c.Flags().String("config", "", "configuration file")
	return c
}

func gatewayCommand() *cobra.Command {
	c := local("gateway", "Run the gateway alone, on another machine than the desk", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		return runVerifier(c, (*verifierNode).openGateway)
	})
	c.Flags().String("config", "", "configuration file")
	return c
}

// runVerifier follows a remote authority and answers on what open opens.
func runVerifier(c *cobra.Command, open func(*verifierNode, httpx.Proxies) error) error {
	conf, err := verifierConfig(c)
	if err != nil {
		return err
	}
	k, source, err := newVerifierNode(conf)
	if err != nil {
		return err
	}
	defer source.Close()
	clients, err := httpx.ParseProxies(conf.Proxies.Clients)
	if err != nil {
		return err // config.check has refused it
	}
	if err := open(k, clients); err != nil {
		return errors.Join(err, k.closeListeners())
	}
	if len(k.listeners) == 0 {
		return usagef("there is nothing to forward to: name gateway.upstreams")
	}
	operations, err := k.operations()
	if err != nil {
		return errors.Join(err, k.closeListeners())
	}
	if err := k.open("operations", conf.Listen.Operations, operations, httpx.Limits{Write: -1}); err != nil {
		return err
	}
	return k.follow(c.Context())
}

func verifierConfig(c *cobra.Command) (config, error) {
	file, err := c.Flags().GetString("config")
	if err != nil {
		return config{}, err
	}
	if file == "" {
		return config{}, usagef("%s needs --config FILE", c.CommandPath())
	}
	conf, err := readConfig(file)
	if err != nil {
		return config{}, err
	}
	if !conf.isVerifier() {
		return config{}, usagef("%s has no authority: it is a file of counterfoil serve", file)
	}
	return conf, nil
}

// newVerifierNode builds a verifier whose authority is elsewhere, listening on nothing yet.
func newVerifierNode(conf config) (*verifierNode, *verify.Remote, error) {
	secret, err := readSecret(conf.Authority.CredentialFile)
	if err != nil {
		return nil, nil, err
	}
	source, err := verify.NewRemote(verify.RemoteConfig{URL: conf.Authority.URL, Credential: secret})
	if err != nil {
		return nil, nil, err
	}
	desk := conf.BaseURL
	if desk == "" {
		desk = conf.Authority.URL
	}
	k := &verifierNode{config: conf, log: logger(conf.Log)}
	if k.clients, err = conf.clients(source.Prefix()); err != nil {
		return nil, nil, err
	}
	k.verifier, err = verify.New(verify.Config{
		Source: source, Node: "verifier", Prefix: source.Prefix(), Console: desk, MaxStale: conf.MaxStale, Log: k.log,
	})
	if err != nil {
		return nil, nil, err
	}
	return k, source, nil
}

// follow serves until ctx ends, then drains. The verifier outlives its listeners, so that the last uses are
// reported.
func (k *verifierNode) follow(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	stopped := make(chan error, 1)
	go func() { stopped <- ended(k.verifier.Run(work)) }()
	err := k.serve(ctx, work)
	stopWork()
	return errors.Join(err, <-stopped)
}
