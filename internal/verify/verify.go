package verify

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/token"
)

// Config says what a verifier is made of.
type Config struct {
	Source   Source           // required
	Node     string           // this verifier's name to the authority; required
	Prefix   token.Prefix     // of the operator's tokens; "" means [token.DefaultPrefix]
	Console  string           // base URL of the desk, for the links in refusals; "" leaves them out
	Realm    string           // of the challenge (RFC 9110, section 11.5); "" means counterfoil
	MaxStale time.Duration    // how long to answer without news; zero means 15 minutes
	Strict   time.Duration    // the same on strict routes; zero means 5 seconds
	Now      func() time.Time // nil means time.Now; must carry a monotonic reading, as time.Now does
	Log      *slog.Logger     // nil discards
	Limiter  Limiter          // counts rates; nil: in memory, so that each verifier counts for itself
}

const (
	defaultRealm    = "counterfoil"
	defaultMaxStale = 15 * time.Minute
	defaultStrict   = 5 * time.Second
)

// Verifier decides requests from its own copy of all grants. What a request sees is immutable and behind
// atomic pointers: the table, the view, the facts of an account.
type Verifier struct {
	source   Source
	node     string
	prefix   token.Prefix
	console  string
	realm    string
	maxStale time.Duration
	strict   time.Duration
	now      func() time.Time
	log      *slog.Logger

	table   atomic.Pointer[decide.Table] // nil until the first snapshot
	view    atomic.Pointer[view]         // likewise
	hearing hearing
	asking  *asking
	usage   *usage
	counts  counts
	limiter Limiter
	quotas  *quotas

	writing   sync.Mutex   // held by whoever changes what requests see
	seq       atomic.Int64 // everything up to here is in force
	epoch     atomic.Int64 // counts snapshots and sweeps
	catalogue string       // hash of the one in force; under writing
	unread    atomic.Int64 // position of a catalogue that could not be read; 0: none
	aside     atomic.Int64 // entries that could not be read since the last snapshot, and in it
	askFailed atomic.Int64
	confirm   chan struct{} // one place: there is something to confirm
	running   atomic.Bool
}

// New makes a verifier that knows nothing and refuses everything until [Verifier.Run] has read a snapshot.
func New(c Config) (*Verifier, error) {
	v := &Verifier{
		source: c.Source, node: c.Node, prefix: c.Prefix, console: strings.TrimSuffix(c.Console, "/"), realm: c.Realm,
		maxStale: c.MaxStale, strict: c.Strict, now: c.Now, log: c.Log,
		asking: newAsking(), confirm: make(chan struct{}, 1), limiter: c.Limiter, quotas: newQuotas(),
	}
	if v.source == nil || v.node == "" {
		return nil, errors.New("verify: a verifier needs a source and a node name")
	}
	if v.prefix == "" {
		v.prefix = token.DefaultPrefix
	}
	if _, err := token.ParsePrefix(string(v.prefix)); err != nil {
		return nil, err
	}
	if v.realm == "" {
		v.realm = defaultRealm
	}
	if strings.ContainsFunc(v.realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return nil, errors.New("verify: a realm is printable ASCII without quotes and backslashes")
	}
	if v.maxStale == 0 {
		v.maxStale = defaultMaxStale
	}
	if v.strict == 0 {
		v.strict = defaultStrict
	}
	if v.maxStale < 0 || v.strict < 0 {
		return nil, errors.New("verify: a staleness limit is not negative")
	}
	if v.now == nil {
		v.now = time.Now
	}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	v.hearing.begin(v.now())
	v.usage = newUsage(v.now())
	if v.limiter == nil {
		v.limiter = newRates(v.now())
	}
	return v, nil
}

// Verify judges r and writes the whole answer to d. It allocates nothing when it allows, and waits for
// nothing unless the SID is unknown: then it may ask the source, for at most two seconds.
//
// The order of judgement is that of DESIGN.md, section 3: target, credential form, route, credential,
// binding, version, scope, reach, limits; the first failure answers. (Work is done in another order, so that
// the look-up's cache misses pass while the route is found and the secret hashed.)
func (v *Verifier) Verify(r *Request, d *Decision) {
	d.begin(r)
	v.judge(r, d)
	v.counts.add(d)
}

func (v *Verifier) judge(r *Request, d *Decision) {
	now := v.now()
	table, view := v.table.Load(), v.view.Load()
	if table == nil || view == nil {
		d.Code = api.CodeStale
		return
	}
	d.table = table
	var buffer plain
	presented, form := readCredential(&buffer, v.prefix, r.Header, r.Target)
	hash := view.dir.seed.of(&presented.SID)
	page := view.dir.page(hash)
	page.prefetchHead()

	if !v.route(table, r, d, now, form) {
		return
	}
	if form == api.CodeNoCredential {
		v.public(table, d, now)
		return
	}
	page.prefetchEntry(hash)
	digest := presented.Digest()
	e := page.find(&presented.SID, hash)
	if form != "" {
		digest = token.DigestOf(noSecret) // so that a bad checksum takes as long as a wrong secret
	}
	if e == nil && form == "" && r.Accept.has(presented.Kind) && v.ask(presented.SID, r.Client, now) {
		view = v.view.Load()
		e = view.dir.find(&presented.SID)
	}
	if code := v.authenticate(view, e, r, presented.Kind, &digest, now); code != "" {
		d.Code = code
		if form != "" {
			d.Code = form
		}
		return
	}
	if v.authorize(table, view, e, d, now); d.Allowed {
		v.hold(view, e, r, d, now)
	}
	v.usage.record(&e.sid, hash, api.Micros(now.UnixMicro()), d.Allowed, r.Client, r.Agent)
}

