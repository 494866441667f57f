package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

func accountCommand() *cobra.Command {
	return group("account", "Accounts and what they manage, for the operator",
		accountList(), accountCreate(), accountShow(), accountEdit(), accountSuspend(), accountResume(),
		accountManage(), accountUnmanage(), accountWithhold(), accountRelease(),
	)
}

func accountList() *cobra.Command {
	var f api.AccountFilter
	c := remote("list", "List accounts by id", cobra.NoArgs, func(s *call) error {
		list, err := s.client.ListAccounts(s.ctx(), f)
		if err != nil {
			return err
		}
		if err := s.show(list, func(t *table) {
			t.row("ID", "KIND", "NAME", "STATE")
			for _, a := range list.Items {
				t.row(a.ID, a.Kind, a.Name, accountState(a))
			}
		}); err != nil {
			return err
		}
		if list.Next != "" {
			s.hint("for more: --cursor %s", list.Next)
		}
		return nil
	})
	c.Flags().StringVar(&f.Search, "search", "", "part of the name")
	c.Flags().StringVar((*string)(&f.Kind), "kind", "", "agency, brand or partner")
	c.Flags().StringVar(&f.Cursor, "cursor", "", "where the page starts")
	c.Flags().IntVar(&f.Limit, "limit", 0, "accounts on a page, at most 200")
	return c
}

func accountCreate() *cobra.Command {
	var in api.AccountCreate
	c := remote("create ID --kind KIND --name NAME", "Create an account under the platform's own number", cobra.ExactArgs(1), func(s *call) error {
		var err error
		if in.ID, err = accountID(s.args[0]); err != nil {
			return err
		}
		if in.Kind == "" || in.Name == "" {
			return usagef("an account needs --kind and --name")
		}
		a, err := s.client.CreateAccount(s.ctx(), in)
		if err != nil {
			return err
		}
		return s.show(a, func(t *table) { t.row(fmt.Sprintf("%s (%d) is created.", a.Name, a.ID)) })
	})
	c.Flags().StringVar((*string)(&in.Kind), "kind", "", "agency, brand or partner")
	c.Flags().StringVar(&in.Name, "name", "", "1 to 100 characters")
	return c
}

// shown is an account with its links.
type shown struct {
	api.Account
	Management []api.Management `json:"management"`
}

func accountShow() *cobra.Command {
	return remote("show ID", "Show one account with its management links", cobra.ExactArgs(1), func(s *call) error {
		id, err := accountID(s.args[0])
		if err != nil {
			return err
		}
		a, err := s.client.GetAccount(s.ctx(), id)
		if err != nil {
			return err
		}
		links, err := s.client.ListManagement(s.ctx(), id)
		if err != nil {
			return err
		}
		return s.show(shown{a, links.Items}, func(t *table) { showAccount(t, a, links.Items) })
	})
}

func showAccount(t *table, a api.Account, links []api.Management) {
	t.fact("Name", a.Name)
	t.fact("Id", a.ID)
	t.fact("Kind", a.Kind)
	t.fact("State", accountState(a))
	t.fact("Created", a.Created)
	t.fact("Default expiry", daysWords(a.ExpiryDefault))
	t.fact("Longest expiry", daysWords(a.ExpiryMax))
	showAccountLimits(t, a.Limits)
	for _, w := range a.Withheld {
		t.fact("Withheld", w.API+"/"+w.Scope)
	}
	for _, m := range links {
		text := fmt.Sprintf("%s (%d) manages %s (%d) since %s", m.AgencyName, m.Agency, m.BrandName, m.Brand, words(m.Starts))
		if m.Ended != nil {
			text += ", until " + words(m.Ended)
		}
		t.fact("Management", text)
	}
	t.fact("Revision", a.Revision)
}

func accountEdit() *cobra.Command {
	var name string
	var def, longest, revision int64
	var limits limitFlags
	c := remote("edit ID", "Change name, expiry rules and limits", cobra.ExactArgs(1), func(s *call) error {
		id, err := accountID(s.args[0])
		if err != nil {
			return err
		}
		given := s.command.Flags().Changed
		in := api.AccountEdit{Revision: revision}
		if given("name") {
			in.Name = &name
		}
		if given("expiry-default") {
			in.ExpiryDefault = &def
		}
		if given("expiry-max") {
			in.ExpiryMax = &longest
		}
		if (in == api.AccountEdit{Revision: revision}) && !limitsGiven(s.command) {
			return usagef("nothing to change was given")
		}
		now, err := s.client.GetAccount(s.ctx(), id)
		if err != nil {
			return err
		}
		if in.Limits, err = limits.account(s.command, now.Limits); err != nil {
			return err
		}
		if !given("revision") {
			in.Revision = now.Revision
		}
		a, err := s.client.EditAccount(s.ctx(), id, in)
		if err != nil {
			return err
		}
		return s.show(a, func(t *table) { t.row(fmt.Sprintf("%s (%d) is changed.", a.Name, a.ID)) })
	})
	c.Flags().StringVar(&name, "name", "", "new name")
	c.Flags().Int64Var(&def, "expiry-default", 0, "days that a new token lives when nobody chooses; 0: no end; -1: the installation's own")
	c.Flags().Int64Var(&longest, "expiry-max", 0, "most days that a token may live; 0: no limit; -1: the installation's own")
	limits.forAccount(c, "of all tokens")
	c.Flags().Int64Var(&revision, "revision", 0, "the revision that was seen; another one is a conflict")
	return c
}

func accountSuspend() *cobra.Command {
	return yesFlag(whyFlag(remote("suspend ID", "End every call of the account's tokens at once", cobra.ExactArgs(1), func(s *call) error {
		id, err := accountID(s.args[0])
		if err != nil {
			return err
		}
		reason, err := why(s.command)
		if err != nil {
			return err
		}
		now, err := s.client.GetAccount(s.ctx(), id)
		if err != nil {
			return err
		}
		if err := confirm(s.command, fmt.Sprintf("Every call with a token of %s (%d) will be refused from now on, until the account is resumed.", printable(now.Name), id)); err != nil {
			return err
		}
		changed, err := s.client.SuspendAccount(s.ctx(), id, reason)
		if err != nil {
			return err
		}
		return s.show(changed, func(t *table) { t.row(fmt.Sprintf("%s (%d) is suspended.", changed.Account.Name, id)) })
	})))
}

func accountResume() *cobra.Command {
	return remote("resume ID", "Let the account's tokens call again", cobra.ExactArgs(1), func(s *call) error {
		id, err := accountID(s.args[0])
		if err != nil {
			return err
		}
		changed, err := s.client.ResumeAccount(s.ctx(), id)
		if err != nil {
			return err
		}
		return s.show(changed, func(t *table) { t.row(fmt.Sprintf("%s (%d) is resumed.", changed.Account.Name, id)) })
	})
}

func accountID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 1 || id > api.MaxAccountID {
		return 0, usagef("%q is no account id", s)
	}
	return id, nil
}

func accountState(a api.Account) string {
	if a.Suspended == nil {
		return "active"
	}
	state := "suspended since " + words(a.Suspended)
	if a.SuspendedWhy != "" {
		state += ", " + a.SuspendedWhy
	}
	return state
}

func daysWords(days *int64) string {
	switch {
	case days == nil:
		return "the installation's own"
	case *days == 0:
		return "none"
	default:
		return fmt.Sprintf("%d days", *days)
	}
}
