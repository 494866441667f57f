package authority

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/catalog"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/store"
)

// catalogue is what is published now: immutable, swapped as a whole.
type catalogue struct {
	seq       api.Seq
	hash      string
	at        time.Time
	by        string
	apis      []catalog.API // the operator's, and the management API
	confirmed []string
	// presentation is what people read, as it is stored. The hash names only what verifiers read: a scope
	// marked as sensitive is another catalogue under the same hash.
	presentation string
}

// is says whether a catalogue is this one, for verifiers and for people.
func (c *catalogue) is(r *catalog.Result) (bool, error) {
	_, hash := r.Catalogue.Canonical()
	presentation, err := r.Marshal()
	return hash == c.hash && string(presentation) == c.presentation, err
}

// golive puts a catalogue in force, unless a later one is already: of two publications at once, the one
// that was committed first may come here second.
func (a *Authority) golive(c *catalogue) {
	for {
		now := a.live.Load()
		if now.seq >= c.seq || a.live.CompareAndSwap(now, c) {
			return
		}
	}
}

func (a *Authority) catalogue() *catalogue { return a.live.Load() }

func (c *catalogue) api(name string) (catalog.API, bool) { return catalog.Find(c.apis, name) }

func (c *catalogue) hasScope(apiName, scope string) bool {
	found, _ := c.api(apiName)
	return slices.ContainsFunc(found.Versions, func(v catalog.Version) bool { _, ok := v.Scope(scope); return ok })
}

// latest is the version that the wizard suggests: the newest current one, or else the last that is
// not a preview and not retired.
func latest(found catalog.API, now time.Time) (catalog.Version, bool) {
	if v, ok := found.Latest(); ok && !retired(v, now) {
		return v, true
	}
	for _, v := range slices.Backward(found.Versions) {
		if v.State != "preview" && !retired(v, now) {
			return v, true
		}
	}
	return catalog.Version{}, false
}

// retired says that a version is over: by its state, or because its sunset has come.
func retired(v catalog.Version, now time.Time) bool {
	if v.State == "retired" {
		return true
	}
	sunset := civil(v.Sunset)
	return sunset != nil && !sunset.After(now)
}

// civil is 00:00 UTC of a date of the catalogue file.
func civil(date string) *time.Time {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return nil
	}
	return &t
}

// loadCatalogue reads what was published last. When the management API of this program differs from the
// one published, or nothing was published yet, it publishes.
func (a *Authority) loadCatalogue(ctx context.Context) error {
	row, err := a.db.Read().LastPublication(ctx)
	row, err = store.One(row, err)
	switch {
	case errors.Is(err, store.ErrNotFound):
		a.live.Store(&catalogue{})
		return a.republish(ctx, &catalog.Result{}, nil, nil)
	case err != nil:
		return fmt.Errorf("reading the published catalogue: %w", err)
	}
	live, err := parsePublication(row)
	if err != nil {
		return err
	}
	a.live.Store(live)
	policy, err := decide.ParseCatalogue([]byte(row.Policy))
	if err != nil {
		return fmt.Errorf("reading the published policy: %w", err)
	}
	own := catalog.Result{Catalogue: *policy, APIs: slices.Clone(live.apis)}
	own.APIs = slices.DeleteFunc(own.APIs, func(x catalog.API) bool { return x.Name == ZeroAPI })
	own.Catalogue.APIs = slices.DeleteFunc(slices.Clone(own.Catalogue.APIs), func(x decide.API) bool { return x.Name == ZeroAPI })
	if same, err := live.is(a.join(&own)); err != nil || same {
		return err
	}
	documents, err := a.db.Read().PublicationDocuments(ctx, row.Seq)
	if err != nil {
		return fmt.Errorf("reading the published documents: %w", err)
	}
	return a.republish(ctx, &own, documents, live.confirmed)
}

func parsePublication(row store.LastPublicationRow) (*catalogue, error) {
	apis, err := catalog.ParsePresentation([]byte(row.Presentation))
	if err != nil {
		return nil, fmt.Errorf("reading publication %d: %w", row.Seq, err)
	}
	live := &catalogue{seq: api.Seq(row.Seq), hash: row.Hash, at: when(row.At), by: row.ByName, apis: apis, presentation: row.Presentation}
	if err := json.Unmarshal([]byte(row.Confirmed), &live.confirmed); err != nil {
		return nil, fmt.Errorf("reading what publication %d confirmed: %w", row.Seq, err)
	}
	return live, nil
}

