package sim

import (
	"context"
	"fmt"

	"flashsale/ledger"
	"flashsale/sale"
)

// Settle writes deliveries in one transaction.
func (b *books) Settle(_ context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	records := make([]sale.Record, len(deliveries))
	for i := range deliveries {
		records[i] = deliveries[i].Record
	}
	if i := b.poison(records); i >= 0 {
		return sale.Settlement{}, &sale.PoisonError{Index: i, Reason: sale.PoisonData, Err: errPoison}
	}
	plan := decide(b.read(records, false), records)
	if plan.LookCloser || len(plan.Behind) == 0 && b.collides(plan) {
		b.watch.world.counter.count("engine: settlements that look closer", 1)
		plan = decide(b.read(records, true), records)
	}
	for bucket, epoch := range plan.Behind {
		return sale.Settlement{}, fmt.Errorf("bucket %s in epoch %d: %w", bucket, epoch, sale.ErrBehind)
	}
	b.write(plan)
	count := b.watch.world.counter.count
	count("engine: batches and transfers settled", len(plan.Markers)+len(plan.Forks))
	count("engine: duplicates", plan.Settlement.Duplicate)
	count("engine: forks", len(plan.Forks))
	count("engine: units moved between buckets", len(plan.Outbox))
	count("engine: buckets closed by settlement", len(plan.Settlement.Closed))
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

func decide(known *ledger.State, records []sale.Record) *ledger.Plan {
	plan := ledger.NewPlan(known)
	for i := range records {
		switch r := &records[i]; {
		case r.Batch != nil:
			plan.Settle(r.Batch)
		case r.Transfer != nil:
			plan.Transfer(r.Transfer)
		}
	}
	return plan
}

// collides reports whether a unique key would object to a plan: a marker, an order or a slot that is there already.
func (b *books) collides(plan *ledger.Plan) bool {
	for _, m := range plan.Markers {
		if _, marked := b.markers[m.Place]; marked {
			return true
		}
	}
	slotted := map[string]bool{}
	for _, o := range plan.Confirmed {
		if b.orders[o.OrderID] != nil {
			return true
		}
		if !o.Slotted {
			continue
		}
		if slotted[o.Buyer] {
			return true
		}
		slotted[o.Buyer] = true
		for _, other := range b.orders {
			if other.BuyerID == o.Buyer && contains(other.slots, 0) {
				return true
			}
		}
	}
	return false
}

// read returns the books as a transaction reads them: closely, with everything about these records, or hastily, with no
// more than the slots that unique keys do not guard alone.
func (b *books) read(records []sale.Record, closely bool) *ledger.State {
	stock := map[sale.Bucket]*ledger.Row{}
	for _, bucket := range ledger.Buckets(records) {
		if row := b.rows[bucket]; row != nil {
			copied := row.Row
			stock[bucket] = &copied
		}
	}
	known := ledger.NewState(stock, b.now().UnixMilli(), closely)
	for _, r := range records {
		switch {
		case r.Batch != nil && closely:
			b.readMark(known, ledger.MarkOfBatch(r.Batch))
		case r.Transfer != nil && closely:
			b.readMark(known, ledger.MarkOfTransfer(r.Transfer))
		}
		if r.Batch != nil {
			for i := range r.Batch.Orders {
				b.readOrder(known, stock[r.Batch.Bucket], &r.Batch.Orders[i])
			}
		}
	}
	return known
}

func (b *books) readMark(known *ledger.State, m ledger.Mark) {
	if id, marked := b.markers[m.Place]; marked {
		known.Markers[m.Place] = id
	}
	if b.forks[m] {
		known.Forks[m] = true
	}
}

// readOrder reads whether an order has a row, what its buyer has bought, and under which keys.
func (b *books) readOrder(known *ledger.State, row *ledger.Row, o *sale.RecordOrder) {
	if known.Closely && b.orders[o.OrderID] != nil {
		known.Orders[o.OrderID] = true
	}
	who := ledger.Owner{Sale: row.Sale, SKU: row.SKU, Buyer: o.Buyer}
	if taken := b.slots[who]; taken != nil && (known.Closely || row.Limit > 1) {
		*known.SlotsOf(who) = *taken
	}
	if key := (ledger.Key{Owner: who, Key: o.Key}); b.keys[key] && known.MayHaveOrders(row, who) {
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
	for _, held := range plan.Released {
		b.leave(held, plan.NewStatus, plan.Reason)
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
	for _, status := range []sale.OrderStatus{sale.StatusConfirmed, sale.StatusRefused, plan.NewStatus} {
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

func (b *books) leave(held ledger.Releasing, status sale.OrderStatus, reason sale.OrderReason) {
	o := b.orders[held.OrderID]
	b.watch.moved(o.OrderID, o.Status, status)
	o.Status, o.Reason, o.slots = status, reason, nil
	o.UpdatedAt = sale.TimeMillis(max(b.now().UnixMilli(), o.CreatedAt.UnixMilli()))
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
