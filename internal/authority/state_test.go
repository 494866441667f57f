package authority_test

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/store"
)

func TestDisableAndEnable(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made := w.create(w.admin, agency, wants("Switched", harmless...)).Token
	secrets := w.digests(made.SID)
	off, err := w.DisableToken(ctx, w.specialist, agency, made.SID, "moved house")
	if err != nil || off.Token.State != api.StateDisabled || off.Token.StateWhy != "moved house" || off.Token.StateBy != "sam" || off.Token.StateLocked {
		t.Fatalf("%+v, %v", off.Token, err)
	}
	_, err = w.DisableToken(ctx, w.admin, agency, made.SID, "again")
	refused(t, err, api.CodeConflict)
	on, err := w.EnableToken(ctx, w.trusted, agency, made.SID, api.TokenEnable{})
	if err != nil || on.Secret.Reveal() != "" || on.Token.State != api.StateEnabled || on.Token.StateWhy != "" {
		t.Fatalf("%+v, %v", on.Token, err)
	}
	if diff := cmp.Diff(secrets, w.digests(made.SID)); diff != "" {
		t.Errorf("the secret changed:\n%s", diff)
	}
	_, err = w.EnableToken(ctx, w.trusted, agency, made.SID, api.TokenEnable{})
	refused(t, err, api.CodeConflict)
	if _, err := w.DisableToken(ctx, w.admin, agency, made.SID, ""); err != nil {
		t.Fatal(err)
	}
	fresh, err := w.EnableToken(ctx, w.specialist, agency, made.SID, api.TokenEnable{Reset: true})
	if err != nil || fresh.Secret.Reveal() == "" || fresh.Token.State != api.StateEnabled {
		t.Fatalf("%+v, %v", fresh.Token, err)
	}
	if live := w.digests(made.SID); len(live) != 1 || live[0] == secrets[0] {
		t.Errorf("live %v", live)
	}
	_, err = w.DisableToken(ctx, w.admin, agency, made.SID, strings.Repeat("x", 501))
	refused(t, err, api.CodeInvalid, "why")
}

// What an operator disabled comes back to an account user only with a new secret, whatever the account
// user did before, and does after.
func TestWhatTheOperatorDisabledNeedsAReset(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for name, before := range map[string]func(sid string){
		"an enabled token": func(string) {},
		// The attack: somebody who expects the operator disables the token first, so that the operator's
		// act finds nothing to do, and enables it again with the old secret.
		"one that its account had disabled first": func(sid string) {
			if _, err := w.DisableToken(ctx, w.admin, agency, sid, "mine"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			made := w.create(w.admin, agency, wants(name, harmless...)).Token
			secrets := w.digests(made.SID)
			before(made.SID)
			off, err := w.DisableToken(ctx, w.operator, agency, made.SID, "abuse")
			if err != nil || !off.Token.StateLocked || off.Token.StateWhy != "abuse" || off.Token.StateBy != "Olive Operator" {
				t.Fatalf("%+v, %v", off.Token, err)
			}
			_, err = w.DisableToken(ctx, w.operator, agency, made.SID, "again")
			refused(t, err, api.CodeConflict)
			_, err = w.DisableToken(ctx, w.admin, agency, made.SID, "mine now") // would take the lock away
			refused(t, err, api.CodeConflict)
			if got := w.token(made.SID); !got.StateLocked || got.StateWhy != "abuse" {
				t.Errorf("%+v", got)
			}
			_, err = w.EnableToken(ctx, w.admin, agency, made.SID, api.TokenEnable{})
			refused(t, err, api.CodeForbidden)
			// A reset by itself does not enable it, and does not unlock it.
			if _, err := w.ResetToken(ctx, w.admin, agency, made.SID, 0); err != nil {
				t.Fatal(err)
			}
			_, err = w.EnableToken(ctx, w.admin, agency, made.SID, api.TokenEnable{})
			refused(t, err, api.CodeForbidden)
			if got := w.token(made.SID); got.State != api.StateDisabled {
				t.Errorf("%+v", got)
			}
			on, err := w.EnableToken(ctx, w.admin, agency, made.SID, api.TokenEnable{Reset: true})
			if err != nil || on.Token.State != api.StateEnabled || on.Token.StateLocked || w.digests(made.SID)[0] == secrets[0] {
				t.Errorf("%+v, %v", on.Token, err)
			}
			// The operator may take it back without.
			if _, err := w.DisableToken(ctx, w.operator, agency, made.SID, ""); err != nil {
				t.Fatal(err)
			}
			if on, err := w.EnableToken(ctx, w.operator, agency, made.SID, api.TokenEnable{}); err != nil || on.Secret.Reveal() != "" || on.Token.StateLocked {
				t.Errorf("%+v, %v", on.Token, err)
			}
		})
	}
}

