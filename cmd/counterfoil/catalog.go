package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/catalog"
)

func catalogCommand() *cobra.Command {
	return group("catalog", "The catalogue: from OpenAPI documents to scopes",
		catalogCheck(), catalogDiff(), catalogPublish(),
	)
}

// checked is what catalog check answers to programs.
type checked struct {
	APIs []checkedAPI `json:"apis"`
}

type checkedAPI struct {
	API        string               `json:"api"`
	Version    string               `json:"version"`
	Operations int                  `json:"operations"`
	Published  int                  `json:"published"`
	Problems   []api.CatalogProblem `json:"problems"`
}

func catalogCheck() *cobra.Command {
	var confirmed []string
	c := local("check DIR", "Check a folder with catalog.yaml and its documents, without a server", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		result, problems, err := check(args[0], confirmed)
		if err != nil {
			return err
		}
		answer := sum(result, problems)
		if err := outputOf(c).show(answer, func(t *table) { showChecked(t, args[0], answer, problems) }); err != nil {
			return err
		}
		if catalog.HasFatal(problems) {
			return errSaid
		}
		return nil
	})
	confirmFlag(c, &confirmed)
	return c
}

func confirmFlag(c *cobra.Command, confirmed *[]string) {
	c.Flags().StringArrayVar(confirmed, "confirm", nil, `public operation that is meant to need no token, as "api/version METHOD path"; once for each`)
}

// check reads and builds the catalogue of a folder, and nothing that lies outside of it.
func check(dir string, confirmed []string) (_ *catalog.Result, _ []catalog.Problem, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the catalogue's folder: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	source, problems, err := catalog.Load(root.FS(), catalog.DefaultFile)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, err)
	}
	result, more := catalog.Build(source, catalog.Options{Confirmed: confirmed})
	return result, catalog.SortProblems(slices.Concat(problems, more)), nil
}

// sum puts every problem to its API and version. What belongs to none stands under an empty name.
func sum(result *catalog.Result, problems []catalog.Problem) checked {
	out := checked{APIs: []checkedAPI{}}
	at := map[[2]string]int{}
	entry := func(name, version string) *checkedAPI {
		key := [2]string{name, version}
		i, known := at[key]
		if !known {
			i = len(out.APIs)
			at[key] = i
			out.APIs = append(out.APIs, checkedAPI{API: name, Version: version, Problems: []api.CatalogProblem{}})
		}
		return &out.APIs[i]
	}
	if result != nil {
		for _, count := range result.Counts {
			e := entry(count.API, count.Version)
			e.Operations, e.Published = count.Operations, count.Published
		}
	}
	for _, p := range problems {
		e := entry(p.API, p.Version)
		e.Problems = append(e.Problems, api.CatalogProblem{File: p.File, Line: p.Line, Severity: string(p.Severity), Text: p.Text})
	}
	return out
}

func showChecked(t *table, dir string, answer checked, problems []catalog.Problem) {
	for _, p := range problems {
		p.File = filepath.Join(dir, p.File)
		t.row(p.String())
	}
	if len(problems) > 0 {
		t.row("")
	}
	t.row("API", "VERSION", "OPERATIONS", "PUBLISHED", "PROBLEMS")
	for _, a := range answer.APIs {
		if a.API != "" {
			t.row(a.API, a.Version, a.Operations, a.Published, len(a.Problems))
		}
	}
}
