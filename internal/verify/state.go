package verify

import (
	"fmt"
	"time"
	"unsafe"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
)

// text is a SID as a string without copying: entries are never written to again.
func text(sid *token.SID) string { return unsafe.String(&sid[0], len(sid)) }

// apply puts entries of the feed into force, in order. It is what [Source.Follow] calls; an empty list
// is news too. An entry that cannot be read is kept aside and its token refused; the log goes on.
// The error is [ErrSnapshot] if an entry was missed.
func (v *Verifier) apply(entries []api.Entry) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	for i := range entries {
		e, at := &entries[i], api.Seq(v.seq.Load())
		v.quotas.learn(e.Quotas, v.now())
		if e.Seq <= at {
			continue
		}
		if e.Seq != at+1 {
			return fmt.Errorf("%w: %d follows %d", ErrSnapshot, e.Seq, at)
		}
		v.applyOne(e)
		v.seq.Store(int64(e.Seq))
	}
	if view := v.view.Load(); view != nil {
		if tidied := view.tidy(); tidied != view {
			// Tombstones may be gone, and with them the word against an answer that is still under way.
			v.epoch.Add(1)
			v.view.Store(tidied)
		}
	}
	v.news(v.now())
	return nil
}

// news notes that the authority was heard. While a catalogue cannot be read, nothing counts as heard: the
// verifier goes on by the old one as if it had been cut off then, and refuses in the end, rather than
// open what the new one closes (SECURITY.md, class 34).
func (v *Verifier) news(now time.Time) {
	if v.unread.Load() != 0 {
		return
	}
	v.hearing.heard(now)
	v.wakeConfirm()
}

func (v *Verifier) wakeConfirm() {
	select {
	case v.confirm <- struct{}{}:
	default: // it is awake already, and reads the position afterwards
	}
}

// applyOne puts one entry into force: what a request sees of it changes at one atomic store.
func (v *Verifier) applyOne(e *api.Entry) {
	view := v.view.Load()
	switch {
	case e.Grant != nil:
		packed, err := view.pack(v.table.Load(), e.Grant)
		if err != nil {
			v.keepAside(e.Seq, err)
		}
		if !packed.sid.IsZero() {
			v.view.Store(view.put(packed))
		}
	case e.Gone != "":
		sid, err := token.ParseSID(e.Gone)
		if err != nil {
			v.keepAside(e.Seq, err)
			return
		}
		v.view.Store(view.bury(sid))
	case e.Account != nil:
		view.accounts.learn(*e.Account)
	case e.Catalogue != nil:
		v.publish(e.Seq, e.Catalogue)
	}
}

func (v *Verifier) keepAside(seq api.Seq, err error) {
	v.aside.Add(1)
	v.log.Error("a feed entry cannot be read; its token is refused", "seq", seq, "err", err)
}

// bury makes the entry of a SID a tombstone, which keeps its digest: whoever tries a deleted token takes
// as long to be refused as with a live one.
func (v *view) bury(sid token.SID) *view {
	tomb := entry{sid: sid, state: deleted, flags: neverThere}
	if old := v.dir.find(&sid); old != nil {
		tomb.digest, tomb.flags, tomb.account = old.digest, old.flags, old.account
	}
	return v.put(tomb)
}

// publish puts a catalogue into force. Grants keep their bits: decide gives new scopes new ones.
func (v *Verifier) publish(seq api.Seq, c *api.Catalogue) {
	if c.Hash == v.catalogue {
		v.unread.Store(0)
		return
	}
	table, err := readCatalogue(c, v.table.Load())
	if err != nil {
		if v.unread.Load() == 0 {
			v.unread.Store(int64(seq))
		}
		v.log.Error("the catalogue cannot be read; requests are judged by the former one until the staleness limit",
			"seq", seq, "hash", c.Hash, "limit", v.maxStale, "err", err)
		return
	}
	v.view.Load().recompile(table)
	v.table.Store(table)
	v.catalogue = c.Hash
	v.unread.Store(0)
}

