package main

import (
	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

func tokenExplain() *cobra.Command {
	var in api.Explain
	c := remote("explain METHOD PATH", "Say whether a request would pass, and why not", cobra.ExactArgs(2), func(s *call) error {
		in.Method, in.Path = s.args[0], s.args[1]
		answer, err := s.client.ExplainRequest(s.ctx(), in)
		if err != nil {
			return err
		}
		if err := s.show(answer, func(t *table) { showExplained(t, answer) }); err != nil {
			return err
		}
		if !answer.Allowed {
			return errSaid
		}
		return nil
	})
	c.Long = "Say whether a request would pass, and why not. The exit code is 0 if it would pass, and 1 if not.\n" +
		"In PATH, {AccountSID} stands for the token's own SID."
	flags := c.Flags()
	flags.StringVar(&in.SID, "sid", "", "another token of the account; the caller's own if left out")
	flags.StringVar(&in.Host, "host", "", "host of the request; the API's first if left out")
	flags.StringVar(&in.Version, "version", "", "version that the request names")
	flags.Int64Var(&in.Brand, "brand", 0, "id in place of the first {parameter} of PATH that is not {AccountSID}")
	return c
}

func showExplained(t *table, answer api.Explained) {
	verdict := "refused"
	if answer.Allowed {
		verdict = "allowed"
	}
	t.fact("Verdict", verdict)
	t.fact("Code", answer.Code)
	t.fact("Why", answer.Why)
	t.fact("API", answer.API)
	t.fact("Version", answer.Version)
	t.fact("Operation", answer.Operation)
	t.fact("Scope", answer.Scope)
	if answer.Brand != 0 {
		t.fact("Brand", answer.Brand)
	}
	for _, m := range answer.Missing {
		t.fact("Missing", m.Category+" → "+m.Label+" ("+m.Scope+")")
	}
	t.fact("Put it right", answer.Fix)
}
