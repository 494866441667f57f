package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/catalog"
	"counterfoil.dev/counterfoil/internal/store"
)

// giver knows what one actor may give in one account: the catalogue, less what the operator withholds,
// less what the role may not.
type giver struct {
	by       Actor
	kind     api.AccountKind
	withheld map[[2]string]bool
}

func (a *Authority) giver(ctx context.Context, q *store.Queries, by Actor, account int64) (giver, error) {
	g := giver{by: by, kind: api.KindOperator, withheld: map[[2]string]bool{}}
	if account == 0 {
		return g, nil
	}
	row, err := q.Account(ctx, account)
	if row, err = read("account", row, err); err != nil {
		return g, err
	}
	g.kind = api.AccountKind(row.Kind)
	withheld, err := q.Withheld(ctx, account)
	if err != nil {
		return g, fmt.Errorf("reading withheld scopes: %w", err)
	}
	for _, w := range withheld {
		g.withheld[[2]string{w.Api, w.Scope}] = true
	}
	return g, nil
}

// mayGive is the rule that create, duplicate, reset, enable with a reset and every widening edit ask.
// The reason reads after the scope's label.
func (g giver) mayGive(apiName string, s catalog.Scope) (bool, string) {
	switch l := g.by.level(); {
	case l == nobody || l == analyst:
		return false, "Your role reads only"
	case g.withheld[[2]string{apiName, s.Name}]:
		return false, "Withheld from this account by the operator"
	case apiName == ZeroAPI && g.by.Token != "":
		return false, "A token never gives scopes of the management API"
	case apiName == ZeroAPI && l != operator && l != administrator:
		return false, "Only an Account Administrator may give this"
	case apiName == ZeroAPI && g.kind != api.KindOperator && (slices.Contains(operatorOnly, s.Category) || slices.Contains(operatorScopes, s.Name)):
		return false, "Only the operator's own tokens may hold this"
	case s.Sensitive != "" && l == specialist && !g.by.AllowSensitive:
		return false, "Sensitive: an Account Administrator must allow you to give it"
	default:
		return true, ""
	}
}

// offered lists the APIs that this account may hold tokens for, each with those nested in it.
func (a *Authority) offered(g giver) (own []catalog.API, nested []catalog.API) {
	live := a.catalogue()
	for _, found := range live.apis {
		switch {
		case found.Name == ZeroAPI:
			if l := g.by.level(); l == operator || l == administrator {
				own = append(own, found)
			}
		case slices.Contains(found.Accounts, string(g.kind)):
			own = append(own, found)
			for _, p := range found.Passthrough {
				if inner, ok := live.api(p.API); ok {
					nested = append(nested, inner)
				}
			}
		}
	}
	return own, nested
}

// Offer is the catalogue as this actor may give it in this account: what the wizard shows.
func (a *Authority) Offer(ctx context.Context, by Actor, account int64) (api.Offer, error) {
	offer := api.Offer{APIs: []api.OfferAPI{}, Brands: []api.OfferRef{}, Contacts: []api.PersonRef{}}
	if err := by.mustSee(account); err != nil {
		return offer, err
	}
	err := a.db.View(ctx, func(q *store.Queries) error {
		g, err := a.giver(ctx, q, by, account)
		if err != nil {
			return err
		}
		if account == 0 {
			offer.Account = api.Account{Kind: api.KindOperator, Name: "Operator", Withheld: []api.WithheldScope{}}
			offer.ExpiryDefault, offer.ExpiryMax = a.expDef, a.expMax
		} else if err := a.offerAccount(ctx, q, account, &offer); err != nil {
			return err
		}
		own, nested := a.offered(g)
		for _, found := range own {
			offer.APIs = append(offer.APIs, a.offerAPI(g, found, false))
		}
		for _, found := range nested {
			offer.APIs = append(offer.APIs, through(own, a.offerAPI(g, found, true)))
		}
		return nil
	})
	return offer, err
}

// through gives the operations of a nested API the paths by which the account calls them: behind the
// passthrough prefix of the API that nests it.
func through(own []catalog.API, nested api.OfferAPI) api.OfferAPI {
	for _, outer := range own {
		for _, p := range outer.Passthrough {
			if p.API != nested.Name {
				continue
			}
			for _, v := range nested.Versions {
				for i := range v.Operations {
					if rest, under := strings.CutPrefix(v.Operations[i].Path, nested.Base); under {
						v.Operations[i].Path = p.Prefix + rest
					}
				}
			}
			nested.Base = p.Prefix
			return nested
		}
	}
	return nested
}

// Published is the whole live catalogue as the operator reads it: every API and version that is not
// retired. What nested APIs are nested in is said by their own paths.
func (a *Authority) Published(_ context.Context, by Actor) (api.Offer, error) {
	offer := api.Offer{APIs: []api.OfferAPI{}, Brands: []api.OfferRef{}, Contacts: []api.PersonRef{}}
	if err := by.mustSee(0); err != nil {
		return offer, err
	}
	for _, found := range a.catalogue().apis {
		offer.APIs = append(offer.APIs, a.offerAPI(giver{by: by, kind: api.KindOperator}, found, false))
	}
	return offer, nil
}

