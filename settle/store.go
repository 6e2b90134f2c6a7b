package settle

import (
	"context"

	"flashsale/sale"
)

// Store is the database as settling needs it.
type Store interface {
	// Settle writes the deliveries in one transaction, all or nothing, and with them the position behind the last record
	// of each partition. A delivery whose Record is empty moves the position and does nothing else. An error for which
	// errors.As finds a *sale.PoisonError is about the data: the record at its Index, or an unknown record when Index is
	// negative. An error that is sale.ErrBehind does not pass either. Every other error may pass: the caller settles the
	// same deliveries again.
	Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error)
	// AddDeadLetter keeps a record that cannot settle; a letter of the same id that is there already stays as it is.
	AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error
	// Positions returns how far each partition has settled by the database's own count.
	Positions(ctx context.Context) ([]sale.Position, error)
}

// Letters is the database as the operator's decision over a dead letter needs it.
type Letters interface {
	// Settle is that of Store.
	Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error)
	// DeadLetter returns a dead letter, or an error that is sale.ErrNotFound.
	DeadLetter(ctx context.Context, id string) (sale.DeadLetter, error)
	// MarkReplayed notes that a waiting dead letter has settled.
	MarkReplayed(ctx context.Context, id string) error
	// RefuseDeadLetter ends the orders of a waiting dead letter as refused.
	RefuseDeadLetter(ctx context.Context, id string) error
}
