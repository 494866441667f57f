package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/token"
)

// config is the one configuration file of `serve`. Secrets are not in it: a key names the file that holds
// one. Unknown keys are refused. The table of all keys in docs/operate/configuration.md is made from the
// tags of this struct (keyTable); a test holds the tags to what defaultConfig says.
type config struct {
	BaseURL  string `yaml:"base_url" doc:"Required. Address of the console as people type it, without a slash at the end: https, or http on loopback."`
	Database string `yaml:"database" doc:"sqlite:PATH, in a folder of its own that only this program may read." default:"sqlite:counterfoil.db"`
	KeyFile  string `yaml:"key_file" doc:"File with the key that seals what must be readable again; made on first start." default:"counterfoil.key"`
	Prefix   string `yaml:"prefix" doc:"Prefix of tokens: a lower-case letter and 1 to 11 more letters or digits." default:"cfoil"`

	Listen  listenConfig  `yaml:"listen"`
	Proxies proxyConfig   `yaml:"proxies"`
	Mail    mailConfig    `yaml:"mail"`
	Expiry  expiryConfig  `yaml:"expiry"`
	Gateway gatewayConfig `yaml:"gateway"`
	TLS     tlsConfig     `yaml:"tls"`

	Nodes         []nodeConfig    `yaml:"nodes" doc:"Verifiers on other machines that may follow the feed: a list of name with digest or secret_file. See verifier.md."`
	Introspection []clientConfig  `yaml:"introspection" doc:"Resource servers that may ask at /oauth2/introspect: a list of id and apis with digest or secret_file. See introspection.md."`
	Authority     authorityConfig `yaml:"authority"`

	MaxStale time.Duration `yaml:"max_stale" doc:"How long a verifier answers without news; then it refuses. At least 1s." default:"15m"`
	Log      logConfig     `yaml:"log"`
}

type listenConfig struct {
	People     string `yaml:"people" doc:"Console and management API." default:":8080"`
	Doors      string `yaml:"doors" doc:"Forward-auth." default:":8081"`
	Envoy      string `yaml:"envoy" doc:"Envoy's external authorization, over gRPC; with the certificate of tls.doors." default:":8082"`
	Gateway    string `yaml:"gateway" doc:"Gateway; it listens only when gateway.upstreams is set." default:":8083"`
	Operations string `yaml:"operations" doc:"Health, readiness, metrics, pprof." default:"127.0.0.1:8089"`
}

type proxyConfig struct {
	Doors   []string `yaml:"doors" doc:"Addresses or networks of proxies that may ask at /authorize, and over gRPC; empty: loopback only."`
	Clients []string `yaml:"clients" doc:"Addresses or networks of proxies in front of the console and the gateway that may say who the client is; empty: none."`
}

type mailConfig struct {
	From         string `yaml:"from" doc:"Sender of messages. One of mail.server and mail.folder is required." default:"counterfoil@localhost"`
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
		Listen:   listenConfig{People: ":8080", Doors: ":8081", Envoy: ":8082", Gateway: ":8083", Operations: "127.0.0.1:8089"},
		Mail:     mailConfig{From: "counterfoil@localhost", TLS: "starttls"},
		Expiry:   expiryConfig{Default: 365},
		Gateway:  gatewayConfig{MaxBody: 32 << 20},
		MaxStale: 15 * time.Minute,
		Log:      logConfig{Format: "json", Level: "info"},
	}
}

// The longest life of a token that can be asked for, in days: a hundred years.
const maxDays = 36500

// check says everything that is wrong. A half-configured pair is refused, never guessed.
func (c config) check() faults {
	if c.isVerifier() {
		return c.checkVerifier()
	}
	var out faults
	bad := func(key, format string, args ...any) {
		out = append(out, fault{key: key, text: fmt.Sprintf(format, args...)})
	}
	c.checkBaseURL(bad)
	if path, ok := strings.CutPrefix(c.Database, "sqlite:"); !ok || path == "" || strings.HasPrefix(path, ":") {
		bad("database", "must be sqlite:PATH") // its value may hold a password one day, so it is not repeated
	}
	if c.KeyFile == "" {
		bad("key_file", "must name a file")
	}
	if _, err := token.ParsePrefix(c.Prefix); err != nil {
		bad("prefix", "%v", err)
	}
	c.checkCredentials(bad, token.Prefix(c.Prefix))
	c.checkTLS(bad)
	c.checkListen(bad)
	c.checkProxies(bad)
	c.checkMail(bad)
	if c.Expiry.Max < 0 || c.Expiry.Max > maxDays {
		bad("expiry.max", "must be days from 0 to %d", maxDays)
	}
	if c.Expiry.Default < 0 || c.Expiry.Default > maxDays {
		bad("expiry.default", "must be days from 0 to %d", maxDays)
	} else if c.Expiry.Max > 0 && (c.Expiry.Default == 0 || c.Expiry.Default > c.Expiry.Max) {
		bad("expiry.default", "must be from 1 to expiry.max, which is %d", c.Expiry.Max)
	}
	c.checkGateway(bad)
	c.checkRest(bad)
	return out
}

func (c config) checkProxies(bad complaint) {
	if _, err := httpx.ParseProxies(c.Proxies.Doors); err != nil {
		bad("proxies.doors", "%v", err)
	}
	if _, err := httpx.ParseProxies(c.Proxies.Clients); err != nil {
		bad("proxies.clients", "%v", err)
	}
}

