package main

import (
	"slices"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

// editForm is what the flags of an edit hold until it is known which were given.
type editForm struct {
	name, description, reach, brandVersion, contact string
	expires                                         dateFlag
	never                                           bool
	brands                                          []int64
	emails, scopes, add, drop                       []string
	revision                                        int64
	limits                                          limitFlags
}

func tokenEdit() *cobra.Command {
	var f editForm
	c := owned("edit SID", "Change a token; its secret stays", cobra.ExactArgs(1), func(s *call) error {
		now, err := s.client.GetToken(s.ctx(), s.args[0])
		if err != nil {
			return err
		}
		in := f.edit(s.command, now)
		if in.Limits, err = f.limits.token(s.command, now.Limits); err != nil {
			return err
		}
		if (in == api.TokenEdit{Revision: in.Revision}) {
			return usagef("nothing to change was given")
		}
		changed, err := s.client.EditToken(s.ctx(), s.args[0], in)
		return s.changed(changed, err, "is changed")
	})
	flags := c.Flags()
	flags.StringVar(&f.name, "name", "", "new name")
	flags.StringVar(&f.description, "description", "", "new description")
	flags.Var(&f.expires, "expires", "date, time, or days from now as 90d")
	flags.BoolVar(&f.never, "never-expires", false, "no end")
	flags.StringVar(&f.reach, "reach", "", "brands that it may act on: none, all or list")
	flags.Int64SliceVar(&f.brands, "brand", nil, "with --reach list, the id of a brand; once for each")
	flags.StringVar(&f.brandVersion, "brand-version", "", "version of the API for brands")
	flags.StringVar(&f.contact, "contact", "", "person id or e-mail address of an active member")
	flags.StringArrayVar(&f.emails, "developer-email", nil, "instead of those until now; once for each")
	flags.StringArrayVar(&f.scopes, "scope", nil, "instead of all until now; once for each")
	flags.StringArrayVar(&f.add, "add-scope", nil, "beside those until now; once for each")
	flags.StringArrayVar(&f.drop, "drop-scope", nil, "no longer; once for each")
	f.limits.forToken(c)
	flags.Int64Var(&f.revision, "revision", 0, "the revision that was seen; another one is a conflict")
	c.MarkFlagsMutuallyExclusive("scope", "add-scope")
	c.MarkFlagsMutuallyExclusive("scope", "drop-scope")
	c.MarkFlagsMutuallyExclusive("expires", "never-expires")
	return c
}

// edit is the change that the given flags ask for, of a token as it is now.
func (f *editForm) edit(c *cobra.Command, now api.Token) api.TokenEdit {
	given := c.Flags().Changed
	in := api.TokenEdit{Revision: now.Revision}
	if given("revision") {
		in.Revision = f.revision
	}
	for _, field := range []struct {
		flag  string
		value *string
		to    **string
	}{
		{"name", &f.name, &in.Name},
		{"description", &f.description, &in.Description},
		{"brand-version", &f.brandVersion, &in.BrandVersion},
		{"contact", &f.contact, &in.PrimaryContact},
	} {
		if given(field.flag) {
			*field.to = field.value
		}
	}
	if given("reach") {
		reach := api.Reach(f.reach)
		in.Reach = &reach
	}
	if given("brand") {
		in.Brands = &f.brands
	}
	if given("expires") {
		in.Expires = &f.expires.Time
	}
	if given("never-expires") {
		in.NeverExpires = &f.never
	}
	if given("developer-email") {
		in.DeveloperEmails = &f.emails
	}
	switch {
	case given("scope"):
		in.Scopes = &f.scopes
	case given("add-scope") || given("drop-scope"):
		scopes := slices.Concat(qualified(now.Pins), f.add)
		scopes = slices.DeleteFunc(scopes, func(s string) bool { return slices.Contains(f.drop, s) })
		in.Scopes = &scopes
	}
	return in
}

// qualified lists a token's scopes as a form writes them: those of its first API bare, others api/scope.
func qualified(pins []api.TokenPin) []string {
	scopes := []string{}
	for i, p := range pins {
		for _, name := range p.Scopes {
			if i > 0 {
				name = p.API + "/" + name
			}
			scopes = append(scopes, name)
		}
	}
	return scopes
}

func tokenUpgrade() *cobra.Command {
	var in api.TokenUpgrade
	var only bool
	c := yesFlag(owned("upgrade SID", "Move a token to another version, having shown what changes", cobra.ExactArgs(1), func(s *call) error {
		plan, err := s.client.PlanUpgrade(s.ctx(), s.args[0], in.API, in.Version)
		if err != nil {
			return err
		}
		if only {
			return s.show(plan, func(t *table) { showPlan(t, plan) })
		}
		if !s.asJSON {
			if err := s.show(plan, func(t *table) { showPlan(t, plan) }); err != nil {
				return err
			}
		}
		if err := s.confirmToken("%s will be pinned to version " + printable(plan.To) + " of " + printable(plan.API) + ". Scopes to be asked for are lost unless given with --scope."); err != nil {
			return err
		}
		in.Version = plan.To
		changed, err := s.client.UpgradeToken(s.ctx(), s.args[0], in)
		return s.changed(changed, err, "is upgraded to version "+plan.To)
	}))
	flags := c.Flags()
	flags.StringVar(&in.API, "api", "", "which of the token's APIs; its first if left out")
	flags.StringVar(&in.Version, "version", "", "the latest if left out")
	flags.StringArrayVar(&in.Scopes, "scope", nil, "scope to tick beside those carried over; once for each")
	flags.Int64Var(&in.Revision, "revision", 0, "the revision that was seen; another one is a conflict")
	flags.BoolVar(&only, "plan", false, "show what would change, and change nothing")
	return c
}

func showPlan(t *table, plan api.UpgradePlan) {
	t.row(plan.API, "from version "+plan.From+" to "+plan.To)
	for _, part := range []struct {
		word  string
		steps []api.UpgradeStep
	}{{"carried over", plan.Carried}, {"ask", plan.Ask}, {"gone", plan.Gone}} {
		for _, step := range part.steps {
			t.row(part.word, step.Scope, step.Category+" → "+step.Label)
			for _, more := range step.Added {
				t.row("", "", "would also open "+more)
			}
		}
	}
}