// A token that leaked is not laundered by disabling it oneself and enabling it again.
func TestALeakedTokenIsNotLaundered(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made := w.create(w.admin, agency, wants("Leaked", harmless...)).Token
	if _, err := w.db.Act(ctx, func(tx *store.Tx) error {
		_, err := tx.SetTokenState(ctx, store.SetTokenStateParams{
			Account: agency, SID: made.SID, State: string(api.StateLeaked), At: w.now().UnixMicro(), ByName: "a leak report", Locked: 1,
		})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := w.DisableToken(ctx, w.admin, agency, made.SID, "")
	refused(t, err, api.CodeConflict)
	_, err = w.EnableToken(ctx, w.admin, agency, made.SID, api.TokenEnable{})
	refused(t, err, api.CodeForbidden)
	if got := w.token(made.SID); got.State != api.StateLeaked || !got.StateLocked {
		t.Errorf("%+v", got)
	}
	if out, err := w.EnableToken(ctx, w.admin, agency, made.SID, api.TokenEnable{Reset: true}); err != nil || out.Secret.Reveal() == "" {
		t.Error(err)
	}
}

func TestADeletedTokenIsGoneAndItsHistoryStays(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made := w.create(w.admin, agency, wants("Gone", harmless...)).Token
	out, err := w.DeleteToken(ctx, w.specialist, agency, made.SID, "no longer needed")
	if err != nil || out.Token.State != api.StateDeleted {
		t.Fatalf("%+v, %v", out.Token, err)
	}
	if len(w.digests(made.SID)) != 0 || len(w.list()) != 0 {
		t.Error("something of it is live")
	}
	for _, err := range []error{
		func() error { _, err := w.DeleteToken(ctx, w.admin, agency, made.SID, ""); return err }(),
		func() error {
			_, err := w.EnableToken(ctx, w.operator, agency, made.SID, api.TokenEnable{Reset: true})
			return err
		}(),
	} {
		refused(t, err, api.CodeNotFound)
	}
	page, err := w.History(ctx, w.analyst, agency, authority.HistoryQuery{Subject: made.SID})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("%d events: %v", len(page.Items), err)
	}
}

// Every act is in the history with who, what and from where; the chain holds, and a spreadsheet runs
// nothing of it (SECURITY.md, class 38c).
func TestTheHistoryTellsEveryAct(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	before := w.head()
	made := w.create(w.admin, agency, wants(`=HYPERLINK("x")`, harmless...)).Token
	steps := []struct {
		action audit.Action
		do     func() error
	}{
		{audit.EditToken, func() error {
			_, err := w.edit(w.specialist, made.SID, api.TokenEdit{Description: ptr("+1\n@x")})
			return err
		}},
		{audit.ResetToken, func() error { _, err := w.ResetToken(ctx, w.trusted, agency, made.SID, 0); return err }},
		{audit.DisableToken, func() error { _, err := w.DisableToken(ctx, w.operator, agency, made.SID, "why so"); return err }},
		{audit.EnableToken, func() error {
			_, err := w.EnableToken(ctx, w.admin, agency, made.SID, api.TokenEnable{Reset: true})
			return err
		}},
		{audit.UpgradeToken, func() error {
			_, err := w.UpgradeToken(ctx, w.admin, agency, made.SID, api.TokenUpgrade{Version: "4"})
			return err
		}},
		{audit.DeleteToken, func() error { _, err := w.DeleteToken(ctx, w.admin, agency, made.SID, ""); return err }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.action, err)
		}
	}
	page, err := w.History(ctx, w.analyst, agency, authority.HistoryQuery{Subject: made.SID})
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, e := range page.Items {
		got = append(got, e.Action)
		if e.Subject != made.SID || e.Name != `=HYPERLINK("x")` || e.Who == "" || e.Address == "" || e.Request == "" || e.Account != agency || e.Words == "" {
			t.Errorf("%+v", e)
		}
	}
	for i := len(steps) - 1; i >= 0; i-- {
		want = append(want, string(steps[i].action))
	}
	if diff := cmp.Diff(append(want, string(audit.CreateToken)), got); diff != "" {
		t.Error(diff)
	}
	if w.head() != before+7 {
		t.Errorf("%d positions for 7 acts", w.head()-before)
	}
	if e := page.Items[len(page.Items)-4]; e.Who != "Olive Operator" || len(e.Details) != 1 || e.Details[0].After != "why so" {
		t.Errorf("%+v", e)
	}
}

