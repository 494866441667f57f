package session

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"counterfoil.dev/counterfoil/api"
)

// The settings of argon2id: 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet, the least
// it names; NIST SP 800-63B-4, section 3.1.1.2).
const (
	hashMemory  = 19456 // KiB
	hashPasses  = 2
	hashLanes   = 1
	hashLen     = 32
	hashSaltLen = 16
)

// Memory is the reason for the bounds: without them 500 sign-ins at once take 10 GiB (class 40). Four at
// once take 76 MiB, and their garbage as much again; more than there are processors would take memory
// and save no time.
const (
	hashesAtOnce = 4 // at most
	hashesQueued = 512
	hashPatience = 15 * time.Second
)

// maxTyped bounds, in octets, what is looked at as a password at all.
const maxTyped = 4096

// dummyHash is checked where there is no password to check. It has the same settings and is the hash of
// nothing anybody knows.
var dummyHash = encodeHash(make([]byte, hashSaltLen), make([]byte, hashLen))

// hasher hashes a few passwords at a time.
type hasher struct {
	slots  chan struct{}
	queued chan struct{}
}

func newHasher() *hasher {
	return &hasher{slots: make(chan struct{}, min(hashesAtOnce, runtime.GOMAXPROCS(0))), queued: make(chan struct{}, hashesQueued)}
}

// enter waits for a slot. It refuses when too many wait, and when the wait is over.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	busy := &api.Error{
		Code: api.CodeTooMany, Status: http.StatusServiceUnavailable, Title: "Very many people are signing in",
		Detail: "Nothing is wrong with what you typed. Try again in a moment.",
	}
	select {
	case h.queued <- struct{}{}:
	default:
		return nil, busy
	}
	defer func() { <-h.queued }()
	patience := time.NewTimer(hashPatience)
	defer patience.Stop()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-patience.C:
		return nil, busy
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to check a password: %w", ctx.Err())
	}
}

// hash makes the encoded hash of a new password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	salt := make([]byte, hashSaltLen)
	rand.Read(salt) // never fails: crypto/rand ends the program instead
	sum := argon2.IDKey(normal(password), salt, hashPasses, hashMemory, hashLanes, hashLen)
	return encodeHash(salt, sum), nil
}

// check says whether a password has an encoded hash. What is longer than any password may be is wrong
// without being hashed, which tells nothing that its sender does not know.
func (h *hasher) check(ctx context.Context, encoded, password string) (bool, error) {
	if len(password) > maxTyped {
		return false, nil
	}
	parsed, err := decodeHash(encoded)
	if err != nil {
		return false, err
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	sum := argon2.IDKey(normal(password), parsed.salt, parsed.passes, parsed.memory, parsed.lanes, uint32(len(parsed.sum)))
	return subtle.ConstantTimeCompare(sum, parsed.sum) == 1, nil
}

// normal is what is hashed: one spelling of what looks and is typed the same (NIST SP 800-63B-4, section
// 3.1.1.2).
func normal(password string) []byte { return norm.NFC.Bytes([]byte(password)) }

// encodeHash writes a hash as a PHC string, settings included, so that they can be raised later.
func encodeHash(salt, sum []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes, b64(salt), b64(sum))
}

type decodedHash struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

// decodeHash reads a PHC string of argon2id. It takes no settings that would need much more memory than
// ours: whoever can write a row must not be able to stop the program with it.
func decodeHash(s string) (decodedHash, error) {
	var d decodedHash
	var version int
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return d, errHash
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return d, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &d.memory, &d.passes, &d.lanes); err != nil {
		return d, errHash
	}
	if d.memory < 8 || d.memory > 4*hashMemory || d.passes < 1 || d.passes > 10 || d.lanes < 1 || d.lanes > 4 {
		return d, errHash
	}
	var err error
	if d.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(d.salt) < 8 {
		return d, errHash
	}
	if d.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(d.sum) < 16 || len(d.sum) > 64 {
		return d, errHash
	}
	return d, nil
}

var errHash = fmt.Errorf("session: a stored password hash is not one of argon2id with sound settings")

// outdated says whether a hash was made with other settings than today's.
func outdated(encoded string) bool {
	return !strings.HasPrefix(encoded, fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, hashMemory, hashPasses, hashLanes))
}
