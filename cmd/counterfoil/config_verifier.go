package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/rest"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// tlsConfig has a certificate for each listener that is not on loopback by nature.
type tlsConfig struct {
	People  pairConfig `yaml:"people"`
	Doors   pairConfig `yaml:"doors"`
	Gateway pairConfig `yaml:"gateway"`
}

type pairConfig struct {
	CertFile string `yaml:"cert_file" doc:"File with the certificate and its chain (PEM), read again when it is replaced; none: in the clear."`
	KeyFile  string `yaml:"key_file" doc:"File with its key (PEM)."`
}

// authorityConfig is where a verifier of its own finds its authority. With it the file is one of
// `verifier` or `gateway`.
type authorityConfig struct {
	URL            string `yaml:"url" doc:"For counterfoil verifier and counterfoil gateway: address of the desk whose feed is followed; https, or http on loopback."`
	CredentialFile string `yaml:"credential_file" doc:"File with the node credential."`
}

// credential is one that somebody presents: we keep its digest, or read it from a file.
type credential struct {
	Digest     string
	SecretFile string
}

// nodeConfig is a verifier elsewhere that may follow the feed.
type nodeConfig struct {
	Name string
	credential
}

// UnmarshalYAML reads name with digest or secret_file, and nothing else.
func (n *nodeConfig) UnmarshalYAML(node *yaml.Node) error {
	return readItem(node, map[string]any{"name": &n.Name, "digest": &n.Digest, "secret_file": &n.SecretFile})
}

// clientConfig is a resource server that may ask about tokens.
type clientConfig struct {
	ID   string
	APIs []string
	credential
}

// UnmarshalYAML reads id and apis with digest or secret_file, and nothing else.
func (c *clientConfig) UnmarshalYAML(node *yaml.Node) error {
	return readItem(node, map[string]any{"id": &c.ID, "apis": &c.APIs, "digest": &c.Digest, "secret_file": &c.SecretFile})
}

// readItem reads one item of a list. A misspelt key is refused as everywhere.
func readItem(node *yaml.Node, into map[string]any) error {
	var wrong yaml.TypeError
	complain := func(line int, format string, args ...any) {
		wrong.Errors = append(wrong.Errors, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
	}
	if node.Kind != yaml.MappingNode {
		complain(node.Line, "must be a list of keys with values")
		return &wrong
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		target, known := into[key.Value]
		switch {
		case !known:
			complain(key.Line, "there is no key %q in an item", key.Value)
		case seen[key.Value]:
			complain(key.Line, "%s is there already", key.Value)
		case value.Decode(target) != nil:
			complain(value.Line, "%s has a value of another kind", key.Value)
		}
		seen[key.Value] = true
	}
	if len(wrong.Errors) > 0 {
		return &wrong
	}
	return nil
}

// read is the digest of a credential of a kind. The error says nothing of what the file holds.
func (c credential) read(prefix token.Prefix, kind token.Kind) (token.Digest, error) {
	switch {
	case (c.Digest == "") == (c.SecretFile == ""):
		return token.Digest{}, errors.New("needs digest or secret_file, and not both")
	case c.Digest != "":
		digest, err := token.ParseDigest(c.Digest)
		if err != nil {
			return token.Digest{}, errors.New("digest must be 64 characters of lower-case hex, as counterfoil credential prints it")
		}
		return digest, nil
	}
	secret, err := readSecret(c.SecretFile)
	if err != nil {
		return token.Digest{}, fmt.Errorf("secret_file cannot be read: %w", reason(err))
	}
	parsed, fault := prefix.Parse(secret.Reveal())
	if fault != token.NoFault || parsed.Kind != kind {
		return token.Digest{}, fmt.Errorf("secret_file holds no %s, which begins with %s", kind, prefix.Of(kind))
	}
	return parsed.Digest(), nil
}

// readSecret reads a credential from a file.
func readSecret(path string) (token.Secret, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return token.Secret{}, err
	}
	return token.Hold(strings.TrimSpace(string(raw))), nil
}

// plainName says what ids of nodes and clients may look like, so that they need no escaping anywhere.
func plainName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// nodes are those that may follow the feed.
func (c config) nodes(prefix token.Prefix) ([]rest.Node, error) {
	var out []rest.Node
	var errs []error
	for i, n := range c.Nodes {
		digest, err := n.read(prefix, token.Node)
		twice := slices.ContainsFunc(out, func(o rest.Node) bool { return o.Name == n.Name || o.Digest.Equal(digest) })
		switch {
		case !plainName(n.Name):
			err = errors.New("name must be lower-case letters, digits, dots and hyphens, at most 64; nodes of its own are called serve")
		case n.Name == nodeName:
			err = errors.New("serve is the name of the verifier beside the desk")
		case err == nil && twice:
			err = errors.New("the name or the credential is that of an item before it: every node has its own")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("item %d: %w", i+1, err))
			continue
		}
		out = append(out, rest.Node{Name: n.Name, Digest: digest})
	}
	return out, errors.Join(errs...)
}

