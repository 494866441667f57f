package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// Run runs the whole suite. empty makes an empty database and gives its DSN; what it makes it also takes
// away at the end of the test.
func Run(t *testing.T, empty func(testing.TB) string) {
	for _, c := range []struct {
		name string
		test func(*testing.T, func(testing.TB) string)
	}{
		{"OpeningTwiceKeepsEverything", openingTwice},
		{"AnActIsAllOrNothing", allOrNothing},
		{"AnActThatRecordsNothingTakesNoPosition", noPosition},
		{"PositionsAreDenseAndInTheOrderOfCommits", denseAndInOrder},
		{"TwoProgramsOnOneDatabaseShareTheOrder", twoPrograms},
		{"ARolledBackActLeavesNoGap", noGap},
		{"AnEventThatCannotBeRecordedUndoesTheAct", unrecordable},
		{"AnActKnowsItsOwnPosition", ownPosition},
		{"AChangedEventBreaksTheChain", chain},
		{"AReaderDuringAWriteSeesTheOldStateWhole", oldStateWhole},
		{"AViewIsOneState", oneState},
		{"ReadsCannotWrite", readsCannotWrite},
		{"OfTwoRevocationsOneCounts", revocations},
		{"ALockIsPutOnTopAndNotTakenOff", locks},
		{"OfManyResetsOneLeavesItsSecret", resets},
		{"OfTwoEditsTheSecondIsTold", edits},
		{"ALinkIsSpentOnce", links},
		{"ADraftIsSpentOnce", drafts},
		{"AMessageIsLeasedOnce", leases},
		{"OneUsageBatchCountsOnce", usage},
		{"QuotasAddUp", quotas},
		{"NamesThatDifferByCaseConflict", names},
		{"AccountsAreApart", accounts},
		{"NullsAreNulls", nulls},
		{"TimesKeepTheirMicroseconds", times},
		{"TextComesBackAsItWas", texts},
		{"ASecretNeedsItsToken", foreignKeys},
		{"ASecondOpenRefusesWhatIsNoDatabase", refusesGarbage},
		{"PagesWalkBothWaysOverEqualTimes", pages},
		{"SearchTakesEveryCharacterAsItIs", search},
		{"FiltersAndCountsAgree", filters},
		{"EveryStatementFailsOnceAndNobodyHearsSuccess", everyStatementFails},
		{"TheContextEndsAtEveryStatement", everyStatementCancelled},
		{"AnEndedContextChangesNothing", endedContext},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, empty) })
	}
}

// open opens a database and, at the end of the test, holds its log against the rules.
func open(t *testing.T, dsn string) *store.DB { return openThrough(t, dsn, nil) }

