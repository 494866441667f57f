package authority

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/store"
)

// TokenQuery filters and pages the list of an account's tokens, newest first.
type TokenQuery struct {
	Search       string // part of the name, without regard to case
	State        api.State
	CreatedSince time.Time // zero: from the beginning
	CreatedUntil time.Time // zero: until now
	API, Version string
	Zero         bool   // the management API's tokens instead of the others
	Cursor       string // of a page's Next or Previous; "" for the first page
	Limit        int    // 1 to 200; 0 means 50
}

// TokenPage is one page of tokens, with the way to both sides.
type TokenPage struct {
	Items    []api.Token
	Total    int64 // that match the filters
	First    int64 // number of the first item within Total, from 1; 0 when it is not known
	Next     string
	Previous string
}

// cursor is where a page starts: after the token made at this time with this SID, or before it.
type cursor struct {
	back  bool
	at    int64
	sid   string
	first int64 // number of the page's first item, kept along so that the page can say "51–100"
}

func (c cursor) String() string {
	way := "n"
	if c.back {
		way = "p"
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s.%d.%s.%d", way, c.at, c.sid, c.first))
}

func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{at: math.MaxInt64, first: 1}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(s) > 200 {
		return cursor{}, badCursor()
	}
	parts := strings.Split(string(raw), ".")
	if len(parts) != 4 || parts[0] != "n" && parts[0] != "p" {
		return cursor{}, badCursor()
	}
	c := cursor{back: parts[0] == "p", sid: parts[2]}
	if c.at, err = strconv.ParseInt(parts[1], 10, 64); err != nil {
		return cursor{}, badCursor()
	}
	if c.first, err = strconv.ParseInt(parts[3], 10, 64); err != nil {
		return cursor{}, badCursor()
	}
	return c, nil
}

// Tokens lists an account's tokens.
func (a *Authority) Tokens(ctx context.Context, by Actor, account int64, q TokenQuery) (TokenPage, error) {
	page := TokenPage{Items: []api.Token{}}
	if err := by.mustSee(account); err != nil {
		return page, err
	}
	if q.Zero && by.level() > administrator {
		return page, api.Forbidden(refusalWords(administrator))
	}
	if account == 0 {
		q.Zero = true
	}
	if q.State != "" && !slices.Contains([]api.State{api.StateEnabled, api.StateDisabled, api.StateExpired}, q.State) {
		return page, api.Invalid("state", "must be enabled, disabled or expired")
	}
	c, err := parseCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	err = a.db.View(ctx, func(s *store.Queries) error {
		rows, more, err := a.pageRows(ctx, s, account, q, c)
		if err != nil {
			return err
		}
		params := a.listParams(account, q)
		if page.Total, err = s.CountTokens(ctx, store.CountTokensParams{
			Account: params.Account, Zero: params.Zero, Q: params.Q, CreatedFrom: params.CreatedFrom, CreatedTo: params.CreatedTo,
			State: params.State, Now: params.Now, Api: params.Api, Version: params.Version,
		}); err != nil {
			return fmt.Errorf("counting tokens: %w", err)
		}
		page.link(rows, c, more)
		page.Items, err = a.tokensOf(ctx, s, account, rows)
		return err
	})
	return page, err
}

func (a *Authority) listParams(account int64, q TokenQuery) store.ListTokensParams {
	p := store.ListTokensParams{
		Account: account, Zero: bit(q.Zero), Q: fold(strings.TrimSpace(q.Search)), CreatedTo: math.MaxInt64,
		State: string(q.State), Now: a.now().UnixMicro(), Api: q.API, Version: q.Version,
	}
	if !q.CreatedSince.IsZero() {
		p.CreatedFrom = q.CreatedSince.UnixMicro()
	}
	if !q.CreatedUntil.IsZero() {
		p.CreatedTo = q.CreatedUntil.UnixMicro()
	}
	return p
}

// pageRows reads one page, newest first, and says whether the walk could have gone on.
func (a *Authority) pageRows(ctx context.Context, s *store.Queries, account int64, q TokenQuery, c cursor) ([]store.Token, bool, error) {
	p, limit := a.listParams(account, q), pageSize(q.Limit)
	var rows []store.Token
	var err error
	if c.back {
		rows, err = s.ListTokensBack(ctx, store.ListTokensBackParams{
			Account: p.Account, Zero: p.Zero, Q: p.Q, CreatedFrom: p.CreatedFrom, CreatedTo: p.CreatedTo, State: p.State, Now: p.Now,
			Api: p.Api, Version: p.Version, AfterAt: c.at, AfterSID: c.sid, N: int64(limit) + 1,
		})
	} else {
		p.BeforeAt, p.BeforeSID, p.N = c.at, c.sid, int64(limit)+1
		rows, err = s.ListTokens(ctx, p)
	}
	if err != nil {
		return nil, false, fmt.Errorf("listing tokens: %w", err)
	}
	more := len(rows) > limit
	rows = rows[:min(len(rows), limit)]
	if c.back {
		slices.Reverse(rows)
	}
	return rows, more, nil
}

// link lays the way to the pages on both sides.
func (p *TokenPage) link(rows []store.Token, c cursor, more bool) {
	if len(rows) == 0 {
		return
	}
	first, last := rows[0], rows[len(rows)-1]
	p.First = c.first
	if c.back {
		p.First = max(c.first-int64(len(rows)), 1)
	}
	if c.back && more || !c.back && c.sid != "" {
		p.Previous = cursor{back: true, at: first.CreatedAt, sid: first.SID, first: p.First}.String()
	}
	if c.back || more {
		p.Next = cursor{at: last.CreatedAt, sid: last.SID, first: p.First + int64(len(rows))}.String()
	}
}