// load puts a whole snapshot into force. A snapshot that is older than what is in force is refused: a
// restored backup must not bring revoked tokens back (SECURITY.md, class 29).
func (v *Verifier) load(s *api.Snapshot) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	if at := v.seq.Load(); int64(s.Seq) < at {
		return fmt.Errorf("the authority is at %d, behind this verifier at %d: it was restored from a backup", s.Seq, at)
	}
	table := v.table.Load()
	switch {
	case s.Catalogue == nil:
		// Nothing is published yet: an empty catalogue, in which nothing passes.
		empty, err := decide.Compile(&decide.Catalogue{}, table)
		if err != nil {
			return fmt.Errorf("compiling the empty catalogue: %w", err)
		}
		table, v.catalogue = empty, ""
	case table == nil || s.Catalogue.Hash != v.catalogue:
		read, err := readCatalogue(s.Catalogue, table)
		if err != nil {
			return fmt.Errorf("reading the catalogue of a snapshot: %w", err)
		}
		table, v.catalogue = read, s.Catalogue.Hash
	}
	view, aside := viewOf(table, s)
	if aside > 0 {
		v.log.Error("grants of a snapshot cannot be read; their tokens are refused", "grants", aside, "seq", s.Seq)
	}
	// The table comes first: it knows every version that the former one knew, and grants of the new view
	// may name versions that only it knows.
	v.quotas.tidy(v.now())
	v.quotas.learn(s.Quotas, v.now())
	v.table.Store(table)
	v.view.Store(view)
	v.aside.Store(int64(aside))
	v.unread.Store(0)
	v.epoch.Add(1)
	v.seq.Store(int64(s.Seq))
	v.news(v.now())
	return nil
}

// learn takes in a grant that was asked for. The feed knows better: what it has said of this SID since
// stands, and an answer from before a snapshot is not used.
func (v *Verifier) learn(g *api.Grant, sid token.SID, epoch int64) {
	v.writing.Lock()
	defer v.writing.Unlock()
	view := v.view.Load()
	if v.epoch.Load() != epoch || view.dir.find(&sid) != nil {
		return
	}
	packed, err := view.pack(v.table.Load(), g)
	if err != nil {
		v.keepAside(api.Seq(v.seq.Load()), err)
		return
	}
	v.view.Store(view.put(packed))
}

// Seq is the position up to which everything is in force.
func (v *Verifier) Seq() api.Seq { return api.Seq(v.seq.Load()) }

// Ready says whether requests are judged: a snapshot is in force and the authority was heard lately.
func (v *Verifier) Ready() bool {
	deaf, heard := v.hearing.deaf(v.now())
	return heard && deaf <= v.maxStale && v.view.Load() != nil
}

// Status is what operations want to know of a verifier.
type Status struct {
	Ready     bool
	Seq       api.Seq
	Deaf      time.Duration // since the authority was heard; meaningless until Ready was true once
	Grants    int
	Aside     int64 // entries that could not be read; their tokens are refused
	Catalogue string
	Unread    bool  // the newest catalogue cannot be read
	Dropped   int64 // calls that usage reports do not count
	AskFailed int64 // unknown tokens that the source could not be asked about
	Decisions map[api.Code]int64
}

// Status reads the present state. Decisions are counted by the precise code; "" is allowed.
func (v *Verifier) Status() Status {
	v.writing.Lock()
	defer v.writing.Unlock()
	s := Status{
		Ready: v.Ready(), Seq: v.Seq(), Catalogue: v.catalogue, Unread: v.unread.Load() != 0,
		Aside: v.aside.Load(), Dropped: v.usage.dropped.Load(), AskFailed: v.askFailed.Load(), Decisions: v.counts.read(),
	}
	s.Deaf, _ = v.hearing.deaf(v.now())
	if view := v.view.Load(); view != nil {
		s.Grants = view.grants - view.dead
	}
	return s
}