// clients are the resource servers that may ask about tokens.
func (c config) clients(prefix token.Prefix) (verify.Clients, error) {
	var out verify.Clients
	var errs []error
	for i, one := range c.Introspection {
		digest, err := one.read(prefix, token.Introspection)
		twice := slices.ContainsFunc(out, func(o verify.Client) bool { return o.ID == one.ID || o.Digest.Equal(digest) })
		switch {
		case !plainName(one.ID):
			err = errors.New("id must be lower-case letters, digits, dots and hyphens, at most 64")
		case len(one.APIs) == 0 || slices.Contains(one.APIs, ""):
			err = errors.New("apis must name the APIs about whose tokens it may know")
		case err == nil && twice:
			err = errors.New("the id or the credential is that of an item before it")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("item %d: %w", i+1, err))
			continue
		}
		out = append(out, verify.Client{ID: one.ID, Digest: digest, APIs: one.APIs})
	}
	return out, errors.Join(errs...)
}

// checkCredentials judges what is in lists. Items have no keys of their own, so each list has one fault.
func (c config) checkCredentials(bad complaint, prefix token.Prefix) {
	if _, err := c.nodes(prefix); err != nil {
		bad("nodes", "%s", oneLine(err))
	}
	if _, err := c.clients(prefix); err != nil {
		bad("introspection", "%s", oneLine(err))
	}
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func (c config) checkTLS(bad complaint) {
	for _, p := range []struct {
		key string
		pairConfig
	}{{"tls.people", c.TLS.People}, {"tls.doors", c.TLS.Doors}, {"tls.gateway", c.TLS.Gateway}} {
		switch {
		case p.CertFile == "" && p.KeyFile == "":
		case p.CertFile == "":
			bad(p.key+".key_file", "goes together with %s.cert_file", p.key)
		case p.KeyFile == "":
			bad(p.key+".cert_file", "goes together with %s.key_file", p.key)
		default:
			if _, err := httpx.LoadCertificate(p.CertFile, p.KeyFile, nil); err != nil {
				bad(p.key+".cert_file", "%v", err)
			}
		}
	}
}

// ofTheDesk are keys that a verifier of its own does not have: what it needs of them it hears from the
// authority, and a key without an effect would be a guard that is not there.
var ofTheDesk = []string{"database", "key_file", "prefix", "mail", "expiry", "nodes", "listen.people", "tls.people", "gateway.url"}

// isVerifier says that the file is one of `verifier` or `gateway`.
func (c config) isVerifier() bool { return c.Authority != authorityConfig{} }

// checkVerifier is check for a verifier of its own.
func (c config) checkVerifier() faults {
	var out faults
	bad := func(key, format string, args ...any) {
		out = append(out, fault{key: key, text: fmt.Sprintf(format, args...)})
	}
	if c.BaseURL != "" {
		c.checkBaseURL(bad)
	}
	prefix := token.Prefix("")
	u, err := url.Parse(c.Authority.URL)
	switch {
	case c.Authority.URL == "":
		bad("authority.url", "goes together with authority.credential_file")
	case c.Authority.CredentialFile == "":
		bad("authority.credential_file", "goes together with authority.url")
	case err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "":
		bad("authority.url", "must be scheme://host or scheme://host:port and nothing more")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		bad("authority.url", "must begin with https; http is allowed on loopback only, since digests travel")
	default:
		secret, err := readSecret(c.Authority.CredentialFile)
		if err != nil {
			bad("authority.credential_file", "cannot be read: %v", reason(err))
			break
		}
		remote, err := verify.NewRemote(verify.RemoteConfig{URL: c.Authority.URL, Credential: secret})
		if err != nil {
			bad("authority.credential_file", "holds no node credential, as counterfoil credential makes it")
			break
		}
		prefix = remote.Prefix()
	}
	if prefix != "" {
		c.checkCredentials(bad, prefix)
	}
	c.checkTLS(bad)
	c.checkListen(bad)
	c.checkProxies(bad)
	c.checkGateway(bad)
	c.checkRest(bad)
	return out
}
