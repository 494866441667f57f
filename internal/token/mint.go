package token

import (
	"errors"
	"fmt"
	"io"
)

// ErrKind says that a credential of the zero kind, or of one that does not exist, was asked for.
var ErrKind = errors.New("token: no such kind of credential")

// Mint draws a new SID and a new secret from random, which is crypto/rand.Reader everywhere outside
// this package's tests. It fails when random does, when the kind is none, and when the prefix is.
func (p Prefix) Mint(kind Kind, random io.Reader) (Secret, SID, Digest, error) {
	var raw [sidBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return Secret{}, SID{}, Digest{}, fmt.Errorf("drawing a SID: %w", err)
	}
	var sid SID
	encode(sid[:], raw[:])
	secret, digest, err := p.MintFor(kind, sid, random)
	if err != nil {
		return Secret{}, SID{}, Digest{}, err
	}
	return secret, sid, digest, nil
}

// MintFor draws a new secret for a SID that stays, as a reset does.
func (p Prefix) MintFor(kind Kind, sid SID, random io.Reader) (Secret, Digest, error) {
	if _, err := ParsePrefix(string(p)); err != nil {
		return Secret{}, Digest{}, err
	}
	if !kind.known() {
		return Secret{}, Digest{}, ErrKind
	}
	if _, err := ParseSID(sid.String()); err != nil {
		return Secret{}, Digest{}, err
	}
	var raw [secretBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return Secret{}, Digest{}, fmt.Errorf("drawing a secret: %w", err)
	}
	var secret [secretLen]byte
	encode(secret[:], raw[:])
	clear(raw[:])

	head := p.Of(kind) + sid.String() + string(secret[:])
	var sum [checksumLen]byte
	encodeChecksum(&sum, checksum(head))
	return newSecret(head + string(sum[:])), DigestOf(secret[:]), nil
}
