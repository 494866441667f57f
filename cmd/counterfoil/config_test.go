package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// whole is a configuration without faults, to which tests add one.
const whole = "base_url: https://desk.example.com\nmail: {folder: mail}\n"

func TestEveryFaultIsToldAtOnceWithItsLine(t *testing.T) {
	tests := map[string]struct {
		file string
		want []string
	}{
		"nothing is configured": {"", []string{
			"base_url: is required: the console's address as people type it, for example https://desk.example.com",
			"mail.server: is required, host:port of an SMTP server, or mail.folder: invitations and password links are sent by e-mail",
		}},
		"comments alone": {"# base_url: https://desk.example.com\n", []string{
			"base_url: is required: the console's address as people type it, for example https://desk.example.com",
			"mail.server: is required, host:port of an SMTP server, or mail.folder: invitations and password links are sent by e-mail",
		}},
		"unknown keys, at the top and below": {whole + "prefx: abc\nlisten:\n  people: :8080\n  door: :1\n", []string{
			"line 3: prefx: there is no such key",
			"line 6: listen.door: there is no such key",
		}},
		"a secret in the file is not repeated": {whole + "password: hunter2\n", []string{"line 3: password: there is no such key"}},
		"the same key twice":                   {whole + "prefix: abc\nprefix: abd\n", []string{"line 4: prefix: is there already, on line 3"}},
		"values of a wrong kind": {whole + "expiry:\n  default: many\nmax_stale: soon\nproxies: 3\nlog: [json]\nlisten: {people: {}}\ngateway: {upstreams: a}\n", []string{
			"line 4: expiry.default: must be a whole number",
			"line 5: max_stale: must be a time such as 90s or 15m",
			"line 6: proxies: must hold keys of its own",
			"line 7: log: must hold keys of its own",
			"line 8: listen.people: must be text",
			"line 9: gateway.upstreams: must be a list of texts",
		}},
		"plain http beyond loopback": {"base_url: http://desk.example.com\nmail: {folder: mail}\n", []string{
			"line 1: base_url: must begin with https; http is allowed on loopback only, since cookies would travel in the clear",
		}},
		"a base URL with a slash": {"base_url: https://desk.example.com/\nmail: {folder: mail}\n", []string{
			"line 1: base_url: must be scheme://host or scheme://host:port and nothing more",
		}},
		"half of a pair": {"base_url: https://desk.example.com\nmail:\n  server: mx:25\n  user: me\n", []string{
			"line 4: mail.user: goes together with mail.password_file",
		}},
		"a password that cannot be read": {"base_url: https://desk.example.com\nmail:\n  server: mx:25\n  user: me\n  password_file: none\n", []string{
			"line 5: mail.password_file: cannot be read: no such file or directory",
		}},
		"mail in the clear": {"base_url: https://desk.example.com\nmail: {server: 'mx:25', tls: none}\n", []string{
			"line 2: mail.tls: none is allowed on loopback only",
		}},
		"everything at once": {
			"base_url: ftp://x\ndatabase: postgres://me:hunter2@db/x\nkey_file: ''\nprefix: A\nlisten: {people: 8080, doors: ':1', gateway: ':1'}\n" +
				"proxies:\n  doors: [nonsense]\n  clients: [10.0.0.0/99]\nmail: {from: x, folder: a, server: 'b:1', tls: maybe}\n" +
				"expiry: {default: 400, max: 30}\ngateway: {url: here, upstreams: [':80'], max_body: 0}\nmax_stale: 1ms\nlog: {format: xml, level: loud}\n",
			[]string{
				"line 1: base_url: must begin with https",
				"line 2: database: must be sqlite:PATH",
				"line 3: key_file: must name a file",
				"line 4: prefix: ",
				`line 5: listen.gateway: is the address of listen.doors as well`,
				`line 5: listen.people: "8080" is no address; write host:port or :port`,
				"line 7: proxies.doors: ",
				"line 8: proxies.clients: ",
				"line 9: mail.folder: excludes mail.server",
				"line 9: mail.from: must be an e-mail address",
				"line 9: mail.tls: must be starttls, implicit or none",
				"line 10: expiry.default: must be from 1 to expiry.max, which is 30",
				"line 11: gateway.max_body: must be 1 or more",
				`line 11: gateway.upstreams: ":80" is no host:port`,
				"line 11: gateway.url: must be scheme://host or scheme://host:port and nothing more",
				"line 12: max_stale: must be at least 1s",
				"line 13: log.format: must be json or text",
				"line 13: log.level: must be debug, info, warn or error",
			},
		},
		"no mapping":    {"- a\n", []string{"line 1: must be keys with values"}},
		"two documents": {whole + "---\nprefix: abc\n", []string{"the file holds more than one YAML document, and only one would count"}},
		"no YAML":       {"a: [\n", []string{"line 1: did not find expected node content"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseConfig([]byte(test.file), filepath.Join(t.TempDir(), "counterfoil.yaml"))
			if err == nil {
				t.Fatal("no fault was found")
			}
			got := strings.Split(err.Error(), "\n  ")
			for i, want := range test.want {
				// What another package says is its own matter: there the key and the line are compared.
				if strings.HasSuffix(want, ": ") && i < len(got) && strings.HasPrefix(got[i], want) {
					got[i] = want
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a fault repeats a secret")
			}
		})
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	folder := t.TempDir()
	c, err := parseConfig([]byte(whole+"database: sqlite:data/a.db\nkey_file: /etc/key\n"), filepath.Join(folder, "counterfoil.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Database, c.KeyFile, c.Mail.Folder, c.Mail.PasswordFile}
	if diff := cmp.Diff([]string{"sqlite:" + filepath.Join(folder, "data/a.db"), "/etc/key", filepath.Join(folder, "mail"), ""}, got); diff != "" {
		t.Error(diff)
	}
}

// The example that operators copy has no faults.
func TestTheExampleOfTheDocumentationIsRight(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "operate", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("docs/operate/configuration.md shows no example")
	}
	if _, err := parseConfig([]byte(example), filepath.Join(t.TempDir(), "counterfoil.yaml")); err != nil {
		t.Error(err)
	}
}

// The page that operators read is made from the tags of the struct.
func TestTheTableOfKeysIsTheProgram(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "operate", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "<!-- keys")
	table, _, closed := strings.Cut(rest, "<!-- end of keys -->")
	_, table, begun := strings.Cut(table, "-->\n")
	if !ok || !closed || !begun {
		t.Fatal("docs/operate/configuration.md has lost its marks")
	}
	var want bytes.Buffer
	if err := keyTable(&want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), strings.TrimLeft(strings.TrimSuffix(table, "\n"), "\n")); diff != "" {
		t.Errorf("program (-), page (+); run: make generate\n%s", diff)
	}
}

// The tags that the table shows are the defaults that hold, and every key is explained.
func TestTheDefaultsThatAreShownHold(t *testing.T) {
	var shown config
	for _, k := range configKeys() {
		if k.meaning == "" || !strings.HasSuffix(k.meaning, ".") {
			t.Errorf("%s is not explained", k.path)
		}
		if k.value == "" {
			continue
		}
		section, key, nested := strings.Cut(k.path, ".")
		text := section + ": " + quoted(k.value)
		if nested {
			text = section + ": {" + key + ": " + quoted(k.value) + "}"
		}
		if err := yaml.Unmarshal([]byte(text), &shown); err != nil {
			t.Errorf("%s: %v", k.path, err)
		}
	}
	if diff := cmp.Diff(defaultConfig(), shown); diff != "" {
		t.Errorf("defaults (-), tags (+)\n%s", diff)
	}
	if n := len(configKeys()); n >= 40 {
		t.Errorf("%d keys; fewer than 40 was the promise", n)
	}
	if k := reflect.TypeFor[config]().NumField(); k == 0 || defaultConfig().MaxStale != 15*time.Minute {
		t.Error("the struct was not read")
	}
}

func quoted(value string) string {
	if strings.Contains(value, ":") {
		return "'" + value + "'"
	}
	return value
}

func TestServeDoesNotStartWithFaults(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "counterfoil.yaml")
	if err := os.WriteFile(file, []byte("base_url: http://desk.example.com\nlissten: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"serve", "--config", file}, {"config", "check", file}} {
		code, faults := start(t, command...).exited(readyWithin)
		if code != exitRefused {
			t.Errorf("%v: exit %d", command, code)
		}
		for _, want := range []string{file, "line 1: base_url", "line 2: lissten: there is no such key", "mail.server"} {
			if !strings.Contains(faults, want) {
				t.Errorf("%v does not say %q:\n%s", command, want, faults)
			}
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Errorf("a start that was refused left %v", left)
	}
}
