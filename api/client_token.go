package api

import (
	"context"
	"net/http"
	"time"
)

// TokenFilter narrows and pages a list of tokens. The zero value is the first page of all.
type TokenFilter struct {
	Search       string // part of the name, without regard to case
	State        State  // enabled, disabled or expired
	API, Version string
	CreatedSince time.Time
	CreatedUntil time.Time
	Zero         bool   // the management API's tokens instead of the others
	Cursor       string // Next or Previous of another page
	Limit        int    // 1 to 200; 0 means 50
}

// Whoami tells whose token the client holds. Any live token may ask.
func (c *Client) Whoami(ctx context.Context) (out Whoami, err error) {
	err = c.get(ctx, &out, false, nil, "whoami")
	return out, err
}

// ExplainRequest says whether a request with a token would pass, and why not. Any live token may ask
// about itself.
func (c *Client) ExplainRequest(ctx context.Context, in Explain) (out Explained, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"explain"}, body: in}, &out)
	return out, err
}

// ListTokens lists an account's tokens, newest first.
func (c *Client) ListTokens(ctx context.Context, in TokenFilter) (out TokenList, err error) {
	q := newFilter()
	q.text("search", in.Search)
	q.text("state", string(in.State))
	q.text("api", in.API)
	q.text("version", in.Version)
	q.time("created_since", in.CreatedSince)
	q.time("created_until", in.CreatedUntil)
	q.flag("zero", in.Zero)
	q.text("cursor", in.Cursor)
	q.number("limit", in.Limit)
	err = c.get(ctx, &out, true, q.Values, "tokens")
	return out, err
}

// CreateToken issues a token. A repeat with the same idempotency key (at most 200 octets; "" for none) and
// the same body answers the same token, replayed and without its secret.
func (c *Client) CreateToken(ctx context.Context, in TokenCreate, key string) (out TokenIssued, err error) {
	if in.Scopes == nil {
		in.Scopes = []string{}
	}
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"tokens"}, body: in, once: key, owned: true}, &out)
	return out, err
}

// GetToken reads one token.
func (c *Client) GetToken(ctx context.Context, sid string) (out Token, err error) {
	err = c.get(ctx, &out, true, nil, "tokens", sid)
	return out, err
}

// EditToken changes a token; its secret stays.
func (c *Client) EditToken(ctx context.Context, sid string, in TokenEdit) (out TokenChanged, err error) {
	err = c.do(ctx, call{method: http.MethodPatch, parts: []string{"tokens", sid}, body: in, owned: true}, &out)
	return out, err
}

// DeleteToken ends a token for ever.
func (c *Client) DeleteToken(ctx context.Context, sid string, why Why) (out TokenChanged, err error) {
	q := newFilter()
	q.text("why", why.Why)
	err = c.do(ctx, call{method: http.MethodDelete, parts: []string{"tokens", sid}, query: q.Values, owned: true}, &out)
	return out, err
}

// DuplicateToken issues a new token that opens what another one opens.
func (c *Client) DuplicateToken(ctx context.Context, sid string, in TokenDuplicate, key string) (out TokenIssued, err error) {
	err = c.do(ctx, call{method: http.MethodPost, parts: []string{"tokens", sid, "duplicate"}, body: in, once: key, owned: true}, &out)
	return out, err
}

// ResetToken gives a token a new secret; the old one ends at once.
func (c *Client) ResetToken(ctx context.Context, sid string, in TokenReset) (out TokenIssued, err error) {
	err = c.act(ctx, sid, "reset", in, &out)
	return out, err
}

// DisableToken refuses every call of a token until it is enabled.
func (c *Client) DisableToken(ctx context.Context, sid string, in Why) (out TokenChanged, err error) {
	err = c.act(ctx, sid, "disable", in, &out)
	return out, err
}

// EnableToken puts a token in force again, with a new secret if asked.
func (c *Client) EnableToken(ctx context.Context, sid string, in TokenEnable) (out TokenIssued, err error) {
	err = c.act(ctx, sid, "enable", in, &out)
	return out, err
}

// UpgradeToken pins a token to another version.
func (c *Client) UpgradeToken(ctx context.Context, sid string, in TokenUpgrade) (out TokenChanged, err error) {
	err = c.act(ctx, sid, "upgrade", in, &out)
	return out, err
}

func (c *Client) act(ctx context.Context, sid, verb string, in, out any) error {
	return c.do(ctx, call{method: http.MethodPost, parts: []string{"tokens", sid, verb}, body: in, owned: true}, out)
}

// PlanUpgrade says what moving a token to another version would do to its scopes. An empty api is the
// token's first, an empty version the latest.
func (c *Client) PlanUpgrade(ctx context.Context, sid, api, version string) (out UpgradePlan, err error) {
	q := newFilter()
	q.text("api", api)
	q.text("version", version)
	err = c.get(ctx, &out, true, q.Values, "tokens", sid, "upgrade")
	return out, err
}

// GetOffer is the catalogue as the caller may give it: the boxes of the wizard.
func (c *Client) GetOffer(ctx context.Context) (out Offer, err error) {
	err = c.get(ctx, &out, true, nil, "offer")
	return out, err
}
