package settle

import (
	"context"

	"flashsale/sale"
)

// Store is the part of the database that settling needs.
type Store interface {
	// Settle writes the deliveries in one transaction, all or nothing, and with them the position after the last record
	// of each partition. A delivery whose Record is empty only moves the position. An error for which errors.As finds a
	// *sale.PoisonError is in the data: the record at its Index, or an unknown record when Index is negative. An error
	// that is sale.ErrBehind is permanent too. After sale.ErrLostTail the caller continues where Positions says. Every
	// other error may be transient: the caller settles the same deliveries again.
	Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error)
	// AddDeadLetter stores a record that cannot settle; an existing letter of the same id is unchanged.
	AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error
	// Positions returns how far each partition has settled by the database's own count.
	Positions(ctx context.Context) ([]sale.Position, error)
}

// Letters is the part of the database that an operator's decision about a dead letter needs.
type Letters interface {
	// Settle is Store's Settle.
	Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error)
	// DeadLetter returns a dead letter, or an error that is sale.ErrNotFound.
	DeadLetter(ctx context.Context, id string) (sale.DeadLetter, error)
	// MarkReplayed records that a waiting dead letter has settled.
	MarkReplayed(ctx context.Context, id string) error
	// RefuseDeadLetter ends the orders of a waiting dead letter as refused.
	RefuseDeadLetter(ctx context.Context, id string) error
}
