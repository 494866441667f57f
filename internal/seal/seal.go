package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
)

// Errors of [Key.Open].
var (
	// ErrKey: sealed under a key that is not in the key file.
	ErrKey = errors.New("seal: sealed under a key that is not in the key file")
	// ErrSealed: not sealed by us, damaged, or sealed for another purpose.
	ErrSealed = errors.New("seal: damaged, or sealed for another purpose")
)

const (
	version   = 1
	keyLen    = 32
	keyIDLen  = 4
	headerLen = 1 + keyIDLen
	nonceLen  = 12
	tagLen    = 16
)

// Key seals and opens under what the key file holds. It is safe for use by many goroutines, and prints as
// dots.
type Key struct{ keys []*one }

type one struct {
	id   [keyIDLen]byte
	aead cipher.AEAD
}

// newOne makes a key's cipher and its id, which is public: the first octets of a hash.
func newOne(raw []byte) (*one, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("preparing a key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("preparing a key: %w", err)
	}
	sum := sha256.Sum256(append([]byte("counterfoil key id 1\x00"), raw...))
	return &one{id: [keyIDLen]byte(sum[:keyIDLen]), aead: aead}, nil
}

// Seal encrypts and authenticates under the first key. The purpose is a constant of the caller that
// names the column, for example "outbox.body"; an empty one is a fault of the program and panics.
func (b *Key) Seal(purpose string, plaintext []byte) []byte {
	if purpose == "" {
		panic("seal: nothing is sealed without a purpose")
	}
	k := b.keys[0]
	sealed := make([]byte, headerLen+nonceLen, headerLen+nonceLen+len(plaintext)+tagLen)
	sealed[0] = version
	copy(sealed[1:], k.id[:])
	nonce := sealed[headerLen : headerLen+nonceLen]
	rand.Read(nonce) // never fails: crypto/rand ends the program instead
	return k.aead.Seal(sealed, nonce, plaintext, authenticated(sealed, purpose))
}

// Open gives back what [Key.Seal] sealed for the same purpose, or [ErrKey] or [ErrSealed].
func (b *Key) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < headerLen+nonceLen+tagLen || sealed[0] != version {
		return nil, ErrSealed
	}
	for _, k := range b.keys {
		if k.id != [keyIDLen]byte(sealed[1:headerLen]) {
			continue
		}
		nonce, ciphertext := sealed[headerLen:headerLen+nonceLen], sealed[headerLen+nonceLen:]
		plaintext, err := k.aead.Open(nil, nonce, ciphertext, authenticated(sealed, purpose))
		if err != nil {
			return nil, ErrSealed
		}
		return plaintext, nil
	}
	return nil, ErrKey
}

// authenticated is the header, of fixed length, and the purpose.
func authenticated(sealed []byte, purpose string) []byte {
	return append(append(make([]byte, 0, headerLen+len(purpose)), sealed[:headerLen]...), purpose...)
}

// Format is dots for every verb: %v of a cipher prints its key schedule.
func (b *Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "••••••••") }

// LogValue is dots.
func (b *Key) LogValue() slog.Value { return slog.StringValue("••••••••") }

// MarshalJSON refuses.
func (b *Key) MarshalJSON() ([]byte, error) {
	return nil, errors.New("seal: keys cannot be marshalled")
}
