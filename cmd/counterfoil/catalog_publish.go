package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/catalog"
)

func catalogDiff() *cobra.Command {
	var confirmed []string
	c := remote("diff DIR", "Say which scopes and tokens publishing a folder would change", cobra.ExactArgs(1), func(s *call) error {
		diff, _, err := s.diff(confirmed)
		if err != nil {
			return err
		}
		if err := s.show(diff, func(t *table) { showDiff(t, diff) }); err != nil {
			return err
		}
		if diff.Fatal {
			return errSaid
		}
		return nil
	})
	confirmFlag(c, &confirmed)
	return c
}

func catalogPublish() *cobra.Command {
	var confirmed []string
	c := yesFlag(remote("publish DIR", "Make a folder the live catalogue, having shown what changes", cobra.ExactArgs(1), func(s *call) error {
		diff, upload, err := s.diff(confirmed)
		if err != nil {
			return err
		}
		if !s.asJSON || diff.Fatal {
			if err := s.show(diff, func(t *table) { showDiff(t, diff) }); err != nil {
				return err
			}
		}
		if diff.Fatal {
			return errSaid
		}
		if err := confirm(s.command, publishWords(diff)); err != nil {
			return err
		}
		upload.Hash = diff.Hash // whoever published since is not overwritten
		published, err := s.client.PublishCatalogue(s.ctx(), upload)
		if err != nil {
			return err
		}
		return s.show(published, func(t *table) { t.row("Published " + published.NewHash + ".") })
	}))
	confirmFlag(c, &confirmed)
	return c
}

// diff packs the folder that the first argument names and has it compared.
func (s *call) diff(confirmed []string) (api.CatalogDiff, api.CatalogUpload, error) {
	packed, err := catalog.PackDir(s.args[0])
	if err != nil {
		return api.CatalogDiff{}, api.CatalogUpload{}, err
	}
	upload := api.CatalogUpload{Documents: packed, Confirmed: confirmed}
	diff, err := s.client.DiffCatalogue(s.ctx(), upload)
	return diff, upload, err
}

func publishWords(diff api.CatalogDiff) string {
	if len(diff.Changes) == 0 {
		return "These documents change no scope. They will be the live catalogue."
	}
	return fmt.Sprintf("%d changes will be live at once. %d tokens will open more than now, %d less.", len(diff.Changes), diff.Grow, diff.Shrink)
}

func showDiff(t *table, diff api.CatalogDiff) {
	for _, a := range diff.APIs {
		for _, p := range a.Problems {
			t.row(catalog.Problem{File: p.File, Line: p.Line, Severity: catalog.Severity(p.Severity), Text: p.Text}.String())
		}
	}
	for _, c := range diff.Changes {
		t.row(c.Text)
		for _, d := range c.Details {
			t.row("    " + d)
		}
	}
	for _, k := range diff.Tokens {
		if len(k.Grows) > 0 {
			t.row(fmt.Sprintf("token %s of account %d would open more: %s", k.SID, k.Account, strings.Join(k.Grows, ", ")))
		}
		if len(k.Shrinks) > 0 {
			t.row(fmt.Sprintf("token %s of account %d would open less: %s", k.SID, k.Account, strings.Join(k.Shrinks, ", ")))
		}
	}
	for _, u := range diff.Unanswered {
		t.row(fmt.Sprintf("public by its document, and guarded unless confirmed with --confirm %q", u))
	}
	t.row(fmt.Sprintf("%d changes; %d tokens would open more, %d less", len(diff.Changes), diff.Grow, diff.Shrink))
}
