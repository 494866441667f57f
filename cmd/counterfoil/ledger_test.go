package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
)

// held is a token as it was acknowledged last.
type held struct {
	body    api.TokenCreate // of its creation
	key     string          // idempotency key of its creation
	now     api.Token
	deleted bool
	secret  string   // "" when the answer that held it was cut off
	old     []string // secrets that a later one replaced
	fresh   bool     // changed since it was compared last
}

// tally counts what a hand did.
type tally struct{ acknowledged, whole, undone int }

func (a tally) plus(b tally) tally {
	return tally{a.acknowledged + b.acknowledged, a.whole + b.whole, a.undone + b.undone}
}

// pending is the one act of a hand that no answer came for.
type pending struct {
	what string
	on   *held
	want func(api.Token) api.Token // what the act makes of the token
}

// ledger is a caller of the management API that writes down what was acknowledged. It works on tokens of
// its own, one act after the other, so that it always knows what must be there.
type ledger struct {
	name   string
	random *rand.Rand
	tokens []*held
	serial int
	open   *pending
	tally
}

var scopeChoices = [][]string{{"advertisers.list-advertisers"}, {"company.get-company"}, {"advertisers.list-advertisers", "company.get-company"}}

func (l *ledger) scopes() []string { return scopeChoices[l.random.IntN(len(scopeChoices))] }

// act does one act; false when the connection was cut, or something is wrong.
func (l *ledger) act(ctx context.Context, t *testing.T, c *api.Client) bool {
	var live []*held
	for _, h := range l.tokens {
		if !h.deleted {
			live = append(live, h)
		}
	}
	if len(live) < 3 || l.random.IntN(100) < 30 {
		return l.create(ctx, t, c)
	}
	h := live[l.random.IntN(len(live))]
	switch n := l.random.IntN(100); {
	case n < 30:
		return l.reset(ctx, t, c, h)
	case n < 60:
		return l.edit(ctx, t, c, h)
	case n < 85:
		return l.turn(ctx, t, c, h)
	default:
		p := &pending{what: "delete", on: h, want: func(now api.Token) api.Token { now.State = api.StateDeleted; return now }}
		_, err := c.DeleteToken(ctx, h.now.SID, api.Why{Why: "no longer needed"})
		if !l.done(t, p, err) {
			return false
		}
		h.deleted = true
		return true
	}
}

// done writes down that an act was acknowledged, or that it was cut off.
func (l *ledger) done(t *testing.T, p *pending, err error) bool {
	switch {
	case cut(err):
		l.open = p
		return false
	case err != nil:
		t.Errorf("%s: %s of %q: %v", l.name, p.what, p.on.now.Name, err)
		return false
	}
	l.acknowledged++
	p.on.fresh = true
	return true
}

func (l *ledger) create(ctx context.Context, t *testing.T, c *api.Client) bool {
	l.serial++
	name := fmt.Sprintf("%s, token %d", l.name, l.serial)
	h := &held{key: "key of " + name, body: api.TokenCreate{Name: name, API: "agency", Version: "3", Scopes: l.scopes()}}
	made, err := c.CreateToken(ctx, h.body, h.key)
	if !l.done(t, &pending{what: "create", on: h}, err) {
		return false
	}
	if made.Replayed || made.AuthToken == nil {
		t.Errorf("%s: the first create of %q was taken for a repeat", l.name, name)
		return false
	}
	h.now, h.secret = made.Token, *made.AuthToken
	l.tokens = append(l.tokens, h)
	return true
}

func (l *ledger) reset(ctx context.Context, t *testing.T, c *api.Client, h *held) bool {
	p := &pending{what: "reset", on: h, want: func(now api.Token) api.Token { now.Revision++; return now }}
	made, err := c.ResetToken(ctx, h.now.SID, api.TokenReset{})
	if !l.done(t, p, err) {
		return false
	}
	h.replaced(made)
	return true
}

