package token

import (
	"fmt"
	"log/slog"
	"unsafe"
)

// Fault is why a string is not a credential. Both faults have one public answer, that of an unknown
// token; they are told apart in the audit only.
type Fault uint8

// Faults. The zero value refuses.
const (
	Malformed   Fault = iota // not of the form, or another installation's prefix
	BadChecksum              // of the form, but mistyped, cut or made up
	NoFault
)

// String is the fault in words.
func (f Fault) String() string {
	switch f {
	case BadChecksum:
		return "bad checksum"
	case NoFault:
		return "no fault"
	default:
		return "malformed"
	}
}

// Parsed is a well-formed credential. It may still be unknown, ended or made up: only [Digest.Equal]
// against a stored digest says that the secret is right.
type Parsed struct {
	Kind Kind
	SID  SID
	// secret points at the 43 octets inside the string that was parsed. A pointer, because fmt prints
	// the unexported strings of an outer struct without asking anybody (SECURITY.md, class 43); and no
	// copy, because this is the path of every request.
	secret *byte
}

// Parse reads a credential. It does not allocate and takes time in proportion to the fixed length,
// whatever it is given. Unless the fault is [NoFault], Parsed is zero.
func (p Prefix) Parse(s string) (Parsed, Fault) {
	kind, body := p.cut(s)
	if kind == 0 || len(body) != bodyLen {
		return Parsed{}, Malformed
	}
	sid, secret := body[:sidLen], body[sidLen:sidLen+secretLen]
	crc, _ := crcStart.over(s[:len(s)-bodyLen])
	crc, plain := crc.over(body[:sidLen+secretLen])
	sum, sumPlain := decodeChecksum(body[sidLen+secretLen:])
	if !plain || !sumPlain || sid >= sidEnd || secret >= secretEnd {
		return Parsed{}, Malformed
	}
	if sum != uint64(crc.sum()) {
		return Parsed{}, BadChecksum
	}
	parsed := Parsed{Kind: kind, secret: unsafe.StringData(secret)}
	copy(parsed.SID[:], sid)
	return parsed, NoFault
}

// Digest hashes the secret (one block of SHA-256, about 70 ns). The zero Parsed has the zero Digest,
// which equals none.
func (p Parsed) Digest() Digest {
	if p.secret == nil {
		return Digest{}
	}
	return DigestOf(unsafe.String(p.secret, secretLen))
}

// String names the kind and the SID and hides the secret.
func (p Parsed) String() string { return p.Kind.String() + " " + p.SID.String() }

// GoString hides the secret from %#v.
func (p Parsed) GoString() string { return "token.Parsed(" + p.String() + ")" }

// Format hides the secret from every verb.
func (p Parsed) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.String()) }

// LogValue hides the secret from slog.
func (p Parsed) LogValue() slog.Value { return slog.StringValue(p.String()) }
