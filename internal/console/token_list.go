package console

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

const pageSize = 50

// zero says that a page is about tokens of the management API, which have a link of their own.
func (v *visit) zero() bool {
	return v.account == 0 || strings.HasPrefix(v.r.URL.Path, view.PathManagement)
}

// tokensPath is the list that this page belongs to.
func (v *visit) tokensPath() string {
	if v.zero() {
		return view.PathManagement
	}
	return view.PathTokens
}

// tokenList shows the account's tokens as cards.
func (c *Console) tokenList(v *visit) error {
	query := v.r.URL.Query()
	f := view.TokenFilter{
		Query: strings.TrimSpace(query.Get("q")), Created: query.Get("created"), State: query.Get("state"), Version: query.Get("version"),
	}
	offer, err := c.authority.Offer(v.r.Context(), v.by, v.account)
	if err != nil {
		return err
	}
	page, err := c.authority.Tokens(v.r.Context(), v.by, v.account, c.tokenQuery(v, f))
	if err != nil {
		return err
	}
	f.Versions = versionChoices(offer, v.zero(), f.Version)
	p := view.TokenListPage{
		Frame: v.frame(), Zero: v.zero(), Filter: f, Any: page.Total > 0, CanMake: v.by.Role != api.RoleAnalyst,
		Pager: pager(v.r.URL, int(page.First), len(page.Items), int(page.Total), page.Previous, page.Next),
	}
	if !p.CanMake {
		p.WhyNot = "Your role reads only. An Account Administrator or an Implementation Specialist of your account can make tokens."
	}
	if p.CanMake && len((draft{Zero: v.zero()}).choosable(offer)) == 0 {
		p.CanMake, p.WhyNot = false, nothingPublished
	}
	if f.Set() && page.Total == 0 {
		all, err := c.authority.Tokens(v.r.Context(), v.by, v.account, authority.TokenQuery{Limit: 1, Zero: v.zero()})
		if err != nil {
			return err
		}
		p.Any = all.Total > 0
	}
	for _, t := range page.Items {
		p.Tokens = append(p.Tokens, v.card(t, offer))
	}
	return v.draw(200, view.TokenList(p))
}

func (c *Console) tokenQuery(v *visit, f view.TokenFilter) authority.TokenQuery {
	q := authority.TokenQuery{Search: f.Query, Cursor: v.r.URL.Query().Get("page"), Limit: pageSize, Zero: v.zero()}
	switch api.State(f.State) {
	case api.StateEnabled, api.StateDisabled, api.StateExpired:
		q.State = api.State(f.State)
	}
	switch f.Created {
	case "7d":
		q.CreatedSince = v.now.AddDate(0, 0, -7)
	case "30d":
		q.CreatedSince = v.now.AddDate(0, 0, -30)
	case "older":
		q.CreatedUntil = v.now.AddDate(0, 0, -30)
	}
	q.API, q.Version, _ = strings.Cut(f.Version, "/")
	return q
}

func versionChoices(offer api.Offer, zero bool, chosen string) []view.Choice {
	var out []view.Choice
	for _, a := range offer.APIs {
		if a.Nested || a.Zero != zero {
			continue
		}
		for _, ver := range a.Versions {
			value := a.Name + "/" + ver.Name
			out = append(out, view.Choice{Value: value, Label: a.Title + " " + ver.Name, Selected: value == chosen})
		}
	}
	return out
}

// pager links the pages of a list, with the filter's query kept.
func pager(at *url.URL, first, shown, total int, previous, next string) view.Pager {
	link := func(cursor string) string {
		if cursor == "" {
			return ""
		}
		q := at.Query()
		q.Set("page", cursor)
		q.Del("said")
		return at.Path + "?" + q.Encode()
	}
	p := view.Pager{First: first, Last: first + shown - 1, Total: total, Prev: link(previous), Next: link(next)}
	if shown == 0 {
		p.First, p.Last = 0, 0
	}
	return p
}

// shownBefore is the query field in which a list that is walked forward by key carries how many rows
// came before. It numbers rows for the reader and decides nothing.
const shownBefore = "before"

// forward links a list that is walked by key, newest first: on to the next page, and back to the first.
func forward(at *url.URL, shown int, next string) view.Pager {
	query := at.Query()
	before, err := strconv.Atoi(query.Get(shownBefore))
	if err != nil || before < 0 || query.Get("page") == "" {
		before = 0
	}
	query.Set(shownBefore, strconv.Itoa(before+shown))
	on := &url.URL{Path: at.Path, RawQuery: query.Encode()}
	p := pager(on, before+1, shown, -1, "", next)
	if at.Query().Get("page") != "" {
		query.Del("page")
		query.Del(shownBefore)
		p.Prev = (&url.URL{Path: at.Path, RawQuery: query.Encode()}).String()
	}
	return p
}

// sortedAPIs keeps the APIs of an offer in the order in which people read them.
func sortedAPIs(apis []api.OfferAPI) []api.OfferAPI {
	out := slices.Clone(apis)
	slices.SortStableFunc(out, func(x, y api.OfferAPI) int { return cmp.Compare(x.Title, y.Title) })
	return out
}