// Token reads one token.
func (a *Authority) Token(ctx context.Context, by Actor, account int64, sid string) (api.Token, error) {
	if err := by.mustSee(account); err != nil {
		return api.Token{}, err
	}
	row, err := liveToken(ctx, a.db.Read(), by, account, sid)
	if err != nil {
		return api.Token{}, err
	}
	return a.tokenOf(ctx, a.db.Read(), row)
}

// Self is what a live token learns about itself. The verifier has judged the credential already.
func (a *Authority) Self(ctx context.Context, sid string) (api.Whoami, error) {
	row, err := a.db.Read().TokenBySID(ctx, sid)
	if row, err = read("token", row, err); err != nil {
		return api.Whoami{}, err
	}
	t, err := a.tokenOf(ctx, a.db.Read(), row)
	if err != nil {
		return api.Whoami{}, err
	}
	return api.Whoami{
		SID: t.SID, Account: t.Account, Zero: t.Zero, Name: t.Name, State: t.State, Pins: t.Pins,
		Reach: t.Reach, Brands: t.Brands, Expires: t.Expires,
	}, nil
}

// NameFree says whether a token of the account could be called so, for the wizard as it is typed.
func (a *Authority) NameFree(ctx context.Context, by Actor, account int64, name, exceptSID string) error {
	if err := by.mustSee(account); err != nil {
		return err
	}
	var bad faults
	clean, fault := CleanName(name)
	if fault != "" {
		bad.add("name", fault)
	} else if err := nameFree(ctx, a.db.Read(), account, fold(clean), exceptSID, &bad); err != nil {
		return err
	}
	return bad.err()
}

func (a *Authority) tokenOf(ctx context.Context, q *store.Queries, row store.Token) (api.Token, error) {
	list, err := a.tokensOf(ctx, q, row.Account, []store.Token{row})
	if err != nil {
		return api.Token{}, err
	}
	return list[0], nil
}

// tokensOf dresses rows with what the catalogue and the members' list say now.
func (a *Authority) tokensOf(ctx context.Context, q *store.Queries, account int64, rows []store.Token) ([]api.Token, error) {
	members, err := q.Members(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("reading members: %w", err)
	}
	people := make(map[string]api.PersonRef, len(members))
	for _, m := range members {
		people[m.Person] = api.PersonRef{Person: m.Person, Name: m.Name, Email: m.Email, Active: m.JoinedAt != nil && m.DisabledAt == nil}
	}
	out := make([]api.Token, 0, len(rows))
	for _, row := range rows {
		t, err := a.dress(row, people)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (a *Authority) dress(row store.Token, people map[string]api.PersonRef) (api.Token, error) {
	what, err := opensOf(row)
	if err != nil {
		return api.Token{}, err
	}
	t := api.Token{
		SID: row.SID, Account: row.Account, Zero: row.Zero == 1, Name: row.Name, Description: row.Description,
		State: api.State(row.State), StateSince: when(row.StateAt), StateBy: row.StateBy, StateWhy: row.StateWhy, StateLocked: row.StateLocked == 1,
		API: row.Api, Version: row.Version, Pins: []api.TokenPin{}, Reach: what.reach, Brands: what.brands,
		Expires: whenever(row.ExpiresAt), Created: when(row.CreatedAt), CreatedBy: row.CreatedName, Revision: row.Revision,
		FirstCall: whenever(row.FirstCallAt), Calls: row.Calls,
	}
	if t.State == api.StateEnabled && expired(row, a.now()) {
		t.State, t.StateSince, t.StateBy = api.StateExpired, when(*row.ExpiresAt), ""
	}
	if t.DeveloperEmails, err = emails(row); err != nil {
		return t, err
	}
	if t.Limits, err = limitsOf(row.SID, row.Limits); err != nil {
		return t, err
	}
	if row.LastUsedAt != nil {
		t.LastUse = &api.LastUse{At: when(*row.LastUsedAt), Address: row.LastAddress, Agent: row.LastAgent}
	}
	if row.PrimaryContact != nil {
		who, ok := people[*row.PrimaryContact]
		if !ok {
			who = api.PersonRef{Person: *row.PrimaryContact, Name: "A former member"}
		}
		t.PrimaryContact = &who
	}
	for _, p := range what.pins {
		t.Pins = append(t.Pins, a.pinWords(p))
	}
	return t, nil
}

// pinWords adds what the catalogue says of a pinned version now.
func (a *Authority) pinWords(p api.Pin) api.TokenPin {
	out := api.TokenPin{API: p.API, APITitle: p.API, Version: p.Version, VersionState: "retired", Scopes: p.Scopes}
	found, ok := a.catalogue().api(p.API)
	if !ok {
		return out
	}
	out.APITitle = found.Title
	newest, hasLatest := latest(found, a.now())
	v, ok := found.Version(p.Version)
	if ok && !retired(v, a.now()) {
		out.VersionState = v.State
	}
	out.Sunset = civil(v.Sunset)
	out.Latest = hasLatest && newest.Name == p.Version
	if hasLatest && !out.Latest && v.State != "preview" {
		out.LatestName = newest.Name
	}
	return out
}
