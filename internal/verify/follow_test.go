package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

// clock is a clock that a test moves.
type clock struct {
	start time.Time
	added atomic.Int64
}

func newClock() *clock { return &clock{start: time.Now()} }

func (c *clock) now() time.Time      { return c.start.Add(time.Duration(c.added.Load())) }
func (c *clock) add(d time.Duration) { c.added.Add(int64(d)) }

const jobs = "/Agencies/{SID}/Jobs"

func TestNothingPassesBeforeTheFirstSnapshot(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v, err := verify.New(verify.Config{Source: a, Node: "node"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, ask(v, request(tok, "GET", jobs)), api.CodeStale)
	if v.Ready() {
		t.Error("ready without a snapshot")
	}
}

// TestChangeIsInForceOnceItIsConfirmed: what the desk says after the confirmation is true at the next request.
func TestChangeIsInForceOnceItIsConfirmed(t *testing.T) {
	a := desk()
	v := a.Start(t, verify.Config{Node: "one"})
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	confirmed := func(seq api.Seq) {
		t.Helper()
		if err := a.Await(ctx, func() bool { return a.Confirmed("one") >= seq }); err != nil {
			t.Fatalf("position %d was not confirmed: %v", seq, err)
		}
	}
	confirmed(a.Put(tok.Grant))
	want(t, ask(v, request(tok, "GET", jobs)), "")
	tok.State = api.StateDisabled
	confirmed(a.Put(tok.Grant))
	want(t, ask(v, request(tok, "GET", jobs)), api.CodeTokenDisabled)
	tok.State, tok.Pins = api.StateEnabled, []api.Pin{pin("agency", "3", "jobs.create")}
	confirmed(a.Put(tok.Grant))
	want(t, ask(v, request(tok, "GET", jobs)), api.CodeInsufficientScope)
	confirmed(a.Remove(tok.SID))
	want(t, ask(v, request(tok, "GET", jobs)), api.CodeUnknownToken)
}

// TestDeafVerifierRefuses: on the verifier's own clock, however long the authority is away.
func TestDeafVerifierRefuses(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.get", "jobs.list"))
	a.Put(tok.Grant)
	clock := newClock()
	v := a.Start(t, verify.Config{Now: clock.now})
	strict := "/Agencies/{SID}/Jobs/1"
	want(t, ask(v, request(tok, "GET", jobs)), "")
	want(t, ask(v, request(tok, "GET", strict)), "")

	a.Break(errors.New("the authority is away"))
	clock.add(6 * time.Second)
	want(t, ask(v, request(tok, "GET", jobs)), "")
	want(t, ask(v, request(tok, "GET", strict)), api.CodeStale)
	clock.add(15 * time.Minute)
	want(t, ask(v, request(tok, "GET", jobs)), api.CodeStale)
	if v.Ready() {
		t.Error("a deaf verifier is ready")
	}

	a.Break(nil)
	a.Account(api.AccountFacts{Account: 8})
	a.Settle(t, v)
	want(t, ask(v, request(tok, "GET", strict)), "")
}

// TestMissedEntryMeansASnapshot: a revocation that was committed while this verifier was away, and is no
// longer on the log, must arrive all the same.
func TestMissedEntryMeansASnapshot(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	want(t, ask(v, request(tok, "GET", jobs)), "")
	a.Break(errors.New("away"))
	last := a.Remove(tok.SID)
	a.Forget(last)
	a.Break(nil)
	a.Settle(t, v)
	want(t, ask(v, request(tok, "GET", jobs)), api.CodeUnknownToken)
}

// TestUnreadableEntryIsKeptAside: it refuses its own token, also one that was good before, and no other.
func TestUnreadableEntryIsKeptAside(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	want(t, ask(v, request(tok, "GET", jobs)), "")
	for name, spoil := range map[string]func(*api.Grant){
		"state":      func(g *api.Grant) { g.State = "half-open" },
		"reach":      func(g *api.Grant) { g.Reach = "some" },
		"digest":     func(g *api.Grant) { g.Secrets = []api.Secret{{Digest: "abc"}} },
		"second":     func(g *api.Grant) { g.Secrets = append(g.Secrets[:1:1], api.Secret{Digest: "xyz"}) },
		"no secret":  func(g *api.Grant) { g.Secrets = nil },
		"zero state": func(g *api.Grant) { g.State = "" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := tok.Grant
			spoil(&bad)
			a.Put(bad)
			a.Settle(t, v)
			want(t, ask(v, request(tok, "GET", jobs)), api.CodeWrongSecret)
			sid, err := token.ParseSID(tok.SID)
			if err != nil {
				t.Fatal(err)
			}
			want(t, v.Explain(sid, request(tok, "GET", jobs)), api.CodeUnknownToken)
			a.Put(tok.Grant)
			a.Settle(t, v)
			want(t, ask(v, request(tok, "GET", jobs)), "")
		})
	}
	a.Put(api.Grant{SID: "not a SID"})
	buried := verifytest.Mint(t, token.Access, 7)
	a.Remove(buried.SID)
	a.Settle(t, v)
	sid, err := token.ParseSID(buried.SID)
	if err != nil {
		t.Fatal(err)
	}
	want(t, v.Explain(sid, request(buried, "GET", jobs)), api.CodeUnknownToken)
	if got := v.Status().Aside; got != 7 {
		t.Errorf("%d entries kept aside, want 7", got)
	}
}

