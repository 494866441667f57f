package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// draftLife is how long a wizard may lie untouched.
const draftLife = 24 * time.Hour

// maxDraft bounds what one wizard may keep.
const maxDraft = 256 << 10

// Draft is a wizard under way. The body is the console's own form.
type Draft struct {
	ID   string
	Body []byte
	SID  string // the token it became; "" while it is under way
}

// BeginDraft opens a wizard for one person in one account.
func (a *Authority) BeginDraft(ctx context.Context, by Actor, account int64, body []byte) (Draft, error) {
	if err := a.gate(by, audit.CreateToken, account); err != nil {
		return Draft{}, err
	}
	if len(body) > maxDraft {
		return Draft{}, errDraftTooLarge()
	}
	d := Draft{ID: newID(), Body: body}
	now := a.now()
	_, err := a.db.Act(ctx, func(tx *store.Tx) error {
		return tx.AddDraft(ctx, store.AddDraftParams{
			ID: d.ID, Account: account, Person: by.Person, Body: string(body),
			CreatedAt: now.UnixMicro(), ExpiresAt: now.Add(draftLife).UnixMicro(),
		})
	})
	if err != nil {
		return Draft{}, a.public(by, audit.CreateToken, account, fmt.Errorf("opening a draft: %w", err))
	}
	return d, nil
}

// Draft reads a wizard under way, or one that has become a token.
func (a *Authority) Draft(ctx context.Context, by Actor, account int64, id string) (Draft, error) {
	if err := by.mustSee(account); err != nil {
		return Draft{}, err
	}
	row, err := a.db.Read().Draft(ctx, store.DraftParams{ID: id, Account: account, Person: by.Person})
	if row, err = read("draft", row, err); err != nil {
		return Draft{}, err
	}
	return Draft{ID: row.ID, Body: []byte(row.Body), SID: deref(row.SID)}, nil
}

// SaveDraft keeps what was filled in so far. A draft that has become a token is a conflict.
func (a *Authority) SaveDraft(ctx context.Context, by Actor, account int64, id string, body []byte) error {
	if err := by.mustSee(account); err != nil {
		return err
	}
	if len(body) > maxDraft {
		return errDraftTooLarge()
	}
	var n int64
	_, err := a.db.Act(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.SaveDraft(ctx, store.SaveDraftParams{
			ID: id, Account: account, Person: by.Person, Body: string(body), ExpiresAt: a.now().Add(draftLife).UnixMicro(),
		})
		return err
	})
	switch {
	case err != nil:
		return a.public(by, audit.CreateToken, account, fmt.Errorf("saving a draft: %w", err))
	case n == 1:
		return nil
	}
	d, err := a.Draft(ctx, by, account, id)
	if err != nil {
		return err
	}
	if d.SID == "" {
		return errors.New("saving a draft: the row was neither saved nor spent")
	}
	return api.Conflict("This form has become a token already.")
}

func errDraftTooLarge() error {
	return api.Invalid("draft", fmt.Sprintf("is larger than %d KiB", maxDraft>>10))
}

func (a *Authority) dropDrafts(ctx context.Context) error {
	_, err := a.db.Act(ctx, func(tx *store.Tx) error {
		_, err := tx.DropDrafts(ctx, a.now().UnixMicro())
		return err
	})
	return err
}