func (h *held) replaced(made api.TokenIssued) {
	if h.secret != "" {
		h.old = append(h.old, h.secret)
	}
	h.now, h.secret = made.Token, *made.AuthToken
}

func (l *ledger) edit(ctx context.Context, t *testing.T, c *api.Client, h *held) bool {
	l.serial++
	text, scopes := fmt.Sprintf("Edit %d", l.serial), l.scopes()
	p := &pending{what: "edit", on: h, want: func(now api.Token) api.Token {
		now.Description, now.Revision = text, now.Revision+1
		now.Pins = slices.Clone(now.Pins)
		now.Pins[0].Scopes = scopes
		return now
	}}
	got, err := c.EditToken(ctx, h.now.SID, api.TokenEdit{Description: &text, Scopes: &scopes, Revision: h.now.Revision})
	if !l.done(t, p, err) {
		return false
	}
	return l.answered(t, p, got.Token)
}

// turn disables an enabled token, and enables a disabled one.
func (l *ledger) turn(ctx context.Context, t *testing.T, c *api.Client, h *held) bool {
	if h.now.State == api.StateEnabled {
		p := &pending{what: "disable", on: h, want: func(now api.Token) api.Token { now.State, now.Revision = api.StateDisabled, now.Revision+1; return now }}
		got, err := c.DisableToken(ctx, h.now.SID, api.Why{Why: "for a while"})
		if !l.done(t, p, err) {
			return false
		}
		return l.answered(t, p, got.Token)
	}
	p := &pending{what: "enable", on: h, want: func(now api.Token) api.Token { now.State, now.Revision = api.StateEnabled, now.Revision+1; return now }}
	got, err := c.EnableToken(ctx, h.now.SID, api.TokenEnable{})
	if !l.done(t, p, err) {
		return false
	}
	return l.answered(t, p, got.Token)
}

// answered takes the token of an answer for what is acknowledged.
func (l *ledger) answered(t *testing.T, p *pending, got api.Token) bool {
	if diff := cmp.Diff(content(p.want(p.on.now)), content(got)); diff != "" {
		t.Errorf("%s: the answer of %s\n%s", l.name, p.what, diff)
		return false
	}
	p.on.now = got
	return true
}

// settle finds out what became of the act that was cut off, and compares what was acknowledged: the tokens
// that changed since the last time and some others, or all.
func (l *ledger) settle(t *testing.T, d *demonstration, all bool) {
	t.Helper()
	c := d.client(d.file.ManagementToken)
	if l.open != nil {
		if l.open.what == "create" {
			l.settleCreate(t, c, l.open.on)
		} else {
			l.settleChange(t, d, c, l.open)
		}
		l.open = nil
	}
	for _, h := range l.tokens {
		if all || h.fresh || l.random.IntN(10) == 0 {
			l.compare(t, d, c, h)
			h.fresh = false
		}
	}
}

// settleCreate sends the create once more, as a program does that got no answer. Made or not, there is one
// such token now.
func (l *ledger) settleCreate(t *testing.T, c *api.Client, h *held) {
	t.Helper()
	before, err := c.ListTokens(t.Context(), api.TokenFilter{Search: h.body.Name})
	if err != nil {
		t.Fatal(err)
	}
	there := slices.ContainsFunc(before.Items, func(x api.Token) bool { return x.Name == h.body.Name })
	made, err := c.CreateToken(t.Context(), h.body, h.key)
	if err != nil {
		t.Errorf("%s: create of %q, sent again: %v", l.name, h.body.Name, err)
		return
	}
	if made.Replayed != there || (made.AuthToken == nil) != there {
		t.Errorf("%s: %q was there: %v; its create sent again: replayed %v", l.name, h.body.Name, there, made.Replayed)
	}
	h.now, h.fresh = made.Token, true
	l.tokens = append(l.tokens, h)
	if there {
		l.whole++
		reset, err := c.ResetToken(t.Context(), h.now.SID, api.TokenReset{}) // as the answer tells to do
		if err != nil {
			t.Errorf("%s: reset after a replay: %v", l.name, err)
			return
		}
		h.replaced(reset)
		return
	}
	l.undone++
	h.secret = *made.AuthToken
}

