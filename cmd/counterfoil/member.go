package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

func memberCommand() *cobra.Command {
	return group("member", "People of an account",
		memberList(), memberInvite(), memberReinvite(), memberEdit(), memberRemove(),
	)
}

func memberList() *cobra.Command {
	return owned("list", "List members", cobra.NoArgs, func(s *call) error {
		list, err := s.client.ListMembers(s.ctx())
		if err != nil {
			return err
		}
		return s.show(list, func(t *table) {
			t.row("PERSON", "NAME", "E-MAIL", "ROLE", "STATE")
			for _, m := range list.Items {
				t.row(m.Person, m.Name, m.Email, roleWords(m), memberState(m))
			}
		})
	})
}

func memberInvite() *cobra.Command {
	var in api.MemberInvite
	c := owned("invite EMAIL --name NAME --role ROLE", "Ask a person into the account by e-mail", cobra.ExactArgs(1), func(s *call) error {
		in.Email = s.args[0]
		if in.Name == "" || in.Role == "" {
			return usagef("an invitation needs --name and --role")
		}
		m, err := s.client.InviteMember(s.ctx(), in)
		if err != nil {
			return err
		}
		return s.show(m, func(t *table) { t.row(fmt.Sprintf("%s (%s) is invited as %s.", m.Email, m.Person, roleWords(m))) })
	})
	c.Flags().StringVar(&in.Name, "name", "", "the person's name")
	c.Flags().StringVar((*string)(&in.Role), "role", "", "administrator, specialist or analyst")
	c.Flags().BoolVar(&in.AllowSensitive, "allow-sensitive", false, "a specialist who may give sensitive scopes")
	return c
}

func memberReinvite() *cobra.Command {
	return owned("reinvite PERSON", "Send an invitation again; the older link is worthless", cobra.ExactArgs(1), func(s *call) error {
		person, err := s.person()
		if err != nil {
			return err
		}
		if err := s.client.ResendInvitation(s.ctx(), person); err != nil {
			return err
		}
		return s.show(struct{}{}, func(t *table) { t.row("The invitation is sent again.") })
	})
}

func memberEdit() *cobra.Command {
	var role string
	var sensitive bool
	c := owned("edit PERSON", "Change a member's role", cobra.ExactArgs(1), func(s *call) error {
		var in api.MemberEdit
		if s.command.Flags().Changed("role") {
			r := api.Role(role)
			in.Role = &r
		}
		if s.command.Flags().Changed("allow-sensitive") {
			in.AllowSensitive = &sensitive
		}
		if in == (api.MemberEdit{}) {
			return usagef("nothing to change was given")
		}
		person, err := s.person()
		if err != nil {
			return err
		}
		m, err := s.client.EditMember(s.ctx(), person, in)
		if err != nil {
			return err
		}
		return s.show(m, func(t *table) { t.row(fmt.Sprintf("%s is %s.", m.Email, roleWords(m))) })
	})
	c.Flags().StringVar(&role, "role", "", "administrator, specialist or analyst")
	c.Flags().BoolVar(&sensitive, "allow-sensitive", false, "a specialist who may give sensitive scopes")
	return c
}

func memberRemove() *cobra.Command {
	return yesFlag(owned("remove PERSON", "End a membership; no token changes with it", cobra.ExactArgs(1), func(s *call) error {
		person, err := s.person()
		if err != nil {
			return err
		}
		if err := confirm(s.command, printable(s.args[0])+" will no longer be a member of the account. Its tokens stay as they are."); err != nil {
			return err
		}
		if err := s.client.RemoveMember(s.ctx(), person); err != nil {
			return err
		}
		return s.show(struct{}{}, func(t *table) { t.row(s.args[0] + " is removed.") })
	}))
}

// person is the id of the member that the first argument names, by id or e-mail address.
func (s *call) person() (string, error) {
	if !strings.Contains(s.args[0], "@") {
		return s.args[0], nil
	}
	list, err := s.client.ListMembers(s.ctx())
	if err != nil {
		return "", err
	}
	for _, m := range list.Items {
		if strings.EqualFold(m.Email, s.args[0]) {
			return m.Person, nil
		}
	}
	return "", api.NotFound("member")
}

func roleWords(m api.Member) string {
	if m.AllowSensitive && m.Role == api.RoleSpecialist {
		return m.Role.Words() + " with sensitive scopes"
	}
	return m.Role.Words()
}

func memberState(m api.Member) string {
	switch {
	case m.Disabled:
		return "disabled"
	case m.Joined == nil:
		return "invited"
	default:
		return "active"
	}
}
