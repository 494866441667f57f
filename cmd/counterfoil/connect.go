package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"counterfoil.dev/counterfoil/api"
)

// Where the management API is, and with which token it is called.
const (
	urlVariable   = "COUNTERFOIL_URL"
	tokenVariable = "COUNTERFOIL_TOKEN"
)

const defaultProfile = "default"

// profile is one entry of the profiles file.
type profile struct {
	URL   string `yaml:"url"`
	Token string `yaml:"token"`
}

// connect makes the client: of the profile that is named, or else of the environment, or else of the
// profile called default.
func connect(c *cobra.Command) (*api.Client, error) {
	name, err := c.Flags().GetString("profile")
	if err != nil {
		return nil, err
	}
	p := profile{URL: os.Getenv(urlVariable), Token: os.Getenv(tokenVariable)}
	switch {
	case name != "":
		if p, err = readProfile(name); err != nil {
			return nil, err
		}
	case p.URL == "" && p.Token == "":
		if p, err = readProfile(defaultProfile); errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("where is Counterfoil? Set %s and %s, or write a profile", urlVariable, tokenVariable)
		} else if err != nil {
			return nil, err
		}
	case p.URL == "":
		return nil, usagef("%s is set, but %s is not", tokenVariable, urlVariable)
	case p.Token == "":
		return nil, usagef("%s is set, but %s is not", urlVariable, tokenVariable)
	}
	client, err := api.NewClient(p.URL, p.Token, nil)
	if err != nil {
		return nil, usageError{err.Error()}
	}
	return client, nil
}

// maxProfiles bounds the profiles file, in octets.
const maxProfiles = 1 << 20

// readProfile reads profiles.yaml in counterfoil's folder of the user's configuration:
//
//	default:
//	  url: https://desk.example.com
//	  token: cfoilzero_…
//
// A file that others may read is refused: it holds tokens.
func readProfile(name string) (_ profile, err error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return profile{}, fmt.Errorf("looking for the profiles: %w", err)
	}
	path := filepath.Join(dir, "counterfoil", "profiles.yaml")
	file, err := os.Open(path)
	if err != nil {
		return profile{}, fmt.Errorf("reading the profiles: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return profile{}, fmt.Errorf("reading the profiles: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return profile{}, fmt.Errorf("%s holds tokens, and others may read or write it; do: chmod 600 %s", path, path)
	}
	decoder := yaml.NewDecoder(io.LimitReader(file, maxProfiles))
	decoder.KnownFields(true)
	profiles := map[string]profile{}
	if err := decoder.Decode(&profiles); err != nil && !errors.Is(err, io.EOF) {
		// The text of the error may hold a line of the file, and so a token.
		return profile{}, fmt.Errorf("%s is not as it should be: each profile has url and token, and nothing else", path)
	}
	p, ok := profiles[name]
	if !ok {
		return profile{}, usagef("there is no profile %q in %s", name, path)
	}
	p.Token = strings.TrimSpace(p.Token)
	return p, nil
}
