package console_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
	"counterfoil.dev/counterfoil/internal/proxytest"
	"counterfoil.dev/counterfoil/internal/verify"
)

// doors runs a verifier beside the desk, as serve does, and its doors.
func (d *desk) doors(t *testing.T) (address string) {
	t.Helper()
	v, err := verify.New(verify.Config{
		Source: d.authority.Feed("serve"), Node: "serve", Prefix: d.authority.Prefix(), Console: d.url, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	d.must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		d.must(<-ended)
	})
	return proxytest.ServeDoors(t, v)
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestTheOperatorTestsAProxy goes through the page: a proxy that is wired well, the same with a line less,
// and what stays of the token that was made for it.
func TestTheOperatorTestsAProxy(t *testing.T) {
	d := newDesk(t)
	doors, mirror := d.doors(t), free(t)
	good := proxytest.FamilyOf(t, "nginx").Start(t, proxytest.Setup{Doors: doors, Upstream: mirror})
	bad := proxytest.FamilyOf(t, "nginx").Start(t, proxytest.Setup{Doors: doors, Upstream: mirror, Edit: func(s string) string {
		return strings.Replace(s, `proxy_set_header Authorization "";`, "", 1)
	}})
	b := d.as(operatorMail)
	b.open(view.PathOperatorCatalogue)
	b.says("Test a proxy")
	fill := url.Values{"url": {"http://" + good.Address}, "host": {proxytest.Host}, "account": {"1001"}, "mirror": {mirror}}
	b.open(view.PathOperatorSelfTest)
	b.press("Test", fill)
	b.says("The proxy is wired well")
	b.saysNot("fault", "not seen")

	fill.Set("url", "http://"+bad.Address)
	b.press("Test", fill)
	b.says("1 fault found", "It came in Authorization", `proxy_set_header Authorization "";`)

	// The token of a run is gone, and the history has both ends of its life.
	if names := d.names(); strings.Contains(names, "Test of a proxy") {
		t.Errorf("tokens that are left: %s", names)
	}
	page, err := d.authority.History(context.Background(), d.actors[operatorMail], agency, authority.HistoryQuery{})
	d.must(err)
	made, deleted := 0, 0
	for _, e := range page.Items {
		switch {
		case !strings.Contains(e.Name, "Test of a proxy"):
		case e.Action == string(audit.CreateToken):
			made++
		case e.Action == string(audit.DeleteToken):
			deleted++
		}
	}
	if made != 2 || deleted != 2 {
		t.Errorf("the history has %d made and %d deleted", made, deleted)
	}

	// Without an account and a mirror: refusals alone.
	b.open(view.PathOperatorSelfTest)
	b.press("Test", url.Values{"url": {"http://" + bad.Address}, "host": {proxytest.Host}})
	b.says("The proxy is wired well")
	b.saysNot("The API never gets the credential")
}

// TestTheProxyTestIsTheOperators: nobody else finds the page, and no field of it is taken unlooked at.
func TestTheProxyTestIsTheOperators(t *testing.T) {
	d := newDesk(t)
	member := d.as(adminMail)
	member.open(view.PathOperatorSelfTest)
	member.status(http.StatusNotFound)

	b := d.as(operatorMail)
	for field, fill := range map[string]url.Values{
		"url":     {"url": {"http://169.254.169.254"}},
		"host":    {"url": {"http://127.0.0.1:9"}},
		"account": {"url": {"http://127.0.0.1:9"}, "host": {proxytest.Host}, "mirror": {"127.0.0.1:9000"}},
		"mirror":  {"url": {"http://127.0.0.1:9"}, "host": {proxytest.Host}, "account": {"1001"}, "mirror": {"192.0.2.1:9000"}},
	} {
		b.open(view.PathOperatorSelfTest)
		b.press("Test", fill)
		b.status(http.StatusUnprocessableEntity)
		if !strings.Contains(b.page.body, `href="#`+field+`"`) {
			t.Errorf("%s is not named: %s", field, b.page.text())
		}
	}
	for _, account := range []string{"x", "0", "-1", "999", "3001"} { // no number; none; a partner, for whom nothing is published
		b.open(view.PathOperatorSelfTest)
		b.press("Test", url.Values{"url": {"http://127.0.0.1:9"}, "host": {proxytest.Host}, "account": {account}})
		b.status(http.StatusUnprocessableEntity)
	}
	if page, err := d.authority.Tokens(context.Background(), d.actors[operatorMail], agency, authority.TokenQuery{}); err != nil || len(page.Items) != 0 {
		t.Errorf("a refused form made a token: %+v %v", page.Items, err)
	}
}
