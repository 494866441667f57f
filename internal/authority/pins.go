package authority

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/catalog"
	"counterfoil.dev/counterfoil/internal/store"
)

// wanted is what someone asks a token to open.
type wanted struct {
	api, version string // "" for the account's only API, and for the latest version
	brandVersion string // of the nested API; "" for its latest
	reach        api.Reach
	brands       []int64
	scopes       []string // of the API, or written api/scope
}

// opens is what a token opens, checked against the catalogue and the giver's rights.
type opens struct {
	pins   []api.Pin
	reach  api.Reach
	brands []int64
}

// resolve turns what was asked for into pins. held is what the token has already (nil for a new one):
// keeping a scope needs no right to give it, adding one does. Faults are collected.
func (a *Authority) resolve(ctx context.Context, q *store.Queries, g giver, account int64, w wanted, held *opens, bad *faults) (opens, error) {
	out := opens{pins: []api.Pin{}, reach: w.reach, brands: []int64{}}
	if out.reach == "" {
		out.reach = api.ReachNone
	}
	outer, ok := a.chooseAPI(g, w.api, bad)
	if !ok {
		return out, nil
	}
	version, ok := a.chooseVersion("version", outer, w.version, held, bad)
	if !ok {
		return out, nil
	}
	own, foreign := a.splitScopes(outer.Name, w.scopes, bad)
	out.pins = append(out.pins, a.pin(g, outer, version, own, held, bad))

	if err := a.reach(ctx, q, account, outer, w, held, &out, bad); err != nil {
		return out, err
	}
	if out.reach == api.ReachNone {
		for _, name := range sortedKeys(foreign) {
			bad.add("scopes", fmt.Sprintf("%s belongs to another API, which opens only to a token that reaches brands", name))
		}
		return out, nil
	}
	inner, ok := a.nestedAPI(outer)
	if !ok {
		return out, nil
	}
	innerVersion, ok := a.chooseVersion("brand_version", inner, w.brandVersion, held, bad)
	if !ok {
		return out, nil
	}
	nested := foreign[inner.Name]
	delete(foreign, inner.Name)
	for _, name := range sortedKeys(foreign) {
		bad.add("scopes", fmt.Sprintf("%s is no API that %s nests", name, outer.Title))
	}
	out.pins = append(out.pins, a.pin(g, inner, innerVersion, nested, held, bad))
	return out, nil
}

func (a *Authority) chooseAPI(g giver, name string, bad *faults) (catalog.API, bool) {
	own, _ := a.offered(g)
	ordinary := slices.DeleteFunc(slices.Clone(own), func(x catalog.API) bool { return x.Name == ZeroAPI })
	switch {
	case name != "":
		if found, ok := catalog.Find(own, name); ok {
			return found, true
		}
		bad.add("api", "is none that this account may hold tokens for; choose "+names(ordinary))
	case len(ordinary) == 1:
		return ordinary[0], true
	case len(ordinary) == 0 && g.kind == api.KindOperator && len(own) == 1:
		return own[0], true
	case len(ordinary) == 0:
		bad.add("api", "cannot be chosen: the operator has published none for this kind of account yet")
	default:
		bad.add("api", "is required; choose "+names(ordinary))
	}
	return catalog.API{}, false
}

func names(apis []catalog.API) string {
	var out []string
	for _, x := range apis {
		out = append(out, x.Name)
	}
	return strings.Join(out, " or ")
}

// chooseVersion takes the named version or the latest. A retired one is refused, unless the token is
// pinned to it already: an edit must not be stopped by that.
func (a *Authority) chooseVersion(field string, found catalog.API, name string, held *opens, bad *faults) (catalog.Version, bool) {
	if name == "" {
		v, ok := latest(found, a.now())
		if !ok {
			bad.add(field, "cannot be chosen: "+found.Title+" has no version that is current, supported or deprecated")
		}
		return v, ok
	}
	v, ok := found.Version(name)
	if !ok {
		bad.add(field, fmt.Sprintf("%q is no version of %s", clip(name), found.Title))
		return v, false
	}
	if retired(v, a.now()) && held.version(found.Name) != name {
		bad.add(field, fmt.Sprintf("%s of %s is retired; choose a later one", name, found.Title))
		return v, false
	}
	return v, true
}

// splitScopes sorts scope names by API. Outside its own API a scope is written api/scope.
func (a *Authority) splitScopes(own string, scopes []string, bad *faults) ([]string, map[string][]string) {
	mine, foreign := []string{}, map[string][]string{}
	for _, s := range scopes {
		name, scope, qualified := catalog.ParseQualified(s)
		switch {
		case !qualified && strings.Contains(s, "/"):
			bad.add("scopes", fmt.Sprintf("%q is no scope; write scope or api/scope", clip(s)))
		case !qualified:
			mine = append(mine, s)
		case name == own:
			mine = append(mine, scope)
		default:
			foreign[name] = append(foreign[name], scope)
		}
	}
	return mine, foreign
}

