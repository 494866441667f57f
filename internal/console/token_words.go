package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// card is a token as lists and page heads show it. The offer gives the counts per category.
func (v *visit) card(t api.Token, offer api.Offer) view.TokenCard {
	c := view.TokenCard{
		SID: t.SID, Zero: t.Zero, Name: t.Name, Description: t.Description, State: stateWords(t.State),
		StateSince: t.StateSince, StateBy: t.StateBy, StateWhy: t.StateWhy,
		CreatedAt: t.Created, CreatedBy: t.CreatedBy, Acts: v.acts(t),
	}
	if t.State == api.StateEnabled {
		c.StateSince = time.Time{}
	}
	for _, p := range t.Pins {
		c.Versions = append(c.Versions, versionWords(p))
		c.Scopes = append(c.Scopes, counts(p, offer)...)
	}
	if t.PrimaryContact != nil {
		c.Contact = personWords(*t.PrimaryContact)
	}
	if t.LastUse != nil {
		c.LastUsed = view.Use{At: t.LastUse.At, Address: t.LastUse.Address, Client: t.LastUse.Agent}
	}
	if t.Expires != nil {
		c.Expires = *t.Expires
	}
	if len(offer.Brands) > 0 || t.Reach != api.ReachNone {
		c.Reach = reachWords(t)
	}
	return c
}

func stateWords(s api.State) view.State { return view.State(strings.ReplaceAll(string(s), "_", " ")) }

func personWords(p api.PersonRef) view.Person {
	return view.Person{ID: p.Person, Name: p.Name, Email: p.Email, Left: !p.Active}
}

func versionWords(p api.TokenPin) view.Version {
	out := view.Version{API: p.API, Title: p.APITitle, Name: p.Version, Standing: view.Standing(p.VersionState)}
	if p.Latest {
		out.Standing = view.StandingLatest
	}
	if p.Sunset != nil {
		out.Sunset = *p.Sunset
	}
	return out
}

func standing(ver api.OfferVersion) view.Standing {
	if ver.Latest {
		return view.StandingLatest
	}
	return view.Standing(ver.State)
}

func offeredVersion(a api.OfferAPI, ver api.OfferVersion) view.Version {
	out := view.Version{API: a.Name, Title: a.Title, Name: ver.Name, Standing: standing(ver)}
	if ver.Sunset != nil {
		out.Sunset = *ver.Sunset
	}
	return out
}

// counts says how many scopes of each category a pin holds.
func counts(p api.TokenPin, offer api.Offer) []view.CategoryCount {
	held := make(map[string]bool, len(p.Scopes))
	for _, s := range p.Scopes {
		held[s] = true
	}
	var out []view.CategoryCount
	for _, a := range offer.APIs {
		if a.Name != p.API {
			continue
		}
		for _, ver := range a.Versions {
			if ver.Name != p.Version {
				continue
			}
			for _, c := range ver.Categories {
				n := 0
				for _, s := range c.Scopes {
					if held[s.Name] {
						n++
						delete(held, s.Name)
					}
				}
				if n > 0 {
					out = append(out, view.CategoryCount{API: p.APITitle, Category: c.Name, Held: n, Of: len(c.Scopes)})
				}
			}
		}
	}
	if len(held) > 0 { // of a version that is retired, or scopes that the catalogue no longer has
		out = append(out, view.CategoryCount{API: p.APITitle, Category: "Other scopes", Held: len(held), Of: len(held)})
	}
	return out
}

func reachWords(t api.Token) string {
	switch t.Reach {
	case api.ReachAll:
		return "All managed brands"
	case api.ReachList:
		if len(t.Brands) == 1 {
			return "1 brand"
		}
		return strconv.Itoa(len(t.Brands)) + " brands"
	default:
		return "No brands"
	}
}

// brandNames are the brands of a list, by name where the account still manages them.
func brandNames(t api.Token, offer api.Offer) []string {
	if t.Reach != api.ReachList {
		return nil
	}
	var out []string
	for _, id := range t.Brands {
		name := fmt.Sprintf("%d (no longer managed)", id)
		for _, b := range offer.Brands {
			if b.ID == id {
				name = b.Name
			}
		}
		out = append(out, name)
	}
	return out
}

// acts are the entries of the More menu. What the role forbids is said; the authority has the last word.
func (v *visit) acts(t api.Token) view.Acts {
	role := v.by.Role
	if !v.by.Operator && role != api.RoleAdministrator && role != api.RoleSpecialist {
		no := view.Act{Why: "Your role reads only."}
		a := view.Acts{Duplicate: no, Reset: no, Upgrade: no, Delete: no}
		if t.State == api.StateEnabled || t.State == api.StateExpired {
			a.Disable = no
		} else {
			a.Enable = no
		}
		return a
	}
	yes := view.Act{Allowed: true}
	a := view.Acts{Duplicate: yes, Reset: yes, Delete: yes, Upgrade: view.Act{Why: "It is on the latest version already."}}
	for _, p := range t.Pins {
		if p.LatestName != "" {
			a.Upgrade = yes
		}
	}
	if t.State == api.StateEnabled || t.State == api.StateExpired {
		a.Disable = yes
	} else {
		a.Enable = yes
	}
	return a
}
