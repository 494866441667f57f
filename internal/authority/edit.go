package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/catalog"
	"counterfoil.dev/counterfoil/internal/store"
)

// EditToken changes a token and keeps its secret. The edit names the revision it saw: when two people
// edit at once, the second is told and nothing is overwritten.
func (a *Authority) EditToken(ctx context.Context, by Actor, account int64, sid string, in api.TokenEdit) (api.TokenChanged, error) {
	var out api.TokenChanged
	seq, err := a.act(ctx, by, audit.EditToken, account, func(tx *store.Tx) error {
		row, err := liveToken(ctx, tx.Queries, by, account, sid)
		if err != nil {
			return err
		}
		if row.Revision != in.Revision {
			return changedMeanwhile()
		}
		after, err := a.edited(ctx, tx.Queries, by, row, in)
		if err != nil {
			return err
		}
		return a.writeEdit(ctx, tx, by, audit.EditToken, row, after)
	})
	if err != nil {
		return out, err
	}
	out.Seq = seq
	out.Token, err = a.Token(ctx, by, account, sid)
	return out, err
}

func changedMeanwhile() error {
	return api.Conflict("Somebody else changed this token since you opened it. Nothing of yours was saved; look at both, then update again.")
}

// PreviewEdit says what an edit would change, for the confirmation, without changing anything.
func (a *Authority) PreviewEdit(ctx context.Context, by Actor, account int64, sid string, in api.TokenEdit) ([]api.HistoryPair, error) {
	if err := a.gate(by, audit.EditToken, account); err != nil {
		return nil, err
	}
	var pairs []api.HistoryPair
	err := a.db.View(ctx, func(q *store.Queries) error {
		row, err := liveToken(ctx, q, by, account, sid)
		if err != nil {
			return err
		}
		if row.Revision != in.Revision {
			return changedMeanwhile()
		}
		after, err := a.edited(ctx, q, by, row, in)
		if err != nil {
			return err
		}
		people, err := contactNames(ctx, q, account)
		pairs = pairsOf(tokenDetails(people, row, after))
		return err
	})
	return pairs, err
}

func (a *Authority) writeEdit(ctx context.Context, tx *store.Tx, by Actor, action audit.Action, row, after store.Token) error {
	n, err := tx.EditToken(ctx, store.EditTokenParams{
		Account: row.Account, SID: row.SID, Revision: row.Revision,
		Name: after.Name, NameKey: after.NameKey, Description: after.Description, Api: after.Api, Version: after.Version,
		Pins: after.Pins, Reach: after.Reach, Brands: after.Brands, ExpiresAt: after.ExpiresAt,
		PrimaryContact: after.PrimaryContact, Emails: after.Emails, Limits: after.Limits,
	})
	if a.db.Conflict(err) {
		return api.Invalid("name", "is taken by another token of this account; choose another")
	} else if err != nil {
		return fmt.Errorf("editing a token: %w", err)
	}
	if n == 0 {
		return changedMeanwhile()
	}
	people, err := contactNames(ctx, tx.Queries, row.Account)
	if err != nil {
		return err
	}
	return a.recordToken(ctx, tx, row.SID, a.event(by, action, row.Account, tokenSubject(row.SID, after.Name), tokenDetails(people, row, after)...))
}

// edited is the row as it would be. Widening anything asks the same right as creating it would.
func (a *Authority) edited(ctx context.Context, q *store.Queries, by Actor, row store.Token, in api.TokenEdit) (store.Token, error) {
	var bad faults
	after := row
	held, err := opensOf(row)
	if err != nil {
		return after, err
	}
	g, err := a.giver(ctx, q, by, row.Account)
	if err != nil {
		return after, err
	}
	if err := editWords(ctx, q, &after, in, &bad); err != nil {
		return after, err
	}
	if err := a.editPeople(ctx, q, by, &after, in, &bad); err != nil {
		return after, err
	}
	if moves(row, held, in) && in.Scopes == nil {
		// The key of a scope is version and name: the same name may open more there (SECURITY.md, class 34).
		bad.add("scopes", "must be given with another brand_version: those that the token has are of version "+held.pins[1].Version)
	} else if in.Scopes != nil || in.Reach != nil || in.Brands != nil || in.BrandVersion != nil {
		what, err := a.resolve(ctx, q, g, row.Account, wantedEdit(row, held, in), &held, &bad)
		if err != nil {
			return after, err
		}
		if wider(held, what) {
			if err := a.mayHold(g, what); err != nil {
				return after, err
			}
		}
		after.Pins, after.Reach, after.Brands = jsonText(what.pins), string(what.reach), jsonText(what.brands)
	}
	if otherEnd(row, in) {
		if err := a.editExpiry(ctx, q, g, held, &after, in, &bad); err != nil {
			return after, err
		}
	}
	if err := a.editLimits(g, held, &after, in, &bad); err != nil {
		return after, err
	}
	return after, bad.err()
}

