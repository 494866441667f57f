package verify

import (
	"context"
	"errors"

	"counterfoil.dev/counterfoil/api"
)

// ErrSnapshot is what [Source.Follow] returns when the position asked for is no longer on the log, or
// ahead of it, so that the follower must begin with a snapshot.
var ErrSnapshot = errors.New("verify: the feed cannot be followed from there; a snapshot is needed")

// Source is where a verifier's knowledge comes from: the authority in the same process, or a remote
// one over HTTP. All methods may be called at the same time.
type Source interface {
	// Snapshot is the whole state at one position, read in one transaction.
	Snapshot(ctx context.Context) (*api.Snapshot, error)

	// Follow calls apply with the entries after a position, in order and without a gap, and blocks
	// until ctx ends or the feed breaks. It calls apply with no entries at least once a second while
	// nothing happens: only a call of apply counts as having heard from the authority. An error of
	// apply ends it and is returned; [ErrSnapshot] says that a snapshot is needed first.
	Follow(ctx context.Context, after api.Seq, apply func([]api.Entry) error) error

	// Grant asks for one token that the verifier does not know. A nil grant without an error says that
	// there is no such token.
	Grant(ctx context.Context, sid string) (*api.Grant, error)

	// Report delivers a batch of usage. A batch that was delivered before (same node, same number) is
	// ignored, so the verifier sends it again until this succeeds.
	Report(ctx context.Context, batch *api.UsageBatch) error

	// Confirm says that a node decides by everything up to and including a position. It is said again
	// after every call of apply, so one that is lost is made good within a second.
	Confirm(ctx context.Context, node string, seq api.Seq) error
}
