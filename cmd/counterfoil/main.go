package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"counterfoil.dev/counterfoil/api"
)

// Exit codes.
const (
	exitDone    = 0
	exitRefused = 1 // refused or failed
	exitUsage   = 2
)

// usageError is a command that was written wrong. Nothing was done.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// errSaid ends a command with exit code 1 when its output has said why.
var errSaid = errors.New("said already")

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	asJSON, flagErr := ran.Flags().GetBool("json")
	var usage usageError
	switch {
	case errors.Is(err, errSaid):
		return exitRefused
	case errors.As(err, &usage):
		complain(root.ErrOrStderr(), "counterfoil: %s\nTry: %s --help\n", usage.text, ran.CommandPath())
		return exitUsage
	}
	tell(root.ErrOrStderr(), err, asJSON && flagErr == nil)
	return exitRefused
}

// tell says what went wrong: to people in lines, to programs as the problem document.
func tell(w io.Writer, err error, asJSON bool) {
	var refusal *api.Error
	if !errors.As(err, &refusal) {
		complain(w, "counterfoil: %v\n", err)
		return
	}
	if asJSON {
		raw, err := json.Marshal(refusal)
		if err != nil {
			complain(w, "counterfoil: %v\n", err)
			return
		}
		complain(w, "%s\n", raw)
		return
	}
	complain(w, "counterfoil: %s", printable(refusal.Title))
	if refusal.Detail != "" {
		complain(w, ": %s", printable(refusal.Detail))
	}
	complain(w, "\n")
	for _, f := range refusal.Fields {
		complain(w, "  %s: %s\n", printable(f.Name), printable(f.Message))
	}
	for _, m := range refusal.Missing {
		complain(w, "  missing: %s → %s (%s/%s, version %s)\n", printable(m.Category), printable(m.Label), printable(m.API), printable(m.Scope), printable(m.Version))
	}
	if refusal.Fix != "" {
		complain(w, "  put it right: %s\n", printable(refusal.Fix))
	}
	if refusal.RequestID != "" {
		complain(w, "  request id: %s\n", printable(refusal.RequestID))
	}
}

// complain writes to standard error. When that fails there is nobody left to tell.
func complain(w io.Writer, format string, args ...any) {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return
	}
}