// editLimits puts other limits on a token. Whoever loosens them must be one who could make it without.
func (a *Authority) editLimits(g giver, held opens, after *store.Token, in api.TokenEdit, bad *faults) error {
	before, err := limitsOf(after.SID, after.Limits)
	if err != nil {
		return err
	}
	if in.Limits == nil {
		if before != nil && before.NotBefore != nil && after.ExpiresAt != nil && before.NotBefore.UnixMicro() >= *after.ExpiresAt {
			bad.add("expires", "is not after the time from which the token opens anything ("+when(before.NotBefore.UnixMicro()).Format("2006-01-02 15:04 UTC")+")")
		}
		return nil
	}
	what, err := opensOf(*after)
	if err != nil {
		return err
	}
	served := a.servedHosts(what.pins)
	if served != nil && before != nil {
		served = append(served, before.Hosts...) // a host that an API has no more may stay
	}
	limits := cleanLimits(in.Limits, after.ExpiresAt, served, bad)
	if loosens(before, limits) {
		if err := a.mayHold(g, held); err != nil {
			return err
		}
	}
	after.Limits = limitsText(limits)
	return nil
}

// moves says whether an edit takes the token to another version of the nested API.
func moves(row store.Token, held opens, in api.TokenEdit) bool {
	reach := api.Reach(row.Reach)
	if in.Reach != nil {
		reach = *in.Reach
	}
	return reach != api.ReachNone && len(held.pins) > 1 && in.BrandVersion != nil && *in.BrandVersion != "" && *in.BrandVersion != held.pins[1].Version
}

// otherEnd says whether an edit asks for another end than the token has. A form sends back what it was
// filled with, which may lie in the past by now, or beyond a limit that came later.
func otherEnd(row store.Token, in api.TokenEdit) bool {
	never := in.NeverExpires != nil && *in.NeverExpires
	switch {
	case in.Expires == nil:
		return never && row.ExpiresAt != nil
	case never:
		return true // both at once: refused
	default:
		return row.ExpiresAt == nil || in.Expires.UnixMicro() != *row.ExpiresAt
	}
}

func editWords(ctx context.Context, q *store.Queries, after *store.Token, in api.TokenEdit, bad *faults) error {
	if in.Name != nil {
		name, fault := CleanName(*in.Name)
		if fault != "" {
			bad.add("name", fault)
		} else if err := nameFree(ctx, q, after.Account, fold(name), after.SID, bad); err != nil {
			return err
		}
		after.Name, after.NameKey = name, fold(name)
	}
	if in.Description != nil {
		description, fault := cleanDescription(*in.Description)
		if fault != "" {
			bad.add("description", fault)
		}
		after.Description = description
	}
	return nil
}

func (a *Authority) editPeople(ctx context.Context, q *store.Queries, by Actor, after *store.Token, in api.TokenEdit, bad *faults) error {
	if in.PrimaryContact != nil && (after.PrimaryContact == nil || *in.PrimaryContact != *after.PrimaryContact) {
		who, err := a.contact(ctx, q, by, after.Account, *in.PrimaryContact, bad)
		if err != nil {
			return err
		}
		after.PrimaryContact = who
	}
	if in.DeveloperEmails != nil {
		after.Emails = jsonText(cleanEmails(*in.DeveloperEmails, bad))
	}
	return nil
}

