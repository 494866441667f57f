package verify

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
)

// view is all grants, as requests see them: pages, and the side tables that their entries name. It is
// reached through one pointer. A changed grant replaces one page of the view; growth and the sweeping
// out of garbage make a new view. Only the writer, who holds Verifier.writing, calls what changes it.
type view struct {
	dir      *directory
	pins     *sharedTable[pinSet]
	reach    *sharedTable[[]int64]
	extras   *sideTable[extra]
	limits   *sharedTable[limits]
	accounts *accounts
	grants   int // entries, tombstones included
	dead     int // tombstones
}

// accounts are kept for the verifier's life, since grants name them and there are few.
type accounts struct {
	sideTable[*account]
	index map[int64]uint32
}

// of returns the place of an account, made if nothing was heard of it yet.
func (a *accounts) of(id int64) uint32 {
	i, known := a.index[id]
	if !known {
		i = a.add(&account{id: id, text: strconv.FormatInt(id, 10)})
		a.index[id] = i
	}
	return i
}

// learn stores what is true of an account now.
func (a *accounts) learn(heard api.AccountFacts) {
	brands := slices.Clone(heard.Manages)
	slices.Sort(brands)
	texts := make([]string, len(brands))
	for i, brand := range brands {
		texts[i] = strconv.FormatInt(brand, 10)
	}
	is := &facts{suspended: heard.Suspended, manages: brands, texts: texts}
	if !heard.Limits.IsZero() {
		is.limits = &limits{AccountLimits: *heard.Limits}
		if is.limits.check() != nil { // what cannot be counted lets nothing pass (SECURITY.md, class 34)
			is.suspended = true
		}
	}
	(*a.at(a.of(heard.Account))).facts.Store(is)
}

func newSeed() *hashSeed {
	var raw [16]byte
	rand.Read(raw[:]) // never fails: the program ends instead
	return &hashSeed{binary.LittleEndian.Uint64(raw[:8]), binary.LittleEndian.Uint64(raw[8:])}
}

func newView(grants int) *view {
	v := &view{
		dir:  newDirectory(grants, newSeed()),
		pins: new(sharedTable[pinSet]), reach: new(sharedTable[[]int64]), extras: new(sideTable[extra]), limits: new(sharedTable[limits]),
		accounts: &accounts{index: make(map[int64]uint32)},
	}
	// Row 0 is the account of what has none: tombstones of unknown tokens, and grants that cannot be read.
	v.accounts.list.Store(&[]*account{new(account)})
	return v
}

// Errors of a grant that this program cannot read.
var (
	errState   = errors.New("a state that this program does not know")
	errReach   = errors.New("a reach that this program does not know")
	errSecrets = errors.New("a grant has one secret, or two")
)

// pack turns a grant as the feed carries it into an entry of v. If it cannot be read, the entry that
// comes with the error refuses, and the feed goes on: a bad row must not stop the log nor leave the
// token as it was before (SECURITY.md, 3.2). Only a grant without a SID has no entry.
func (v *view) pack(table *decide.Table, g *api.Grant) (entry, error) {
	sid, err := token.ParseSID(g.SID)
	if err != nil {
		return entry{}, err
	}
	e, err := v.packBody(table, g)
	if err != nil {
		return entry{sid: sid}, fmt.Errorf("reading the grant of %s: %w", g.SID, err)
	}
	e.sid = sid
	return e, nil
}

