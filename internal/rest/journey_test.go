package rest_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/examples/catalogue"
	"counterfoil.dev/counterfoil/internal/authority"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func code(err error) api.Code {
	var refusal *api.Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func TestALifeOfAToken(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	c := w.zero(agency, w.every(agency)...)

	offer := must[api.Offer](t)(c.GetOffer(ctx))
	if len(offer.Brands) != 1 || offer.Brands[0].ID != brand || len(offer.APIs) < 2 {
		t.Errorf("offer: %+v", offer.Brands)
	}
	made := must[api.TokenIssued](t)(c.CreateToken(ctx, api.TokenCreate{
		Name: "Nightly reports", Description: "Reads reports.", API: "agency", Version: "2", Scopes: []string{"jobs.list-jobs"},
		DeveloperEmails: []string{"dev@example.com"}, Reach: api.ReachList, Brands: []int64{brand},
	}, ""))
	if made.AuthToken == nil || made.Token.State != api.StateEnabled || made.Token.Version != "2" || made.Seq == 0 || made.Token.PrimaryContact == nil {
		t.Fatalf("%+v", made)
	}
	sid := made.Token.SID
	itself := w.client(sid, *made.AuthToken)
	who := must[api.Whoami](t)(itself.Whoami(ctx))
	if who.SID != sid || who.Account != agency || who.Zero || who.Name != "Nightly reports" {
		t.Errorf("whoami: %+v", who)
	}
	if got := must[api.Token](t)(c.GetToken(ctx, sid)); got.Name != made.Token.Name || got.CreatedBy == "" || got.Reach != api.ReachList {
		t.Errorf("get: %+v", got)
	}

	name := "Nightly exports"
	edited := must[api.TokenChanged](t)(c.EditToken(ctx, sid, api.TokenEdit{Name: &name, Revision: made.Token.Revision}))
	if edited.Token.Name != name || edited.Seq <= made.Seq {
		t.Errorf("edit: %+v", edited)
	}
	if _, err := c.EditToken(ctx, sid, api.TokenEdit{Name: &name, Revision: made.Token.Revision}); code(err) != api.CodeConflict {
		t.Errorf("an edit of what another changed: %v", err)
	}
	if _, err := itself.Whoami(ctx); err != nil {
		t.Errorf("an edit ended the secret: %v", err)
	}

	reset := must[api.TokenIssued](t)(c.ResetToken(ctx, sid, api.TokenReset{}))
	if reset.AuthToken == nil || *reset.AuthToken == *made.AuthToken {
		t.Fatal("reset gave no new secret")
	}
	if _, err := itself.Whoami(ctx); code(err) != api.CodeInvalidToken {
		t.Errorf("the old secret after a reset: %v", err)
	}
	itself = w.client(sid, *reset.AuthToken)

	if got := must[api.TokenChanged](t)(c.DisableToken(ctx, sid, api.Why{Why: "on leave"})); got.Token.State != api.StateDisabled || got.Token.StateWhy != "on leave" {
		t.Errorf("disable: %+v", got.Token)
	}
	if _, err := itself.Whoami(ctx); code(err) != api.CodeTokenDisabled {
		t.Errorf("whoami of a disabled token: %v", err)
	}
	if got := must[api.TokenIssued](t)(c.EnableToken(ctx, sid, api.TokenEnable{})); got.AuthToken != nil || got.Token.State != api.StateEnabled {
		t.Errorf("enable: %+v", got)
	}
	if _, err := itself.Whoami(ctx); err != nil {
		t.Errorf("enabled again: %v", err)
	}

	plan := must[api.UpgradePlan](t)(c.PlanUpgrade(ctx, sid, "", ""))
	if plan.From != "2" || plan.To != "3" {
		t.Errorf("plan: %+v", plan)
	}
	upgraded := must[api.TokenChanged](t)(c.UpgradeToken(ctx, sid, api.TokenUpgrade{}))
	if upgraded.Token.Version != "3" {
		t.Errorf("upgrade: %+v", upgraded.Token)
	}

	twin := must[api.TokenIssued](t)(c.DuplicateToken(ctx, sid, api.TokenDuplicate{Name: "Twin"}, ""))
	if twin.AuthToken == nil || twin.Token.SID == sid || !cmp.Equal(twin.Token.Pins, upgraded.Token.Pins) {
		t.Errorf("duplicate: %+v", twin.Token)
	}
	list := must[api.TokenList](t)(c.ListTokens(ctx, api.TokenFilter{Search: "TWIN", State: api.StateEnabled, API: "agency", Version: "3", CreatedSince: time.Now().Add(-time.Hour)}))
	if list.Total != 1 || len(list.Items) != 1 || list.Items[0].SID != twin.Token.SID {
		t.Errorf("list: %+v", list)
	}
	must[api.TokenChanged](t)(c.DeleteToken(ctx, sid, api.Why{Why: "done"}))
	if _, err := c.GetToken(ctx, sid); code(err) != api.CodeNotFound {
		t.Errorf("a deleted token: %v", err)
	}
	if _, err := itself.Whoami(ctx); code(err) != api.CodeInvalidToken {
		t.Errorf("whoami of a deleted token: %v", err)
	}
}

func TestPagesHoldEachTokenOnce(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		w.accessToken(n, "jobs.get-job")
	}
	c := w.zero(agency, "tokens.list-tokens")
	var names []string
	f := api.TokenFilter{Limit: 2}
	for {
		page := must[api.TokenList](t)(c.ListTokens(ctx, f))
		for _, item := range page.Items {
			names = append(names, item.Name)
		}
		if page.Next == "" {
			break
		}
		f.Cursor = page.Next
	}
	if want := []string{"e", "d", "c", "b", "a"}; !cmp.Equal(names, want) {
		t.Errorf("%v", names)
	}
	if _, err := c.ListTokens(ctx, api.TokenFilter{Cursor: "made-up"}); code(err) != api.CodeInvalid {
		t.Errorf("a made-up cursor: %v", err)
	}
}

