package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

func accountManage() *cobra.Command {
	var starts dateFlag
	c := remote("manage AGENCY BRAND", "Let an agency act on a brand", cobra.ExactArgs(2), func(s *call) error {
		in, err := s.link()
		if err != nil {
			return err
		}
		if !starts.IsZero() {
			in.Starts = &starts.Time
		}
		done, err := s.client.CreateManagement(s.ctx(), in)
		if err != nil {
			return err
		}
		return s.show(done, func(t *table) { t.row(fmt.Sprintf("%d manages %d.", in.Agency, in.Brand)) })
	})
	c.Flags().Var(&starts, "starts", "date or time, not ahead; now if left out")
	return c
}

func accountUnmanage() *cobra.Command {
	return yesFlag(remote("unmanage AGENCY BRAND", "End the management of a brand", cobra.ExactArgs(2), func(s *call) error {
		in, err := s.link()
		if err != nil {
			return err
		}
		if err := confirm(s.command, fmt.Sprintf("Tokens of agency %d will no longer reach brand %d, from now on.", in.Agency, in.Brand)); err != nil {
			return err
		}
		done, err := s.client.EndManagement(s.ctx(), in.Agency, in.Brand)
		if err != nil {
			return err
		}
		return s.show(done, func(t *table) { t.row(fmt.Sprintf("%d no longer manages %d.", in.Agency, in.Brand)) })
	}))
}

// link reads the ids of an agency and a brand.
func (s *call) link() (in api.ManagementCreate, err error) {
	if in.Agency, err = accountID(s.args[0]); err != nil {
		return in, err
	}
	in.Brand, err = accountID(s.args[1])
	return in, err
}

func accountWithhold() *cobra.Command {
	return remote("withhold ID API SCOPE", "Keep an account from giving a scope", cobra.ExactArgs(3), func(s *call) error {
		id, scope, err := s.scope()
		if err != nil {
			return err
		}
		if err := s.client.WithholdScope(s.ctx(), id, scope); err != nil {
			return err
		}
		return s.show(scope, func(t *table) {
			t.row(fmt.Sprintf("%s/%s is withheld from %d. Tokens that hold it keep it.", scope.API, scope.Scope, id))
		})
	})
}

func accountRelease() *cobra.Command {
	return remote("release ID API SCOPE", "Let an account give a withheld scope again", cobra.ExactArgs(3), func(s *call) error {
		id, scope, err := s.scope()
		if err != nil {
			return err
		}
		if err := s.client.ReleaseScope(s.ctx(), id, scope); err != nil {
			return err
		}
		return s.show(scope, func(t *table) { t.row(fmt.Sprintf("%s/%s is released to %d.", scope.API, scope.Scope, id)) })
	})
}

// scope reads an account id and the name of a scope.
func (s *call) scope() (int64, api.WithheldScope, error) {
	id, err := accountID(s.args[0])
	return id, api.WithheldScope{API: s.args[1], Scope: s.args[2]}, err
}
