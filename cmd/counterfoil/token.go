package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

func tokenCommand() *cobra.Command {
	return group("token", "Access tokens of an account",
		tokenList(), tokenShow(), tokenCreate(), tokenEdit(), tokenDuplicate(), tokenReset(),
		tokenDisable(), tokenEnable(), tokenUpgrade(), tokenDelete(), tokenExplain(),
	)
}

func tokenList() *cobra.Command {
	var f api.TokenFilter
	var since dateFlag
	var every bool
	c := owned("list", "List tokens, newest first", cobra.NoArgs, func(s *call) error {
		f.CreatedSince = since.Time
		list, err := s.client.ListTokens(s.ctx(), f)
		for err == nil && every && list.Next != "" {
			f.Cursor = list.Next
			var more api.TokenList
			more, err = s.client.ListTokens(s.ctx(), f)
			list.Items, list.Next = append(list.Items, more.Items...), more.Next
		}
		if err != nil {
			return err
		}
		if err := s.show(list, func(t *table) {
			t.row("SID", "NAME", "STATE", "API", "VERSION", "SCOPES", "LAST USED")
			for _, item := range list.Items {
				t.row(item.SID, item.Name, item.State, item.API, versionWords(item), scopeCount(item.Pins), lastUse(item))
			}
		}); err != nil {
			return err
		}
		if list.Next != "" {
			s.hint("%d of %d tokens; for more: --cursor %s", len(list.Items), list.Total, list.Next)
		}
		return nil
	})
	flags := c.Flags()
	flags.StringVar(&f.Search, "search", "", "part of the name")
	flags.StringVar((*string)(&f.State), "state", "", "enabled, disabled or expired")
	flags.StringVar(&f.API, "api", "", "name of an API")
	flags.StringVar(&f.Version, "version", "", "version of the API")
	flags.Var(&since, "created-since", "date or time")
	flags.BoolVar(&f.Zero, "zero", false, "the management API's tokens instead of the others")
	flags.StringVar(&f.Cursor, "cursor", "", "where the page starts")
	flags.IntVar(&f.Limit, "limit", 0, "tokens on a page, at most 200")
	flags.BoolVar(&every, "all", false, "all pages")
	return c
}

func tokenShow() *cobra.Command {
	return owned("show SID", "Show one token", cobra.ExactArgs(1), func(s *call) error {
		found, err := s.client.GetToken(s.ctx(), s.args[0])
		if err != nil {
			return err
		}
		return s.show(found, func(t *table) { showToken(t, found) })
	})
}

func showToken(t *table, found api.Token) {
	t.fact("Name", found.Name)
	t.fact("SID", found.SID)
	t.fact("Account", accountWords(found.Account))
	t.fact("Description", found.Description)
	state := fmt.Sprintf("%s since %s", found.State, words(found.StateSince))
	for _, part := range []string{found.StateBy, found.StateWhy} {
		if part != "" {
			state += ", " + part
		}
	}
	t.fact("State", state)
	t.fact("Ends", endWords(found.Expires))
	showPins(t, found.Pins)
	t.fact("Reach", reachWords(found.Reach, found.Brands))
	showLimits(t, found.Limits)
	if found.PrimaryContact != nil {
		t.fact("Primary contact", strings.TrimSpace(found.PrimaryContact.Name+" "+found.PrimaryContact.Email))
	}
	t.fact("Developer e-mails", found.DeveloperEmails)
	t.fact("Created", words(found.Created)+" by "+found.CreatedBy)
	t.fact("Last used", lastUse(found))
	t.fact("Calls", found.Calls)
	t.fact("Revision", found.Revision)
}

func tokenDisable() *cobra.Command {
	return yesFlag(whyFlag(owned("disable SID", "Refuse every call of a token until it is enabled", cobra.ExactArgs(1), func(s *call) error {
		reason, err := why(s.command)
		if err != nil {
			return err
		}
		if err := s.confirmToken("Every call with %s will be refused from now on, until the token is enabled."); err != nil {
			return err
		}
		changed, err := s.client.DisableToken(s.ctx(), s.args[0], reason)
		return s.changed(changed, err, "is disabled")
	})))
}

func tokenEnable() *cobra.Command {
	var reset bool
	c := owned("enable SID", "Put a token in force again", cobra.ExactArgs(1), func(s *call) error {
		made, err := s.client.EnableToken(s.ctx(), s.args[0], api.TokenEnable{Reset: reset})
		if err != nil {
			return err
		}
		if made.AuthToken != nil {
			return s.reveal(made)
		}
		return s.show(made, func(t *table) { t.row(fmt.Sprintf("%s (%s) is enabled.", made.Token.Name, made.Token.SID)) })
	})
	c.Flags().BoolVar(&reset, "reset", false, "with a new secret")
	return c
}

func tokenDelete() *cobra.Command {
	return yesFlag(whyFlag(owned("delete SID", "End a token for ever", cobra.ExactArgs(1), func(s *call) error {
		reason, err := why(s.command)
		if err != nil {
			return err
		}
		if err := s.confirmToken("%s will be deleted: every call with it is refused from now on, and it cannot come back."); err != nil {
			return err
		}
		changed, err := s.client.DeleteToken(s.ctx(), s.args[0], reason)
		return s.changed(changed, err, "is deleted")
	})))
}

// confirmToken asks about the token that the first argument names, in words with its name.
func (s *call) confirmToken(words string) error {
	found, err := s.client.GetToken(s.ctx(), s.args[0])
	if err != nil {
		return err
	}
	return confirm(s.command, fmt.Sprintf(words, "“"+printable(found.Name)+"” ("+printable(found.SID)+")"))
}

// changed says what an act without a secret did.
func (s *call) changed(changed api.TokenChanged, err error, what string) error {
	if err != nil {
		return err
	}
	return s.show(changed, func(t *table) { t.row(fmt.Sprintf("%s (%s) %s.", changed.Token.Name, changed.Token.SID, what)) })
}

func versionWords(t api.Token) string {
	for _, p := range t.Pins {
		switch {
		case p.API != t.API:
		case p.Latest:
			return p.Version + " (latest)"
		case p.Sunset != nil && p.VersionState == "deprecated":
			return p.Version + " (deprecated until " + p.Sunset.UTC().Format("2006-01-02") + ")"
		default:
			return p.Version + " (" + p.VersionState + ")"
		}
	}
	return t.Version
}

func scopeCount(pins []api.TokenPin) int {
	n := 0
	for _, p := range pins {
		n += len(p.Scopes)
	}
	return n
}

func lastUse(t api.Token) string {
	if t.LastUse == nil {
		return "never"
	}
	return strings.TrimSpace(words(t.LastUse.At) + " " + t.LastUse.Address)
}

func reachWords(reach api.Reach, brands []int64) string {
	switch reach {
	case api.ReachAll:
		return "all managed brands"
	case api.ReachList:
		return "brands " + strings.Trim(fmt.Sprint(brands), "[]")
	default:
		return ""
	}
}
