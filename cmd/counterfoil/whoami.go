package main

import (
	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

func whoamiCommand() *cobra.Command {
	return remote("whoami", "Show which token this is", cobra.NoArgs, func(s *call) error {
		who, err := s.client.Whoami(s.ctx())
		if err != nil {
			return err
		}
		return s.show(who, func(t *table) {
			t.fact("Name", who.Name)
			t.fact("SID", who.SID)
			t.fact("Account", accountWords(who.Account))
			t.fact("State", who.State)
			t.fact("Ends", endWords(who.Expires))
			showPins(t, who.Pins)
			t.fact("Reach", reachWords(who.Reach, who.Brands))
		})
	})
}

func accountWords(id int64) string {
	if id == 0 {
		return "the operator"
	}
	return words(id)
}

func showPins(t *table, pins []api.TokenPin) {
	for _, p := range pins {
		t.fact(p.APITitle, "version "+p.Version+", "+p.VersionState)
		for _, name := range p.Scopes {
			t.row("", name)
		}
	}
}
