package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/internal/token"
)

// TestEveryFaultOfWhoMayAskIsTold: of nodes, resource servers, certificates, and of a verifier's authority.
func TestEveryFaultOfWhoMayAskIsTold(t *testing.T) {
	dir := t.TempDir()
	for name, kind := range map[string]token.Kind{"node": token.Node, "other.node": token.Node, "rs": token.Introspection, "access": token.Access} {
		secret, _, _, err := token.DefaultPrefix.Mint(kind, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret.Reveal()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const (
		desk     = "base_url: http://127.0.0.1:8080\nmail: {folder: mail}\n"
		verifier = "authority: {url: \"https://desk.example.com\", credential_file: node}\n"
		digest   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	)
	for name, c := range map[string]struct {
		text string
		says string // "" for none
	}{
		"nodes":                    {desk + "nodes: [{name: a, secret_file: node}, {name: b, digest: " + digest + "}]\n", ""},
		"resource servers":         {desk + "introspection:\n  - {id: a, secret_file: rs, apis: [agency]}\n", ""},
		"a verifier":               {verifier + "introspection: [{id: a, secret_file: rs, apis: [agency]}]\n", ""},
		"a node without a secret":  {desk + "nodes: [{name: a}]\n", "line 3: nodes: item 1: needs digest or secret_file"},
		"a node with both":         {desk + "nodes: [{name: a, secret_file: node, digest: " + digest + "}]\n", "and not both"},
		"a node without a name":    {desk + "nodes: [{secret_file: node}]\n", "name must be"},
		"a node called serve":      {desk + "nodes: [{name: serve, secret_file: node}]\n", "beside the desk"},
		"a node with capitals":     {desk + "nodes: [{name: Edge, secret_file: node}]\n", "name must be"},
		"two nodes of one name":    {desk + "nodes: [{name: a, secret_file: node}, {name: a, secret_file: other.node}]\n", "item 2: the name or the credential"},
		"one secret for two nodes": {desk + "nodes: [{name: a, secret_file: node}, {name: b, secret_file: node}]\n", "item 2: the name or the credential"},
		"a node with a token":      {desk + "nodes: [{name: a, secret_file: access}]\n", "holds no node credential"},
		"a node without a file":    {desk + "nodes: [{name: a, secret_file: nowhere}]\n", "cannot be read"},
		"a node with a bad digest": {desk + "nodes: [{name: a, digest: 00}]\n", "64 characters"},
		"a misspelt key":           {desk + "nodes:\n  - {name: a, secret: node}\n", "line 4: there is no key"},
		"a key twice":              {desk + "nodes:\n  - {name: a, name: b, secret_file: node}\n", "name is there already"},
		"a name that is a list":    {desk + "nodes:\n  - {name: [a], secret_file: node}\n", "of another kind"},
		"nodes that are no list":   {desk + "nodes: {name: a}\n", "nodes"},
		"an item that is none":     {desk + "nodes: [a]\n", "must be a list of keys"},
		"a client without APIs":    {desk + "introspection: [{id: a, secret_file: rs}]\n", "apis must name"},
		"a client of one":          {desk + "introspection: [{id: a, secret_file: node, apis: [agency]}]\n", "holds no introspection credential"},
		"a certificate alone":      {desk + "tls: {people: {cert_file: node}}\n", "tls.people.cert_file: goes together with tls.people.key_file"},
		"a key alone":              {desk + "tls: {gateway: {key_file: node}}\n", "tls.gateway.key_file: goes together with"},
		"no certificate":           {desk + "tls: {doors: {cert_file: node, key_file: node}}\n", "tls.doors.cert_file: reading a certificate"},
		"an authority half":        {"authority: {url: \"https://desk.example.com\"}\n", "authority.credential_file: goes together with"},
		"an authority's other":     {"authority: {credential_file: node}\n", "authority.url: goes together with"},
		"digests in the clear":     {"authority: {url: \"http://desk.example.com\", credential_file: node}\n", "authority.url: must begin with https"},
		"more than an address":     {"authority: {url: \"https://desk.example.com/x\", credential_file: node}\n", "and nothing more"},
		"a token for an authority": {"authority: {url: \"https://desk.example.com\", credential_file: access}\n", "holds no node credential"},
		"no file":                  {"authority: {url: \"https://desk.example.com\", credential_file: nowhere}\n", "cannot be read"},
		"a verifier's database":    {verifier + "database: sqlite:x\n", "line 2: database: is for counterfoil serve"},
		"a verifier's mail":        {verifier + "mail: {folder: mail}\n", "line 2: mail: is for counterfoil serve"},
		"a verifier's nodes":       {verifier + "nodes: [{name: a, secret_file: node}]\n", "nodes: is for counterfoil serve"},
		"a verifier's limit":       {verifier + "max_stale: 0s\n", "max_stale: must be"},
		"a verifier's proxies":     {verifier + "proxies: {doors: [0.0.0.0/0]}\n", "proxies.doors"},
		"a verifier's address":     {verifier + "listen: {envoy: x}\n", "listen.envoy"},
	} {
		_, err := parseConfig([]byte(c.text), filepath.Join(dir, "config.yaml"))
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: want %q in: %v", name, c.says, err)
		}
		if err != nil && strings.Contains(err.Error(), "cfoilnode_") {
			for _, file := range []string{"node", "access", "rs"} {
				raw, readErr := os.ReadFile(filepath.Join(dir, file))
				if readErr != nil || strings.Contains(err.Error(), strings.TrimSpace(string(raw))) {
					t.Errorf("%s: the fault holds a credential: %v", name, readErr)
				}
			}
		}
	}
}
