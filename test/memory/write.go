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

// write writes a plan, all but the closing of buckets. Rows of the tables of
// buckets and stock change through their guards alone.
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
	for _, o := range p.Released {
		d.leave(o.OrderID, p.NewStatus, p.Reason)
	}
	for _, row := range p.Outbox {
		d.t.Outbox[row.Bucket] = append(d.t.Outbox[row.Bucket], row)
	}
	d.forgetApplied(p.Done)
	d.t.takeBack(p.Took)
	d.t.note(p.Statuses(), d.nowMS())
	d.payRemembered(written)
	d.apply(p)
	if d.hooks.Written != nil {
		d.hooks.Written(&d.t)
	}
}

// apply changes the rows of buckets and stock.
func (d *Database) apply(p *ledger.Plan) {
	for bucket, move := range p.Moves {
		if !move.Apply(&d.t.Buckets[bucket].Row) {
			row := d.t.Buckets[bucket].Row
			d.violated("the guard refused what the plan had decided for bucket %s: %+v on %+v", bucket, move, row)
		}
	}
	for shelf, gain := range p.Gains {
		if !gain.Apply(d.t.Stock[shelf]) {
			d.violated("the guard refused what the plan had decided for %s: %+v on %+v", shelf, gain, d.t.Stock[shelf])
		}
	}
}

// closePlanned closes the buckets that a plan closes, those for the same reason under one version.
func (d *Database) closePlanned(p *ledger.Plan) {
	byReason := map[string][]*Row{}
	for bucket, reason := range p.Closing {
		byReason[reason] = append(byReason[reason], d.t.Buckets[bucket])
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
		written = append(written, row)
	}
	return written
}

func rowOf(o *ledger.Order, status sale.OrderStatus) *Order {
	row := &Order{Number: o.Number, Key: o.Key, ThawNo: o.ThawNo, Order: sale.Order{
		OrderID: o.OrderID, Status: status, Reason: o.Reason, Sale: o.Sale, Lines: slices.Clone(o.Lines),
		Currency: o.Currency, BuyerID: o.Buyer,
		CreatedAt: sale.TimeMillis(o.CreatedMS), UpdatedAt: sale.TimeMillis(o.UpdatedMS),
	}}
	if o.PayByMS >= 0 {
		deadline := sale.TimeMillis(o.PayByMS)
		row.PayBy = &deadline
	}
	return row
}

// leave ends a confirmed order.
func (d *Database) leave(id sale.OrderID, status sale.OrderStatus, reason sale.OrderReason) {
	d.move(d.t.Orders[id], status)
	d.t.Orders[id].Reason = reason
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

// noteExtended adds an event that the payment time of orders has moved.
func (t *Tables) noteExtended(orders []*Order, nowMS int64) {
	t.lastEvent++
	event := Event{ID: t.lastEvent, Status: extended, AtMS: nowMS}
	for _, o := range orders {
		event.Orders, event.PayBy = append(event.Orders, o.OrderID), append(event.PayBy, *o.PayBy)
	}
	t.Events = append(t.Events, event)
}
