package authority_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/store/storetest"
)

// A double click, a reload and a second tab: one wizard makes one token, and the secret is shown once.
func TestOneDraftMakesOneToken(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	d, err := w.BeginDraft(ctx, w.specialist, agency, []byte(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SaveDraft(ctx, w.specialist, agency, d.ID, []byte(`{"name":"y"}`)); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Draft(ctx, w.specialist, agency, d.ID); err != nil || string(got.Body) != `{"name":"y"}` || got.SID != "" {
		t.Errorf("%+v, %v", got, err)
	}
	before := w.head()
	var wg sync.WaitGroup
	outs := make([]authority.Issued, 8)
	for i := range outs {
		wg.Go(func() {
			var err error
			if outs[i], err = w.CreateToken(ctx, w.specialist, agency, wants("Once", harmless...), authority.Once{Draft: d.ID}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	secrets, sids := 0, map[string]bool{}
	for _, o := range outs {
		sids[o.Token.SID] = true
		if o.Secret.Reveal() != "" {
			secrets++
		}
		if o.Replayed == (o.Secret.Reveal() != "") {
			t.Errorf("replayed %v, with a secret %v", o.Replayed, !o.Replayed)
		}
	}
	if secrets != 1 || len(sids) != 1 || w.head() != before+1 {
		t.Errorf("%d secrets for %d tokens in %d acts", secrets, len(sids), w.head()-before)
	}
	refused(t, w.SaveDraft(ctx, w.specialist, agency, d.ID, []byte("{}")), api.CodeConflict)
	if got, err := w.Draft(ctx, w.specialist, agency, d.ID); err != nil || !sids[got.SID] || strings.Contains(string(got.Body), "name") {
		t.Errorf("the spent draft: %+v, %v", got, err)
	}
}

func TestADraftIsItsPersonsAlone(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	d, err := w.BeginDraft(ctx, w.specialist, agency, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []authority.Actor{w.admin, w.analyst, w.rivalAdmin, w.operator} {
		_, err := w.Draft(ctx, by, agency, d.ID)
		refused(t, err, api.CodeNotFound)
		refused(t, w.SaveDraft(ctx, by, agency, d.ID, []byte("{}")), api.CodeNotFound)
	}
	in := wants("Stolen")
	in.PrimaryContact = w.admin.Person
	_, err = w.CreateToken(ctx, w.admin, agency, in, authority.Once{Draft: d.ID})
	refused(t, err, api.CodeNotFound)
	_, err = w.BeginDraft(ctx, w.specialist, agency, make([]byte, 256<<10+1))
	refused(t, err, api.CodeInvalid, "draft")
	refused(t, w.SaveDraft(ctx, w.specialist, agency, d.ID, make([]byte, 256<<10+1)), api.CodeInvalid, "draft")
	// A form that was refused can be sent again: the draft is not spent by it.
	_, err = w.CreateToken(ctx, w.specialist, agency, wants("", harmless...), authority.Once{Draft: d.ID})
	refused(t, err, api.CodeInvalid, "name")
	if out, err := w.CreateToken(ctx, w.specialist, agency, wants("Mended", harmless...), authority.Once{Draft: d.ID}); err != nil || out.Replayed {
		t.Error(err)
	}
}

func TestAnIdempotencyKeyAnswersTheSameTokenWithoutItsSecret(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	once := authority.Once{Key: "7f0c"}
	in := wants("Once", harmless...)
	first, err := w.CreateToken(ctx, w.admin, agency, in, once)
	if err != nil || first.Replayed || first.Secret.Reveal() == "" {
		t.Fatal(err)
	}
	events := w.head()
	again, err := w.CreateToken(ctx, w.admin, agency, in, once)
	if err != nil || !again.Replayed || again.Secret.Reveal() != "" || again.Token.SID != first.Token.SID || w.head() != events {
		t.Errorf("%+v, %v", again, err)
	}
	other := wants("Other", harmless...)
	_, err = w.CreateToken(ctx, w.admin, agency, other, once)
	refused(t, err, api.CodeIdempotencyUsed)
	_, err = w.DuplicateToken(ctx, w.admin, agency, first.Token.SID, api.TokenDuplicate{Name: "Once"}, once)
	refused(t, err, api.CodeIdempotencyUsed)
	// Keys of other callers and accounts are apart, and tell nothing.
	if out, err := w.CreateToken(ctx, w.trusted, agency, other, once); err != nil || out.Replayed {
		t.Error(err)
	}
	if out, err := w.CreateToken(ctx, w.rivalAdmin, rival, in, once); err != nil || out.Replayed {
		t.Error(err)
	}
	// A refused create does not use its key up.
	bad := authority.Once{Key: "bad"}
	_, err = w.CreateToken(ctx, w.admin, agency, wants(""), bad)
	refused(t, err, api.CodeInvalid)
	if out, err := w.CreateToken(ctx, w.admin, agency, wants("Good"), bad); err != nil || out.Replayed {
		t.Error(err)
	}
	_, err = w.CreateToken(ctx, w.admin, agency, in, authority.Once{Key: strings.Repeat("k", 201)})
	refused(t, err, api.CodeInvalid, "Idempotency-Key")

	copied, err := w.DuplicateToken(ctx, w.admin, agency, first.Token.SID, api.TokenDuplicate{Name: "Copy"}, authority.Once{Key: "copy"})
	if err != nil {
		t.Fatal(err)
	}
	replay, err := w.DuplicateToken(ctx, w.admin, agency, first.Token.SID, api.TokenDuplicate{Name: "Copy"}, authority.Once{Key: "copy"})
	if err != nil || !replay.Replayed || replay.Secret.Reveal() != "" || replay.Token.SID != copied.Token.SID {
		t.Errorf("%+v, %v", replay, err)
	}
	// Checking a create that was done says so as a change of name, and makes nothing.
	events = w.head()
	refused(t, w.CheckToken(ctx, w.admin, agency, in), api.CodeInvalid, "name")
	if err := w.CheckToken(ctx, w.admin, agency, wants("Not made", harmless...)); err != nil || w.head() != events {
		t.Error(err)
	}
}

func TestSixtyFourCreatesUnderOneKeyMakeOneToken(t *testing.T) {
	w := newWorld(t)
	before := w.head()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := w.CreateToken(t.Context(), w.admin, agency, wants("Once"), authority.Once{Key: "k"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if w.head() != before+1 || len(w.list()) != 1 {
		t.Errorf("%d acts, %d tokens", w.head()-before, len(w.list()))
	}
}

// SECURITY.md, class 28.
func TestSixtyFourResetsLeaveOneLiveSecret(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made := w.create(w.admin, agency, wants("Reset", harmless...))
	before := w.head()
	var mu sync.Mutex
	var won []authority.Issued
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			out, err := w.ResetToken(ctx, w.admin, agency, made.Token.SID, made.Token.Revision)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, out)
			} else {
				refused(t, err, api.CodeConflict)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 || w.head() != before+1 {
		t.Fatalf("%d won, %d events", len(won), w.head()-before)
	}
	parsed, _ := w.Prefix().Parse(won[0].Secret.Reveal())
	if live := w.digests(made.Token.SID); len(live) != 1 || live[0] != parsed.Digest().String() {
		t.Errorf("live %v, shown %s", live, parsed.Digest())
	}
	if parsed.SID.String() != made.Token.SID || won[0].Secret.Reveal() == made.Secret.Reveal() {
		t.Error("the SID changed, or the secret did not")
	}
}

// SECURITY.md, class 22: every statement of an act fails once, in turn. The caller never hears success
// while something half-done remains, and never reads the database's own words.
func TestEveryActSurvivesEveryFault(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	n := 0
	var sid string
	fresh := func() {
		n++
		sid = w.create(w.admin, agency, wants(fmt.Sprint("Fault ", n), harmless...)).Token.SID
	}
	for name, c := range map[string]struct {
		prepare func()
		do      func(ctx context.Context) error
	}{
		"create": {func() { n++; sid = "" }, func(ctx context.Context) error {
			in := wants(fmt.Sprint("New ", n), harmless...)
			in.DeveloperEmails = []string{"dev@people.example"}
			out, err := w.CreateToken(ctx, w.admin, agency, in, authority.Once{Key: fmt.Sprint(n)})
			if err == nil && out.Secret.Reveal() == "" {
				return errors.New("success, and no secret")
			}
			return err
		}},
		"edit": {fresh, func(ctx context.Context) error {
			_, err := w.EditToken(ctx, w.admin, agency, sid, api.TokenEdit{Scopes: &[]string{}, Revision: 1})
			return err
		}},
		"reset": {fresh, func(ctx context.Context) error { _, err := w.ResetToken(ctx, w.admin, agency, sid, 0); return err }},
		"disable": {fresh, func(ctx context.Context) error {
			_, err := w.DisableToken(ctx, w.admin, agency, sid, "why")
			return err
		}},
		"delete": {fresh, func(ctx context.Context) error { _, err := w.DeleteToken(ctx, w.admin, agency, sid, ""); return err }},
		"end a management": {func() {
			if _, err := w.CreateManagement(ctx, w.operator, api.ManagementCreate{Agency: agency, Brand: foreign}); err != nil {
				refused(t, err, api.CodeConflict) // it is still there
			}
		}, func(ctx context.Context) error {
			_, err := w.EndManagement(ctx, w.operator, agency, foreign)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for point := 1; ; point++ {
				c.prepare()
				before := w.shape(sid)
				fired := w.tap.At(point, func() error { return storetest.ErrFault })
				err := c.do(ctx)
				p, did := fired()
				after := w.shape(sid)
				if !did {
					if err != nil || after == before {
						t.Errorf("without a fault: %v", err)
					}
					break
				}
				if err != nil {
					if e := (*api.Error)(nil); errors.As(err, &e) {
						t.Errorf("a fault at %s became a refusal: %v", p.Kind, e)
					}
				}
				whole := after.events == before.events+1 && after.feed == before.feed+1
				switch {
				case after == before && err == nil:
					t.Errorf("success, and nothing is done: %s %s", p.Kind, p.Statement)
				case after != before && !whole:
					t.Errorf("something half-done remains: %+v, %+v: %s %s", before, after, p.Kind, p.Statement)
				}
			}
		})
	}
}

// shape is what an act on a token changes.
type shape struct {
	events, feed, tokens int64
	state                string
	revision             int64
	secrets              string
}

func (w *world) shape(sid string) shape {
	w.t.Helper()
	ctx := w.t.Context()
	s := shape{events: w.head(), secrets: strings.Join(w.digests(sid), " ")}
	feed, err := w.db.Read().FeedAfter(ctx, feedAll)
	if err != nil {
		w.t.Fatal(err)
	}
	s.feed = int64(len(feed))
	page, err := w.Tokens(ctx, w.admin, agency, authority.TokenQuery{Limit: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	s.tokens = page.Total
	if sid != "" {
		row, err := w.db.Read().TokenBySID(ctx, sid)
		if err != nil {
			w.t.Fatal(err)
		}
		s.state, s.revision = row.State, row.Revision
	}
	return s
}

// A database that gives no lock in time is said to be busy, by a code on which a caller may try again; and
// nothing was changed.
func TestABusyDatabaseIsSaidToBeBusy(t *testing.T) {
	w := newWorld(t)
	for point := 1; ; point++ {
		before := w.shape("")
		fired := w.tap.At(point, func() error { return store.ErrBusy })
		_, err := w.CreateToken(t.Context(), w.admin, agency, wants(fmt.Sprint("Busy ", point)), authority.Once{Key: fmt.Sprint(point)})
		p, did := fired()
		if !did || p.Kind == "committed" {
			break
		}
		refused(t, err, api.CodeUnavailable)
		if after := w.shape(""); after != before {
			t.Errorf("busy at %s, and something was done", p.Kind)
		}
	}
}

// An act whose caller goes away half-way is whole or not there.
func TestACallerThatGoesAway(t *testing.T) {
	w := newWorld(t)
	for point := 1; ; point++ {
		ctx, cancel := context.WithCancel(t.Context())
		before := w.shape("")
		fired := w.tap.At(point, func() error { cancel(); return nil })
		_, err := w.CreateToken(ctx, w.admin, agency, wants(fmt.Sprint("Gone ", point), harmless...), authority.Once{})
		p, did := fired()
		cancel()
		after := w.shape("")
		if !did {
			break
		}
		made := after.tokens == before.tokens+1 && after.events == before.events+1 && after.feed == before.feed+1
		if after != before && !made || err == nil && !made {
			t.Errorf("cancelled at %s: %v, %+v, %+v", p.Kind, err, before, after)
		}
	}
}

var feedAll = store.FeedAfterParams{N: 1 << 30}