// pin checks every scope against the version and the giver's rights.
func (a *Authority) pin(g giver, found catalog.API, v catalog.Version, scopes []string, held *opens, bad *faults) api.Pin {
	had := held.scopes(found.Name, v.Name)
	pin := api.Pin{API: found.Name, Version: v.Name, Scopes: []string{}}
	for _, name := range scopes {
		s, ok := v.Scope(name)
		if !ok {
			bad.add("scopes", fmt.Sprintf("%q is no scope of %s version %s", clip(name), found.Title, v.Name))
			continue
		}
		if !slices.Contains(had, name) {
			if ok, why := g.mayGive(found.Name, s); !ok {
				bad.add("scopes", fmt.Sprintf("%s · %s (%s): %s", s.Category, s.Label, name, why))
				continue
			}
		}
		pin.Scopes = append(pin.Scopes, name)
	}
	slices.Sort(pin.Scopes)
	pin.Scopes = slices.Compact(pin.Scopes)
	return pin
}

func (a *Authority) nestedAPI(outer catalog.API) (catalog.API, bool) {
	for _, p := range outer.Passthrough {
		if inner, ok := a.catalogue().api(p.API); ok {
			return inner, true
		}
	}
	return catalog.API{}, false
}

// reach checks which brands the token shall act on: only managed ones, at this moment. One that the token
// has already may stay on its list, since verifiers ask for the management at every call.
func (a *Authority) reach(ctx context.Context, q *store.Queries, account int64, outer catalog.API, w wanted, held, out *opens, bad *faults) error {
	switch out.reach {
	case api.ReachNone:
		if len(w.brands) > 0 {
			bad.add("brands", "are given, but reach is none; set reach to list")
		}
		return nil
	case api.ReachAll, api.ReachList:
	default:
		bad.add("reach", "must be none, all or list")
		return nil
	}
	if len(outer.Passthrough) == 0 {
		bad.add("reach", "must be none: "+outer.Title+" does not lead to brands")
		return nil
	}
	if out.reach == api.ReachAll {
		if len(w.brands) > 0 {
			bad.add("brands", "are given, but reach is all; set reach to list")
		}
		return nil
	}
	managed, err := q.ManagedBrands(ctx, account)
	if err != nil {
		return fmt.Errorf("reading managed brands: %w", err)
	}
	for _, brand := range w.brands {
		kept := held != nil && slices.Contains(held.brands, brand)
		if !kept && !slices.ContainsFunc(managed, func(m store.ManagedBrandsRow) bool { return m.Brand == brand }) {
			bad.add("brands", fmt.Sprintf("%d is no brand that this agency manages", brand))
			continue
		}
		out.brands = append(out.brands, brand)
	}
	slices.Sort(out.brands)
	out.brands = slices.Compact(out.brands)
	if len(out.brands) == 0 {
		bad.add("brands", "must name at least one brand; or set reach to none")
	}
	return nil
}

func (o *opens) version(apiName string) string {
	if o == nil {
		return ""
	}
	for _, p := range o.pins {
		if p.API == apiName {
			return p.Version
		}
	}
	return ""
}

func (o *opens) scopes(apiName, version string) []string {
	if o == nil {
		return nil
	}
	for _, p := range o.pins {
		if p.API == apiName && p.Version == version {
			return p.Scopes
		}
	}
	return nil
}

// qualified lists all scopes as they are written: those of the first API bare, the others api/scope.
func (o *opens) qualified() []string {
	var out []string
	for i, p := range o.pins {
		for _, s := range p.Scopes {
			if i > 0 {
				s = catalog.Qualified(p.API, s)
			}
			out = append(out, s)
		}
	}
	return out
}

// mayHold says whether the giver may be shown a secret that opens all this: every scope must be one
// that they may give (SECURITY.md, class 33). A scope that the catalogue no longer has opens nothing.
func (a *Authority) mayHold(g giver, o opens) error {
	for _, p := range o.pins {
		found, _ := a.catalogue().api(p.API)
		v, _ := found.Version(p.Version)
		for _, name := range p.Scopes {
			s, ok := v.Scope(name)
			if !ok && g.by.level() > administrator {
				// Published again, it could be a sensitive one.
				return api.Forbidden("This token holds a scope that the catalogue has no more, so only an Account Administrator may be shown its secret.")
			}
			if !ok {
				continue
			}
			if ok, why := g.mayGive(p.API, s); !ok {
				return api.Forbidden(fmt.Sprintf("This would show you a secret that opens “%s · %s” of %s. %s.", s.Category, s.Label, found.Title, why))
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
