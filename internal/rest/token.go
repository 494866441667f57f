package rest

import (
	"context"
	"net/http"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

// TokenParam names a token of the account.
type TokenParam struct {
	AccountParam
	SID string `path:"sid" doc:"The token's SID."`
}

// OnceParam makes a repeated create the same create.
type OnceParam struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"Chosen by the caller, at most 200 octets. A repeat with the same key and body answers the same token, with auth_token null."`
}

type listTokensInput struct {
	AccountParam
	PageParams
	Search       string    `query:"search" maxLength:"100" doc:"Part of the name, without regard to case."`
	State        api.State `query:"state" enum:"enabled,disabled,expired"`
	API          string    `query:"api" maxLength:"160"`
	Version      string    `query:"version" maxLength:"160" doc:"Of the API named by api, or of any."`
	CreatedSince time.Time `query:"created_since"`
	CreatedUntil time.Time `query:"created_until"`
	Zero         bool      `query:"zero" doc:"The management API's tokens instead of the others."`
}

func (s *server) listTokens(ctx context.Context, by authority.Actor, in *listTokensInput) (*answer[api.TokenList], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	found, err := s.authority.Tokens(ctx, by, account, authority.TokenQuery{
		Search: in.Search, State: in.State, API: in.API, Version: in.Version, Zero: in.Zero,
		CreatedSince: in.CreatedSince, CreatedUntil: in.CreatedUntil, Cursor: in.Cursor, Limit: in.Limit,
	})
	return body(api.TokenList{Items: found.Items, Total: found.Total, Next: found.Next, Previous: found.Previous}, err)
}

func (s *server) getToken(ctx context.Context, by authority.Actor, in *TokenParam) (*answer[api.Token], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.Token(ctx, by, account, in.SID))
}

type createTokenInput struct {
	AccountParam
	OnceParam
	Body api.TokenCreate
}

func (s *server) createToken(ctx context.Context, by authority.Actor, in *createTokenInput) (*issuedAnswer, error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return issued(http.StatusCreated)(s.authority.CreateToken(ctx, by, account, in.Body, authority.Once{Key: in.Key}))
}

type duplicateTokenInput struct {
	TokenParam
	OnceParam
	Body api.TokenDuplicate
}

func (s *server) duplicateToken(ctx context.Context, by authority.Actor, in *duplicateTokenInput) (*issuedAnswer, error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return issued(http.StatusCreated)(s.authority.DuplicateToken(ctx, by, account, in.SID, in.Body, authority.Once{Key: in.Key}))
}

type resetTokenInput struct {
	TokenParam
	Body *api.TokenReset
}

func (s *server) resetToken(ctx context.Context, by authority.Actor, in *resetTokenInput) (*issuedAnswer, error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return issued(http.StatusOK)(s.authority.ResetToken(ctx, by, account, in.SID, given(in.Body).Revision))
}

type enableTokenInput struct {
	TokenParam
	Body *api.TokenEnable
}

func (s *server) enableToken(ctx context.Context, by authority.Actor, in *enableTokenInput) (*issuedAnswer, error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return issued(http.StatusOK)(s.authority.EnableToken(ctx, by, account, in.SID, given(in.Body)))
}

type editTokenInput struct {
	TokenParam
	Body api.TokenEdit
}

func (s *server) editToken(ctx context.Context, by authority.Actor, in *editTokenInput) (*answer[api.TokenChanged], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.EditToken(ctx, by, account, in.SID, in.Body))
}

type deleteTokenInput struct {
	TokenParam
	Why string `query:"why" maxLength:"500" doc:"The reason, shown in the history."`
}

func (s *server) deleteToken(ctx context.Context, by authority.Actor, in *deleteTokenInput) (*answer[api.TokenChanged], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.DeleteToken(ctx, by, account, in.SID, in.Why))
}

type disableTokenInput struct {
	TokenParam
	Body *api.Why
}

func (s *server) disableToken(ctx context.Context, by authority.Actor, in *disableTokenInput) (*answer[api.TokenChanged], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.DisableToken(ctx, by, account, in.SID, given(in.Body).Why))
}

type planUpgradeInput struct {
	TokenParam
	API     string `query:"api" maxLength:"160" doc:"Absent: the token's first API."`
	Version string `query:"version" maxLength:"160" doc:"Absent: the latest."`
}

func (s *server) planUpgrade(ctx context.Context, by authority.Actor, in *planUpgradeInput) (*answer[api.UpgradePlan], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.PlanUpgrade(ctx, by, account, in.SID, in.API, in.Version))
}

type upgradeTokenInput struct {
	TokenParam
	Body api.TokenUpgrade
}

func (s *server) upgradeToken(ctx context.Context, by authority.Actor, in *upgradeTokenInput) (*answer[api.TokenChanged], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.UpgradeToken(ctx, by, account, in.SID, in.Body))
}

func (s *server) getOffer(ctx context.Context, by authority.Actor, in *AccountParam) (*answer[api.Offer], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.Offer(ctx, by, account))
}

// issuedAnswer is the one answer with a secret in it.
type issuedAnswer struct {
	Status int
	Body   api.TokenIssued
}

const replayedNote = "This was created by an earlier sending of the same request, which showed the Auth Token. It is not kept, so it cannot be shown again: reset the token for a new one."

// issued writes the secret into the one answer that shows it. A replay has none, and says so.
func issued(status int) func(authority.Issued, error) (*issuedAnswer, error) {
	return func(made authority.Issued, err error) (*issuedAnswer, error) {
		if err != nil {
			return nil, err
		}
		out := &issuedAnswer{Status: status, Body: api.TokenIssued{Token: made.Token, Replayed: made.Replayed, Seq: made.Seq}}
		if made.Replayed {
			out.Status, out.Body.Note = http.StatusOK, replayedNote
		}
		if secret := made.Secret.Reveal(); secret != "" {
			out.Body.AuthToken = &secret
		}
		return out, nil
	}
}

// given is a body that may be left out.
func given[T any](in *T) T {
	if in == nil {
		var none T
		return none
	}
	return *in
}