// republish puts the program's own management API beside what the operator published.
func (a *Authority) republish(ctx context.Context, own *catalog.Result, documents []byte, confirmed []string) error {
	_, err := a.publish(ctx, Actor{Name: "Counterfoil"}, a.join(own), documents, confirmed, a.catalogue().hash)
	return err
}

// join adds the management API to the operator's APIs.
func (a *Authority) join(own *catalog.Result) *catalog.Result {
	joined := &catalog.Result{
		Catalogue: decide.Catalogue{APIs: slices.Concat(own.Catalogue.APIs, a.zero.result.Catalogue.APIs)},
		APIs:      slices.Concat(own.APIs, a.zero.result.APIs),
		Counts:    own.Counts,
	}
	sort.Slice(joined.APIs, func(i, j int) bool { return joined.APIs[i].Name < joined.APIs[j].Name })
	sort.Slice(joined.Catalogue.APIs, func(i, j int) bool { return joined.Catalogue.APIs[i].Name < joined.Catalogue.APIs[j].Name })
	return joined
}

// publish is the one transaction that makes a catalogue live: documents, policy, event and feed entry.
// The gate was passed by the caller.
func (a *Authority) publish(ctx context.Context, by Actor, r *catalog.Result, documents []byte, confirmed []string, over string) (api.Seq, error) {
	if _, err := decide.Compile(&r.Catalogue, nil); err != nil {
		return 0, api.Invalid("documents", "cannot be published: "+err.Error())
	}
	policy, hash := r.Catalogue.Canonical()
	presentation, err := r.Marshal()
	if err != nil {
		return 0, err
	}
	if confirmed == nil {
		confirmed = []string{}
	}
	if documents == nil {
		documents = []byte{}
	}
	live := &catalogue{hash: hash, at: a.now().UTC().Truncate(time.Microsecond), by: by.Name, apis: r.APIs, confirmed: confirmed, presentation: string(presentation)}
	seq, err := a.db.Act(ctx, func(tx *store.Tx) error {
		last, err := tx.LastPublication(ctx)
		if last, err = store.One(last, err); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("reading the published catalogue: %w", err)
		}
		if last.Hash != over {
			return api.Conflict("Somebody else published since you looked at the differences. Look at them again, then publish.")
		}
		e := a.event(by, audit.PublishCatalogue, 0, audit.Subject{Kind: audit.OnCatalogue, ID: hash, Name: "the catalogue"},
			audit.Detail{Field: "catalogue", Before: over, After: hash})
		tx.RecordThen(e, entry(api.Entry{Catalogue: &api.Catalogue{Hash: hash, JSON: policy}}), func(seq int64) error {
			live.seq = api.Seq(seq)
			if err := tx.AddPublication(ctx, store.AddPublicationParams{
				Seq: seq, Hash: hash, Policy: string(policy), Presentation: string(presentation),
				Documents: documents, Confirmed: jsonText(confirmed), At: live.at.UnixMicro(), ByName: by.Name,
			}); err != nil {
				return fmt.Errorf("adding a publication: %w", err)
			}
			return nil
		})
		return nil
	})
	if err != nil {
		return 0, a.public(by, audit.PublishCatalogue, 0, err)
	}
	a.golive(live)
	a.followers.wake()
	a.followers.await(ctx, api.Seq(seq), confirmWait)
	return api.Seq(seq), nil
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("authority: a list is plain data: " + err.Error())
	}
	return string(b)
}

// publishedPolicy is the live policy as verifiers get it.
func publishedPolicy(ctx context.Context, q *store.Queries) (*api.Catalogue, error) {
	row, err := q.LastPublication(ctx)
	if row, err = store.One(row, err); err != nil {
		return nil, fmt.Errorf("reading the published policy: %w", ignoreNotFound(err))
	}
	return &api.Catalogue{Hash: row.Hash, JSON: []byte(row.Policy)}, nil
}

func ignoreNotFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// DiffCatalogue says what publishing these documents would change, and for whom. Nothing is changed.
func (a *Authority) DiffCatalogue(ctx context.Context, by Actor, in api.CatalogUpload) (api.CatalogDiff, error) {
	if err := a.gate(by, audit.PublishCatalogue, 0); err != nil {
		return api.CatalogDiff{}, err
	}
	diff, _, err := a.compare(ctx, in)
	return diff, err
}

// PublishCatalogue makes these documents the live catalogue.
func (a *Authority) PublishCatalogue(ctx context.Context, by Actor, in api.CatalogUpload) (api.CatalogDiff, error) {
	if err := a.gate(by, audit.PublishCatalogue, 0); err != nil {
		return api.CatalogDiff{}, err
	}
	diff, result, err := a.compare(ctx, in)
	if err != nil {
		return diff, err
	}
	if diff.Fatal {
		return diff, fatalProblems(diff)
	}
	over := diff.Hash
	if in.Hash != "" {
		over = in.Hash
	}
	if same, err := a.catalogue().is(result); err != nil || same && over == diff.Hash {
		return diff, err // the same catalogue is live already
	}
	_, err = a.publish(ctx, by, result, in.Documents, in.Confirmed, over)
	return diff, err
}

func fatalProblems(diff api.CatalogDiff) error {
	var bad faults
	for _, v := range diff.APIs {
		for _, p := range v.Problems {
			if p.Severity == string(catalog.Fatal) && len(bad) < 50 {
				bad.add(fmt.Sprintf("%s:%d", p.File, p.Line), p.Text)
			}
		}
	}
	return &api.Error{
		Code: api.CodeInvalid, Status: http.StatusUnprocessableEntity,
		Title: "The documents cannot be published", Fields: bad,
	}
}

// compare builds uploaded documents and holds them against the live catalogue and against every token.
func (a *Authority) compare(ctx context.Context, in api.CatalogUpload) (api.CatalogDiff, *catalog.Result, error) {
	live := a.catalogue()
	diff := api.CatalogDiff{
		Hash: live.hash, APIs: []api.CatalogAPI{}, Changes: []api.CatalogChange{}, Tokens: []api.TokenChange{}, Unanswered: []string{},
	}
	folder, err := catalog.Unpack(in.Documents)
	if err != nil {
		return diff, nil, api.Invalid("documents", err.Error())
	}
	result, problems, err := a.build(folder, in.Confirmed)
	if err != nil {
		return diff, nil, api.Invalid("documents", err.Error())
	}
	var own catalog.Result
	if result != nil {
		own = *result
	}
	if slices.ContainsFunc(own.APIs, func(x catalog.API) bool { return x.Name == ZeroAPI }) {
		return diff, nil, api.Invalid("documents", "name an API "+ZeroAPI+", which is the management API's own name; choose another")
	}
	joined := a.join(&own)
	_, diff.NewHash = joined.Catalogue.Canonical()
	diff.APIs = summary(own, problems)
	diff.Unanswered = append(diff.Unanswered, own.Unconfirmed...)
	for _, p := range problems {
		diff.Fatal = diff.Fatal || p.Severity == catalog.Fatal
	}
	if diff.Fatal {
		return diff, joined, nil
	}
	for _, c := range catalog.Compare(live.apis, joined.APIs).Changes {
		diff.Changes = append(diff.Changes, changeOf(c))
	}
	if err := a.touched(ctx, live.apis, joined.APIs, &diff); err != nil {
		return diff, nil, err
	}
	return diff, joined, nil
}

func (a *Authority) build(folder fs.FS, confirmed []string) (*catalog.Result, []catalog.Problem, error) {
	src, problems, err := catalog.Load(folder, "catalog.yaml")
	if err != nil || src == nil {
		return nil, problems, err
	}
	result, more := catalog.Build(src, catalog.Options{Confirmed: confirmed, Now: a.now()})
	return result, slices.Concat(problems, more), nil
}