// route judges target, credential form, route and staleness, in this order, and says whether to go on.
func (v *Verifier) route(table *decide.Table, r *Request, d *Decision, now time.Time, form api.Code) bool {
	d.target = r.Target
	asked := decide.Request{
		Method: r.Method, Target: r.Target, Host: r.Host, Fields: table.AppendFields(d.fields[:0], r.Header), Now: now.UnixMicro(),
	}
	reason := table.Match(&asked, &d.match)
	clear(asked.Fields) // a Decision is used again, and must not keep a credential alive until then
	deaf, heard := v.hearing.deaf(now)
	switch {
	case reason == decide.MalformedRequest:
		d.refuse(reason)
	case form == api.CodeNoCredential && !d.match.Public():
		d.Code = form
	case form == api.CodeMalformedCredential:
		d.Code = form
	case reason != decide.Allow:
		d.refuse(reason)
	case !heard || deaf > v.maxStale:
		d.Code = api.CodeStale
	default:
		d.API = d.match.API().Name
		return true
	}
	return false
}

// noSecret is hashed where there is none.
const noSecret = "0000000000000000000000000000000000000000000"

// nobody stands for a token that is not there, so that its secret is compared all the same.
var nobody entry

// authenticate says why a credential is not in force, or "". A wrong secret and an unknown token take
// the same steps: both are hashed and compared (SECURITY.md, class 27). No state is looked at before the
// secret was right.
func (v *Verifier) authenticate(view *view, e *entry, r *Request, kind token.Kind, digest *token.Digest, now time.Time) api.Code {
	known := e != nil
	if !known {
		e = &nobody
	}
	at := api.Micros(now.UnixMicro())
	right := e.digest.Equal(*digest)
	if e.extra != 0 {
		x := view.extras.at(e.extra)
		right = right && before(at, x.until)
		second := x.second.Equal(*digest) && before(at, x.secondEnd)
		right = right || second
	}
	// A deleted token parts from the others only where the secret was right, or a clock could tell.
	switch {
	case !known || e.flags&neverThere != 0:
		return api.CodeUnknownToken
	case !right || !r.Accept.has(kind) || (kind == token.Zero) != (e.flags&isZero != 0):
		return api.CodeWrongSecret
	case e.state == deleted:
		return api.CodeUnknownToken
	}
	return ""
}

// before says whether a time that may be absent (zero) is still ahead.
func before(now, end api.Micros) bool { return end == 0 || now < end }

// inForce says why a token with the right secret does not count now, or "".
func (e *entry) inForce(view *view, account *facts, at api.Micros) api.Code {
	switch e.state {
	case enabled:
	case disabled, leaked:
		return api.CodeTokenDisabled
	case onHold:
		return api.CodeTokenOnHold
	default: // deleted reads as unknown, and so does what this program cannot read
		return api.CodeUnknownToken
	}
	switch {
	case !before(at, e.expires):
		return api.CodeTokenExpired
	case e.extra != 0 && at < view.extras.at(e.extra).notBefore:
		return api.CodeTokenNotYetValid
	case account.suspended:
		return api.CodeAccountSuspended
	}
	return ""
}

// authorize judges a token whose secret was right.
func (v *Verifier) authorize(table *decide.Table, view *view, e *entry, d *Decision, now time.Time) {
	account := *view.accounts.at(e.account)
	facts := account.now()
	d.Known, d.Account, d.accountText, d.SID = true, account.id, account.text, text(&e.sid)
	at := api.Micros(now.UnixMicro())
	if d.Code = e.inForce(view, facts, at); d.Code != "" {
		if d.Code == api.CodeUnknownToken {
			d.Known, d.Account, d.accountText, d.SID = false, 0, "", ""
		}
		d.ends = e.expires
		if d.Code == api.CodeTokenNotYetValid {
			d.ends = view.extras.at(e.extra).notBefore
		}
		return
	}
	d.accountLimits = facts.limits
	c := &d.caller
	*c = decide.Caller{
		Account: account.id, SID: d.SID, Managed: facts.manages,
		ReachAll: e.flags&reachAll != 0,
	}
	if e.pins != 0 {
		c.Pins = view.pins.at(e.pins).pins
	}
	if e.reach != 0 {
		c.Reach = *view.reach.at(e.reach)
	}
	if d.match.Bind() == decide.BindAnySID {
		c.Named = view.names(d.match.Bound(), e.account, at)
	}
	reason := table.Decide(&d.match, c, &d.verdict)
	v.conclude(d, reason, now)
	if d.Brand == 0 {
		return
	}
	if i, found := slices.BinarySearch(facts.manages, d.Brand); found {
		d.brandText = facts.texts[i]
	}
}

