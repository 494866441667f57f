package authority_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

// replica is a verifier's state in its simplest form: what the feed says, and nothing else.
type replica struct {
	seq       api.Seq
	grants    map[string]api.Grant
	accounts  map[int64]api.AccountFacts
	catalogue string
}

func newReplica(s *api.Snapshot) *replica {
	r := &replica{seq: s.Seq, grants: map[string]api.Grant{}, accounts: map[int64]api.AccountFacts{}}
	if s.Catalogue != nil {
		r.catalogue = s.Catalogue.Hash
	}
	for _, g := range s.Grants {
		r.grants[g.SID] = g
	}
	for _, a := range s.Accounts {
		r.accounts[a.Account] = a
	}
	return r
}

func (r *replica) apply(entries []api.Entry) error {
	for _, e := range entries {
		if e.Seq != r.seq+1 {
			return fmt.Errorf("after position %d comes %d", r.seq, e.Seq)
		}
		r.seq = e.Seq
		switch {
		case e.Grant != nil:
			r.grants[e.Grant.SID] = *e.Grant
		case e.Gone != "":
			delete(r.grants, e.Gone)
		case e.Account != nil:
			r.accounts[e.Account.Account] = *e.Account
		case e.Catalogue != nil:
			r.catalogue = e.Catalogue.Hash
		}
	}
	return nil
}

