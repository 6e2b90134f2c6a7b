package memory

import (
	"cmp"
	"maps"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// maxEventOrders bounds the orders of one event.
const maxEventOrders = 1000

// write writes a plan, all but the closing of buckets. Rows of the stock table change through their guard alone.
func (d *Database) write(p *ledger.Plan) {
	byID := func(a, b ledger.Order) int { return cmp.Compare(a.OrderID, b.OrderID) }
	slices.SortFunc(p.Confirmed, byID)
	slices.SortFunc(p.Refused, byID)
	for _, m := range p.Markers {
		if other, marked := d.t.Markers[m.WriteID]; marked {
			d.violated("record %d takes the place of record %d in bucket %s", m.ID, other, m.Bucket)
		}
		d.t.Markers[m.WriteID] = m.ID
	}
	for _, m := range p.Forks {
		d.t.Forks[m] = true
	}
	written := append(d.insert(p.Confirmed, sale.StatusConfirmed), d.insert(p.Refused, sale.StatusRefused)...)
	for _, a := range p.Allowances {
		d.take(d.t.Orders[a.OrderID], a.Slot)
	}
	for _, o := range p.Released {
		d.leave(o.OrderID, p.NewStatus, p.Reason)
	}
	for _, row := range p.Outbox {
		d.t.Outbox[row.Bucket] = append(d.t.Outbox[row.Bucket], row)
	}
	d.forgetApplied(p.Done)
	d.t.note(p.Statuses(), d.nowMS())
	d.payRemembered(written)
	for bucket, move := range p.Moves {
		if !move.Apply(&d.t.Stock[bucket].Row) {
			row := d.t.Stock[bucket].Row
			d.violated("the guard refused what the plan had decided for bucket %s: %+v on %+v", bucket, move, row)
		}
	}
	if d.hooks.Written != nil {
		d.hooks.Written(&d.t)
	}
}

// closePlanned closes the buckets that a plan closes, those for the same reason under one version.
func (d *Database) closePlanned(p *ledger.Plan) {
	byReason := map[string][]*Row{}
	for bucket, reason := range p.Closing {
		byReason[reason] = append(byReason[reason], d.t.Stock[bucket])
	}
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		d.t.stamp(byReason[reason], func(row *Row) { row.State, row.ClosedReason = sale.BucketClosed, reason })
	}
}

// stamp changes rows and gives them the next version of the catalogue.
func (t *Tables) stamp(rows []*Row, change func(*Row)) {
	if len(rows) == 0 {
		return
	}
	t.Version++
	for _, row := range rows {
		change(row)
		row.Version = t.Version
	}
}

func (d *Database) insert(orders []ledger.Order, status sale.OrderStatus) (written []*Order) {
	for i := range orders {
		o := &orders[i]
		if d.t.Orders[o.OrderID] != nil {
			d.violated("order %s is inserted twice", o.OrderID)
		}
		row := rowOf(o, status)
		d.t.Orders[o.OrderID] = row
		d.t.owners[row.owner()] = append(d.t.owners[row.owner()], row)
		if row.Key != "" && status != sale.StatusRefused {
			d.t.keys[ledger.Key{Owner: row.owner(), Key: row.Key}] = row.OrderID
		}
		if o.Slotted {
			d.take(row, 0)
		}
		written = append(written, row)
	}
	return written
}

func rowOf(o *ledger.Order, status sale.OrderStatus) *Order {
	row := &Order{Number: o.Number, Key: o.Key, Order: sale.Order{
		OrderID: o.OrderID, Status: status, Reason: o.Reason, Sale: o.Sale, SKU: o.SKU, Quantity: o.Quantity,
		UnitPriceCents: o.PriceCents, Currency: o.Currency, BuyerID: o.Buyer,
		CreatedAt: sale.TimeMillis(o.CreatedMS), UpdatedAt: sale.TimeMillis(o.UpdatedMS),
	}}
	if o.PayByMS >= 0 {
		deadline := sale.TimeMillis(o.PayByMS)
		row.PayBy = &deadline
	}
	return row
}

// take gives an order a slot of its buyer. The real stores have a unique key over it.
func (d *Database) take(o *Order, number int) {
	key := slot{o.owner(), number}
	if other, taken := d.t.slots[key]; taken {
		d.violated("order %s takes slot %d of buyer %s, which order %s has", o.OrderID, number, o.BuyerID, other)
	}
	d.t.slots[key] = o.OrderID
	o.Slots = append(o.Slots, number)
}

// leave ends a confirmed order and gives its buyer's slots back.
func (d *Database) leave(id sale.OrderID, status sale.OrderStatus, reason sale.OrderReason) {
	o := d.t.Orders[id]
	d.move(o, status)
	o.Reason = reason
	for _, number := range o.Slots {
		delete(d.t.slots, slot{o.owner(), number})
	}
	o.Slots = nil
}

// move gives an order another status. Only a confirmed order may get one.
func (d *Database) move(o *Order, to sale.OrderStatus) {
	if o.Status != sale.StatusConfirmed {
		d.violated("order %s moves from %s to %s", o.OrderID, o.Status, to)
	}
	o.Status = to
	o.UpdatedAt = sale.TimeMillis(max(o.CreatedAt.UnixMilli(), d.nowMS()))
}

// note adds events about what orders have become.
func (t *Tables) note(orders map[sale.OrderStatus][]sale.OrderID, nowMS int64) {
	for _, status := range []sale.OrderStatus{
		sale.StatusConfirmed, sale.StatusRefused, sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired,
	} {
		for page := range slices.Chunk(orders[status], maxEventOrders) {
			t.lastEvent++
			t.Events = append(t.Events, Event{ID: t.lastEvent, Status: status, AtMS: nowMS, Orders: slices.Clone(page)})
		}
	}
}
