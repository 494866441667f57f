package rest

import (
	"context"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

func (s *server) listManagement(ctx context.Context, by authority.Actor, in *IDParam) (*answer[api.Page[api.Management]], error) {
	if _, err := s.authority.Account(ctx, by, in.ID); err != nil {
		return nil, err
	}
	return page(s.authority.Managements(ctx, by, in.ID))
}

type createManagementInput struct {
	IDParam
	Body api.ManagementCreate
}

func (s *server) createManagement(ctx context.Context, by authority.Actor, in *createManagementInput) (*answer[api.Done], error) {
	in.Body.Agency = in.ID
	seq, err := s.authority.CreateManagement(ctx, by, in.Body)
	return body(api.Done{Seq: seq}, err)
}

type endManagementInput struct {
	IDParam
	Brand int64 `path:"brand" minimum:"1" maximum:"9007199254740991" doc:"The managed account's id."`
}

func (s *server) endManagement(ctx context.Context, by authority.Actor, in *endManagementInput) (*answer[api.Done], error) {
	seq, err := s.authority.EndManagement(ctx, by, in.ID, in.Brand)
	return body(api.Done{Seq: seq}, err)
}
