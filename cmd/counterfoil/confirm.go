package main

import (
	"bufio"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

// yesFlag lets a command do without asking.
func yesFlag(c *cobra.Command) *cobra.Command {
	c.Flags().Bool("yes", false, "do not ask")
	return c
}

// confirm asks whether to go on, having said in words what will happen. Where nobody can be asked, --yes
// must have been given.
func confirm(c *cobra.Command, words string) error {
	yes, err := c.Flags().GetBool("yes")
	if err != nil || yes {
		return err
	}
	if in, ok := c.InOrStdin().(*os.File); !ok || !isatty.IsTerminal(in.Fd()) {
		return usagef("%s\nThere is no terminal to ask at; add --yes if that is wanted", words)
	}
	complain(c.ErrOrStderr(), "%s\nGo on? [y/N] ", words)
	line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 100)).ReadString('\n')
	if err != nil && line == "" {
		line = "n"
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	default:
		complain(c.ErrOrStderr(), "Nothing was done.\n")
		return errSaid
	}
}

// whyFlag gives the reason that the history shows.
func whyFlag(c *cobra.Command) *cobra.Command {
	c.Flags().String("why", "", "the reason, shown in the history")
	return c
}

func why(c *cobra.Command) (api.Why, error) {
	text, err := c.Flags().GetString("why")
	return api.Why{Why: text}, err
}