// text is the whole state in one spelling.
func (r *replica) text(t testing.TB) string {
	t.Helper()
	grants, accounts := []api.Grant{}, []api.AccountFacts{}
	for _, g := range r.grants {
		grants = append(grants, g)
	}
	for id, a := range r.accounts {
		if id != 0 { // the operator's own, which is no account and never changes
			accounts = append(accounts, a)
		}
	}
	slices.SortFunc(grants, func(a, b api.Grant) int { return strings.Compare(a.SID, b.SID) })
	slices.SortFunc(accounts, func(a, b api.AccountFacts) int { return cmp.Compare(a.Account, b.Account) })
	out, err := json.MarshalIndent(map[string]any{"seq": r.seq, "catalogue": r.catalogue, "grants": grants, "accounts": accounts}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func (w *world) snapshot() *api.Snapshot {
	w.t.Helper()
	s, err := w.Feed("tester").Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

var errFollowed = errors.New("followed far enough")

// follow reads the feed until it has reached the head.
func (w *world) follow(r *replica) {
	w.t.Helper()
	head := api.Seq(w.head())
	err := w.Feed("tester").Follow(w.t.Context(), r.seq, func(entries []api.Entry) error {
		if err := r.apply(entries); err != nil {
			return err
		}
		if r.seq >= head {
			return errFollowed
		}
		return nil
	})
	if !errors.Is(err, errFollowed) {
		w.t.Fatal(err)
	}
}

// Whoever replays the feed from the beginning, and whoever takes a snapshot at any point and reads on,
// ends with the same grants, accounts and catalogue.
func TestTheFeedAndTheSnapshotSayTheSame(t *testing.T) {
	w := emptyWorld(t)
	first := newReplica(&api.Snapshot{})
	var later []*replica
	mark := func() { later = append(later, newReplica(w.snapshot())) }
	mark()
	w.publish(small())
	w.settle()
	mark()
	ctx := t.Context()
	in := wants("A", "jobs.read", "brand/ads.read")
	in.Reach, in.Brands, in.Expires, in.Version = api.ReachList, []int64{brandA, brandB}, ptr(w.now().Add(time.Hour)), "2"
	a := w.create(w.admin, agency, in).Token
	b := w.create(w.admin, agency, wants("B", harmless...)).Token
	c := w.create(w.rivalAdmin, rival, wants("C", harmless...)).Token
	mark()
	do := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(w.edit(w.admin, b.SID, api.TokenEdit{Scopes: &[]string{"keys.get-key"}, Name: ptr("BB")}))
	do(w.ResetToken(ctx, w.admin, agency, b.SID, 0))
	do(w.DisableToken(ctx, w.operator, agency, b.SID, "x"))
	do(w.UpgradeToken(ctx, w.admin, agency, a.SID, api.TokenUpgrade{Scopes: []string{"jobs.read"}}))
	do(w.EndManagement(ctx, w.operator, agency, brandB))
	mark()
	do(w.SuspendAccount(ctx, w.operator, rival, "x"))
	do(w.DeleteToken(ctx, w.admin, agency, b.SID, ""))
	do(w.DuplicateToken(ctx, w.operator, rival, c.SID, api.TokenDuplicate{Name: "D"}, authority.Once{}))
	do(w.CreateToken(ctx, w.operator, 0, api.TokenCreate{Name: "Zero", API: authority.ZeroAPI, Scopes: []string{"tokens.list-tokens"}}, authority.Once{}))
	if err := w.Feed("node").Report(ctx, &api.UsageBatch{Node: "node", Number: 1, Uses: []api.Usage{{SID: a.SID, At: 5, Calls: 1}}}); err != nil {
		t.Fatal(err)
	}
	w.publish(edited(t, "title: Agency API", "title: Agency API, renamed"))
	do(w.ResumeAccount(ctx, w.operator, rival))
	do(w.CreateManagement(ctx, w.operator, api.ManagementCreate{Agency: agency, Brand: foreign}))
	mark()

	want := newReplica(w.snapshot()).text(t)
	for i, r := range append(later, first) {
		w.follow(r)
		if diff := gocmp.Diff(want, r.text(t)); diff != "" {
			t.Errorf("replica %d:\n%s", i, diff)
		}
	}
	// Names and addresses of people are nowhere in what verifiers hold.
	for _, word := range []string{"people.example", "Account 4711", `"BB"`, "ada"} {
		if strings.Contains(want, word) {
			t.Errorf("a verifier holds %q", word)
		}
	}
}

// SECURITY.md, class 35 and the words of the design: the brand must be managed now. The end of a
// management is on the feed at once.
func TestTheEndOfAManagementReachesTheFeed(t *testing.T) {
	w := newWorld(t)
	r := newReplica(w.snapshot())
	if got := r.accounts[agency].Manages; !slices.Equal(got, []int64{brandA, brandB}) {
		t.Fatalf("manages %v", got)
	}
	seq, err := w.EndManagement(t.Context(), w.operator, agency, brandA)
	if err != nil {
		t.Fatal(err)
	}
	w.follow(r)
	if got := r.accounts[agency].Manages; r.seq != seq || !slices.Equal(got, []int64{brandB}) {
		t.Errorf("at %d it manages %v", r.seq, got)
	}
	_, err = w.EndManagement(t.Context(), w.operator, agency, brandA)
	refused(t, err, api.CodeNotFound)
	links, err := w.Managements(t.Context(), w.analyst, agency)
	if err != nil || len(links) != 2 {
		t.Fatalf("%v, %v", links, err)
	}
	ended := 0
	for _, l := range links {
		if l.Ended != nil {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("%d of 2 links have ended", ended)
	}
	_, err = w.CreateManagement(t.Context(), w.operator, api.ManagementCreate{Agency: agency, Brand: brandB})
	refused(t, err, api.CodeConflict)
	for _, pair := range [][2]int64{{brandA, brandB}, {agency, rival}} {
		_, err = w.CreateManagement(t.Context(), w.operator, api.ManagementCreate{Agency: pair[0], Brand: pair[1]})
		refused(t, err, api.CodeInvalid)
	}
	for _, pair := range [][2]int64{{agency, unknown}, {unknown, brandA}} {
		_, err = w.CreateManagement(t.Context(), w.operator, api.ManagementCreate{Agency: pair[0], Brand: pair[1]})
		refused(t, err, api.CodeNotFound)
	}
	_, err = w.CreateManagement(t.Context(), w.operator, api.ManagementCreate{Agency: agency, Brand: brandA, Starts: ptr(w.now().Add(time.Hour))})
	refused(t, err, api.CodeInvalid, "starts")
}

// An act answers when the connected verifiers have it, so that what the page says holds at the next
// request; and one that is deaf holds nobody up for long.
func TestAnActWaitsForConnectedVerifiers(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	feed := w.Feed("near")
	var mu sync.Mutex
	var applied api.Seq
	started, done := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		done <- feed.Follow(ctx, api.Seq(w.head()), func(entries []api.Entry) error {
			mu.Lock()
			defer mu.Unlock()
			if len(entries) > 0 {
				applied = entries[len(entries)-1].Seq
				return feed.Confirm(ctx, "near", applied)
			}
			once.Do(func() { close(started) })
			return nil
		})
	}()
	<-started
	if err := feed.Confirm(ctx, "near", api.Seq(w.head())); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		out := w.create(w.admin, agency, wants(fmt.Sprint("W", n), harmless...))
		mu.Lock()
		if applied < out.Seq {
			t.Errorf("answered at %d, the verifier is at %d", out.Seq, applied)
		}
		mu.Unlock()
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Nobody is connected any more: nothing to wait for.
	quickest := time.Hour
	for n := range 5 {
		begun := time.Now()
		w.create(w.admin, agency, wants(fmt.Sprint("Alone ", n)))
		quickest = min(quickest, time.Since(begun))
	}
	if quickest >= 300*time.Millisecond {
		t.Errorf("five acts took %v and more", quickest)
	}
}

func TestAnUnknownSIDIsLookedUp(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made := w.create(w.admin, agency, wants("Fresh", harmless...)).Token
	feed := w.Feed("node")
	got, err := feed.Grant(ctx, made.SID)
	if err != nil || got == nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(*got, newReplica(w.snapshot()).grants[made.SID]); diff != "" {
		t.Errorf("the look-up and the snapshot:\n%s", diff)
	}
	if _, err := w.DeleteToken(ctx, w.admin, agency, made.SID, ""); err != nil {
		t.Fatal(err)
	}
	for _, sid := range []string{made.SID, "0000000000000000000000", ""} {
		if got, err := feed.Grant(ctx, sid); err != nil || got != nil {
			t.Errorf("%q: %v, %v", sid, got, err)
		}
	}
}

func TestUsageIsAppliedOnce(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made := w.create(w.admin, agency, wants("Used", harmless...)).Token
	feed := w.Feed("node-1")
	at := func(s int64) api.Micros { return api.Micros(w.now().Add(time.Duration(s) * time.Second).UnixMicro()) }
	batch := func(number, second, calls int64) *api.UsageBatch {
		return &api.UsageBatch{Node: "node-1", Number: number, Uses: []api.Usage{
			{SID: made.SID, At: at(second), Address: fmt.Sprint("192.0.2.", second), Agent: "curl", Calls: calls},
			{SID: "0000000000000000000000", At: at(second), Calls: 3}, // a token that is not here any more
		}}
	}
	before := w.head()
	for range 3 { // sent again, since the answer was lost
		if err := feed.Report(ctx, batch(1, 10, 5)); err != nil {
			t.Fatal(err)
		}
	}
	got := w.token(made.SID)
	if got.Calls != 5 || got.FirstCall == nil || got.LastUse == nil || got.LastUse.Address != "192.0.2.10" || w.head() != before+1 {
		t.Errorf("%+v, %d events", got, w.head()-before)
	}
	// A late batch of an older use counts, and does not move last use back.
	for _, b := range []*api.UsageBatch{batch(3, 5, 1), batch(2, 99, 100)} {
		if err := feed.Report(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.token(made.SID); got.Calls != 6 || got.LastUse.Address != "192.0.2.10" {
		t.Errorf("%+v", got)
	}
	if n, err := feed.LastBatch(ctx); err != nil || n != 3 {
		t.Errorf("last batch %d, %v", n, err)
	}
	if n, err := w.Feed("node-2").LastBatch(ctx); err != nil || n != 0 {
		t.Errorf("another node's last batch %d, %v", n, err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := feed.Report(ctx, batch(4, 20, 10)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	refusedOnly := &api.UsageBatch{Node: "node-1", Number: 5, Uses: []api.Usage{{SID: made.SID, At: at(50), Refused: 9}}}
	if err := feed.Report(ctx, refusedOnly); err != nil {
		t.Fatal(err)
	}
	if got := w.token(made.SID); got.Calls != 16 || got.LastUse.Address != "192.0.2.20" {
		t.Errorf("%+v", got)
	}
	for name, b := range map[string]*api.UsageBatch{
		"another node's": {Node: "node-2", Number: 9}, "unnumbered": {Node: "node-1"}, "too long": {Node: "node-1", Number: 9, Uses: make([]api.Usage, 10_001)},
	} {
		if err := feed.Report(ctx, b); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	page, err := w.History(ctx, w.analyst, agency, authority.HistoryQuery{Subject: made.SID, Action: "token.first_call"})
	if err != nil || len(page.Items) != 1 || page.Items[0].Who != "node-1" {
		t.Errorf("%+v, %v", page.Items, err)
	}
	if g := newReplica(w.snapshot()).grants[made.SID]; !g.Seen {
		t.Error("the grant does not say that the token was seen")
	}
}
