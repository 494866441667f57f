package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/internal/token"
)

// credentialCommand makes what the configuration lists under nodes and introspection. Both sides need only
// a part: who presents it the credential, who is asked its digest.
func credentialCommand() *cobra.Command {
	return group("credential", "Credentials of verifiers and resource servers",
		mintCommand("node", "Make the credential of a verifier on another machine", token.Node),
		mintCommand("introspection", "Make the credential of a resource server that asks about tokens", token.Introspection),
	)
}

// minted is a new credential. Its file, if there is one, is the only place where it is.
type minted struct {
	Credential string `json:"credential,omitempty"`
	File       string `json:"file,omitempty"`
	Digest     string `json:"digest"`
}

func mintCommand(use, short string, kind token.Kind) *cobra.Command {
	c := local(use, short, cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		prefix, err := c.Flags().GetString("prefix")
		if err != nil {
			return err
		}
		file, err := c.Flags().GetString("out")
		if err != nil {
			return err
		}
		if _, err := token.ParsePrefix(prefix); err != nil {
			return usagef("--prefix: %v", err)
		}
		secret, _, digest, err := token.Prefix(prefix).Mint(kind, rand.Reader)
		if err != nil {
			return fmt.Errorf("making a credential: %w", err)
		}
		made := minted{Credential: secret.Reveal(), Digest: digest.String()}
		if file != "" {
			if err := writeNew(file, secret.Reveal()+"\n"); err != nil {
				return err
			}
			made.Credential, made.File = "", file
		}
		return outputOf(c).show(made, func(t *table) {
			if file != "" {
				t.row("file", file)
			} else {
				t.row("credential", made.Credential)
			}
			t.row("digest", made.Digest)
		})
	})
	c.Flags().String("prefix", string(token.DefaultPrefix), "the prefix of this installation's tokens")
	c.Flags().String("out", "", "write the credential into this new file, and do not print it")
	return c
}

// writeNew writes a file that only its owner may read, and that was not there before.
func writeNew(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing a credential: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("writing a credential: %w", err)
	}
	return nil
}
