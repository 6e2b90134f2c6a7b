package app

import (
	"context"

	"flashsale/settle"
	"flashsale/store"
)

// deadLetters is the operators' API's access to dead letters: the database, and the rules of package settle for a decision.
type deadLetters struct{ *store.Store }

// Replay settles a waiting letter again.
func (d deadLetters) Replay(ctx context.Context, id string) (changed bool, err error) {
	return settle.Replay(ctx, d.Store, id)
}

// Refuse ends the orders of a waiting letter as refused.
func (d deadLetters) Refuse(ctx context.Context, id string) (changed bool, err error) {
	return settle.Refuse(ctx, d.Store, id)
}