func TestACreateThatIsSentTwiceIsOne(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	c := w.zero(agency, w.every(agency)...)
	in := api.TokenCreate{Name: "Once", Scopes: []string{"jobs.get-job"}}

	var wait sync.WaitGroup
	answers := make([]api.TokenIssued, 8)
	for i := range answers {
		wait.Go(func() {
			var err error
			if answers[i], err = c.CreateToken(ctx, in, "key-1"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	secrets := 0
	for _, a := range answers {
		if a.Token.SID != answers[0].Token.SID {
			t.Errorf("two tokens: %s, %s", a.Token.SID, answers[0].Token.SID)
		}
		if a.AuthToken != nil {
			secrets++
		} else if !a.Replayed || !strings.Contains(a.Note, "reset") {
			t.Errorf("a replay does not say so: %+v", a)
		}
	}
	if secrets != 1 {
		t.Errorf("the secret was shown %d times", secrets)
	}
	other := in
	other.Scopes = []string{"jobs.list-jobs"}
	if _, err := c.CreateToken(ctx, other, "key-1"); code(err) != api.CodeIdempotencyUsed {
		t.Errorf("the key with another body: %v", err)
	}
	if _, err := w.zero(agency, w.every(agency)...).CreateToken(ctx, in, "key-1"); code(err) != api.CodeInvalid {
		t.Errorf("another caller's key is a key of its own, so the name is taken: %v", err)
	}

	_, secret := w.zeroToken(agency, w.every(agency)...)
	body := `{"name":"Wire","scopes":["jobs.get-job"]}`
	first := w.send("POST", "/api/v1/tokens", secret, body, "Idempotency-Key", "k")
	second := w.send("POST", "/api/v1/tokens", secret, body, "Idempotency-Key", "k")
	if first.status != http.StatusCreated || second.status != http.StatusOK || !strings.Contains(second.body, `"auth_token":null`) {
		t.Errorf("%d, then %d %s", first.status, second.status, second.body)
	}
	sid := answers[0].Token.SID
	twin := must[api.TokenIssued](t)(c.DuplicateToken(ctx, sid, api.TokenDuplicate{Name: "Twin"}, "key-2"))
	again := must[api.TokenIssued](t)(c.DuplicateToken(ctx, sid, api.TokenDuplicate{Name: "Twin"}, "key-2"))
	if twin.Token.SID != again.Token.SID || again.AuthToken != nil || !again.Replayed {
		t.Errorf("a duplicate sent twice: %+v", again)
	}
}

func TestPeopleOfAnAccount(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	c := w.zero(agency, w.every(agency)...)
	m := must[api.Member](t)(c.InviteMember(ctx, api.MemberInvite{Email: "bo@northwind.example", Name: "Bo", Role: api.RoleSpecialist}))
	if m.Role != api.RoleSpecialist || m.Joined != nil {
		t.Errorf("%+v", m)
	}
	if err := c.ResendInvitation(ctx, m.Person); err != nil {
		t.Error(err)
	}
	analyst, allow := api.RoleAnalyst, true
	if got := must[api.Member](t)(c.EditMember(ctx, m.Person, api.MemberEdit{Role: &analyst, AllowSensitive: &allow})); got.Role != analyst || !got.AllowSensitive {
		t.Errorf("%+v", got)
	}
	if list := must[api.Page[api.Member]](t)(c.ListMembers(ctx)); len(list.Items) != 2 {
		t.Errorf("%+v", list)
	}
	if err := c.RemoveMember(ctx, m.Person); err != nil {
		t.Error(err)
	}
	if err := c.RemoveMember(ctx, m.Person); code(err) != api.CodeNotFound {
		t.Errorf("removed twice: %v", err)
	}
}

func TestAccountsOfAnOperator(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	c := w.zero(0, w.every(0)...)
	a := must[api.Account](t)(c.CreateAccount(ctx, api.AccountCreate{ID: 3001, Kind: api.KindBrand, Name: "Red Brand"}))
	name, days := "Red Brand Ltd", int64(30)
	if got := must[api.Account](t)(c.EditAccount(ctx, a.ID, api.AccountEdit{Name: &name, ExpiryMax: &days, Revision: a.Revision})); got.Name != name || *got.ExpiryMax != 30 {
		t.Errorf("%+v", got)
	}
	if list := must[api.Page[api.Account]](t)(c.ListAccounts(ctx, api.AccountFilter{Search: "red", Kind: api.KindBrand, Limit: 1})); len(list.Items) != 1 || list.Next != "" {
		t.Errorf("%+v", list)
	}
	must[api.Done](t)(c.CreateManagement(ctx, api.ManagementCreate{Agency: agency, Brand: a.ID}))
	if links := must[api.Page[api.Management]](t)(c.ListManagement(ctx, agency)); len(links.Items) != 2 {
		t.Errorf("%+v", links)
	}
	must[api.Done](t)(c.EndManagement(ctx, agency, a.ID))
	if _, err := c.EndManagement(ctx, agency, a.ID); code(err) != api.CodeNotFound {
		t.Errorf("ended twice: %v", err)
	}
	if _, err := c.ListManagement(ctx, 4242); code(err) != api.CodeNotFound {
		t.Errorf("links of no account: %v", err)
	}

	withheld := api.WithheldScope{API: "agency", Scope: "jobs.get-job"}
	if err := c.WithholdScope(ctx, agency, withheld); err != nil {
		t.Fatal(err)
	}
	if got := must[api.Account](t)(c.GetAccount(ctx, agency)); !cmp.Equal(got.Withheld, []api.WithheldScope{withheld}) {
		t.Errorf("%+v", got.Withheld)
	}
	mine := w.zero(agency, w.every(agency)...)
	if _, err := mine.CreateToken(ctx, api.TokenCreate{Name: "x", Scopes: []string{"jobs.get-job"}}, ""); code(err) != api.CodeInvalid {
		t.Errorf("a withheld scope was given: %v", err)
	}
	// Names that OpenAPI documents give may hold a colon.
	if err := c.WithholdScope(ctx, agency, api.WithheldScope{API: "agency", Scope: "block_storage:read"}); code(err) != api.CodeInvalid {
		t.Errorf("a scope with a colon: %v", err)
	}
	if err := c.ReleaseScope(ctx, agency, withheld); err != nil {
		t.Fatal(err)
	}

	if got := must[api.AccountChanged](t)(c.SuspendAccount(ctx, agency, api.Why{Why: "unpaid"})); got.Account.Suspended == nil || got.Seq == 0 {
		t.Errorf("%+v", got)
	}
	if _, err := mine.Whoami(ctx); code(err) != api.CodeAccountSuspended {
		t.Errorf("a token of a suspended account: %v", err)
	}
	if got := must[api.AccountChanged](t)(c.ResumeAccount(ctx, agency)); got.Account.Suspended != nil {
		t.Errorf("%+v", got)
	}
	if _, err := mine.Whoami(ctx); err != nil {
		t.Errorf("resumed: %v", err)
	}
}

func TestPublishingACatalogue(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	c := w.zero(0, w.every(0)...)
	before := must[api.CatalogueState](t)(c.GetCatalogue(ctx))
	if before.Hash == "" || len(before.APIs) == 0 {
		t.Fatalf("%+v", before)
	}
	files := fstest.MapFS{}
	for _, name := range []string{"catalog.yaml", "agency/v3/jobs.yaml"} {
		data, err := catalogue.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	broken := must[[]byte](t)(authority.DocumentsFrom(files)) // documents that the file names are missing
	diff := must[api.CatalogDiff](t)(c.DiffCatalogue(ctx, api.CatalogUpload{Documents: broken}))
	if !diff.Fatal {
		t.Errorf("%+v", diff.APIs)
	}
	if _, err := c.PublishCatalogue(ctx, api.CatalogUpload{Documents: broken}); code(err) != api.CodeInvalid {
		t.Errorf("a fatal catalogue: %v", err)
	}
	whole := must[[]byte](t)(authority.DocumentsFrom(catalogue.FS))
	if _, err := c.PublishCatalogue(ctx, api.CatalogUpload{Documents: whole, Hash: "of another day"}); code(err) != api.CodeConflict {
		t.Errorf("over a catalogue that is not live: %v", err)
	}
	same := must[api.CatalogDiff](t)(c.PublishCatalogue(ctx, api.CatalogUpload{Documents: whole, Hash: before.Hash}))
	if same.NewHash != before.Hash || len(same.Changes) != 0 {
		t.Errorf("%+v", same.Changes)
	}
	if _, err := c.DiffCatalogue(ctx, api.CatalogUpload{Documents: []byte("no archive")}); code(err) != api.CodeInvalid {
		t.Errorf("no archive: %v", err)
	}
}

func TestHistoryIsReadVerifiedAndExported(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	c := w.zero(agency, w.every(agency)...)
	made := must[api.TokenIssued](t)(c.CreateToken(ctx, api.TokenCreate{Name: "=HYPERLINK(\"x\")", Scopes: []string{"jobs.get-job"}}, ""))
	list := must[api.Page[api.HistoryEvent]](t)(c.ListHistory(ctx, api.HistoryFilter{Action: "token.create", Subject: made.Token.SID}))
	if len(list.Items) != 1 || list.Items[0].Token == "" || list.Items[0].Address != "127.0.0.1" || list.Items[0].Request == "" || list.Items[0].Account != agency {
		t.Fatalf("%+v", list)
	}
	first := must[api.Page[api.HistoryEvent]](t)(c.ListHistory(ctx, api.HistoryFilter{Limit: 1}))
	next := must[api.Page[api.HistoryEvent]](t)(c.ListHistory(ctx, api.HistoryFilter{Limit: 1, Cursor: first.Next}))
	if first.Items[0].Seq <= next.Items[0].Seq {
		t.Errorf("%d, then %d", first.Items[0].Seq, next.Items[0].Seq)
	}

	var table, lines bytes.Buffer
	if err := c.ExportHistory(ctx, api.HistoryFilter{}, "csv", &table); err != nil {
		t.Fatal(err)
	}
	rows := must[[][]string](t)(csv.NewReader(&table).ReadAll())
	for _, row := range rows {
		for _, cell := range row {
			if strings.HasPrefix(cell, "=") {
				t.Errorf("a cell is a formula: %q", cell)
			}
		}
	}
	if err := c.ExportHistory(ctx, api.HistoryFilter{}, "jsonl", &lines); err != nil {
		t.Fatal(err)
	}
	exported := strings.Split(strings.TrimSpace(lines.String()), "\n")
	if len(exported) != len(rows)-1 {
		t.Errorf("%d lines, %d rows", len(exported), len(rows)-1)
	}
	for _, line := range exported {
		if !json.Valid([]byte(line)) || strings.Contains(line, "Other Agency") {
			t.Errorf("%s", line)
		}
	}
	var none bytes.Buffer
	if err := c.ExportHistory(ctx, api.HistoryFilter{Subject: "nobody"}, "jsonl", &none); err != nil || none.Len() != 0 {
		t.Errorf("an empty export: %q, %v", none.String(), err)
	}
	if err := c.ExportHistory(ctx, api.HistoryFilter{All: true}, "jsonl", &none); code(err) != api.CodeForbidden {
		t.Errorf("everybody's history: %v", err)
	}
	if _, err := c.ListHistory(ctx, api.HistoryFilter{All: true}); code(err) != api.CodeForbidden {
		t.Errorf("everybody's history: %v", err)
	}
	if _, err := c.VerifyHistory(ctx); code(err) != api.CodeInsufficientScope {
		t.Errorf("verified by an account: %v", err)
	}
	op := w.zero(0, w.every(0)...)
	chain := must[api.ChainVerified](t)(op.VerifyHistory(ctx))
	if chain.Broken != 0 || chain.Events == 0 || int64(chain.Seq) != chain.Events {
		t.Errorf("%+v", chain)
	}
	all := must[api.Page[api.HistoryEvent]](t)(op.ListHistory(ctx, api.HistoryFilter{All: true, Limit: 200}))
	if len(all.Items) <= len(exported) {
		t.Errorf("%d events of all, %d of one account", len(all.Items), len(exported))
	}
}
