package settle

import (
	"context"

	"flashsale/sale"
)

// Books is the database as settling needs it.
type Books interface {
	// Settle writes the deliveries in one transaction, all or nothing. An error for which errors.As finds a
	// *sale.PoisonError is about the data: the record at its Index, or one that is not known when Index is negative.
	// Every other error may pass: the same deliveries are settled again.
	Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error)
	// AddDeadLetter keeps a record that cannot settle; a letter of the same id that is there already stays as it is.
	AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error
	// DeadLetter returns a dead letter, or an error that is sale.ErrNotFound.
	DeadLetter(ctx context.Context, id string) (sale.DeadLetter, error)
	// MarkReplayed notes that a waiting dead letter has settled.
	MarkReplayed(ctx context.Context, id string) error
	// RefuseDeadLetter ends the orders of a waiting dead letter as refused.
	RefuseDeadLetter(ctx context.Context, id string) error
}
