package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

// rootCommand is the table of all commands.
func rootCommand() *cobra.Command {
	root := group("counterfoil", "The API-access-token desk of a platform",
		demoCommand(),       // try it
		serveCommand(),      // the desk, its verifier, the gateway
		verifierCommand(),   // the check on another machine: doors, gateway
		gatewayCommand(),    // the gateway alone
		credentialCommand(), // node introspection
		configCommand(),     // check
		migrateCommand(),    // bring the tables up to date

		// The management API, from outside.
		tokenCommand(),   // create list show edit duplicate reset disable enable upgrade delete explain
		whoamiCommand(),  // which token this is
		memberCommand(),  // list invite reinvite edit remove
		accountCommand(), // list create show edit suspend resume manage unmanage withhold release
		catalogCommand(), // check diff publish
		auditCommand(),   // list verify export

		openapiCommand(), // the management API's document
		versionCommand(),
	)
	root.PersistentFlags().Bool("json", false, "write what programs read")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err.Error()} })
	root.InitDefaultCompletionCmd()
	return root
}

// group is a command that only holds others. Without one of them, or with one that there is not, it is
// written wrong; cobra alone would print the help and call that a success.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q", strings.TrimSpace(c.CommandPath()+" "+args[0]))
			}
			return usagef("%s needs a command", c.CommandPath())
		},
	}
	c.AddCommand(verbs...)
	return c
}

// local is a command that works by itself.
func local(use, short string, args cobra.PositionalArgs, run func(*cobra.Command, []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: wanting(args), RunE: run}
}

// call is one run of a command that speaks to the management API.
type call struct {
	*output
	command *cobra.Command
	client  *api.Client
	args    []string
}

func (s *call) ctx() context.Context { return s.command.Context() }

// remote is a command that speaks to the management API.
func remote(use, short string, args cobra.PositionalArgs, run func(*call) error) *cobra.Command {
	c := local(use, short, args, func(c *cobra.Command, args []string) error {
		client, err := connect(c)
		if err != nil {
			return err
		}
		return run(&call{output: outputOf(c), command: c, client: client, args: args})
	})
	c.Flags().String("profile", "", "name in the profiles file, instead of COUNTERFOIL_URL and COUNTERFOIL_TOKEN")
	return c
}

// owned is a remote command on what belongs to an account.
func owned(use, short string, args cobra.PositionalArgs, run func(*call) error) *cobra.Command {
	c := remote(use, short, args, func(s *call) error {
		account, err := s.command.Flags().GetInt64("account")
		if err != nil {
			return err
		}
		s.client = s.client.For(account)
		return run(s)
	})
	c.Flags().Int64("account", 0, "the account acted for, with a token of the operator")
	return c
}

// wanting makes a wrong number of arguments a usage error.
func wanting(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		if err := args(c, got); err != nil {
			return usageError{err.Error()}
		}
		return nil
	}
}