// names says whether a path segment is the SID of a live token of an account (decide.BindAnySID).
func (v *view) names(segment string, account uint32, at api.Micros) bool {
	sid, err := token.ParseSID(segment)
	if err != nil {
		return false
	}
	e := v.dir.find(&sid)
	return e != nil && e.account == account && e.inForce(v, (*v.accounts.at(account)).now(), at) == ""
}

// public judges a request without a credential on a public route.
func (v *Verifier) public(table *decide.Table, d *Decision, now time.Time) {
	v.conclude(d, table.Decide(&d.match, nil, &d.verdict), now)
}

// conclude writes what decide said, once strict routes have had their say about staleness.
func (v *Verifier) conclude(d *Decision, reason decide.Reason, now time.Time) {
	d.API, d.Version, d.Brand = d.verdict.API, d.verdict.Version, d.verdict.Brand
	if reason != decide.Allow {
		d.refuse(reason)
		return
	}
	if deaf, _ := v.hearing.deaf(now); d.verdict.Strict && deaf > v.strict {
		d.Code = api.CodeStale
		return
	}
	d.Allowed, d.Code, d.Scope = true, "", d.verdict.Scope
}

// Explain judges r as if the token of sid had sent it with the right secret: would it pass, and if not,
// why. Nothing is counted, no source is asked, and limits are not looked at but the token's hosts: whoever asks
// is not who will call.
func (v *Verifier) Explain(sid token.SID, r *Request) *Decision {
	d := new(Decision)
	d.begin(r)
	now := v.now()
	table, view := v.table.Load(), v.view.Load()
	if table == nil || view == nil {
		d.Code = api.CodeStale
		return d
	}
	d.table = table
	if !v.route(table, r, d, now, "") {
		return d
	}
	e := view.dir.find(&sid)
	if e == nil {
		d.Code = api.CodeUnknownToken
		return d
	}
	if v.authorize(table, view, e, d, now); d.Allowed && !view.ownLimits(e).atHost(d.match.Host()) {
		d.Allowed, d.Code, d.hostOfToken = false, api.CodeHostNotAllowed, true
	}
	return d
}

// Identify judges the credential of r alone: whose token is it, is it in force, and may it come from there. It is for acts that
// every live token may do on itself.
func (v *Verifier) Identify(r *Request, d *Decision) {
	d.begin(r)
	now := v.now()
	view := v.view.Load()
	deaf, heard := v.hearing.deaf(now)
	if view == nil || !heard || deaf > v.maxStale {
		d.Code = api.CodeStale
		return
	}
	var buffer plain
	presented, form := readCredential(&buffer, v.prefix, r.Header, r.Target)
	if form == api.CodeNoCredential {
		d.Code = form
		return
	}
	e := view.dir.find(&presented.SID)
	digest := presented.Digest()
	if form != "" {
		digest = token.DigestOf(noSecret) // so that a bad checksum takes as long as a wrong secret
	}
	if e == nil && form == "" && r.Accept.has(presented.Kind) && v.ask(presented.SID, r.Client, now) {
		view = v.view.Load()
		e = view.dir.find(&presented.SID)
	}
	code := v.authenticate(view, e, r, presented.Kind, &digest, now)
	if code == "" {
		account := *view.accounts.at(e.account)
		code = e.inForce(view, account.now(), api.Micros(now.UnixMicro()))
		if code != api.CodeUnknownToken {
			d.Known, d.Account, d.accountText, d.SID = true, account.id, account.text, text(&e.sid)
		}
		d.ends = e.expires
	}
	d.Code, d.Allowed = code, code == ""
	if d.Allowed && !r.onBehalf && !view.ownLimits(e).admits(r.Client) {
		d.Allowed, d.Code, d.client = false, api.CodeAddressNotAllowed, r.Client
	}
	if form != "" {
		d.Code, d.Allowed = form, false
	}
}

// Again judges a request that d allowed once more, by what is in force now: whoever keeps a connection open
// asks from time to time. Nothing is counted.
func (v *Verifier) Again(d *Decision, r *Request) bool {
	if !d.Known {
		now := new(Decision)
		now.begin(r)
		v.judge(r, now)
		return now.Allowed
	}
	sid, err := token.ParseSID(d.SID)
	if err != nil || !v.Explain(sid, r).Allowed {
		return false
	}
	view := v.view.Load()
	e := view.dir.find(&sid)
	return e != nil && view.ownLimits(e).admits(r.Client)
}

// Overrule makes an allowed decision a refusal, for a cause that only the door knows. Empty words mean
// those of the code.
func (v *Verifier) Overrule(d *Decision, code api.Code, detail string) {
	v.counts.take(d)
	d.Allowed, d.Code, d.detail = false, code, detail
	v.counts.add(d)
}