// TestUnreadableCatalogueCountsAsHearingNothing: the former one stands until the staleness limit, its
// position is not confirmed, and changes of tokens go on.
func TestUnreadableCatalogueCountsAsHearingNothing(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	clock := newClock()
	v := a.Start(t, verify.Config{Now: clock.now})
	before := v.Seq()
	spoilt := catalogue()
	spoilt.APIs[0].Title = "Another"
	text, hash := spoilt.Canonical()
	a.PublishRaw(api.Catalogue{Hash: hash, JSON: append(text, ' ')})
	a.Settle(t, v)
	want(t, ask(v, request(tok, "GET", jobs)), "")
	gone := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(gone.Grant)
	a.Remove(gone.SID)
	a.Settle(t, v)
	want(t, ask(v, request(gone, "GET", jobs)), api.CodeUnknownToken)
	if got := a.Confirmed("node"); got > before {
		t.Errorf("position %d is confirmed, but the catalogue after %d is not in force", got, before)
	}
	if !v.Status().Unread {
		t.Error("the status does not tell")
	}
	clock.add(16 * time.Minute)
	want(t, ask(v, request(tok, "GET", jobs)), api.CodeStale)
	next := catalogue()
	next.APIs[0].Title = "Agencies"
	a.Publish(next)
	a.Settle(t, v)
	want(t, ask(v, request(tok, "GET", jobs)), "")
}

// TestPublishChangesWhatATokenOpens without any change of the token: names are what it holds.
func TestPublishChangesWhatATokenOpens(t *testing.T) {
	a := desk()
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list", "jobs.new"), pin("agency", "4", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{})
	want(t, ask(v, request(tok, "PUT", "/Agencies/{SID}/Jobs")), api.CodeMethodNotAllowed)
	next := catalogue()
	v3 := &next.APIs[0].Versions[1]
	v3.Scopes = append(v3.Scopes, v3.Scopes[0])
	v3.Scopes[len(v3.Scopes)-1].Name = "jobs.new"
	v3.Routes = slices.Clone(v3.Routes)
	v3.Routes[0].Needs = [][]string{{"jobs.get"}}
	put := v3.Routes[0]
	put.Method, put.Needs = "PUT", [][]string{{"jobs.new"}}
	v3.Routes = append(v3.Routes, put)
	a.Publish(next)
	a.Settle(t, v)
	want(t, ask(v, request(tok, "PUT", "/Agencies/{SID}/Jobs")), "")
	want(t, ask(v, request(tok, "GET", "/Agencies/{SID}/Jobs")), api.CodeInsufficientScope)
}

func TestUnknownTokenIsAskedForOnce(t *testing.T) {
	a := desk()
	v := a.Start(t, verify.Config{})
	fresh := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Hide(fresh.Grant)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if d := ask(v, request(fresh, "GET", jobs)); !d.Allowed {
				t.Errorf("a fresh token is refused: %s", d.Code)
			}
		})
	}
	all.Wait()
	if n := a.Asked(fresh.SID); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	absent := verifytest.Mint(t, token.Access, 7)
	for range 10 {
		want(t, ask(v, request(absent, "GET", jobs)), api.CodeUnknownToken)
	}
	if n := a.Asked(absent.SID); n != 1 {
		t.Errorf("a token that is not there was asked for %d times, want once", n)
	}
}

// TestInventedTokensDoNotBurdenTheAuthority: questions of one client address are bounded (a /64 is one).
func TestInventedTokensDoNotBurdenTheAuthority(t *testing.T) {
	a := desk()
	v := a.Start(t, verify.Config{})
	asked := 0
	for i := range 100 {
		tok := verifytest.Mint(t, token.Access, 7)
		r := request(tok, "GET", jobs)
		r.Client = netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i))
		want(t, ask(v, r), api.CodeUnknownToken)
		asked += a.Asked(tok.SID)
	}
	if asked > 20 {
		t.Errorf("one network made the verifier ask %d times", asked)
	}
	tok := verifytest.Mint(t, token.Access, 7)
	r := request(tok, "GET", jobs)
	r.Client = netip.MustParseAddr("198.51.100.1")
	want(t, ask(v, r), api.CodeUnknownToken)
	if a.Asked(tok.SID) != 1 {
		t.Error("another address is bounded too")
	}
}

