package sim

import (
	"context"

	"flashsale/ledger"
	"flashsale/sale"
)

func (b *books) CancelOrder(_ context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error) {
	o := b.orders[id]
	if o == nil || (buyer != "" && o.BuyerID != buyer) {
		return sale.Order{}, sale.ErrNotFound
	}
	now, err := ledger.Cancels(&o.Order)
	if err == nil && now {
		b.release([]*orderRow{o}, sale.StatusCancelled, reason)
	}
	return o.Order, err
}

func (b *books) PayOrder(_ context.Context, id sale.OrderID, paymentID string) (sale.Order, error) {
	o := b.orders[id]
	if o == nil {
		return sale.Order{}, sale.ErrNotFound
	}
	now, err := ledger.Pays(&o.Order, paymentID)
	if err == nil && now {
		b.watch.moved(id, o.Status, sale.StatusPaid)
		o.Status, o.PaymentID = sale.StatusPaid, paymentID
		b.tell([]sale.OrderID{id})
	}
	return o.Order, err
}

func (b *books) ExpireOrders(_ context.Context, limit int) (int, error) {
	var due []*orderRow
	for _, o := range b.sortedOrders() {
		if len(due) < limit && ledger.Expires(&o.Order, b.now().UnixMilli()) {
			due = append(due, o)
		}
	}
	if len(due) > 0 {
		b.release(due, sale.StatusExpired, sale.ReasonNone)
	}
	return len(due), nil
}

func (b *books) release(orders []*orderRow, status sale.OrderStatus, reason sale.OrderReason) {
	stock := map[sale.Bucket]*ledger.Row{}
	held := make([]ledger.Releasing, len(orders))
	for i, o := range orders {
		copied := b.rows[o.bucket].Row
		if stock[o.bucket] == nil {
			stock[o.bucket] = &copied
		}
		held[i] = ledger.Releasing{Bucket: o.bucket, ReleasedOrder: sale.ReleasedOrder{OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.BuyerID}}
	}
	plan := ledger.NewPlan(ledger.NewState(stock, b.now().UnixMilli(), true))
	plan.Release(held, status, reason)
	b.write(plan)
}

// Outbox returns the first open rows of every bucket.
func (b *books) Outbox(_ context.Context, maxRows int) (rows []sale.OutboxRow, err error) {
	for _, row := range b.sorted() {
		for _, waiting := range b.outbox[row.Bucket] {
			if len(rows) < maxRows {
				rows = append(rows, waiting)
			}
		}
	}
	return rows, nil
}

// OutboxDone deletes what Redis has applied and marks the writes that did it.
func (b *books) OutboxDone(_ context.Context, applied []sale.Applied) error {
	stock := map[sale.Bucket]*ledger.Row{}
	for _, a := range applied {
		if row := b.rows[a.Bucket]; row != nil {
			copied := row.Row
			stock[a.Bucket] = &copied
		}
	}
	known := ledger.NewState(stock, b.now().UnixMilli(), true)
	for _, a := range applied {
		b.readMark(known, ledger.MarkOfApplied(&a))
	}
	plan := ledger.NewPlan(known)
	for _, a := range applied {
		plan.Applied(a)
	}
	b.write(plan)
	for _, a := range plan.Done {
		for len(b.outbox[a.Bucket]) > 0 && b.outbox[a.Bucket][0].Number <= a.Number {
			for _, o := range b.outbox[a.Bucket][0].Orders {
				b.applied[o.OrderID] = virtualNow()
			}
			b.outbox[a.Bucket] = b.outbox[a.Bucket][1:]
		}
	}
	return nil
}

func (b *books) OrderEvents(_ context.Context, maxRows int) ([]sale.OrderEvent, error) {
	return b.events[:min(maxRows, len(b.events))], nil
}

func (b *books) EventsPublished(_ context.Context, ids []int64) error {
	done := map[int64]bool{}
	for _, id := range ids {
		done[id] = true
	}
	kept := b.events[:0:0]
	for _, e := range b.events {
		if !done[e.ID] {
			kept = append(kept, e)
		}
	}
	b.events = kept
	return nil
}

func (b *books) Positions(context.Context) (positions []sale.Position, err error) {
	for partition := range int32(64) {
		if at, known := b.positions[partition]; known {
			positions = append(positions, at)
		}
	}
	return positions, nil
}
