package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// CancelOrder ends a confirmed order and gives its units back, once.
func (d *Database) CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error) {
	return call(ctx, d, "CancelOrder", func() (sale.Order, error) {
		o := d.t.Orders[id]
		switch {
		case o == nil:
			return sale.Order{}, d.t.missing(id, buyer)
		case buyer != "" && o.BuyerID != buyer:
			return sale.Order{}, fmt.Errorf("cancel order %s: %w", id, sale.ErrNotFound)
		}
		cancels, err := ledger.Cancels(&o.Order)
		if err != nil {
			return sale.Order{}, fmt.Errorf("cancel order %s: %w", id, err)
		}
		if cancels && len(d.payRemembered([]*Order{o})) > 0 { // a remembered payment is older
			return sale.Order{}, fmt.Errorf("cancel order %s: %w", id, &sale.StatusError{Status: sale.StatusPaid})
		}
		if cancels {
			d.release([]*Order{o}, sale.StatusCancelled, reason)
		}
		return o.Order, nil
	})
}

// PayOrder notes the payment of a confirmed order.
func (d *Database) PayOrder(ctx context.Context, id sale.OrderID, paymentID string) (sale.Order, error) {
	return call(ctx, d, "PayOrder", func() (sale.Order, error) {
		o := d.t.Orders[id]
		if o == nil {
			return sale.Order{}, d.t.missing(id, "")
		}
		pays, err := ledger.Pays(&o.Order, paymentID)
		if err != nil {
			return sale.Order{}, fmt.Errorf("pay order %s: %w", id, err)
		}
		if pays && len(d.payRemembered([]*Order{o})) == 0 {
			d.pay(o, paymentID)
			d.t.note(map[sale.OrderStatus][]sale.OrderID{sale.StatusPaid: {id}}, d.nowMS())
		}
		if o.PaymentID != paymentID { // one that was remembered before has paid it now
			return sale.Order{}, fmt.Errorf("pay order %s: %w", id, &sale.PaidError{PaymentID: o.PaymentID})
		}
		return o.Order, nil
	})
}

func (d *Database) pay(o *Order, paymentID string) {
	d.move(o, sale.StatusPaid)
	o.PaymentID = paymentID
}

// RememberPayment keeps the payment of an order that has no row yet. It reports whether this payment is the one that is
// remembered. The real store's bounds, 100,000 payments and seven days, do not apply.
func (d *Database) RememberPayment(ctx context.Context, id sale.OrderID, paymentID string) (bool, error) {
	return call(ctx, d, "RememberPayment", func() (bool, error) {
		if d.t.Payments[id] == "" {
			d.t.Payments[id] = paymentID
		}
		return d.t.Payments[id] == paymentID, nil
	})
}

// payRemembered pays those of the orders for which a payment is remembered, and forgets it, also where an order is refused.
// It returns the ones that it has paid.
func (d *Database) payRemembered(orders []*Order) (paid []sale.OrderID) {
	for _, o := range orders {
		payment := d.t.Payments[o.OrderID]
		delete(d.t.Payments, o.OrderID)
		if payment != "" && o.Status == sale.StatusConfirmed {
			d.pay(o, payment)
			paid = append(paid, o.OrderID)
		}
	}
	d.t.note(map[sale.OrderStatus][]sale.OrderID{sale.StatusPaid: paid}, d.nowMS())
	return paid
}

// release ends orders whose units go back.
func (d *Database) release(orders []*Order, status sale.OrderStatus, reason sale.OrderReason) {
	buckets := make([]sale.Bucket, len(orders))
	releasing := make([]ledger.Releasing, len(orders))
	for i, o := range orders {
		buckets[i] = o.Bucket()
		releasing[i] = ledger.Releasing{Bucket: buckets[i], ReleasedOrder: sale.ReleasedOrder{
			OrderID: o.OrderID, Buyer: o.BuyerID, Lines: o.Lines,
		}}
	}
	plan := ledger.NewPlan(d.locked(buckets, true))
	plan.Release(releasing, status, reason)
	d.write(plan)
}

// missing returns the error for an order without a row: it waits in a dead letter, or the buyer has no such order.
func (t *Tables) missing(id sale.OrderID, buyer string) error {
	for _, o := range t.waitingOrders() {
		if o.OrderID == id && (buyer == "" || o.BuyerID == buyer) {
			return &sale.StatusError{Status: o.Status}
		}
	}
	return fmt.Errorf("order %s: %w", id, sale.ErrNotFound)
}

// waitingOrders returns the orders of the dead letters that wait, sorted by id. They have no row: currency and payment
// time are those of the sale, where it exists.
func (t *Tables) waitingOrders() (waiting []sale.Order) {
	for _, letter := range t.Letters {
		if letter.State != sale.DeadLetterWaiting || letter.Batch == nil {
			continue
		}
		of := &sale.Sale{}
		if known := t.Sales[letter.Batch.Sale]; known != nil {
			of = &known.Sale
		}
		for _, o := range letter.Orders {
			created := sale.TimeMillis(letter.Batch.CreatedMS)
			waiting = append(waiting, sale.Order{
				OrderID: o.OrderID, Status: sale.StatusQueued, Reason: sale.ReasonDeadLetter, Sale: letter.Batch.Sale,
				Lines: o.Lines, Currency: of.Currency,
				CreatedAt: created, UpdatedAt: created, PayBy: sale.PayBy(created.Time, of.PaymentTTL), BuyerID: o.Buyer,
			})
		}
	}
	slices.SortFunc(waiting, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return waiting
}
