package sim

import (
	"context"
	"fmt"
	"time"

	"flashsale/ledger"
	"flashsale/sale"
)

// Settle writes deliveries in one transaction.
func (b *books) Settle(_ context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	records := make([]sale.Record, len(deliveries))
	for i := range deliveries {
		records[i] = deliveries[i].Record
	}
	plan := ledger.NewPlan(b.read(records))
	for i := range records {
		switch r := &records[i]; {
		case r.Batch != nil:
			plan.Settle(r.Batch)
		case r.Transfer != nil:
			plan.Transfer(r.Transfer)
		}
	}
	for bucket, epoch := range plan.Behind {
		return sale.Settlement{}, fmt.Errorf("bucket %s in epoch %d: %w", bucket, epoch, sale.ErrBehind)
	}
	b.write(plan)
	for i, r := range records {
		if r.Fence != "" {
			b.fences[r.Fence] = true
		}
		d := deliveries[i]
		if at := b.positions[d.Partition]; d.TopicID != "" && d.Offset+1 > at.Next {
			b.positions[d.Partition] = sale.Position{Partition: d.Partition, TopicID: d.TopicID, Next: d.Offset + 1}
		}
	}
	return plan.Settlement, nil
}

// read returns the books as a transaction reads them, with everything about these records.
func (b *books) read(records []sale.Record) *ledger.Books {
	stock := map[sale.Bucket]*ledger.Row{}
	for _, bucket := range ledger.Buckets(records) {
		if row := b.rows[bucket]; row != nil {
			copied := row.Row
			stock[bucket] = &copied
		}
	}
	known := ledger.NewBooks(stock, time.Now().UnixMilli(), true)
	for _, r := range records {
		switch {
		case r.Batch != nil:
			b.readMark(known, ledger.MarkOfBatch(r.Batch))
			for i := range r.Batch.Orders {
				b.readOrder(known, r.Batch, &r.Batch.Orders[i])
			}
		case r.Transfer != nil:
			b.readMark(known, ledger.MarkOfTransfer(r.Transfer))
		}
	}
	return known
}

func (b *books) readMark(known *ledger.Books, m ledger.Mark) {
	if id, marked := b.markers[m.Place]; marked {
		known.Markers[m.Place] = id
	}
	if b.forks[m] {
		known.Forks[m] = true
	}
}

func (b *books) readOrder(known *ledger.Books, batch *sale.Batch, o *sale.RecordOrder) {
	if b.orders[o.OrderID] != nil {
		known.Orders[o.OrderID] = true
	}
	who := ledger.Owner{Sale: batch.Sale, SKU: batch.SKU, Buyer: o.Buyer}
	if taken := b.slots[who]; taken != nil {
		*known.SlotsOf(who) = *taken
	}
	if key := (ledger.Key{Owner: who, Key: o.Key}); b.keys[key] {
		known.Keys[key] = true
	}
}

// write writes a plan. Rows are changed through the guard alone.
func (b *books) write(plan *ledger.Plan) {
	for _, m := range plan.Markers {
		b.markers[m.Place] = m.ID
	}
	for _, m := range plan.Forks {
		b.forks[m] = true
	}
	for i := range plan.Confirmed {
		b.insert(&plan.Confirmed[i], sale.StatusConfirmed)
	}
	for i := range plan.Refused {
		b.insert(&plan.Refused[i], sale.StatusRefused)
	}
	for _, a := range plan.Allowances {
		b.take(a.Owner, a.Slot, a.OrderID)
	}
	for _, held := range plan.Left {
		b.leave(held, plan.LeftAs, plan.LeftFor)
	}
	for bucket, move := range plan.Moves {
		if !move.Apply(&b.rows[bucket].Row) {
			b.watch.fault("the guard refused what the plan had decided for bucket %s: %+v on %+v", bucket, move, b.rows[bucket].Row)
		}
	}
	for _, row := range plan.Outbox {
		b.outbox[row.Bucket] = append(b.outbox[row.Bucket], row)
	}
	for _, bucket := range plan.Settlement.Closed {
		b.closeBucket(b.rows[bucket], b.rows[bucket].Epoch, plan.Closing[bucket])
	}
	for _, status := range []sale.OrderStatus{sale.StatusConfirmed, sale.StatusRefused, plan.LeftAs} {
		b.tell(plan.Statuses()[status])
	}
	b.watch.books(b)
}

func (b *books) insert(o *ledger.Order, status sale.OrderStatus) {
	if b.orders[o.OrderID] != nil {
		b.watch.fault("order %s is inserted twice", o.OrderID)
	}
	row := &orderRow{bucket: o.Bucket, key: o.Key, Order: sale.Order{
		OrderID: o.OrderID, Status: status, Reason: o.Reason, Sale: o.Sale, SKU: o.SKU, Quantity: o.Quantity,
		UnitPriceCents: o.PriceCents, Currency: o.Currency, BuyerID: o.Buyer,
		CreatedAt: sale.TimeMillis(o.CreatedMS), UpdatedAt: sale.TimeMillis(o.UpdatedMS),
	}}
	if o.PayByMS >= 0 {
		deadline := sale.TimeMillis(o.PayByMS)
		row.PayBy = &deadline
	}
	b.orders[o.OrderID] = row
	if o.Key != "" && status == sale.StatusConfirmed {
		b.keys[ledger.Key{Owner: ledger.Owner{Sale: o.Sale, SKU: o.SKU, Buyer: o.Buyer}, Key: o.Key}] = true
	}
	if o.Slotted && status == sale.StatusConfirmed {
		b.take(ledger.Owner{Sale: o.Sale, SKU: o.SKU, Buyer: o.Buyer}, 0, o.OrderID)
	}
}

// take gives an order a slot of its buyer. The real stores have a unique key over it.
func (b *books) take(who ledger.Owner, slot int, id sale.OrderID) {
	for _, o := range b.orders {
		if o.BuyerID == who.Buyer && o.SKU == who.SKU && o.OrderID != id && contains(o.slots, slot) {
			b.watch.fault("order %s takes slot %d of buyer %s, which order %s has", id, slot, who.Buyer, o.OrderID)
		}
	}
	b.orders[id].slots = append(b.orders[id].slots, slot)
	b.restoreSlots(who)
}

func contains(slots []int, slot int) bool {
	for _, s := range slots {
		if s == slot {
			return true
		}
	}
	return false
}

// restoreSlots reads a buyer's slots anew from the orders that hold them.
func (b *books) restoreSlots(who ledger.Owner) {
	taken := &ledger.Slots{}
	for _, o := range b.orders {
		if o.BuyerID == who.Buyer && o.SKU == who.SKU {
			for _, slot := range o.slots {
				taken.Set(slot)
			}
		}
	}
	b.slots[who] = taken
}

func (b *books) leave(held ledger.Held, status sale.OrderStatus, reason sale.OrderReason) {
	o := b.orders[held.OrderID]
	b.watch.moved(o.OrderID, o.Status, status)
	o.Status, o.Reason, o.slots = status, reason, nil
	o.UpdatedAt = sale.TimeMillis(max(time.Now().UnixMilli(), o.CreatedAt.UnixMilli()))
	b.restoreSlots(ledger.Owner{Sale: o.Sale, SKU: o.SKU, Buyer: o.BuyerID})
}

// tell adds an event about orders, as they are now.
func (b *books) tell(ids []sale.OrderID) {
	if len(ids) == 0 {
		return
	}
	b.eventID++
	event := sale.OrderEvent{ID: b.eventID}
	for _, id := range ids {
		event.Orders = append(event.Orders, b.orders[id].Order)
	}
	b.events = append(b.events, event)
}
