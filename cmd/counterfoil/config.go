package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/token"
)

// config is the one configuration file of `serve`. Secrets are not in it: a key names the file or the
// environment variable that holds one. Unknown keys are refused. docs/operate/configuration.md has the
// table of all keys, which a test compares with this struct.
type config struct {
	BaseURL  string `yaml:"base_url" doc:"Address of the console as people type it, without a slash at the end. https, or http on loopback."`
	Database string `yaml:"database" doc:"sqlite:PATH." default:"sqlite:counterfoil.db"`
	KeyFile  string `yaml:"key_file" doc:"File with the key that seals what must be readable again; made on first start." default:"counterfoil.key"`
	Prefix   string `yaml:"prefix" doc:"Prefix of tokens: a lower-case letter and 1 to 11 more letters or digits." default:"cfoil"`

	Listen  listenConfig  `yaml:"listen"`
	Proxies proxyConfig   `yaml:"proxies"`
	Mail    mailConfig    `yaml:"mail"`
	Expiry  expiryConfig  `yaml:"expiry"`
	Gateway gatewayConfig `yaml:"gateway"`

	MaxStale time.Duration `yaml:"max_stale" doc:"How long a verifier answers without news." default:"15m"`
	Log      logConfig     `yaml:"log"`
}

type listenConfig struct {
	People     string `yaml:"people" doc:"Console and management API." default:":8080"`
	Doors      string `yaml:"doors" doc:"Forward-auth." default:":8081"`
	Gateway    string `yaml:"gateway" doc:"Gateway; it listens only when gateway.upstreams is set." default:":8083"`
	Operations string `yaml:"operations" doc:"Health, readiness, metrics, pprof." default:"127.0.0.1:8089"`
}

type proxyConfig struct {
	Doors   []string `yaml:"doors" doc:"Addresses or networks of proxies that may ask at /authorize; empty: loopback only."`
	Clients []string `yaml:"clients" doc:"Addresses or networks of proxies in front of the console and the gateway that may say who the client is; empty: none."`
}

type mailConfig struct {
	From         string `yaml:"from" doc:"Sender of messages." default:"counterfoil@localhost"`
	Folder       string `yaml:"folder" doc:"Write messages as .eml files into this folder instead of sending them."`
	Server       string `yaml:"server" doc:"host:port of the SMTP server."`
	TLS          string `yaml:"tls" doc:"starttls, implicit, or none (loopback only)." default:"starttls"`
	User         string `yaml:"user" doc:"User name at the SMTP server."`
	PasswordFile string `yaml:"password_file" doc:"File with the password at the SMTP server."`
}

type expiryConfig struct {
	Default int64 `yaml:"default" doc:"Days a new token lives when nobody chooses; 0: no end." default:"365"`
	Max     int64 `yaml:"max" doc:"Most days a token may live; 0: no limit." default:"0"`
}

type gatewayConfig struct {
	URL       string   `yaml:"url" doc:"Where callers reach the API, for the commands that the console shows; empty: https and the catalogue's first host."`
	Upstreams []string `yaml:"upstreams" doc:"host:port of upstreams that the catalogue may name; empty: no gateway."`
	MaxBody   int64    `yaml:"max_body" doc:"Octets of a request body." default:"33554432"`
}

type logConfig struct {
	Format string `yaml:"format" doc:"json or text." default:"json"`
	Level  string `yaml:"level" doc:"debug, info, warn or error." default:"info"`
}

func defaultConfig() config {
	return config{
		Database: "sqlite:counterfoil.db", KeyFile: "counterfoil.key", Prefix: "cfoil",
		Listen:   listenConfig{People: ":8080", Doors: ":8081", Gateway: ":8083", Operations: "127.0.0.1:8089"},
		Mail:     mailConfig{From: "counterfoil@localhost", TLS: "starttls"},
		Expiry:   expiryConfig{Default: 365},
		Gateway:  gatewayConfig{MaxBody: 32 << 20},
		MaxStale: 15 * time.Minute,
		Log:      logConfig{Format: "json", Level: "info"},
	}
}

// readConfig reads a file over the defaults and reports all faults at once.
func readConfig(path string) (config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := parseConfig(raw)
	if err != nil {
		return config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(raw []byte) (config, error) {
	c := defaultConfig()
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return config{}, err
	}
	return c, c.check()
}

// check says everything that is wrong. A half-configured pair is refused, never guessed.
func (c config) check() error {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	c.checkBaseURL(bad)
	if _, err := token.ParsePrefix(c.Prefix); err != nil {
		bad("prefix", "%v", err)
	}
	for key, address := range map[string]string{
		"listen.people": c.Listen.People, "listen.doors": c.Listen.Doors,
		"listen.gateway": c.Listen.Gateway, "listen.operations": c.Listen.Operations,
	} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			bad(key, "%q is no address; write host:port or :port", address)
		}
	}
	if _, err := httpx.ParseProxies(c.Proxies.Doors); err != nil {
		bad("proxies.doors", "%v", err)
	}
	if _, err := httpx.ParseProxies(c.Proxies.Clients); err != nil {
		bad("proxies.clients", "%v", err)
	}
	c.checkMail(bad)
	if c.Expiry.Default < 0 || c.Expiry.Max < 0 || c.Expiry.Max > 0 && c.Expiry.Default > c.Expiry.Max {
		bad("expiry", "default and max are days from 0, and default is not above max")
	}
	for _, u := range c.Gateway.Upstreams {
		if _, _, err := net.SplitHostPort(u); err != nil {
			bad("gateway.upstreams", "%q is no host:port", u)
		}
	}
	if c.MaxStale < time.Second {
		bad("max_stale", "must be at least 1s")
	}
	if !slices.Contains([]string{"json", "text"}, c.Log.Format) {
		bad("log.format", "must be json or text")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level", "must be debug, info, warn or error")
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

func (c config) checkBaseURL(bad func(key, format string, args ...any)) {
	u, err := url.Parse(c.BaseURL)
	switch {
	case c.BaseURL == "":
		bad("base_url", "is required: the console's address as people type it, for example https://desk.example.com")
	case err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "":
		bad("base_url", "%q must be scheme://host or scheme://host:port and nothing more", c.BaseURL)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		bad("base_url", "must begin with https; http is allowed on loopback only, since cookies would travel in the clear")
	case u.Scheme != "http" && u.Scheme != "https":
		bad("base_url", "must begin with https")
	}
}

func (c config) checkMail(bad func(key, format string, args ...any)) {
	if (c.Mail.User == "") != (c.Mail.PasswordFile == "") {
		bad("mail", "user and password_file go together")
	}
	if !slices.Contains([]string{"starttls", "implicit", "none"}, c.Mail.TLS) {
		bad("mail.tls", "must be starttls, implicit or none")
	}
	switch {
	case c.Mail.Folder != "" && c.Mail.Server != "":
		bad("mail", "folder and server exclude each other")
	case c.Mail.Folder == "" && c.Mail.Server == "":
		bad("mail", "server (host:port of an SMTP server) or folder is required: invitations and password links are sent by e-mail")
	case c.Mail.Server != "":
		host, _, err := net.SplitHostPort(c.Mail.Server)
		if err != nil {
			bad("mail.server", "%q is no host:port", c.Mail.Server)
		} else if c.Mail.TLS == "none" && !loopback(host) {
			bad("mail.tls", "none is allowed on loopback only")
		}
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
