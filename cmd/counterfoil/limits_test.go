package main

import (
	"net/http"
	"testing"

	"counterfoil.dev/counterfoil/api"
)

var (
	isUsedUp   = answer{http.StatusTooManyRequests, api.CodeQuotaExceeded}
	isTooQuick = answer{http.StatusTooManyRequests, api.CodeRateLimited}
	isAbroad   = answer{http.StatusForbidden, api.CodeAddressNotAllowed}
)

// Calls that were counted stay counted, whatever becomes of the program: a quota that a restart renews is no
// quota (SECURITY.md, 3.2).
func TestAQuotaOutlivesTheProgram(t *testing.T) {
	folder, base := t.TempDir(), freePorts(t)
	d := startDemo(t, folder, base)
	ctx := t.Context()
	issue := func(name string, l api.Limits) (sid, secret string) {
		t.Helper()
		made, err := d.client(d.file.ManagementToken).CreateToken(ctx, api.TokenCreate{Name: name, Scopes: []string{"advertisers.list-advertisers"}, Limits: &l}, "")
		if err != nil {
			t.Fatal(err)
		}
		return made.Token.SID, *made.AuthToken
	}
	counted := func(sid string, calls int64) {
		t.Helper()
		eventually(t, func() (api.Token, bool) {
			got, err := d.client(d.file.ManagementToken).GetToken(ctx, sid)
			if err != nil {
				t.Fatal(err)
			}
			return got, got.Calls >= calls
		})
	}
	want := func(sid, secret string, w answer) {
		t.Helper()
		if got := d.atGateway(t, sid, secret, "/Advertisers"); got != w {
			t.Errorf("answered %v, want %v", got, w)
		}
	}
	sid, secret := issue("Three a month", api.Limits{Monthly: 3})
	want(sid, secret, passes)
	want(sid, secret, passes)
	counted(sid, 2)
	d.kill()
	d = startDemo(t, folder, base)
	want(sid, secret, passes) // the third
	want(sid, secret, isUsedUp)
	if got := d.atDoor(t, sid, secret, "/Advertisers"); got != isUsedUp {
		t.Errorf("the door beside answers %v", got)
	}
	counted(sid, 3)
	d.stop()
	d = startDemo(t, folder, base)
	want(sid, secret, isUsedUp)

	// More is in force at once, and what was used stays used.
	now, err := d.client(d.file.ManagementToken).GetToken(ctx, sid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.client(d.file.ManagementToken).EditToken(ctx, sid, api.TokenEdit{Limits: &api.Limits{Monthly: 4}, Revision: now.Revision}); err != nil {
		t.Fatal(err)
	}
	want(sid, secret, passes)
	want(sid, secret, isUsedUp)

	sid, secret = issue("One an hour", api.Limits{Rate: &api.Rate{Calls: 1, Per: api.PerHour}})
	want(sid, secret, passes)
	want(sid, secret, isTooQuick)
	sid, secret = issue("Elsewhere", api.Limits{Allow: []string{"192.0.2.0/24"}})
	want(sid, secret, isAbroad)
}