func (c config) checkRest(bad complaint) {
	if c.MaxStale < time.Second {
		bad("max_stale", "must be at least 1s")
	}
	if !slices.Contains([]string{"json", "text"}, c.Log.Format) {
		bad("log.format", "must be json or text")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level", "must be debug, info, warn or error")
	}
}

// complaint adds a fault.
type complaint func(key, format string, args ...any)

func (c config) checkBaseURL(bad complaint) {
	u, err := url.Parse(c.BaseURL)
	switch {
	case c.BaseURL == "":
		bad("base_url", "is required: the console's address as people type it, for example https://desk.example.com")
	case err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "":
		bad("base_url", "must be scheme://host or scheme://host:port and nothing more")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		bad("base_url", "must begin with https; http is allowed on loopback only, since cookies would travel in the clear")
	case u.Scheme != "http" && u.Scheme != "https":
		bad("base_url", "must begin with https")
	}
}

func (c config) checkListen(bad complaint) {
	seen := make(map[string]string)
	gateway := c.Listen.Gateway
	if len(c.Gateway.Upstreams) == 0 {
		gateway = ":0" // it does not listen
	}
	for _, l := range []struct{ key, address string }{
		{"listen.people", c.Listen.People},
		{"listen.doors", c.Listen.Doors},
		{"listen.envoy", c.Listen.Envoy},
		{"listen.gateway", gateway},
		{"listen.operations", c.Listen.Operations},
	} {
		if !isAddress(l.address) {
			bad(l.key, "%q is no address; write host:port or :port", l.address)
		} else if other := seen[l.address]; other != "" && !strings.HasSuffix(l.address, ":0") {
			bad(l.key, "is the address of %s as well", other)
		}
		seen[l.address] = l.key
	}
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 0 && n <= 65535
}

func (c config) checkGateway(bad complaint) {
	if c.Gateway.URL != "" {
		u, err := url.Parse(c.Gateway.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
			bad("gateway.url", "must be scheme://host or scheme://host:port and nothing more")
		}
	}
	for _, u := range c.Gateway.Upstreams {
		if !isAddress(u) || strings.HasPrefix(u, ":") || strings.HasSuffix(u, ":0") {
			bad("gateway.upstreams", "%q is no host:port", u)
		}
	}
	if c.Gateway.MaxBody < 1 {
		bad("gateway.max_body", "must be 1 or more")
	}
}

func (c config) checkMail(bad complaint) {
	if _, err := mail.ParseAddress(c.Mail.From); err != nil {
		bad("mail.from", "must be an e-mail address")
	}
	switch {
	case c.Mail.User != "" && c.Mail.PasswordFile == "":
		bad("mail.user", "goes together with mail.password_file")
	case c.Mail.User == "" && c.Mail.PasswordFile != "":
		bad("mail.password_file", "goes together with mail.user")
	case c.Mail.PasswordFile != "":
		if raw, err := os.ReadFile(c.Mail.PasswordFile); err != nil {
			bad("mail.password_file", "cannot be read: %v", reason(err))
		} else if strings.TrimSpace(string(raw)) == "" {
			bad("mail.password_file", "is empty")
		}
	}
	if !slices.Contains([]string{"starttls", "implicit", "none"}, c.Mail.TLS) {
		bad("mail.tls", "must be starttls, implicit or none")
	}
	switch {
	case c.Mail.Folder != "" && c.Mail.Server != "":
		bad("mail.folder", "excludes mail.server")
	case c.Mail.Folder == "" && c.Mail.Server == "":
		bad("mail.server", "is required, host:port of an SMTP server, or mail.folder: invitations and password links are sent by e-mail")
	case c.Mail.Server != "":
		host, _, err := net.SplitHostPort(c.Mail.Server)
		if err != nil || host == "" || !isAddress(c.Mail.Server) {
			bad("mail.server", "%q is no host:port", c.Mail.Server)
		} else if c.Mail.TLS == "none" && !loopback(host) {
			bad("mail.tls", "none is allowed on loopback only")
		}
	}
}

// reason is why a file could not be read, without its path, which the key has named already.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// beside makes the paths of a configuration file relative to the folder it is in.
func (c config) beside(file string) config {
	rel := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(filepath.Dir(file), path)
	}
	if path, ok := strings.CutPrefix(c.Database, "sqlite:"); ok && !strings.HasPrefix(path, ":") { // what check refuses stays as it is
		c.Database = "sqlite:" + rel(path)
	}
	c.KeyFile, c.Mail.Folder, c.Mail.PasswordFile = rel(c.KeyFile), rel(c.Mail.Folder), rel(c.Mail.PasswordFile)
	c.Authority.CredentialFile = rel(c.Authority.CredentialFile)
	for _, p := range []*pairConfig{&c.TLS.People, &c.TLS.Doors, &c.TLS.Gateway} {
		p.CertFile, p.KeyFile = rel(p.CertFile), rel(p.KeyFile)
	}
	for i := range c.Nodes {
		c.Nodes[i].SecretFile = rel(c.Nodes[i].SecretFile)
	}
	for i := range c.Introspection {
		c.Introspection[i].SecretFile = rel(c.Introspection[i].SecretFile)
	}
	return c
}
