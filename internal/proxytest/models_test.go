package proxytest_test

import (
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/internal/proxytest"
)

// leadsNowhere are attacks that lead to no operation of the catalogue, so that no model can take them for one.
var leadsNowhere = map[string]bool{"PATH-052": true, "PATH-054": true, "SHAPE-027": true}

// TestTheModelsSeeTheAttacks: had the attacks on paths passed, the backend models would have said so. Without
// this a model that reads nothing wrong would prove everything.
func TestTheModelsSeeTheAttacks(t *testing.T) {
	w := newWorld(t)
	seen, blind := 0, []string{}
	for i := range w.c.Cases {
		one := &w.c.Cases[i]
		if one.Parsed == nil || one.Expected.Decision != "deny" || !strings.HasPrefix(one.ID, "PATH-") && !strings.HasPrefix(one.ID, "SHAPE-") {
			continue
		}
		r := &proxytest.Seen{Method: one.Parsed.Method, Target: w.c.Spell(t, one, one.Parsed.Target)}
		if proxytest.Misread(w.c, w.c.Token(one.Token), "16", r) == "" {
			blind = append(blind, one.ID)
			continue
		}
		seen++
	}
	if seen < 30 {
		t.Errorf("only %d attacks were looked at", seen)
	}
	for _, id := range blind {
		if !leadsNowhere[id] {
			t.Errorf("no model takes %s for what it attacks", id)
		}
	}
	sid := w.c.Token("TOK_READ").SID
	for _, fine := range []string{"/Agencies/" + sid + "/Actions", "/Agencies/" + sid + "/Actions/1001?a=/../Invoices"} {
		if how := proxytest.Misread(w.c, w.c.Token("TOK_READ"), "16", &proxytest.Seen{Method: "GET", Target: fine}); how != "" {
			t.Errorf("%s is misread: %s", fine, how)
		}
	}
}
