package rest

import (
	"context"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

// MemberParam names a member of the account.
type MemberParam struct {
	AccountParam
	Person string `path:"person" doc:"The person's id."`
}

func (s *server) listMembers(ctx context.Context, by authority.Actor, in *AccountParam) (*answer[api.Page[api.Member]], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return page(s.authority.Members(ctx, by, account))
}

type inviteMemberInput struct {
	AccountParam
	Body api.MemberInvite
}

func (s *server) inviteMember(ctx context.Context, by authority.Actor, in *inviteMemberInput) (*answer[api.Member], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.InviteMember(ctx, by, account, in.Body))
}

type editMemberInput struct {
	MemberParam
	Body api.MemberEdit
}

func (s *server) editMember(ctx context.Context, by authority.Actor, in *editMemberInput) (*answer[api.Member], error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return body(s.authority.EditMember(ctx, by, account, in.Person, in.Body))
}

func (s *server) removeMember(ctx context.Context, by authority.Actor, in *MemberParam) (*nothing, error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return done(s.authority.RemoveMember(ctx, by, account, in.Person))
}

func (s *server) resendInvitation(ctx context.Context, by authority.Actor, in *MemberParam) (*nothing, error) {
	account, err := s.account(ctx, by, in.Account)
	if err != nil {
		return nil, err
	}
	return done(s.authority.Reinvite(ctx, by, account, in.Person))
}
