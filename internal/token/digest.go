package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
)

// Digest is the SHA-256 of the 43 ASCII characters of a secret: one block, since at most 55 octets
// are. It is all that is ever stored; a secret of 256 random bits needs no password hash (OWASP ASVS
// 5.0, 6.5.2). The zero Digest stands for no secret and equals nothing, not even itself.
type Digest [sha256.Size]byte

// ErrDigest says that a string is not a digest in hex.
var ErrDigest = errors.New("token: a digest is 64 characters of lower-case hex and not all zero")

// DigestOf hashes the 43 characters of a secret without allocating. Anything of another length has
// the zero Digest. It hashes the secret alone, and all of it: no joined or cut input can make two
// secrets one (SECURITY.md, class 24).
func DigestOf[S string | []byte](secret S) Digest {
	if len(secret) != secretLen {
		return Digest{}
	}
	var buf [secretLen]byte
	copy(buf[:], secret)
	return sha256.Sum256(buf[:])
}

// ParseDigest reads 64 characters of lower-case hex. The only error is [ErrDigest].
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != hex.EncodedLen(len(d)) {
		return Digest{}, ErrDigest
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil || d.IsZero() || d.String() != s {
		return Digest{}, ErrDigest
	}
	return d, nil
}

// String is 64 characters of lower-case hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero says whether this is the digest of no secret.
func (d Digest) IsZero() bool { return d == Digest{} }

// Equal compares in constant time (SECURITY.md, class 27). Two zero digests are not equal: a row
// without a secret must not match a caller without one.
func (d Digest) Equal(other Digest) bool {
	return subtle.ConstantTimeCompare(d[:], other[:]) == 1 && !d.IsZero()
}