func (v *view) packBody(table *decide.Table, g *api.Grant) (entry, error) {
	e := entry{expires: g.Expires}
	if err := e.setStanding(g); err != nil {
		return entry{}, err
	}
	if len(g.Secrets) < 1 || len(g.Secrets) > 2 {
		return entry{}, errSecrets
	}
	x := extra{until: g.Secrets[0].Until, notBefore: g.NotBefore}
	var err error
	if e.digest, err = token.ParseDigest(g.Secrets[0].Digest); err != nil {
		return entry{}, err
	}
	if len(g.Secrets) == 2 {
		x.secondEnd = g.Secrets[1].Until
		if x.second, err = token.ParseDigest(g.Secrets[1].Digest); err != nil {
			return entry{}, err
		}
	}
	var held limits
	if !g.Limits.IsZero() {
		if held, err = compileLimits(g.Limits); err != nil {
			return entry{}, err
		}
	}
	// Nothing is held before all was read, so that what cannot be read leaves no garbage.
	e.account = v.accounts.of(g.Account)
	e.pins = v.holdPins(table, g.Pins)
	if e.flags&reachList != 0 {
		e.reach = v.holdBrands(g.Brands)
	}
	if x.limits, err = v.holdLimits(g.Limits, held); err != nil {
		return entry{}, err
	}
	if x != (extra{}) {
		e.extra = v.extras.add(x)
		v.extras.live++
	}
	return e, nil
}

func (e *entry) setStanding(g *api.Grant) error {
	switch g.State {
	case api.StateEnabled:
		e.state = enabled
	case api.StateDisabled:
		e.state = disabled
	case api.StateOnHold:
		e.state = onHold
	case api.StateLeaked:
		e.state = leaked
	case api.StateDeleted:
		e.state = deleted
	default:
		return errState
	}
	if g.Zero {
		e.flags |= isZero
	}
	switch g.Reach {
	case api.ReachNone, "":
	case api.ReachAll:
		e.flags |= reachAll
	case api.ReachList:
		e.flags |= reachList
	default:
		return errReach
	}
	return nil
}

func (v *view) holdPins(table *decide.Table, pins []api.Pin) uint32 {
	if len(pins) == 0 {
		return 0
	}
	var key bytes.Buffer
	for _, pin := range pins {
		// Lengths come first, so that no two lists of pins are written alike (SECURITY.md, class 24).
		for _, word := range append([]string{pin.API, pin.Version, strconv.Itoa(len(pin.Scopes))}, pin.Scopes...) {
			fmt.Fprintf(&key, "%d:%s", len(word), word)
		}
	}
	return v.pins.hold(sha256.Sum256(key.Bytes()), func() pinSet { return compilePins(table, pins) })
}

// compilePins finds versions and scopes in the catalogue. What is not in it is left out, so it opens nothing.
func compilePins(table *decide.Table, pins []api.Pin) pinSet {
	set := pinSet{pins: make([]decide.Pin, 0, len(pins))}
	whole := table != nil
	for _, pin := range pins {
		var id decide.VersionID
		if table != nil {
			id = table.VersionID(pin.API, pin.Version)
		}
		if id == 0 { // no catalogue had it yet
			whole = false
			continue
		}
		scopes := table.ScopeSet(id, pin.Scopes)
		whole = whole && scopes.Len() == len(pin.Scopes)
		set.pins = append(set.pins, decide.Pin{Version: id, Scopes: scopes})
	}
	if !whole {
		set.raw = pins
	}
	return set
}

// recompile looks again for what the former catalogue did not have.
func (v *view) recompile(table *decide.Table) {
	old := v.pins.rows()
	if !slices.ContainsFunc(old, func(s pinSet) bool { return s.raw != nil }) {
		return
	}
	rows := slices.Clone(old)
	for i := range rows {
		if rows[i].raw != nil {
			rows[i] = compilePins(table, rows[i].raw)
		}
	}
	v.pins.list.Store(&rows)
}

func (v *view) holdBrands(brands []int64) uint32 {
	if len(brands) == 0 {
		return 0
	}
	brands = slices.Clone(brands)
	slices.Sort(brands)
	key := make([]byte, 0, 8*len(brands))
	for _, brand := range brands {
		key = binary.LittleEndian.AppendUint64(key, uint64(brand))
	}
	return v.reach.hold(sha256.Sum256(key), func() []int64 { return brands })
}

