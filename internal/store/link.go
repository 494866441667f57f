package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"
)

// Purposes of one-time links. A link of one purpose is worthless for another.
const (
	LinkSetUp      = "set-up"     // makes the first operator
	LinkInvitation = "invitation" // lets an invited person choose a password
	LinkPassword   = "password"   // lets a person choose a new password
	LinkSignIn     = "sign-in"    // signs the sample administrator of a demo in
)

// LinkDigest is what is kept of a link's secret.
func LinkDigest(secret string) []byte {
	sum := sha256.Sum256([]byte("counterfoil link\x00" + secret))
	return sum[:]
}

// MakeLink draws a one-time link for a purpose and returns its secret (130 random bits or more), which
// is not kept. An older unspent link of the same purpose and person is worthless from now on.
func (tx *Tx) MakeLink(ctx context.Context, purpose string, person *string, account *int64, now time.Time, life time.Duration) (string, error) {
	if person != nil {
		if _, err := tx.DropLinks(ctx, DropLinksParams{Person: *person, Purpose: purpose}); err != nil {
			return "", fmt.Errorf("dropping older links: %w", err)
		}
	}
	secret := rand.Text() + rand.Text()
	if err := tx.AddLink(ctx, AddLinkParams{
		Digest: LinkDigest(secret), Purpose: purpose, Person: person, Account: account,
		CreatedAt: now.UnixMicro(), ExpiresAt: now.Add(life).UnixMicro(),
	}); err != nil {
		return "", fmt.Errorf("adding a link: %w", err)
	}
	return secret, nil
}
