package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"
)

// Kinds of messages.
const (
	MessageInvitation = "invitation"
	MessagePassword   = "password"
)

// MessagePurpose binds the seal of a message to the outbox.
const MessagePurpose = "outbox message"

// Message is one e-mail in the outbox. Its values may hold a one-time link, so it is kept sealed.
type Message struct {
	Kind   string            `json:"kind"`
	To     string            `json:"to"`   // one plain address
	Name   string            `json:"name"` // of the reader
	Values map[string]string `json:"values"`
}

// Send puts a message into the outbox of this act: it is sent if and only if the act is committed.
func (tx *Tx) Send(ctx context.Context, seal func(purpose string, plain []byte) []byte, m Message, now time.Time) error {
	plain, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding a message: %w", err)
	}
	if err := tx.AddOutbox(ctx, AddOutboxParams{
		ID: rand.Text(), Kind: m.Kind, Recipient: m.To, Body: seal(MessagePurpose, plain), CreatedAt: now.UnixMicro(),
	}); err != nil {
		return fmt.Errorf("adding a message: %w", err)
	}
	return nil
}

// OpenMessage reads a message of the outbox.
func OpenMessage(row Outbox, open func(purpose string, sealed []byte) ([]byte, error)) (Message, error) {
	var m Message
	plain, err := open(MessagePurpose, row.Body)
	if err != nil {
		return m, fmt.Errorf("opening message %s: %w", row.ID, err)
	}
	if err := json.Unmarshal(plain, &m); err != nil {
		return m, fmt.Errorf("reading message %s: %w", row.ID, err)
	}
	return m, nil
}
