package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"counterfoil.dev/counterfoil/api"
)

// halves are the ways in which something could be half-made, as queries that must find nothing. They are
// asked of the file itself, past the program.
var halves = map[string]string{
	"a live token without a secret":       `SELECT sid FROM token WHERE state <> 'deleted' AND sid NOT IN (SELECT sid FROM secret)`,
	"a token with two secrets":            `SELECT sid FROM secret GROUP BY sid HAVING count(*) > 1`,
	"a deleted token with a secret":       `SELECT sid FROM token WHERE state = 'deleted' AND sid IN (SELECT sid FROM secret)`,
	"a secret without a token":            `SELECT sid FROM secret WHERE sid NOT IN (SELECT sid FROM token)`,
	"a token without its event":           `SELECT sid FROM token WHERE (SELECT count(*) FROM event WHERE subject = sid AND action = 'token.create') <> 1`,
	"an event without its token":          `SELECT subject FROM event WHERE action LIKE 'token.%' AND subject NOT IN (SELECT sid FROM token)`,
	"a deleted token without that event":  `SELECT sid FROM token WHERE state = 'deleted' AND (SELECT count(*) FROM event WHERE subject = sid AND action = 'token.delete') <> 1`,
	"an idempotency key without a token":  `SELECT key FROM idempotency WHERE sid NOT IN (SELECT sid FROM token)`,
	"a spent draft without its token":     `SELECT id FROM draft WHERE sid IS NOT NULL AND sid NOT IN (SELECT sid FROM token)`,
	"an unspent draft with a token":       `SELECT d.id FROM draft d JOIN token k ON k.name = json_extract(d.body, '$.name') WHERE d.sid IS NULL AND d.account = k.account AND k.name <> ''`,
	"an event that the feed skips":        `SELECT seq FROM event WHERE seq NOT IN (SELECT seq FROM feed)`,
	"a feed entry without an event":       `SELECT seq FROM feed WHERE seq NOT IN (SELECT seq FROM event)`,
	"a gap in the log":                    `SELECT seq FROM log WHERE seq <> (SELECT count(*) FROM event) OR seq <> (SELECT max(seq) FROM event)`,
	"a head that is not the last event's": `SELECT seq FROM log WHERE hash <> (SELECT e.hash FROM event e ORDER BY e.seq DESC LIMIT 1)`,
	"a broken reference":                  `SELECT "table" FROM pragma_foreign_key_check`,
}

// inspect looks for what is half-made; wholly also walks the audit chain and every page of the file.
func inspect(t *testing.T, d *demonstration, wholly bool) {
	t.Helper()
	file := url.URL{Scheme: "file", Opaque: url.PathEscape(filepath.Join(d.folder, "counterfoil.db")), RawQuery: "mode=ro"}
	db, err := sql.Open("sqlite", file.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for what, query := range halves {
		var found string
		if err := db.QueryRowContext(t.Context(), query).Scan(&found); err == nil {
			t.Errorf("there is %s: %s", what, found)
		} else if !errors.Is(err, sql.ErrNoRows) {
			t.Fatalf("looking for %s: %v", what, err)
		}
	}
	if !wholly {
		return
	}
	var verdict string
	if err := db.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the file: %s (%v)", verdict, err)
	}
	chain, err := d.client(d.file.OperatorToken).VerifyHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if chain.Broken != 0 || chain.Events == 0 {
		t.Errorf("the audit chain: %+v", chain)
	}
}

// wizardHand is an account user who makes tokens in the wizard, signed in through all kills.
type wizardHand struct {
	browser *browser
	serial  int
	trying  string // the name of a token whose wizard was cut off
	made    []demoToken
	whole   int
	undone  int
}

func (w *wizardHand) act(t *testing.T) bool {
	w.serial++
	w.trying = fmt.Sprintf("Wizard %d", w.serial)
	sid, secret, err := w.browser.wizard(w.trying, "agency.advertisers", "agency/3/advertisers.list-advertisers")
	if err != nil {
		if !cut(err) {
			t.Error(err)
		}
		return false
	}
	w.made, w.trying = append(w.made, demoToken{Name: w.trying, SID: sid, AuthToken: secret}), ""
	return true
}

// settle demands that every secret which was shown works, and that the wizard that was cut off left one
// token or none.
func (w *wizardHand) settle(t *testing.T, d *demonstration, all bool) {
	t.Helper()
	if w.trying != "" {
		page, err := d.client(d.file.ManagementToken).ListTokens(t.Context(), api.TokenFilter{Search: w.trying})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, x := range page.Items {
			if x.Name == w.trying {
				n++
			}
		}
		switch n {
		case 0:
			w.undone++
		case 1:
			w.whole++
		default:
			t.Errorf("the wizard made %d tokens %q", n, w.trying)
		}
		w.trying = ""
	}
	for i, one := range w.made {
		if all || i > len(w.made)-100 {
			if got := d.atDoor(t, one.SID, one.AuthToken, "/Advertisers"); got != passes {
				t.Errorf("%q, whose secret was shown: %s", one.Name, got)
			}
		}
	}
	w.browser.open(d.file.Console + tokensPath) // the session outlives the process
	w.browser.expect(http.StatusOK, "Create Access Token")
}