// TestAnswerFromBeforeDoesNotBringATokenBack: the source answers a question with what was true when it
// was asked; a deletion that the feed brings meanwhile stands (class 29).
func TestAnswerFromBeforeDoesNotBringATokenBack(t *testing.T) {
	a := desk()
	slow := &slowGrants{Authority: a, asked: make(chan struct{}), answer: make(chan struct{})}
	v := a.Start(t, verify.Config{Source: slow})
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Hide(tok.Grant)
	got := make(chan *verify.Decision)
	go func() { got <- ask(v, request(tok, "GET", jobs)) }()
	<-slow.asked
	a.Remove(tok.SID)
	a.Settle(t, v)
	close(slow.answer)
	want(t, <-got, api.CodeUnknownToken)
	want(t, ask(v, request(tok, "GET", jobs)), api.CodeUnknownToken)
}

// slowGrants answers questions with what was true at first, when told to.
type slowGrants struct {
	*verifytest.Authority
	asked, answer chan struct{}
}

func (s *slowGrants) Grant(ctx context.Context, sid string) (*api.Grant, error) {
	g, err := s.Authority.Grant(ctx, sid)
	close(s.asked)
	<-s.answer
	return g, err
}

// TestUsageSurvivesFailedReports: numbers rise, nothing is lost or counted twice.
func TestUsageSurvivesFailedReports(t *testing.T) {
	a := desk()
	flaky := &flakyReports{Authority: a}
	tok := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	a.Put(tok.Grant)
	v := a.Start(t, verify.Config{Source: flaky})
	const calls = 50
	r := request(tok, "GET", jobs)
	r.Agent = "curl\x1b[31m/8\u2028.5 é" + strings.Repeat("x", 300)
	for range calls {
		want(t, ask(v, r), "")
	}
	r.Method = "POST"
	want(t, ask(v, r), api.CodeInsufficientScope)
	var last api.Usage
	sum := func() (n, refused int64) {
		for _, b := range a.Batches() {
			for _, u := range b.Uses {
				n, refused = n+u.Calls, refused+u.Refused
				last = u
			}
		}
		return n, refused
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := a.Await(ctx, func() bool { n, refused := sum(); return n >= calls && refused >= 1 }); err != nil {
		t.Fatal(err)
	}
	if n, refused := sum(); n != calls || refused != 1 {
		t.Errorf("%d calls and %d refusals were reported, want %d and 1", n, refused, calls)
	}
	if last.SID != tok.SID || last.Address != "192.0.2.7" || !strings.HasPrefix(last.Agent, "curl[31m/8.5 éxxx") || len(last.Agent) != 200 {
		t.Errorf("last use is %+v", last)
	}
	if flaky.failed.Load() == 0 {
		t.Error("no report failed, so nothing was shown")
	}
}

// flakyReports loses the answer of every other report: it was applied, and the verifier hears an error.
type flakyReports struct {
	*verifytest.Authority
	calls, failed atomic.Int64
}

func (f *flakyReports) Report(ctx context.Context, b *api.UsageBatch) error {
	if err := f.Authority.Report(ctx, b); err != nil {
		return err
	}
	if f.calls.Add(1)%2 == 1 {
		f.failed.Add(1)
		return errors.New("the answer was lost")
	}
	return nil
}

// TestChangedGrantIsSeenWhole: readers meet the state before or the one after, never a mixture, while
// grants change, tables grow and catalogues are swapped.
func TestChangedGrantIsSeenWhole(t *testing.T) {
	a := desk()
	one := verifytest.Mint(t, token.Access, 7, pin("agency", "3", "jobs.list"))
	two := one
	two.Account, two.Pins = 8, []api.Pin{pin("agency", "2", "jobs.list")}
	a.Put(one.Grant)
	v := a.Start(t, verify.Config{})
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			d := new(verify.Decision)
			for {
				select {
				case <-stop:
					return
				default:
				}
				v.Verify(request(one, "GET", jobs), d)
				id := d.Identity()
				if !d.Allowed || (id[0] == "7") != (id[3] == "3") || (id[0] == "8") != (id[3] == "2") {
					t.Errorf("half a change was seen: %s %v", d.Code, id)
					return
				}
			}
		})
	}
	for i := range 400 {
		if i%2 == 0 {
			a.Put(two.Grant)
		} else {
			a.Put(one.Grant)
		}
		other := verifytest.Mint(t, token.Access, 7, pin("agency", "3", fmt.Sprint("scope.", i)))
		a.Put(other.Grant)
		if i%50 == 0 {
			next := catalogue()
			next.APIs[0].Title = fmt.Sprint("Agency ", i)
			a.Publish(next)
		}
	}
	a.Settle(t, v)
	close(stop)
	readers.Wait()
}
