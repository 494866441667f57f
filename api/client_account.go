package api

import (
	"context"
	"net/http"
)

// AccountFilter narrows and pages the list of accounts. The zero value is the first page of all.
type AccountFilter struct {
	Search string // part of the name, without regard to case
	Kind   AccountKind
	Cursor string // Next of the page before
	Limit  int    // 1 to 200; 0 means 50
}

// ListAccounts lists accounts by id.
func (c *Client) ListAccounts(ctx context.Context, in AccountFilter) (out Page[Account], err error) {
	q := newFilter()
	q.text("search", in.Search)
	q.text("kind", string(in.Kind))
	q.text("cursor", in.Cursor)
	q.number("limit", in.Limit)
	err = c.get(ctx, &out, false, q.Values, "accounts")
	return out, err
}

// CreateAccount makes an account under the platform's own number.
func (c *Client) CreateAccount(ctx context.Context, in AccountCreate) (out Account, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"accounts"}, body: in}, &out)
	return out, err
}

// GetAccount reads one account.
func (c *Client) GetAccount(ctx context.Context, id int64) (out Account, err error) {
	err = c.get(ctx, &out, false, nil, "accounts", number(id))
	return out, err
}

// EditAccount changes name and expiry rules.
func (c *Client) EditAccount(ctx context.Context, id int64, in AccountEdit) (out Account, err error) {
	err = c.do(ctx, call{method: http.MethodPatch, parts: []string{"accounts", number(id)}, body: in}, &out)
	return out, err
}

// SuspendAccount ends every call of the account's tokens at once.
func (c *Client) SuspendAccount(ctx context.Context, id int64, in Why) (out AccountChanged, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"accounts", number(id), "suspend"}, body: in}, &out)
	return out, err
}

// ResumeAccount lets the account's tokens call again.
func (c *Client) ResumeAccount(ctx context.Context, id int64) (out AccountChanged, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"accounts", number(id), "resume"}}, &out)
	return out, err
}

// ListManagement lists an account's management links on either side, live and ended.
func (c *Client) ListManagement(ctx context.Context, id int64) (out Page[Management], err error) {
	err = c.get(ctx, &out, false, nil, "accounts", number(id), "management")
	return out, err
}

// CreateManagement lets an agency act on a brand.
func (c *Client) CreateManagement(ctx context.Context, in ManagementCreate) (out Done, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"accounts", number(in.Agency), "management"}, body: in}, &out)
	return out, err
}

// EndManagement ends the link: the agency's tokens no longer reach the brand.
func (c *Client) EndManagement(ctx context.Context, agency, brand int64) (out Done, err error) {
	err = c.do(ctx, call{method: http.MethodDelete, parts: []string{"accounts", number(agency), "management", number(brand)}}, &out)
	return out, err
}

// WithholdScope keeps an account from giving a scope, in every version.
func (c *Client) WithholdScope(ctx context.Context, account int64, w WithheldScope) error {
	return c.do(ctx, call{method: http.MethodPut, parts: []string{"accounts", number(account), "withheld", w.API, w.Scope}}, nil)
}

// ReleaseScope lets an account give a withheld scope again.
func (c *Client) ReleaseScope(ctx context.Context, account int64, w WithheldScope) error {
	return c.do(ctx, call{method: http.MethodDelete, parts: []string{"accounts", number(account), "withheld", w.API, w.Scope}}, nil)
}

// ListMembers lists an account's members by name.
func (c *Client) ListMembers(ctx context.Context) (out Page[Member], err error) {
	err = c.get(ctx, &out, true, nil, "members")
	return out, err
}

// InviteMember asks a person into the account by e-mail.
func (c *Client) InviteMember(ctx context.Context, in MemberInvite) (out Member, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"members"}, body: in, owned: true}, &out)
	return out, err
}

// EditMember changes a member's role, or whether a specialist may give sensitive scopes.
func (c *Client) EditMember(ctx context.Context, person string, in MemberEdit) (out Member, err error) {
	err = c.do(ctx, call{method: http.MethodPatch, parts: []string{"members", person}, body: in, owned: true}, &out)
	return out, err
}

// RemoveMember ends a membership. No token changes with it.
func (c *Client) RemoveMember(ctx context.Context, person string) error {
	return c.do(ctx, call{method: http.MethodDelete, parts: []string{"members", person}, owned: true}, nil)
}

// ResendInvitation sends a new link to a member who has not accepted yet; the older one is worthless.
func (c *Client) ResendInvitation(ctx context.Context, person string) error {
	return c.do(ctx, call{method: http.MethodPost, parts: []string{"members", person, "invitation"}, owned: true}, nil)
}
