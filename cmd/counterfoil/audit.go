package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"counterfoil.dev/counterfoil/api"
)

func auditCommand() *cobra.Command {
	return group("audit", "The history: what was done, by whom", auditList(), auditVerify(), auditExport())
}

// historyFlags are the filters of a history.
func historyFlags(c *cobra.Command, f *api.HistoryFilter, since *dateFlag) *cobra.Command {
	flags := c.Flags()
	flags.StringVar(&f.Action, "action", "", "for example token.create")
	flags.StringVar(&f.Subject, "subject", "", "SID, person id or account id")
	flags.Var(since, "since", "date or time")
	flags.BoolVar(&f.All, "all", false, "of every account, with a token of the operator")
	return c
}

func auditList() *cobra.Command {
	var f api.HistoryFilter
	var since dateFlag
	c := owned("list", "List what happened, newest first", cobra.NoArgs, func(s *call) error {
		f.Since = since.Time
		list, err := s.client.ListHistory(s.ctx(), f)
		if err != nil {
			return err
		}
		if err := s.show(list, func(t *table) {
			t.row("SEQ", "AT", "WHO", "WHAT", "ON", "FROM")
			for _, e := range list.Items {
				t.row(e.Seq, e.At, e.Who, eventWords(e), e.Name, e.Address)
			}
		}); err != nil {
			return err
		}
		if list.Next != "" {
			s.hint("for more: --cursor %s", list.Next)
		}
		return nil
	})
	c.Flags().StringVar(&f.Cursor, "cursor", "", "where the page starts")
	c.Flags().IntVar(&f.Limit, "limit", 0, "events on a page, at most 200")
	return historyFlags(c, &f, &since)
}

func eventWords(e api.HistoryEvent) string {
	if e.Count > 1 {
		return fmt.Sprintf("%s (%d times)", e.Words, e.Count)
	}
	return e.Words
}

func auditVerify() *cobra.Command {
	return remote("verify", "Walk the whole chain and name the first event that does not match", cobra.NoArgs, func(s *call) error {
		chain, err := s.client.VerifyHistory(s.ctx())
		if err != nil {
			return err
		}
		if err := s.show(chain, func(t *table) {
			t.fact("Events", chain.Events)
			t.fact("Head", chain.Hash)
			if chain.Broken != 0 {
				t.fact("Broken at", chain.Broken)
			} else {
				t.fact("Chain", "whole")
			}
		}); err != nil {
			return err
		}
		if chain.Broken != 0 {
			return errSaid
		}
		return nil
	})
}

func auditExport() *cobra.Command {
	var f api.HistoryFilter
	var since dateFlag
	var format, out string
	c := owned("export", "Write the whole history, newest first", cobra.NoArgs, func(s *call) (err error) {
		if format != "csv" && format != "jsonl" {
			return usagef("--format is csv or jsonl")
		}
		f.Since = since.Time
		w := s.w
		if out != "" {
			file, openErr := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if openErr != nil {
				return fmt.Errorf("writing the export: %w", openErr)
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			w = file
		}
		return s.client.ExportHistory(s.ctx(), f, format, w)
	})
	c.Flags().StringVar(&format, "format", "jsonl", "csv or jsonl")
	c.Flags().StringVar(&out, "out", "", "new file to write; standard output if left out")
	return historyFlags(c, &f, &since)
}
