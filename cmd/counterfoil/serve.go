package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	c := local("serve", "Run the desk, its verifier and, if configured, the gateway", cobra.NoArgs, serve)
	c.Flags().String("config", "", "configuration file")
	c.Flags().String("data", "", "without a file: keep everything in this folder and serve on loopback")
	return c
}

func serve(c *cobra.Command, _ []string) error {
	conf, err := serveConfig(c)
	if err != nil {
		return err
	}
	unlock, err := lockDatabase(conf.Database)
	if err != nil {
		return err
	}
	defer unlock()
	ctx := c.Context()
	n, err := openNode(ctx, conf, logger(conf.Log))
	if err != nil {
		return err
	}
	if err := n.openAll(); err != nil {
		return errors.Join(err, n.db.Close())
	}
	if err := greet(ctx, n, c.OutOrStdout()); err != nil {
		return errors.Join(err, n.closeListeners(), n.db.Close())
	}
	return n.run(ctx)
}

// greet prints the set-up link on an empty database.
func greet(ctx context.Context, n *node, out io.Writer) error {
	link, err := n.people.SetUpLink(ctx)
	if err != nil || link == "" {
		return err
	}
	if _, err := fmt.Fprintf(out, "There is no operator yet. Make the first one here, once, within a day:\n\n  %s\n\n", link); err != nil {
		return fmt.Errorf("printing the set-up link: %w", err)
	}
	return nil
}

// serveConfig reads the file, or lays everything into one folder for a first look.
func serveConfig(c *cobra.Command) (config, error) {
	file, err := c.Flags().GetString("config")
	if err != nil {
		return config{}, err
	}
	data, err := c.Flags().GetString("data")
	if err != nil {
		return config{}, err
	}
	switch {
	case file != "" && data != "":
		return config{}, usagef("--config and --data exclude each other")
	case file != "":
		conf, err := readConfig(file)
		if err == nil && conf.isVerifier() {
			return config{}, usagef("%s has authority: it is a file of counterfoil verifier or counterfoil gateway", file)
		}
		return conf, err
	case data != "":
		return folderConfig(data)
	default:
		return config{}, usagef("serve needs --config FILE, or --data FOLDER for a first look")
	}
}

func folderConfig(data string) (config, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return config{}, fmt.Errorf("making the data folder: %w", err)
	}
	conf := defaultConfig()
	conf.BaseURL = "http://localhost:8080"
	conf.Database = "sqlite:" + filepath.Join(data, "counterfoil.db")
	conf.KeyFile = filepath.Join(data, "counterfoil.key")
	conf.Mail.Folder = filepath.Join(data, "mail")
	conf.Listen.People, conf.Listen.Doors, conf.Listen.Envoy, conf.Listen.Gateway = "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"
	conf.Log.Format = "text"
	return conf, conf.check().err(nil)
}

func configCommand() *cobra.Command {
	check := local("check FILE", "Say everything that is wrong with a configuration file", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		if _, err := readConfig(args[0]); err != nil {
			return err
		}
		return done(c, "The configuration is right.")
	})
	keys := local("keys", "Print the table of all keys", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		return keyTable(c.OutOrStdout())
	})
	return group("config", "The configuration file", check, keys)
}

func migrateCommand() *cobra.Command {
	c := local("migrate", "Bring the database's tables up to date", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		conf, err := serveConfig(c)
		if err != nil {
			return err
		}
		unlock, err := lockDatabase(conf.Database)
		if err != nil {
			return err
		}
		defer unlock()
		db, err := openDatabase(c.Context(), conf.Database)
		if err != nil {
			return err
		}
		if err := db.Close(); err != nil {
			return fmt.Errorf("closing the database: %w", err)
		}
		return done(c, "The tables are up to date.")
	})
	c.Flags().String("config", "", "configuration file")
	c.Flags().String("data", "", "the folder of serve --data")
	return c
}

// done ends a local command in words, or as JSON.
func done(c *cobra.Command, words string) error {
	return outputOf(c).show(map[string]bool{"ok": true}, func(t *table) { t.row(words) })
}
