package authority_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/store"
)

// outbox opens what is waiting to be sent to an address, in the order in which it was put there.
func (w *world) outbox(to string) []store.Message {
	w.t.Helper()
	rows, err := w.db.Read().DueOutbox(w.t.Context(), store.DueOutboxParams{Now: 1 << 60, N: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortStableFunc(rows, func(a, b store.Outbox) int { return int(a.CreatedAt - b.CreatedAt) })
	var out []store.Message
	for _, r := range rows {
		if r.Recipient != to {
			continue
		}
		m, err := store.OpenMessage(r, w.key.Open)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func (w *world) membersOf(by authority.Actor, account int64) map[string]api.Member {
	w.t.Helper()
	list, err := w.Members(w.t.Context(), by, account)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]api.Member{}
	for _, m := range list {
		out[m.Email] = m
	}
	return out
}

func TestAnInvitationIsSentWithTheActAndSealed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	m, err := w.InviteMember(ctx, w.admin, agency, api.MemberInvite{Email: " Ivy@People.Example ", Name: "Ivy", Role: api.RoleAnalyst})
	if err != nil || m.Active() || m.Email != "Ivy@people.example" || m.Role != api.RoleAnalyst {
		t.Fatalf("%+v, %v", m, err)
	}
	sent := w.outbox("Ivy@people.example")
	if len(sent) != 1 {
		t.Fatalf("%d messages", len(sent))
	}
	got := sent[0]
	if got.Kind != store.MessageInvitation || got.To != "Ivy@people.example" || got.Values["inviter"] != "ada" || got.Values["account"] != "Account 4711" || got.Values["days"] != "7" {
		t.Errorf("%+v", got)
	}
	link, ok := strings.CutPrefix(got.Values["link"], "https://desk.platform.example/invitation?key=")
	if !ok || len(link) < 26 {
		t.Fatalf("link %q", got.Values["link"])
	}
	if strings.Contains(w.everywhere(), link) {
		t.Error("the link is in the database, in clear")
	}
	// A second invitation makes the first link worthless.
	w.pass(1000)
	if err := w.Reinvite(ctx, w.admin, agency, m.Person); err != nil {
		t.Fatal(err)
	}
	spend := func(secret string) (n int64) {
		at := w.now().UnixMicro()
		if _, err := w.db.Act(ctx, func(tx *store.Tx) (err error) {
			n, err = tx.SpendLink(ctx, store.SpendLinkParams{Digest: store.LinkDigest(secret), Purpose: store.LinkInvitation, At: &at})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if spend(link) != 0 {
		t.Error("the older link still works")
	}
	newer := w.outbox("Ivy@people.example")
	if len(newer) != 2 || spend(strings.TrimPrefix(newer[1].Values["link"], "https://desk.platform.example/invitation?key=")) != 1 {
		t.Errorf("the newer link of %d does not work", len(newer))
	}
	w.join(agency, m.Person)
	refused(t, w.Reinvite(ctx, w.admin, agency, m.Person), api.CodeConflict)
	refused(t, w.Reinvite(ctx, w.admin, agency, "nobody"), api.CodeNotFound)
	_, err = w.InviteMember(ctx, w.admin, agency, api.MemberInvite{Email: "IVY@people.example", Name: "Ivy", Role: api.RoleAnalyst})
	refused(t, err, api.CodeConflict)
	for field, in := range map[string]api.MemberInvite{
		"email": {Email: "ivy", Name: "Ivy", Role: api.RoleAnalyst}, "name": {Email: "x@people.example", Name: "I\nvy", Role: api.RoleAnalyst},
		"role": {Email: "x@people.example", Name: "Ivy", Role: "owner"},
	} {
		_, err := w.InviteMember(ctx, w.admin, agency, in)
		refused(t, err, api.CodeInvalid, field)
	}
}

// SECURITY.md, class 41a: who invites an address learns nothing of whether, and under which name, it is
// known in another account; not from the answer, and not from the list afterwards.
func TestAnInvitationDoesNotTellWhoIsKnownElsewhere(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	robs := w.membersOf(w.rivalAdmin, rival)["rob@people.example"]
	if _, err := w.db.Act(ctx, func(tx *store.Tx) error {
		at := w.now().UnixMicro()
		return tx.SetDisabled(ctx, store.SetDisabledParams{ID: robs.Person, At: &at})
	}); err != nil {
		t.Fatal(err)
	}
	reinvited := func(person string) string {
		if err := w.Reinvite(ctx, w.admin, agency, person); err != nil {
			t.Fatal(err)
		}
		page, err := w.History(ctx, w.admin, agency, authority.HistoryQuery{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return page.Items[0].Name
	}
	see := func(email string) string {
		m, err := w.InviteMember(ctx, w.admin, agency, api.MemberInvite{Email: email, Name: "Somebody", Role: api.RoleAnalyst})
		if err != nil {
			t.Fatal(err)
		}
		listed := w.membersOf(w.admin, agency)[strings.ToLower(email)]
		event := reinvited(m.Person)
		m.Person, listed.Person = "", ""
		out, err := json.Marshal([]any{m, listed, event})
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer(email, "ADDRESS", strings.ToLower(email), "address").Replace(string(out))
	}
	if diff := cmp.Diff(see("STRANGER@people.example"), see("ROB@people.example")); diff != "" {
		t.Errorf("a stranger and somebody who is known elsewhere:\n%s", diff)
	}
}

func TestAnOperatorIsNoMember(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.InviteOperator(ctx, w.operator, "boss@platform.example"); err != nil {
		t.Fatal(err)
	}
	_, err := w.InviteMember(ctx, w.admin, agency, api.MemberInvite{Email: "boss@platform.example", Name: "Boss", Role: api.RoleAnalyst})
	refused(t, err, api.CodeConflict)
	refused(t, w.InviteOperator(ctx, w.operator, "ada@people.example"), api.CodeConflict)
	refused(t, w.InviteOperator(ctx, w.operator, "BOSS@platform.example"), api.CodeConflict)
	refused(t, w.InviteOperator(ctx, w.operator, "boss"), api.CodeInvalid, "email")
	list, err := w.Operators(ctx, w.operator)
	if err != nil || len(list) != 1 || list[0].Email != "boss@platform.example" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, by := range []authority.Actor{w.admin, w.operator} {
		_, err := w.EditMember(ctx, by, agency, w.admin.Person, api.MemberEdit{Role: ptr(api.RoleAnalyst)})
		refused(t, err, api.CodeConflict)
		refused(t, w.RemoveMember(ctx, by, agency, w.admin.Person), api.CodeConflict)
	}
	// One who was only invited does not count: the account would be nobody's until they come.
	second, err := w.InviteMember(ctx, w.admin, agency, api.MemberInvite{Email: "second@people.example", Name: "Second", Role: api.RoleAdministrator})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w.RemoveMember(ctx, w.admin, agency, w.admin.Person), api.CodeConflict)
	w.join(agency, second.Person)
	if _, err := w.EditMember(ctx, w.admin, agency, w.admin.Person, api.MemberEdit{Role: ptr(api.RoleAnalyst)}); err != nil {
		t.Fatal(err)
	}
	refused(t, w.RemoveMember(ctx, w.operator, agency, second.Person), api.CodeConflict)
	if _, err := w.EditMember(ctx, w.operator, agency, second.Person, api.MemberEdit{AllowSensitive: ptr(true)}); err != nil {
		t.Errorf("an edit that keeps the role: %v", err)
	}
	_, err = w.EditMember(ctx, w.operator, agency, second.Person, api.MemberEdit{Role: ptr(api.Role("owner"))})
	refused(t, err, api.CodeInvalid, "role")
	_, err = w.EditMember(ctx, w.operator, agency, "nobody", api.MemberEdit{Role: ptr(api.RoleAnalyst)})
	refused(t, err, api.CodeNotFound)
}

// A token belongs to its account: no member's fate changes it. But somebody must be told, so a member who
// is a primary contact cannot be removed.
func TestAContactIsNotRemovedAndATokenOutlivesItsMaker(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made := w.create(w.specialist, agency, wants("Sam's", harmless...)).Token
	e := refused(t, w.RemoveMember(ctx, w.admin, agency, w.specialist.Person), api.CodeConflict)
	if !strings.Contains(e.Detail, "Sam's") {
		t.Errorf("does not name the token: %s", e.Detail)
	}
	if _, err := w.edit(w.admin, made.SID, api.TokenEdit{PrimaryContact: ptr(w.admin.Person)}); err != nil {
		t.Fatal(err)
	}
	before, secrets := newReplica(w.snapshot()).grants[made.SID], w.digests(made.SID)
	if err := w.RemoveMember(ctx, w.admin, agency, w.specialist.Person); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, newReplica(w.snapshot()).grants[made.SID]); diff != "" || !slices.Equal(secrets, w.digests(made.SID)) {
		t.Errorf("the token changed with its maker:\n%s", diff)
	}
	refused(t, w.RemoveMember(ctx, w.admin, agency, w.specialist.Person), api.CodeNotFound)
	if _, err := w.edit(w.admin, made.SID, api.TokenEdit{PrimaryContact: ptr(w.specialist.Person)}); err == nil {
		t.Error("a former member became a contact")
	}
}

func TestAccountsAreKeptByTheOperator(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for field, in := range map[string]api.AccountCreate{
		"id": {ID: 0, Kind: api.KindAgency, Name: "A"}, "kind": {ID: 1, Kind: api.KindOperator, Name: "A"}, "name": {ID: 1, Kind: api.KindAgency, Name: "A\u202eB"},
	} {
		_, err := w.CreateAccount(ctx, w.operator, in)
		refused(t, err, api.CodeInvalid, field)
	}
	for _, id := range []int64{-1, api.MaxAccountID + 1} {
		_, err := w.CreateAccount(ctx, w.operator, api.AccountCreate{ID: id, Kind: api.KindBrand, Name: "A"})
		refused(t, err, api.CodeInvalid, "id")
	}
	_, err := w.CreateAccount(ctx, w.operator, api.AccountCreate{ID: agency, Kind: api.KindBrand, Name: "A"})
	refused(t, err, api.CodeConflict)
	now, err := w.Account(ctx, w.operator, agency)
	if err != nil {
		t.Fatal(err)
	}
	for _, days := range []int64{-2, 3651} {
		_, err := w.EditAccount(ctx, w.operator, agency, api.AccountEdit{ExpiryMax: &days, Revision: now.Revision})
		refused(t, err, api.CodeInvalid, "expiry_max")
	}
	if _, err := w.EditAccount(ctx, w.operator, agency, api.AccountEdit{Name: ptr("New name"), Revision: now.Revision}); err != nil {
		t.Fatal(err)
	}
	_, err = w.EditAccount(ctx, w.operator, agency, api.AccountEdit{Name: ptr("Stale"), Revision: now.Revision})
	refused(t, err, api.CodeConflict)

	if _, err := w.SuspendAccount(ctx, w.operator, agency, "unpaid"); err != nil {
		t.Fatal(err)
	}
	_, err = w.SuspendAccount(ctx, w.operator, agency, "unpaid")
	refused(t, err, api.CodeConflict)
	got, err := w.Account(ctx, w.analyst, agency)
	if err != nil || got.Suspended == nil || got.SuspendedWhy != "unpaid" || got.Name != "New name" {
		t.Errorf("%+v, %v", got, err)
	}
	if facts := newReplica(w.snapshot()).accounts[agency]; !facts.Suspended {
		t.Error("verifiers do not know")
	}
	if _, err := w.ResumeAccount(ctx, w.operator, agency); err != nil {
		t.Fatal(err)
	}
	_, err = w.ResumeAccount(ctx, w.operator, agency)
	refused(t, err, api.CodeConflict)
	_, err = w.SuspendAccount(ctx, w.operator, unknown, "")
	refused(t, err, api.CodeNotFound)

	var ids []int64
	q := authority.AccountQuery{Limit: 2}
	for {
		page, err := w.Accounts(ctx, w.operator, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Items {
			ids = append(ids, a.ID)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if diff := cmp.Diff([]int64{agency, rival, brandA, brandB, foreign}, ids); diff != "" {
		t.Error(diff)
	}
	page, err := w.Accounts(ctx, w.operator, authority.AccountQuery{Search: "ACCOUNT 50", Kind: api.KindBrand})
	if err != nil || len(page.Items) != 3 {
		t.Errorf("%v, %v", page.Items, err)
	}
	_, err = w.Accounts(ctx, w.operator, authority.AccountQuery{Cursor: "x"})
	refused(t, err, api.CodeInvalid, "cursor")
}

// Ten thousand would take long here; what matters is that pages meet without a gap or a repeat, both
// ways, and say where they are.
func TestTokensPageBothWays(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var want []string
	for n := range 23 {
		if n%4 == 0 {
			w.pass(1000)
		}
		want = append(want, w.create(w.admin, agency, wants(fmt.Sprint("Page ", n))).Token.SID)
	}
	got := []string{}
	sids := func(p authority.TokenPage) (out []string) {
		for _, t := range p.Items {
			out = append(out, t.SID)
		}
		return out
	}
	var pages [][]string
	q := authority.TokenQuery{Limit: 5}
	first := int64(1)
	var last authority.TokenPage
	for {
		page, err := w.Tokens(ctx, w.analyst, agency, q)
		if err != nil || page.Total != 23 || page.First != first {
			t.Fatalf("first %d of %d, want %d: %v", page.First, page.Total, first, err)
		}
		pages, got, first = append(pages, sids(page)), append(got, sids(page)...), first+int64(len(page.Items))
		last = page
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	sorted := slices.Clone(got)
	slices.Sort(sorted)
	slices.Sort(want)
	if diff := cmp.Diff(want, sorted); diff != "" || len(pages) != 5 {
		t.Fatalf("%d pages:\n%s", len(pages), diff)
	}
	for i := len(pages) - 2; i >= 0; i-- {
		q.Cursor = last.Previous
		page, err := w.Tokens(ctx, w.analyst, agency, q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(pages[i], sids(page)); diff != "" || page.First != int64(5*i+1) || page.Next == "" || (page.Previous == "") != (i == 0) {
			t.Errorf("page %d, first %d:\n%s", i, page.First, diff)
		}
		last = page
	}
	for _, bad := range []string{"x", "!", strings.Repeat("A", 300), "bi4xLng"} {
		_, err := w.Tokens(ctx, w.analyst, agency, authority.TokenQuery{Cursor: bad})
		refused(t, err, api.CodeInvalid, "cursor")
	}
	since, err := w.Tokens(ctx, w.analyst, agency, authority.TokenQuery{CreatedSince: w.now(), Limit: 200})
	if err != nil || since.Total != 3 {
		t.Errorf("created since: %d, %v", since.Total, err)
	}
	until, err := w.Tokens(ctx, w.analyst, agency, authority.TokenQuery{CreatedUntil: w.now(), Search: "page", API: "agency", Version: "3"})
	if err != nil || until.Total != 20 {
		t.Errorf("created until: %d, %v", until.Total, err)
	}
}