func (a *Authority) offerAccount(ctx context.Context, q *store.Queries, account int64, offer *api.Offer) error {
	row, err := q.Account(ctx, account)
	if row, err = read("account", row, err); err != nil {
		return err
	}
	if offer.Account, err = accountOf(row); err != nil {
		return err
	}
	t := a.terms(row)
	offer.ExpiryDefault, offer.ExpiryMax = t.def, t.max
	brands, err := q.ManagedBrands(ctx, account)
	if err != nil {
		return fmt.Errorf("reading managed brands: %w", err)
	}
	for _, b := range brands {
		offer.Brands = append(offer.Brands, api.OfferRef{ID: b.Brand, Name: b.Name})
	}
	members, err := q.Members(ctx, account)
	if err != nil {
		return fmt.Errorf("reading members: %w", err)
	}
	for _, m := range members {
		if m.JoinedAt != nil && m.DisabledAt == nil {
			offer.Contacts = append(offer.Contacts, api.PersonRef{Person: m.Person, Name: m.Name, Email: m.Email, Active: true})
		}
	}
	return nil
}

func (a *Authority) offerAPI(g giver, found catalog.API, nested bool) api.OfferAPI {
	now := a.now()
	out := api.OfferAPI{
		Name: found.Name, Title: found.Title, Base: found.Base, Hosts: found.Hosts, Header: found.Header, Query: found.Query,
		Nested: nested, Zero: found.Name == ZeroAPI, Versions: []api.OfferVersion{},
	}
	for _, p := range found.Passthrough {
		out.Nests = append(out.Nests, p.API)
	}
	newest, _ := latest(found, now)
	for _, v := range slices.Backward(found.Versions) {
		if !retired(v, now) {
			out.Versions = append(out.Versions, offerVersion(g, found.Name, v, v.Name == newest.Name))
		}
	}
	// The latest first, then by release date, newest first, then as the catalogue file has them reversed.
	slices.SortStableFunc(out.Versions, func(x, y api.OfferVersion) int {
		switch {
		case x.Latest != y.Latest && x.Latest:
			return -1
		case x.Latest != y.Latest:
			return 1
		default:
			return released(y).Compare(released(x))
		}
	})
	return out
}

func offerVersion(g giver, apiName string, v catalog.Version, isLatest bool) api.OfferVersion {
	out := api.OfferVersion{
		Name: v.Name, State: v.State, Latest: isLatest,
		Released: civil(v.Released), Deprecated: civil(v.Deprecated), Sunset: civil(v.Sunset),
		Categories: []api.OfferCategory{}, Operations: make([]api.OfferOperation, 0, len(v.Operations)),
	}
	for _, c := range v.Categories {
		oc := api.OfferCategory{Name: c.Name, Slug: c.Slug, Scopes: []api.OfferScope{}}
		for _, s := range c.Scopes {
			if s.Hidden {
				continue
			}
			ok, why := g.mayGive(apiName, s)
			oc.Scopes = append(oc.Scopes, api.OfferScope{
				Name: s.Name, Label: s.Label, Description: s.Description, Access: s.Access, Sensitive: s.Sensitive,
				Needs: s.Needs, Operations: s.Operations, Allowed: ok, Reason: why,
			})
		}
		if len(oc.Scopes) > 0 {
			out.Categories = append(out.Categories, oc)
		}
	}
	for _, o := range v.Operations {
		out.Operations = append(out.Operations, api.OfferOperation{
			Method: o.Method, Path: o.Path, Summary: o.Summary, Description: o.Description,
			Scopes: o.Scopes, Public: o.Public, BodyBrands: o.BodyBrands,
		})
	}
	return out
}

// Callers says which of the account's live tokens may call each operation of one version, by operation
// index. At most listed of them are named, the first by name; all are counted.
func (a *Authority) Callers(ctx context.Context, by Actor, account int64, apiName, version string, listed int) (map[int]api.OfferCallers, error) {
	if err := by.mustSee(account); err != nil {
		return nil, err
	}
	found, _ := a.catalogue().api(apiName)
	v, ok := found.Version(version)
	if !ok {
		return nil, api.NotFound("version")
	}
	zero := apiName == ZeroAPI
	if zero && by.level() > administrator {
		return map[int]api.OfferCallers{}, nil
	}
	rows, err := a.db.Read().AccountPins(ctx, store.AccountPinsParams{Account: account, Zero: bit(zero), Now: a.now().UnixMicro()})
	if err != nil {
		return nil, fmt.Errorf("reading what the account's tokens open: %w", err)
	}
	out := make(map[int]api.OfferCallers, len(v.Operations))
	opened := make(map[string][]int) // many tokens open the same: by their pins
	for _, row := range rows {
		callable, known := opened[row.Pins]
		if !known {
			if callable, err = operationsOf(v, apiName, row.Pins); err != nil {
				return nil, fmt.Errorf("reading the pins of token %s: %w", row.SID, err)
			}
			opened[row.Pins] = callable
		}
		for _, i := range callable {
			c := out[i]
			if c.All++; len(c.Listed) < listed {
				c.Listed = append(c.Listed, api.OfferToken{SID: row.SID, Name: row.Name})
			}
			out[i] = c
		}
	}
	return out, nil
}

// operationsOf are the indexes of the operations of a version that these pins open.
func operationsOf(v catalog.Version, apiName, pins string) ([]int, error) {
	var list []api.Pin
	if err := json.Unmarshal([]byte(pins), &list); err != nil {
		return nil, err
	}
	held := make(map[string]bool)
	for _, p := range list {
		if p.API == apiName && p.Version == v.Name {
			for _, s := range p.Scopes {
				held[s] = true
			}
		}
	}
	var out []int
	for i, o := range v.Operations {
		if covers(o.Scopes, held) {
			out = append(out, i)
		}
	}
	return out, nil
}

// covers says whether any alternative is held whole.
func covers(alternatives [][]string, held map[string]bool) bool {
	return slices.ContainsFunc(alternatives, func(all []string) bool {
		return !slices.ContainsFunc(all, func(s string) bool { return !held[s] })
	})
}

func released(v api.OfferVersion) time.Time {
	if v.Released == nil {
		return time.Time{}
	}
	return *v.Released
}