// summary counts per API and version, with the problems of each.
func summary(r catalog.Result, problems []catalog.Problem) []api.CatalogAPI {
	out := make([]api.CatalogAPI, 0, len(r.Counts)+1)
	at := make(map[[2]string]int, len(r.Counts))
	for _, c := range r.Counts {
		found, _ := catalog.Find(r.APIs, c.API)
		v, _ := found.Version(c.Version)
		at[[2]string{c.API, c.Version}] = len(out)
		out = append(out, api.CatalogAPI{
			API: c.API, Title: found.Title, Version: c.Version, State: v.State,
			Deprecated: civil(v.Deprecated), Sunset: civil(v.Sunset),
			Operations: c.Operations, Published: c.Published, Scopes: scopeCount(v), Problems: []api.CatalogProblem{},
		})
	}
	for _, p := range problems {
		key := [2]string{p.API, p.Version}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, api.CatalogAPI{API: p.API, Version: p.Version, Problems: []api.CatalogProblem{}})
		}
		out[i].Problems = append(out[i].Problems, api.CatalogProblem{File: p.File, Line: p.Line, Severity: string(p.Severity), Text: p.Text})
	}
	return out
}

func scopeCount(v catalog.Version) int {
	n := 0
	for _, c := range v.Categories {
		n += len(c.Scopes)
	}
	return n
}

func changeOf(c catalog.Change) api.CatalogChange {
	return api.CatalogChange{API: c.API, Version: c.Version, Kind: c.Kind, Scope: c.Scope, Text: c.String(), Details: c.Operations}
}

const touchedListed = 1000

// touched names every token whose reach would grow or shrink, and counts them all.
func (a *Authority) touched(ctx context.Context, before, after []catalog.API, diff *api.CatalogDiff) error {
	memo := make(map[string][2][]string)
	return allGrants(ctx, a.db.Read(), func(g api.Grant) {
		var grows, shrinks []string
		for _, p := range g.Pins {
			key := p.API + "\x00" + p.Version + "\x00" + strings.Join(p.Scopes, "\x00")
			change, ok := memo[key]
			if !ok {
				change[0], change[1] = catalog.Effect(before, after, p.API, p.Version, p.Scopes)
				memo[key] = change
			}
			grows, shrinks = append(grows, change[0]...), append(shrinks, change[1]...)
		}
		if len(grows) > 0 {
			diff.Grow++
		}
		if len(shrinks) > 0 {
			diff.Shrink++
		}
		if len(grows)+len(shrinks) > 0 && len(diff.Tokens) < touchedListed {
			diff.Tokens = append(diff.Tokens, api.TokenChange{Account: g.Account, SID: g.SID, Grows: grows, Shrinks: shrinks})
		}
	})
}

// Catalogue is the live catalogue in short, with how many tokens are pinned to each version.
func (a *Authority) Catalogue(ctx context.Context, by Actor) (api.CatalogueState, error) {
	if err := by.mustSee(0); err != nil {
		return api.CatalogueState{}, err
	}
	live := a.catalogue()
	state := api.CatalogueState{Hash: live.hash, Seq: live.seq, Published: live.at, By: live.by, APIs: []api.CatalogAPI{}, History: []api.Publication{}}
	pinned := make(map[[2]string]int64)
	if err := allGrants(ctx, a.db.Read(), func(g api.Grant) {
		for _, p := range g.Pins {
			pinned[[2]string{p.API, p.Version}]++
		}
	}); err != nil {
		return state, err
	}
	for _, found := range live.apis {
		for _, v := range found.Versions {
			state.APIs = append(state.APIs, api.CatalogAPI{
				API: found.Name, Title: found.Title, Version: v.Name, State: v.State,
				Deprecated: civil(v.Deprecated), Sunset: civil(v.Sunset),
				Operations: len(v.Operations), Published: len(v.Operations), Scopes: scopeCount(v),
				Tokens: pinned[[2]string{found.Name, v.Name}], Problems: []api.CatalogProblem{},
			})
		}
	}
	rows, err := a.db.Read().Publications(ctx, 20)
	if err != nil {
		return state, fmt.Errorf("listing publications: %w", err)
	}
	for _, r := range rows {
		state.History = append(state.History, api.Publication{Seq: api.Seq(r.Seq), Hash: r.Hash, At: when(r.At), By: r.ByName})
	}
	return state, nil
}

// DocumentsFrom packs a folder for [Authority.PublishCatalogue], as the command line does.
func DocumentsFrom(folder fs.FS) ([]byte, error) {
	packed, err := catalog.Pack(folder)
	if err != nil {
		return nil, fmt.Errorf("packing the catalogue: %w", err)
	}
	return bytes.Clone(packed), nil
}