func (a *Authority) editExpiry(ctx context.Context, q *store.Queries, g giver, held opens, after *store.Token, in api.TokenEdit, bad *faults) error {
	t := terms{a.expDef, a.expMax}.settled()
	if after.Account != 0 {
		acct, err := q.Account(ctx, after.Account)
		if err != nil {
			return fmt.Errorf("reading an account: %w", err)
		}
		t = a.terms(acct)
	}
	end := a.expiry(g.by, t, in.Expires, in.NeverExpires != nil && *in.NeverExpires, bad)
	if later(after.ExpiresAt, end) {
		if err := a.mayHold(g, held); err != nil {
			return err
		}
	}
	after.ExpiresAt = end
	return nil
}

// later says whether a token would live longer than before.
func later(before, after *int64) bool {
	return before != nil && (after == nil || *after > *before)
}

func wantedEdit(row store.Token, held opens, in api.TokenEdit) wanted {
	w := wanted{
		api: row.Api, version: row.Version, brandVersion: "",
		reach: held.reach, brands: held.brands, scopes: held.qualified(),
	}
	if len(held.pins) > 1 {
		w.brandVersion = held.pins[1].Version
	}
	if in.Reach != nil {
		w.reach = *in.Reach
		if w.reach != api.ReachList {
			w.brands = nil
		}
	}
	if in.Brands != nil {
		w.brands = *in.Brands
	}
	if in.BrandVersion != nil && *in.BrandVersion != "" {
		w.brandVersion = *in.BrandVersion
	}
	if in.Scopes != nil {
		w.scopes = *in.Scopes
	}
	if w.reach == api.ReachNone { // the nested scopes end with the reach
		w.brands = nil
		w.scopes = slices.DeleteFunc(slices.Clone(w.scopes), func(s string) bool {
			name, _, ok := catalog.ParseQualified(s)
			return ok && name != row.Api && held.version(name) != ""
		})
	}
	return w
}

// wider says whether the reach grows, or the version of the nested API changes.
func wider(before, after opens) bool {
	for _, p := range after.pins {
		if v := before.version(p.API); v != p.Version {
			return true
		}
	}
	switch {
	case after.reach == api.ReachNone || before.reach == api.ReachAll:
		return false
	case after.reach == api.ReachAll:
		return true
	}
	return slices.ContainsFunc(after.brands, func(b int64) bool { return !slices.Contains(before.brands, b) })
}

// setOpensOf lays what a token opens into its new row.
func setOpensOf(row *store.AddTokenParams, what opens) {
	row.Pins, row.Reach, row.Brands = jsonText(what.pins), string(what.reach), jsonText(what.brands)
	if len(what.pins) > 0 {
		row.Api, row.Version = what.pins[0].API, what.pins[0].Version
	}
}

// PlanUpgrade says what moving a token to another version would do to its own scopes. apiName "" is the
// token's first API, version "" the latest.
func (a *Authority) PlanUpgrade(ctx context.Context, by Actor, account int64, sid, apiName, version string) (api.UpgradePlan, error) {
	if err := by.mustSee(account); err != nil {
		return api.UpgradePlan{}, err
	}
	row, err := liveToken(ctx, a.db.Read(), by, account, sid)
	if err != nil {
		return api.UpgradePlan{}, err
	}
	g, err := a.giver(ctx, a.db.Read(), by, account)
	if err != nil {
		return api.UpgradePlan{}, err
	}
	plan, _, err := a.plan(g, row, apiName, version)
	return plan, err
}

func (a *Authority) plan(g giver, row store.Token, apiName, version string) (api.UpgradePlan, opens, error) {
	if apiName == "" {
		apiName = row.Api
	}
	plan := api.UpgradePlan{API: apiName, Carried: []api.UpgradeStep{}, Ask: []api.UpgradeStep{}, Gone: []api.UpgradeStep{}}
	held, err := opensOf(row)
	if err != nil {
		return plan, held, err
	}
	plan.From = held.version(apiName)
	found, ok := a.catalogue().api(apiName)
	if !ok || plan.From == "" {
		return plan, held, api.Invalid("api", "is none that this token opens")
	}
	var bad faults
	to, ok := a.chooseVersion("version", found, version, nil, &bad)
	if !ok {
		return plan, held, bad.err()
	}
	if to.Name == plan.From {
		return plan, held, api.Invalid("version", fmt.Sprintf("is %s already", to.Name))
	}
	plan.To = to.Name
	from, _ := found.Version(plan.From)
	scopes := held.scopes(apiName, plan.From)
	carried, ask := catalog.CarryOver(from, to, scopes)
	added := catalog.Gains(from, to)
	for _, name := range carried {
		plan.Carried = append(plan.Carried, step(g, apiName, to, name, nil))
	}
	for _, name := range ask {
		if _, ok := to.Scope(name); ok {
			plan.Ask = append(plan.Ask, step(g, apiName, to, name, added[name]))
		}
	}
	for _, name := range scopes {
		if _, ok := to.Scope(name); !ok {
			plan.Gone = append(plan.Gone, step(g, apiName, from, name, nil))
		}
	}
	return plan, held, nil
}