// The history leaves the house as a sheet that runs nothing (SECURITY.md, class 38c), is read in pages that
// fit together, and is verified as a whole by the operator alone.
func TestTheHistoryIsExportedPagedAndVerified(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, name := range []string{`=HYPERLINK("x")`, "+1", "-1", "@x", `"quoted", and more`} {
		sid := w.create(w.admin, agency, wants(name, harmless...)).Token.SID
		if _, err := w.edit(w.admin, sid, api.TokenEdit{Description: ptr("=1+1\n@x")}); err != nil {
			t.Fatal(err)
		}
	}
	var sheet bytes.Buffer
	if err := w.ExportHistory(ctx, w.analyst, agency, authority.HistoryQuery{}, "csv", &sheet); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&sheet).ReadAll()
	if err != nil || len(rows) < 8 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
	refused(t, w.ExportHistory(ctx, w.analyst, agency, authority.HistoryQuery{}, "xlsx", &sheet), api.CodeInvalid, "format")

	// Pages fit together, filters filter, and only the operator sees everything.
	var paged []api.Seq
	q := authority.HistoryQuery{Limit: 3}
	for {
		page, err := w.History(ctx, w.analyst, agency, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			paged = append(paged, e.Seq)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	for i := 1; i < len(paged); i++ {
		if paged[i] >= paged[i-1] {
			t.Fatalf("pages overlap: %v", paged)
		}
	}
	if n := len(rows) - 1; n != len(paged) {
		t.Errorf("the export has %d events, the pages %d", n, len(paged))
	}
	_, err = w.History(ctx, w.admin, agency, authority.HistoryQuery{All: true})
	refused(t, err, api.CodeForbidden)
	_, err = w.History(ctx, w.admin, agency, authority.HistoryQuery{Cursor: "x"})
	refused(t, err, api.CodeInvalid, "cursor")
	_, err = w.VerifyHistory(ctx, w.admin)
	refused(t, err, api.CodeForbidden)
	chain, err := w.VerifyHistory(ctx, w.operator)
	if err != nil || chain.Broken != 0 || chain.Events != w.head() || int64(chain.Seq) != w.head() || len(chain.Hash) != 64 {
		t.Errorf("%+v, %v", chain, err)
	}
}

// The secret is shown once and is nowhere (SECURITY.md, class 43): not in the database, in no form, also
// when somebody sends it as a user agent.
func TestNoSecretIsKeptAnywhere(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var secrets []string
	keep := func(out authority.Issued, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, out.Secret.Reveal())
		return out.Token.SID
	}
	sid := keep(w.create(w.admin, agency, wants("A", harmless...)), nil)
	keep(w.CreateToken(ctx, w.admin, agency, wants("B"), authority.Once{Key: "k"}))
	d, err := w.BeginDraft(ctx, w.admin, agency, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	keep(w.CreateToken(ctx, w.admin, agency, wants("C"), authority.Once{Draft: d.ID}))
	keep(w.DuplicateToken(ctx, w.admin, agency, sid, api.TokenDuplicate{Name: "D"}, authority.Once{}))
	keep(w.ResetToken(ctx, w.admin, agency, sid, 0))
	if _, err := w.DisableToken(ctx, w.admin, agency, sid, ""); err != nil {
		t.Fatal(err)
	}
	keep(w.EnableToken(ctx, w.admin, agency, sid, api.TokenEnable{Reset: true}))
	keep(w.CreateToken(ctx, w.operator, 0, api.TokenCreate{Name: "Zero", API: authority.ZeroAPI, Scopes: []string{"tokens.list-tokens"}}, authority.Once{}))

	agent := w.admin
	agent.Agent = "curl -H " + secrets[0]
	if _, err := w.EditToken(ctx, agent, agency, sid, api.TokenEdit{Description: ptr("x"), Revision: w.token(sid).Revision}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Read().Head(ctx); err != nil {
		t.Fatal(err)
	}
	all := w.everywhere()
	for i, s := range secrets {
		_, rest, _ := strings.Cut(s, "_")
		part := rest[22:65]
		for name, form := range map[string]string{
			"the secret": part, "in base64": base64.StdEncoding.EncodeToString([]byte(part))[:56], "in hex": hex.EncodeToString([]byte(part)),
			"Basic": base64.StdEncoding.EncodeToString([]byte(rest[:22] + ":" + s))[32:100], "escaped": url.QueryEscape(part),
		} {
			if strings.Contains(all, form) {
				t.Errorf("secret %d is in the database: %s", i, name)
			}
		}
		if !strings.Contains(all, rest[:22]) {
			t.Errorf("SID %d is not in the database: this test looks in the wrong place", i)
		}
	}
}
