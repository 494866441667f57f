package token

import (
	"errors"
	"fmt"
	"log/slog"
)

// Secret is a whole credential string, held from the moment it is drawn to the one page that shows it.
// It prints as dots whatever prints it and refuses to be marshalled (SECURITY.md, class 43). It holds
// a pointer, since fmt prints the unexported fields of an outer struct without asking their methods.
type Secret struct{ whole *string }

const dots = "••••••••"

// ErrSecretMarshalled is the answer to whatever tries to encode a Secret. A page that must hold it
// calls Reveal by name.
var ErrSecretMarshalled = errors.New("token: a secret cannot be marshalled")

func newSecret(s string) Secret { return Secret{whole: &s} }

// Reveal is the credential itself. It is the only way to it, so that a search for the name finds every
// place where a secret leaves. The zero Secret reveals "".
func (s Secret) Reveal() string {
	if s.whole == nil {
		return ""
	}
	return *s.whole
}

// String is dots.
func (s Secret) String() string { return dots }

// GoString is dots.
func (s Secret) GoString() string { return dots }

// Format is dots for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, dots) }

// LogValue is dots.
func (s Secret) LogValue() slog.Value { return slog.StringValue(dots) }

// MarshalJSON refuses with [ErrSecretMarshalled].
func (s Secret) MarshalJSON() ([]byte, error) { return nil, ErrSecretMarshalled }

// MarshalText refuses with [ErrSecretMarshalled].
func (s Secret) MarshalText() ([]byte, error) { return nil, ErrSecretMarshalled }

// Hold takes a credential that comes from outside, such as a file, so that it is as hidden from then on as
// one that was drawn here. It does not look at its form.
func Hold(s string) Secret { return newSecret(s) }
