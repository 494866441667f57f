package rest

import (
	"context"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
)

func (s *server) getCatalogue(ctx context.Context, by authority.Actor, _ *noInput) (*answer[api.CatalogueState], error) {
	return body(s.authority.Catalogue(ctx, by))
}

type uploadInput struct{ Body api.CatalogUpload }

func (s *server) diffCatalogue(ctx context.Context, by authority.Actor, in *uploadInput) (*answer[api.CatalogDiff], error) {
	return body(s.authority.DiffCatalogue(ctx, by, in.Body))
}

func (s *server) publishCatalogue(ctx context.Context, by authority.Actor, in *uploadInput) (*answer[api.CatalogDiff], error) {
	return body(s.authority.PublishCatalogue(ctx, by, in.Body))
}