func step(g giver, apiName string, v catalog.Version, name string, added []string) api.UpgradeStep {
	s, ok := v.Scope(name)
	if !ok {
		return api.UpgradeStep{Scope: name, Label: name}
	}
	allowed, why := g.mayGive(apiName, s)
	return api.UpgradeStep{Scope: name, Category: s.Category, Label: s.Label, Why: why, Added: added, Allowed: allowed}
}

// UpgradeToken pins a token to another version. Scopes that cover nothing new are carried over; others
// are kept only when the caller ticks them. Nothing widens silently.
func (a *Authority) UpgradeToken(ctx context.Context, by Actor, account int64, sid string, in api.TokenUpgrade) (api.TokenChanged, error) {
	var out api.TokenChanged
	seq, err := a.act(ctx, by, audit.UpgradeToken, account, func(tx *store.Tx) error {
		row, err := liveToken(ctx, tx.Queries, by, account, sid)
		if err != nil {
			return err
		}
		if in.Revision != 0 && row.Revision != in.Revision {
			return changedMeanwhile()
		}
		g, err := a.giver(ctx, tx.Queries, by, account)
		if err != nil {
			return err
		}
		plan, held, err := a.plan(g, row, in.API, in.Version)
		if err != nil {
			return err
		}
		pins, err := a.upgraded(g, plan, held, in.Scopes)
		if err != nil {
			return err
		}
		after := row
		after.Pins = jsonText(pins)
		if row.Api == plan.API {
			after.Version = plan.To
		}
		return a.writeEdit(ctx, tx, by, audit.UpgradeToken, row, after)
	})
	if err != nil {
		return out, err
	}
	out.Seq = seq
	out.Token, err = a.Token(ctx, by, account, sid)
	return out, err
}

func (a *Authority) upgraded(g giver, plan api.UpgradePlan, held opens, ticked []string) ([]api.Pin, error) {
	found, _ := a.catalogue().api(plan.API)
	to, _ := found.Version(plan.To)
	// What is carried over is held already and needs no right to give; what is ticked does.
	keep := opens{pins: []api.Pin{{API: plan.API, Version: plan.To}}}
	for _, s := range plan.Carried {
		keep.pins[0].Scopes = append(keep.pins[0].Scopes, s.Scope)
	}
	var bad faults
	own, foreign := a.splitScopes(plan.API, ticked, &bad)
	for _, name := range sortedKeys(foreign) {
		bad.add("scopes", name+" is not the API that is upgraded")
	}
	pin := a.pin(g, found, to, slices.Concat(keep.pins[0].Scopes, own), &keep, &bad)
	if err := bad.err(); err != nil {
		return nil, err
	}
	pins := slices.Clone(held.pins)
	for i := range pins {
		if pins[i].API == plan.API {
			pins[i] = pin
		}
	}
	return pins, nil
}

func pairsOf(details []audit.Detail) []api.HistoryPair {
	out := make([]api.HistoryPair, 0, len(details))
	for _, d := range details {
		out = append(out, api.HistoryPair{Name: d.Field, Before: d.Before, After: d.After})
	}
	return out
}

// emails reads the developer e-mails of a row.
func emails(row store.Token) ([]string, error) {
	list := []string{}
	if err := json.Unmarshal([]byte(row.Emails), &list); err != nil {
		return nil, fmt.Errorf("reading the developer e-mails of token %s: %w", row.SID, err)
	}
	return list, nil
}

func expired(row store.Token, now time.Time) bool {
	return row.ExpiresAt != nil && *row.ExpiresAt <= now.UnixMicro()
}
