package rest

import (
	"context"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

// IDParam names an account in the path.
type IDParam struct {
	ID int64 `path:"id" minimum:"1" maximum:"9007199254740991" doc:"The account's id."`
}

type listAccountsInput struct {
	PageParams
	Search string          `query:"search" maxLength:"100" doc:"Part of the name, without regard to case."`
	Kind   api.AccountKind `query:"kind" enum:"agency,brand,partner"`
}

func (s *server) listAccounts(ctx context.Context, by authority.Actor, in *listAccountsInput) (*answer[api.Page[api.Account]], error) {
	return body(s.authority.Accounts(ctx, by, authority.AccountQuery{Search: in.Search, Kind: in.Kind, Cursor: in.Cursor, Limit: in.Limit}))
}

type createAccountInput struct{ Body api.AccountCreate }

func (s *server) createAccount(ctx context.Context, by authority.Actor, in *createAccountInput) (*answer[api.Account], error) {
	return body(s.authority.CreateAccount(ctx, by, in.Body))
}

func (s *server) getAccount(ctx context.Context, by authority.Actor, in *IDParam) (*answer[api.Account], error) {
	return body(s.authority.Account(ctx, by, in.ID))
}

type editAccountInput struct {
	IDParam
	Body api.AccountEdit
}

func (s *server) editAccount(ctx context.Context, by authority.Actor, in *editAccountInput) (*answer[api.Account], error) {
	return body(s.authority.EditAccount(ctx, by, in.ID, in.Body))
}

type suspendAccountInput struct {
	IDParam
	Body *api.Why
}

func (s *server) suspendAccount(ctx context.Context, by authority.Actor, in *suspendAccountInput) (*answer[api.AccountChanged], error) {
	seq, err := s.authority.SuspendAccount(ctx, by, in.ID, given(in.Body).Why)
	return s.accountChanged(ctx, by, in.ID, seq, err)
}

func (s *server) resumeAccount(ctx context.Context, by authority.Actor, in *IDParam) (*answer[api.AccountChanged], error) {
	seq, err := s.authority.ResumeAccount(ctx, by, in.ID)
	return s.accountChanged(ctx, by, in.ID, seq, err)
}

func (s *server) accountChanged(ctx context.Context, by authority.Actor, id int64, seq api.Seq, err error) (*answer[api.AccountChanged], error) {
	if err != nil {
		return nil, err
	}
	account, err := s.authority.Account(ctx, by, id)
	return body(api.AccountChanged{Account: account, Seq: seq}, err)
}

// ScopeParam names a scope that an account may or may not give.
type ScopeParam struct {
	IDParam
	API   string `path:"api" doc:"The API's name in the catalogue."`
	Scope string `path:"scope" doc:"The scope's name, without the API's."`
}

func (s *server) withholdScope(ctx context.Context, by authority.Actor, in *ScopeParam) (*nothing, error) {
	return done(s.authority.Withhold(ctx, by, in.ID, api.WithheldScope{API: in.API, Scope: in.Scope}))
}

func (s *server) releaseScope(ctx context.Context, by authority.Actor, in *ScopeParam) (*nothing, error) {
	return done(s.authority.Release(ctx, by, in.ID, api.WithheldScope{API: in.API, Scope: in.Scope}))
}
