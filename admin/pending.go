package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"flashsale/sale"
)

// idSlack is how far the clock of the gateway that made an order's id may be from the sale's window.
const idSlack = time.Minute

// Journals are the orders that Redis does not know to be in Kafka.
type Journals interface {
	Journaled(ctx context.Context, buckets []sale.Bucket, id sale.OrderID) (found sale.PendingOrder, ok bool, err error)
}

// Tail is the orders that Kafka has and the database does not.
type Tail interface {
	Queued(ctx context.Context, partitions []int32, id sale.OrderID) (found sale.PendingOrder, ok bool, err error)
}

// decision moves one order on.
type decision func(ctx context.Context, id sale.OrderID) (sale.Order, error)

// orUnconfirmed looks for an order that the database does not know: its row may be on its way, and then the shop is to ask
// again, and not to believe that there is no such order. When it is not on its way the decision is made once more, since the
// row may have come after the first one.
func (a *API) orUnconfirmed(decide decision) decision {
	return func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
		order, err := decide(ctx, id)
		if !errors.Is(err, sale.ErrNotFound) {
			return order, err
		}
		order, err = a.pending(ctx, id)
		switch {
		case err == nil:
			return order, &sale.StatusError{Status: order.Status}
		case !errors.Is(err, sale.ErrNotFound):
			return order, err
		}
		return decide(ctx, id)
	}
}

// pending returns an order that is on its way to the database: held in a journal, or queued behind the position of
// settlement. The error wraps sale.ErrNotFound when it was in neither: an order goes from the journal to Kafka and from there
// to the database, and is looked for in this direction, so that it cannot slip by. The database is asked by the caller, before
// and after.
//
// An id carries its moment, which lies in its sale's window. So only the buckets of these sales are asked, those with a
// journal, and the partitions of these buckets from where settlement stands.
func (a *API) pending(ctx context.Context, id sale.OrderID) (sale.Order, error) {
	sales, err := a.deps.Sales.Sales(ctx)
	if err != nil {
		return sale.Order{}, fmt.Errorf("find out whether the order is on its way: %w", err)
	}
	var journaled []sale.Bucket
	var partitions []int32
	bySale := map[string]*sale.Sale{}
	for i := range sales {
		s := &sales[i]
		if !mayHaveMade(s, id) {
			continue
		}
		bySale[s.ID] = s
		positions, err := readPositions(ctx, a.deps.Preloads, a.deps.Stock, s.ID)
		if err != nil {
			return sale.Order{}, fmt.Errorf("find out whether the order is on its way: %w", err)
		}
		for _, p := range positions {
			if p.Epoch == 0 {
				continue // it has never sold
			}
			if p.Oldest > 0 || !p.Coherent {
				journaled = append(journaled, p.Bucket)
			}
			if !slices.Contains(partitions, p.Partition) {
				partitions = append(partitions, p.Partition)
			}
		}
	}
	found, err := a.findPending(ctx, journaled, partitions, id)
	if err != nil {
		return sale.Order{}, err
	}
	s := bySale[found.Sale]
	if s == nil {
		return sale.Order{}, fmt.Errorf("order %s is on its way to sale %s: %w", id, found.Sale, sale.ErrNotFound)
	}
	return found.Order(s), nil
}

func (a *API) findPending(ctx context.Context, journaled []sale.Bucket, partitions []int32, id sale.OrderID) (found sale.PendingOrder, err error) {
	var ok bool
	if len(journaled) > 0 {
		if found, ok, err = a.deps.Journals.Journaled(ctx, journaled, id); ok || err != nil {
			return found, err
		}
	}
	if len(partitions) > 0 {
		if found, ok, err = a.deps.Tail.Queued(ctx, partitions, id); ok || err != nil {
			return found, err
		}
	}
	return found, sale.ErrNotFound
}

// mayHaveMade reports whether an order id can be of a sale.
func mayHaveMade(s *sale.Sale, id sale.OrderID) bool {
	made := id.Time()
	return s.State != sale.StateDraft && !made.Before(s.StartsAt.Add(-idSlack)) && !made.After(s.EndsAt.Add(idSlack))
}

// orPending answers an order that is on its way as the buyer's own look-up does.
func (a *API) orPending(ctx context.Context, id sale.OrderID) (sale.Order, error) {
	order, err := a.deps.Orders.Order(ctx, id)
	if !errors.Is(err, sale.ErrNotFound) {
		return order, err
	}
	order, err = a.pending(ctx, id)
	if errors.Is(err, sale.ErrNotFound) {
		return a.deps.Orders.Order(ctx, id) // its row may have come after the first look
	}
	return order, err
}