// settleChange demands the token as it was or as the act makes it, and nothing between.
func (l *ledger) settleChange(t *testing.T, d *demonstration, c *api.Client, p *pending) {
	t.Helper()
	h := p.on
	h.fresh = true
	got, err := c.GetToken(t.Context(), h.now.SID)
	if errors.Is(err, &api.Error{Code: api.CodeNotFound}) && p.what == "delete" {
		l.whole++
		h.deleted = true
		return
	} else if err != nil {
		t.Errorf("%s: after a cut-off %s: %v", l.name, p.what, err)
		return
	}
	want := p.want(h.now)
	switch {
	case cmp.Equal(content(got), content(h.now)):
		l.undone++
		return
	case p.what != "delete" && cmp.Equal(content(got), content(want)):
		l.whole++
	default:
		t.Errorf("%s: a cut-off %s left something between.\nBefore:\n%s\nAfter:\n%s", l.name, p.what, cmp.Diff(h.now, got), cmp.Diff(want, got))
		return
	}
	h.now = got
	if p.what == "reset" { // the new secret went with the answer; the old one is over
		h.old, h.secret = append(h.old, h.secret), ""
		l.compare(t, d, c, h)
		made, err := c.ResetToken(t.Context(), h.now.SID, api.TokenReset{})
		if err != nil {
			t.Errorf("%s: reset after a cut-off reset: %v", l.name, err)
			return
		}
		h.replaced(made)
	}
}

// content is a token without what its use and the clock write on it.
func content(x api.Token) api.Token {
	x.FirstCall, x.LastUse, x.Calls = nil, nil, 0
	x.StateSince, x.StateBy, x.StateWhy = x.Created, "", ""
	return x
}

// compare demands what was acknowledged: of the API and at a door.
func (l *ledger) compare(t *testing.T, d *demonstration, c *api.Client, h *held) {
	t.Helper()
	got, err := c.GetToken(t.Context(), h.now.SID)
	expected := passes
	switch {
	case h.deleted:
		expected = notKnown
		if !errors.Is(err, &api.Error{Code: api.CodeNotFound}) {
			t.Errorf("%s: %q was deleted, and is %+v (%v)", l.name, h.now.Name, got, err)
		}
	case err != nil:
		t.Errorf("%s: an acknowledged token is lost: %q: %v", l.name, h.now.Name, err)
	default:
		if diff := cmp.Diff(content(h.now), content(got)); diff != "" {
			t.Errorf("%s: %q is not as acknowledged:\n%s", l.name, h.now.Name, diff)
		}
		if h.now.State == api.StateDisabled {
			expected = isDisabled
		} else if !slices.Contains(h.now.Pins[0].Scopes, "advertisers.list-advertisers") {
			expected = boxMissing
		}
		again, err := c.CreateToken(t.Context(), h.body, h.key)
		if err != nil || !again.Replayed || again.AuthToken != nil || again.Token.SID != h.now.SID {
			t.Errorf("%s: the create of %q sent again: %+v (%v)", l.name, h.now.Name, again, err)
		}
	}
	if h.secret != "" {
		if got := d.atDoor(t, h.now.SID, h.secret, "/Advertisers"); got != expected {
			t.Errorf("%s: the last acknowledged secret of %q: %s, want %s", l.name, h.now.Name, got, expected)
		}
	}
	for _, old := range h.old {
		if got := d.atDoor(t, h.now.SID, old, "/Advertisers"); got != notKnown {
			t.Errorf("%s: a replaced secret of %q: %s", l.name, h.now.Name, got)
		}
	}
}
