package authority_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/store"
)

// mind is what we know of one token beside the authority: what it opens, and what its secret was ever
// allowed to open.
type mind struct {
	sid     string
	scopes  map[string]bool // api version scope, of a live token
	reach   api.Reach
	brands  map[int64]bool
	version map[string]string
	expires int64 // microseconds; 0: no end
}

func (w *world) mindOf(sid string) mind {
	w.t.Helper()
	t := w.token(sid)
	m := mind{sid: sid, scopes: map[string]bool{}, reach: t.Reach, brands: map[int64]bool{}, version: map[string]string{}}
	if t.Expires != nil {
		m.expires = t.Expires.UnixMicro()
	}
	for _, p := range t.Pins {
		m.version[p.API] = p.Version
		for _, s := range p.Scopes {
			m.scopes[p.API+" "+p.Version+" "+s] = true
		}
	}
	for _, b := range t.Brands {
		m.brands[b] = true
	}
	return m
}

// wider says in which way after opens more than before.
func (m mind) wider(after mind) string {
	switch {
	case after.reach == api.ReachAll && m.reach != api.ReachAll, after.reach == api.ReachList && m.reach == api.ReachNone:
		return "reach"
	case m.expires != 0 && (after.expires == 0 || after.expires > m.expires):
		return "expiry"
	}
	for b := range after.brands {
		if m.reach == api.ReachList && !m.brands[b] {
			return fmt.Sprint("brand ", b)
		}
	}
	return ""
}

// rights is the oracle: what a role may give of the small catalogue, written down by hand.
func rights(by authority.Actor, withheld map[string]bool, apiName, scope string) bool {
	special := scope == "keys.get-key" || scope == "bank.get-bank"
	switch {
	case withheld[apiName+"/"+scope]:
		return false
	case by.Operator, by.Role == api.RoleAdministrator:
		return true
	case by.Role == api.RoleSpecialist:
		return !special || by.AllowSensitive
	default:
		return false
	}
}

// grows says whether a name of the small catalogue opens more in the second version than in the first.
func grows(scope, from, to string) bool {
	return scope == "jobs.read" && from == "2" || scope == "ads.read" && from == "7" && to == "8"
}

// step is one random act on a token, with what was known of the token before.
type step struct {
	by      authority.Actor
	what    string
	sid     string   // after a create or a duplicate, the new token's
	ticked  []string // scopes that were asked for by name
	shown   bool     // a secret was shown
	before  mind
	secrets []string
}

var boxes = []string{
	"jobs.read", "jobs.get-job", "jobs.run-job", "jobs.cancel-job", "reports.make-report", "keys.get-key",
	"brand/ads.read", "brand/ads.make-ad", "brand/bank.get-bank", "no.such", "counterfoil/tokens.list-tokens",
}

// SECURITY.md, class 33, over random roles, edits, upgrades, resets and withheld scopes: after an act by
// somebody, a token opens only what it opened before or what they may give; whenever it becomes wider in
// reach or life, or shows a secret, they may give all of it; and the scopes that a version carries over
// are those of the same name that cover nothing new, or those that were ticked.
func TestNoActYieldsMoreThanItsActorMayGive(t *testing.T) {
	w := newWorld(t)
	n := 0
	name := func(kind string) string { n++; return fmt.Sprint(kind, " ", n) }
	actors := []authority.Actor{w.specialist, w.specialist, w.specialist, w.trusted, w.trusted, w.admin, w.operator, w.analyst, w.rivalAdmin}
	rapid.Check(t, func(r *rapid.T) {
		withheld := map[string]bool{}
		for _, s := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"agency/jobs.read", "agency/keys.get-key", "brand/ads.read"}), rapid.ID[string]).Draw(r, "withheld") {
			withheld[s] = true
		}
		w.withhold(nil)
		sid := w.create(w.operator, agency, w.seed(r, name("Seed"))).Token.SID
		w.withhold(withheld)
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			s := step{by: rapid.SampledFrom(actors).Draw(r, "actor"), sid: sid, before: w.mindOf(sid), secrets: w.digests(sid)}
			s.what = rapid.SampledFrom([]string{"edit", "edit", "edit", "edit", "upgrade", "upgrade", "reset", "create", "duplicate", "enable"}).Draw(r, "act")
			err := w.take(r, &s, name)
			w.judge(r, s, withheld, err)
			sid = s.sid
		}
	})
}

// seed is a token that somebody mighty made: any scopes, one brand, a day to live.
func (w *world) seed(r *rapid.T, name string) api.TokenCreate {
	held := []string{"jobs.read", "jobs.get-job", "reports.make-report", "keys.get-key", "brand/ads.read", "brand/bank.get-bank"}
	seed := wants(name, rapid.SliceOf(rapid.SampledFrom(held)).Draw(r, "held")...)
	seed.Version, seed.BrandVersion = rapid.SampledFrom([]string{"2", "3"}).Draw(r, "seed version"), rapid.SampledFrom([]string{"7", "8"}).Draw(r, "seed brand version")
	seed.Reach, seed.Brands = api.ReachList, []int64{brandA}
	seed.Expires, seed.PrimaryContact = ptr(w.now().Add(24*time.Hour)), w.admin.Person
	return seed
}