func openThrough(t *testing.T, dsn string, tap *Tap) *store.DB {
	t.Helper()
	var db *store.DB
	var err error
	if tap == nil {
		db, err = store.Open(t.Context(), dsn)
	} else {
		db, err = store.OpenThrough(t.Context(), dsn, tap.Connector)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			Sound(t, db)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Sound fails the test unless the log is whole: events and feed at the same positions, dense from 1, the
// chain unbroken, and the head that of the last event.
func Sound(t testing.TB, db *store.DB) {
	t.Helper()
	ctx := context.Background() // also at the end of a test, whose own context is over
	if err := db.View(ctx, func(q *store.Queries) error {
		head, err := q.Head(ctx)
		if err != nil {
			return err
		}
		end, err := audit.Verify(audit.Checkpoint{}, events(ctx, q))
		if err != nil {
			return err
		}
		if end.Seq != head.Seq || end.Head != audit.Hash(head.Hash) {
			return fmt.Errorf("the chain ends at %d, the head is at %d", end.Seq, head.Seq)
		}
		var last int64
		for {
			feed, err := q.FeedAfter(ctx, store.FeedAfterParams{After: last, N: 500})
			if err != nil {
				return err
			}
			if len(feed) == 0 {
				break
			}
			for _, f := range feed {
				if f.Seq != last+1 {
					return fmt.Errorf("after position %d the feed has %d", last, f.Seq)
				}
				last = f.Seq
			}
		}
		if last != head.Seq {
			return fmt.Errorf("the feed ends at %d, the head is at %d", last, head.Seq)
		}
		return nil
	}); err != nil {
		t.Errorf("the log is not sound: %v", err)
	}
}

func events(ctx context.Context, q *store.Queries) iter.Seq2[audit.Stored, error] {
	return func(yield func(audit.Stored, error) bool) {
		var after int64
		for {
			rows, err := q.EventsAfter(ctx, store.EventsAfterParams{After: after, N: 500})
			if err != nil {
				yield(audit.Stored{}, err)
				return
			}
			if len(rows) == 0 {
				return
			}
			for _, r := range rows {
				after = r.Seq
				if !yield(audit.Stored{Seq: r.Seq, Body: []byte(r.Body), Hash: r.Hash}, nil) {
					return
				}
			}
		}
	}
}

const account = int64(4711)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// sid is the SID of the nth token: 22 characters that sort as n does.
func sid(n int) string { return fmt.Sprintf("%022d", n) }

func tokenRow(n int) store.AddTokenParams {
	return store.AddTokenParams{
		SID: sid(n), Account: account, Name: fmt.Sprint("Token ", n), NameKey: fmt.Sprint("token ", n),
		Api: "agency", Version: "3", Pins: "[]", Reach: "none", Brands: "[]", Emails: "[]",
		CreatedAt: start.UnixMicro() + int64(n), CreatedBy: "p1", CreatedName: "Ada Byron",
	}
}

func event(action audit.Action, subject string) audit.Event {
	return audit.Event{
		At: start.UnixMicro(), Account: account, Action: action, Outcome: audit.Done,
		Actor:   audit.Actor{Kind: audit.ByPerson, Person: "p1", Name: "Ada Byron"},
		Subject: audit.Subject{Kind: audit.OnToken, ID: subject},
	}
}

// act runs an act that must succeed.
func act(t testing.TB, db *store.DB, f func(ctx context.Context, tx *store.Tx) error) int64 {
	t.Helper()
	ctx := t.Context()
	seq, err := db.Act(ctx, func(tx *store.Tx) error { return f(ctx, tx) })
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// addToken is an act that makes the nth token with one secret.
func addToken(ctx context.Context, tx *store.Tx, n int) error {
	row := tokenRow(n)
	if err := tx.AddToken(ctx, row); err != nil {
		return err
	}
	if err := tx.AddSecret(ctx, store.AddSecretParams{SID: row.SID, Digest: []byte(row.SID), CreatedAt: row.CreatedAt}); err != nil {
		return err
	}
	tx.Record(event(audit.CreateToken, row.SID), []byte(`{"grant":{"sid":"`+row.SID+`"}}`))
	return nil
}

func exists(t testing.TB, db *store.DB, n int) bool {
	t.Helper()
	_, err := store.One(db.Read().Token(t.Context(), store.TokenParams{Account: account, SID: sid(n)}))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func head(t testing.TB, db *store.DB) int64 {
	t.Helper()
	h, err := db.Read().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Seq
}

func openingTwice(t *testing.T, empty func(testing.TB) string) {
	dsn := empty(t)
	first := open(t, dsn)
	act(t, first, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 1) })
	second := open(t, dsn)
	if !exists(t, second, 1) || head(t, second) != 1 {
		t.Error("opening the database again lost what was in it")
	}
	act(t, second, func(ctx context.Context, tx *store.Tx) error { return addToken(ctx, tx, 2) })
	if !exists(t, first, 2) || head(t, first) != 2 {
		t.Error("the two do not see each other's acts")
	}
	if err := first.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// SECURITY.md, class 43: a mistyped DSN is the first thing that somebody pastes into a bug report.
func refusesGarbage(t *testing.T, _ func(testing.TB) string) {
	for _, dsn := range []string{
		"", "sqlite", "sqlite:", "sqlite::memory:", "hunter2", "oracle://desk:hunter2@db.example/desk", "oracle://desk:hun%ter2@db/desk",
		"oracle:host=db user=desk password=hunter2", "host=db user=desk password=hunter2", "oracle://db.example/desk?password=hunter2",
		"oracle://desk:hunter2@[::1", "password=hunter2:", "\x00oracle://desk:hunter2@db/desk", "/hunter2/counterfoil.db",
	} {
		db, err := store.Open(t.Context(), dsn)
		if err == nil {
			t.Errorf("DSN %q was taken", dsn)
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "hun%ter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
