package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/internal/rest"
)

func openapiCommand() *cobra.Command {
	return local("openapi", "Print the OpenAPI document of the management API", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		if _, err := c.OutOrStdout().Write(rest.Document()); err != nil {
			return fmt.Errorf("writing the document: %w", err)
		}
		return nil
	})
}

// build is what the program knows of itself.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
}

func versionCommand() *cobra.Command {
	return local("version", "Print the version", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		b := thisBuild()
		return outputOf(c).show(b, func(t *table) {
			t.fact("Counterfoil", b.Version)
			t.fact("Commit", b.Commit)
			t.fact("Built with", b.Go)
		})
	})
}

func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{Version: "unknown"}
	}
	b := build{Version: info.Main.Version, Go: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
