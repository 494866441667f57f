package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

// maxForm bounds a form that is read from a file, in octets: what the API takes.
const maxForm = 1 << 20

func tokenCreate() *cobra.Command {
	var in api.TokenCreate
	var expires dateFlag
	var limits limitFlags
	var from, once string
	c := owned("create --name NAME --scope SCOPE ...", "Create a token and show its secret, this once", cobra.NoArgs, func(s *call) error {
		if from != "" {
			read, err := readForm(s.command, from)
			if err != nil {
				return err
			}
			in = read
		} else if in.Name == "" {
			return usagef("a token needs a name; add --name")
		}
		if !expires.IsZero() {
			in.Expires = &expires.Time
		}
		set, err := limits.token(s.command, in.Limits)
		if err != nil {
			return err
		}
		if set != nil {
			in.Limits = set
		}
		made, err := s.client.CreateToken(s.ctx(), in, once)
		if err != nil {
			return err
		}
		return s.reveal(made)
	})
	flags := c.Flags()
	flags.StringVar(&in.Name, "name", "", "unique in the account, 1 to 100 characters")
	flags.StringVar(&in.Description, "description", "", "up to 500 characters")
	flags.StringVar(&in.API, "api", "", "name of an API; may be left out where the account has one only")
	flags.StringVar(&in.Version, "version", "", "version of the API; the latest if left out")
	flags.StringArrayVar(&in.Scopes, "scope", nil, "scope, or api/scope of the API for brands; once for each")
	flags.Var(&expires, "expires", "date, time, or days from now as 90d")
	flags.BoolVar(&in.NeverExpires, "never-expires", false, "no end")
	flags.StringVar((*string)(&in.Reach), "reach", "", "brands that it may act on: none, all or list")
	flags.Int64SliceVar(&in.Brands, "brand", nil, "with --reach list, the id of a brand; once for each")
	flags.StringVar(&in.BrandVersion, "brand-version", "", "version of the API for brands; the latest if left out")
	flags.StringVar(&in.PrimaryContact, "contact", "", "person id or e-mail address of an active member")
	flags.StringArrayVar(&in.DeveloperEmails, "developer-email", nil, "who is told too; once for each")
	limits.forToken(c)
	flags.StringVar(&from, "from", "", "file with the whole form as JSON, or - for standard input")
	flags.StringVar(&once, "idempotency-key", "", "makes a repeat of this very command the same create")
	return c
}

// readForm reads the body of a create. A member that there is not is refused here as the API would.
func readForm(c *cobra.Command, name string) (in api.TokenCreate, err error) {
	reader := c.InOrStdin()
	if name != "-" {
		file, openErr := os.Open(name)
		if openErr != nil {
			return in, fmt.Errorf("reading the form: %w", openErr)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		reader = file
	}
	decoder := json.NewDecoder(io.LimitReader(reader, maxForm))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return in, fmt.Errorf("reading the form: %w", err)
	}
	return in, nil
}

func tokenDuplicate() *cobra.Command {
	var in api.TokenDuplicate
	var once string
	c := owned("duplicate SID --name NAME", "Create a token that opens what another one opens", cobra.ExactArgs(1), func(s *call) error {
		if in.Name == "" {
			return usagef("the new token needs a name of its own; add --name")
		}
		made, err := s.client.DuplicateToken(s.ctx(), s.args[0], in, once)
		if err != nil {
			return err
		}
		return s.reveal(made)
	})
	c.Flags().StringVar(&in.Name, "name", "", "unique in the account, 1 to 100 characters")
	c.Flags().StringVar(&once, "idempotency-key", "", "makes a repeat of this very command the same create")
	return c
}

func tokenReset() *cobra.Command {
	var in api.TokenReset
	c := yesFlag(owned("reset SID", "Give a token a new secret and show it, this once", cobra.ExactArgs(1), func(s *call) error {
		if err := s.confirmToken("%s will get a new secret. The old one ends at once: whoever uses it is refused until the new one is in place."); err != nil {
			return err
		}
		made, err := s.client.ResetToken(s.ctx(), s.args[0], in)
		if err != nil {
			return err
		}
		return s.reveal(made)
	}))
	c.Flags().Int64Var(&in.Revision, "revision", 0, "the revision that was seen; another one is a conflict")
	return c
}

// reveal writes the one answer that holds a secret to standard output, and what to do with it to standard
// error, so that a pipe gets the secret alone.
func (s *call) reveal(made api.TokenIssued) error {
	if err := s.show(made, func(t *table) {
		t.fact("Name", made.Token.Name)
		t.fact("SID", made.Token.SID)
		if made.AuthToken != nil {
			t.fact("Auth Token", *made.AuthToken)
		}
	}); err != nil {
		return err
	}
	if made.AuthToken == nil {
		s.hint("%s", printable(made.Note))
		return nil
	}
	s.hint("The Auth Token is shown this once. Put it where your secrets are kept; if it is lost, reset the token.")
	return nil
}

// dateFlag is a moment: a date (its first moment in UTC), a time of RFC 3339, or days from now as 90d.
type dateFlag struct{ time.Time }

func (d *dateFlag) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.RFC3339)
}

// Set reads the flag.
func (d *dateFlag) Set(s string) error {
	var days int
	if n, err := fmt.Sscanf(s+"\n", "%dd\n", &days); err == nil && n == 1 && days > 0 && days <= 36500 {
		d.Time = time.Now().UTC().AddDate(0, 0, days)
		return nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			d.Time = t
			return nil
		}
	}
	return errors.New("want a date (2027-01-31), a time (2027-01-31T12:00:00Z) or days from now (90d)")
}

// Type is how help names the value.
func (d *dateFlag) Type() string { return "when" }

func endWords(end *time.Time) string {
	if end == nil {
		return "never"
	}
	return words(end)
}
