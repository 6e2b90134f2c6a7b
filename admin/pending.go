package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"flashsale/sale"
)

// Journals finds orders whose records Redis does not know to be in Kafka.
type Journals interface {
	Journaled(ctx context.Context, buckets []sale.Bucket, id sale.OrderID) (found sale.PendingOrder, ok bool, err error)
}

// Tail finds orders that Kafka has and the database does not.
type Tail interface {
	Queued(ctx context.Context, partitions []int32, id sale.OrderID) (found sale.PendingOrder, ok bool, err error)
}

// decision changes one order.
type decision func(ctx context.Context, id sale.OrderID) (sale.Order, error)

// orUnconfirmed looks for an order that has no row: while it is on its way, the shop must repeat its request and must
// not conclude that the order does not exist. When the order is not on its way the decision is made once more, because
// its row may have been written after the first attempt.
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

// pending returns an order that is on its way to the database: held in a journal, or queued in Kafka after the position
// of settlement. The error wraps sale.ErrNotFound when the order was in neither. An order moves from the journal to
// Kafka and from there to the database, and pending searches in this direction, so it cannot miss the order. The caller
// asks the database before and after.
//
// Every sale that is not a draft is searched. An order id contains its time by the clock of the gateway that made it,
// and the window of its sale may have changed since; so the time only tells which sales are likely, and those are
// searched first. Of a sale, pending searches the buckets with a journal, and the partitions of its buckets from the
// position of settlement on.
func (a *API) pending(ctx context.Context, id sale.OrderID) (sale.Order, error) {
	sales, err := a.deps.Sales.Sales(ctx)
	if err != nil {
		return sale.Order{}, fmt.Errorf("find out whether the order is on its way: %w", err)
	}
	sales = slices.DeleteFunc(sales, func(s sale.Sale) bool { return s.State == sale.StateDraft })
	for _, likely := range []bool{true, false} {
		found, err := a.pendingIn(ctx, sales, likely, id)
		if errors.Is(err, sale.ErrNotFound) {
			continue
		}
		if err != nil {
			return sale.Order{}, err
		}
		i := slices.IndexFunc(sales, func(s sale.Sale) bool { return s.ID == found.Sale })
		if i < 0 { // the order exists, so the answer must not deny it
			return sale.Order{}, fmt.Errorf("order %s is on its way to sale %s, which is not known", id, found.Sale)
		}
		return found.Order(&sales[i]), nil
	}
	return sale.Order{}, sale.ErrNotFound
}

// pendingIn searches the likely sales, or the others. Sales share partitions, so the order found may be of any sale.
func (a *API) pendingIn(ctx context.Context, sales []sale.Sale, likely bool, id sale.OrderID) (found sale.PendingOrder,
	err error) {
	var journaled []sale.Bucket
	var partitions []int32
	for i := range sales {
		if inWindow(&sales[i], id) != likely {
			continue
		}
		journaled, partitions, err = a.wayOf(ctx, &sales[i], journaled, partitions)
		if err != nil {
			return found, fmt.Errorf("find out whether the order is on its way: %w", err)
		}
	}
	return a.findPending(ctx, journaled, partitions, id)
}

// wayOf adds where orders of a sale may be on their way: the buckets with a journal, or whose journal is not known because
// they are being rebuilt, and the partitions of all.
func (a *API) wayOf(ctx context.Context, s *sale.Sale, journaled []sale.Bucket, partitions []int32) ([]sale.Bucket, []int32,
	error) {
	books, err := a.deps.Preloads.BucketCounters(ctx, s.BucketNames())
	if err != nil || len(books) == 0 {
		return journaled, partitions, err
	}
	buckets := make([]sale.Bucket, len(books))
	for i := range books {
		buckets[i] = books[i].Bucket
	}
	seen, err := a.deps.Stock.Readings(ctx, buckets)
	if err != nil {
		return nil, nil, err
	}
	if len(seen) != len(books) {
		return nil, nil, fmt.Errorf("read the journals of sale %s: %d readings of %d buckets", s.ID, len(seen), len(books))
	}
	for i := range books {
		switch same := seen[i].Epoch == books[i].Epoch; {
		case books[i].Epoch == 0:
			continue // it has never sold
		case !same, books[i].State != sale.BucketOpen, seen[i].OldestJournal > 0:
			journaled = append(journaled, books[i].Bucket)
		}
		if !slices.Contains(partitions, books[i].Partition) {
			partitions = append(partitions, books[i].Partition)
		}
	}
	return journaled, partitions, nil
}

func (a *API) findPending(ctx context.Context, journaled []sale.Bucket, partitions []int32,
	id sale.OrderID) (found sale.PendingOrder, err error) {
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

// inWindow reports whether an order id was made within the present window of a sale.
func inWindow(s *sale.Sale, id sale.OrderID) bool {
	made := id.Time()
	return !made.Before(s.StartsAt.Time) && !made.After(s.EndsAt.Time)
}

// orPending answers with an order that is on its way, as the buyer's own look-up does.
func (a *API) orPending(ctx context.Context, id sale.OrderID) (sale.Order, error) {
	order, err := a.deps.Orders.Order(ctx, id)
	if !errors.Is(err, sale.ErrNotFound) {
		return order, err
	}
	order, err = a.pending(ctx, id)
	if errors.Is(err, sale.ErrNotFound) {
		return a.deps.Orders.Order(ctx, id) // its row may have been written after the first look-up
	}
	return order, err
}