// release gives back what an entry held, once no page names it.
func (v *view) release(e *entry) {
	v.pins.drop(e.pins)
	v.reach.drop(e.reach)
	if e.extra != 0 {
		v.limits.drop(v.extras.at(e.extra).limits)
		v.extras.live--
	}
}

// put stores an entry and returns the view that holds it: v itself, or a larger one.
func (v *view) put(e entry) *view {
	old := v.dir.find(&e.sid)
	into := v
	for !into.dir.put(&e) {
		into = into.grown()
	}
	if old == nil {
		into.grants++
	} else {
		into.release(old)
		into.dead -= tombs(old)
	}
	into.dead += tombs(&e)
	return into
}

func tombs(e *entry) int {
	if e.state == deleted {
		return 1
	}
	return 0
}

// grown is the same view over a directory of twice the pages.
func (v *view) grown() *view {
	w := *v
	all := make([]entry, 0, v.grants)
	v.dir.each(func(e *entry) { all = append(all, *e) })
	w.dir = filled(all, 2*len(v.dir.slots)*pageLoad)
	return &w
}

// filled makes a directory of entries. Should a page overflow, another seed or more room helps.
func filled(entries []entry, room int) *directory {
	for {
		dir := newDirectory(room, newSeed())
		if dir.fill(entries) {
			return dir
		}
		room *= 2
	}
}

// tidy returns v, or a new view if v is crowded or more than half garbage.
func (v *view) tidy() *view {
	if v.pins.wasteful() || v.reach.wasteful() || v.extras.wasteful() || v.limits.wasteful() || v.dead > v.grants/2+1024 {
		return v.swept()
	}
	if v.grants > len(v.dir.slots)*pageLoad {
		return v.grown()
	}
	return v
}

// swept copies what is alive into new side tables and leaves tombstones out. A token whose tombstone
// is gone is asked for once and answered as not there.
func (v *view) swept() *view {
	w := newView(0)
	w.accounts = v.accounts
	all := make([]entry, 0, v.grants-v.dead)
	v.dir.each(func(e *entry) {
		if e.state == deleted {
			return
		}
		moved := *e
		if e.pins != 0 {
			moved.pins = w.pins.hold(v.pins.keys[e.pins], func() pinSet { return *v.pins.at(e.pins) })
		}
		if e.reach != 0 {
			moved.reach = w.reach.hold(v.reach.keys[e.reach], func() []int64 { return *v.reach.at(e.reach) })
		}
		if e.extra != 0 {
			x := *v.extras.at(e.extra)
			if x.limits != 0 {
				held := x.limits
				x.limits = w.limits.hold(v.limits.keys[held], func() limits { return *v.limits.at(held) })
			}
			moved.extra = w.extras.add(x)
			w.extras.live++
		}
		all = append(all, moved)
	})
	w.grants = len(all)
	w.dir = filled(all, len(all)+len(all)/4)
	return w
}

// viewOf builds a view of a whole snapshot. Grants that cannot be read are in it, refused, and counted.
func viewOf(table *decide.Table, s *api.Snapshot) (v *view, aside int) {
	v = newView(0)
	for _, heard := range s.Accounts {
		v.accounts.learn(heard)
	}
	all := make([]entry, 0, len(s.Grants))
	for i := range s.Grants {
		e, err := v.pack(table, &s.Grants[i])
		if err != nil {
			aside++
		}
		if !e.sid.IsZero() {
			all = append(all, e)
		}
	}
	v.grants = len(all)
	v.dir = filled(all, len(all)+len(all)/4)
	return v, aside
}

// readCatalogue checks the name, reads and compiles.
func readCatalogue(c *api.Catalogue, former *decide.Table) (*decide.Table, error) {
	if sum := sha256.Sum256(c.JSON); c.Hash != fmt.Sprintf("%x", sum) {
		return nil, errors.New("the catalogue is not the one that its name says")
	}
	parsed, err := decide.ParseCatalogue(json.RawMessage(c.JSON))
	if err != nil {
		return nil, err
	}
	return decide.Compile(parsed, former)
}