// take does the step and notes what was asked for and shown.
func (w *world) take(r *rapid.T, s *step, name func(string) string) error {
	ctx := w.t.Context()
	s.ticked = rapid.SliceOfN(rapid.SampledFrom(boxes), 0, 4).Draw(r, "scopes")
	issued := func(out authority.Issued, err error) error {
		if err == nil {
			s.sid, s.shown = out.Token.SID, true
		}
		return err
	}
	switch s.what {
	case "create":
		in := api.TokenCreate{
			Name: name("New"), Version: rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(r, "version"), Scopes: s.ticked,
			Reach: rapid.SampledFrom([]api.Reach{"", api.ReachAll}).Draw(r, "reach"), PrimaryContact: w.admin.Person, Expires: ptr(w.now().Add(24 * time.Hour)),
		}
		err := issued(w.CreateToken(ctx, s.by, agency, in, authority.Once{}))
		if err == nil {
			s.before, s.secrets = mind{scopes: map[string]bool{}, version: map[string]string{}, reach: api.ReachAll}, nil
		}
		return err
	case "duplicate":
		err := issued(w.DuplicateToken(ctx, s.by, agency, s.sid, api.TokenDuplicate{Name: name("Copy")}, authority.Once{}))
		if err == nil {
			s.before.expires, s.secrets = 0, nil
		}
		return err
	case "reset":
		return issued(w.ResetToken(ctx, s.by, agency, s.sid, 0))
	case "enable":
		if _, err := w.DisableToken(ctx, w.admin, agency, s.sid, ""); err != nil {
			r.Fatal(err)
		}
		err := issued(w.EnableToken(ctx, s.by, agency, s.sid, api.TokenEnable{Reset: true}))
		if err != nil {
			if _, err := w.EnableToken(ctx, w.admin, agency, s.sid, api.TokenEnable{}); err != nil {
				r.Fatal(err)
			}
		}
		return err
	case "upgrade":
		_, err := w.UpgradeToken(ctx, s.by, agency, s.sid, api.TokenUpgrade{
			API: rapid.SampledFrom([]string{"", "brand"}).Draw(r, "api"), Version: rapid.SampledFrom([]string{"", "2", "3", "4", "7", "8"}).Draw(r, "to"), Scopes: s.ticked,
		})
		return err
	default:
		_, err := w.EditToken(ctx, s.by, agency, s.sid, w.someEdit(r, s))
		return err
	}
}

func (w *world) someEdit(r *rapid.T, s *step) api.TokenEdit {
	edit := api.TokenEdit{Revision: w.token(s.sid).Revision}
	if rapid.Bool().Draw(r, "sends scopes") {
		edit.Scopes = &s.ticked
	} else {
		s.ticked = nil
	}
	reach := rapid.SampledFrom([]api.Reach{"", "", "", api.ReachAll, api.ReachList, api.ReachNone}).Draw(r, "reach")
	if reach != "" {
		edit.Reach = &reach
	}
	brands := rapid.SliceOfN(rapid.SampledFrom([]int64{brandA, brandB, brandA, brandB, foreign}), 0, 2).Draw(r, "brands")
	if len(brands) > 0 && reach != api.ReachAll && reach != api.ReachNone {
		edit.Brands = &brands
	}
	if v := rapid.SampledFrom([]string{"", "", "", "7", "8"}).Draw(r, "brand version"); v != "" {
		edit.BrandVersion = &v
	}
	if hours := rapid.SampledFrom([]int{0, 0, 12, 48}).Draw(r, "hours"); hours > 0 {
		edit.Expires = ptr(w.now().Add(time.Duration(hours) * time.Hour))
	}
	return edit
}

// judge holds what came of a step against what its actor may give.
func (w *world) judge(r *rapid.T, s step, withheld map[string]bool, err error) {
	after := w.mindOf(s.sid)
	at := s.what + " by " + s.by.Name
	if err != nil {
		refusal(w.t, err)
		if fmt.Sprint(after) != fmt.Sprint(s.before) {
			r.Fatalf("%s was refused (%v), and changed %v to %v", at, err, s.before, after)
		}
		return
	}
	widens := s.before.wider(after)
	for key := range after.scopes {
		var a, v, scope string
		if _, err := fmt.Sscan(key, &a, &v, &scope); err != nil {
			r.Fatal(err)
		}
		may := rights(s.by, withheld, a, scope)
		was := s.before.version[a]
		carried := was != v && s.before.scopes[a+" "+was+" "+scope] && !grows(scope, was, v)
		asked := slices.Contains(s.ticked, a+"/"+scope) || slices.Contains(s.ticked, scope) && (a == "agency" || s.what == "upgrade")
		switch {
		case (s.shown || widens != "") && !may:
			r.Fatalf("%s shows %v, widens %q, and opens %s, which they may not give", at, s.shown, widens, key)
		case s.before.scopes[key], s.what == "upgrade" && carried:
		case !may:
			r.Fatalf("%s opens %s, which it did not and they may not give", at, key)
		case !asked:
			r.Fatalf("%s opens %s, which nobody asked for: %v", at, key, s.ticked)
		}
	}
	if after.brands[foreign] {
		r.Fatalf("%s reaches a brand that is not managed", at)
	}
	if same := slices.Equal(s.secrets, w.digests(s.sid)); same == s.shown {
		r.Fatalf("%s: shown %v, and the secret is the same: %v", at, s.shown, same)
	}
}

// withhold has exactly these scopes withheld from the agency.
func (w *world) withhold(want map[string]bool) {
	w.t.Helper()
	ctx := w.t.Context()
	if _, err := w.db.Act(ctx, func(tx *store.Tx) error {
		have, err := tx.Withheld(ctx, agency)
		if err != nil {
			return err
		}
		for _, h := range have {
			if _, err := tx.Release(ctx, store.ReleaseParams{Account: agency, Api: h.Api, Scope: h.Scope}); err != nil {
				return err
			}
		}
		for key := range want {
			if key == "agency/reports.make-report" {
				continue
			}
			a, s := key[:6], key[7:]
			if key[:5] == "brand" {
				a, s = key[:5], key[6:]
			}
			if err := tx.Withhold(ctx, store.WithholdParams{Account: agency, Api: a, Scope: s}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
}
