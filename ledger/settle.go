package ledger

import (
	"flashsale/sale"
)

// Reasons for closing a bucket.
const (
	ClosedByFork     = "settlement: two records at one sequence"
	ClosedByOrder    = "settlement: an order could not be inserted"
	ClosedByTransfer = "settlement: a transfer of units that are not there"
	ClosedByRefusal  = "a dead letter was refused"
)

// Settle decides one batch. It skips a batch that has a marker and a row for each of its orders. In the row's epoch it confirms
// each order that the limit and the loaded units allow, and refuses the others. In an older epoch the batch is late, and
// Settle refuses each order without a row as fenced. In the row's epoch, a fork, a refusal or an order that has a row already
// means that Redis and the database count differently, so Settle closes the bucket (rule: disagreement-closes).
func (p *Plan) Settle(b *sale.Batch) {
	at, ok := p.enter(MarkOfBatch(b), p.state.SettledBatch(b))
	if !ok {
		return
	}
	row, late := at.row, at.late
	terms := p.termsOf(b, row)
	agreed := !at.fork
	for i := range b.Orders {
		agreed = p.order(Order{RecordOrder: &b.Orders[i], Terms: terms}, row, late) && agreed
	}
	if late {
		return
	}
	p.move(row).SettledEpoch += b.Units()
	p.advance(row, b.Sequence)
	switch {
	case at.fork:
		p.close(row, ClosedByFork)
	case !agreed:
		p.close(row, ClosedByOrder)
	}
}

// order decides one order and reports whether Redis and the database agree about it.
func (p *Plan) order(o Order, row *Row, late bool) (agreed bool) {
	switch {
	case p.state.Orders[o.OrderID]: // rule: order-once
		return late // it has a row already, so Redis or the database counts it twice
	case late:
		p.refuse(o, sale.ReasonFenced)
	case p.keyUsed(o): // rule: key-once-in-books
		p.refuse(o, sale.ReasonOverLimit)
		return false
	case !fits(row, int64(o.Quantity)): // rule: stock-guard
		p.refuse(o, sale.ReasonSoldOut)
		return false
	case !p.allow(&o, row): // rule: limit-guard
		p.refuse(o, sale.ReasonOverLimit)
		return false
	default:
		p.confirm(o, row)
	}
	return true
}

// keyUsed reports whether the order's key has another order that was not refused, also one that has given its units back. A
// key makes one order, but Redis may take two after it has lost writes.
func (p *Plan) keyUsed(o Order) bool {
	return o.Key != "" && p.state.Keys[o.key()]
}

// fits is the guard against oversell. Rule: guard-with-released.
func fits(row *Row, units int64) bool {
	return row.Settled-row.Released+units <= row.Loaded
}

// allow takes the buyer's slots for an order, and reports false if the limit leaves too few.
func (p *Plan) allow(o *Order, row *Row) bool {
	if row.Limit == 1 && !p.state.Closely {
		o.Slotted = true // the slot was not read: the unique key decides
		return o.Quantity == 1
	}
	who := o.owner()
	taken := p.state.SlotsOf(who).take(o.Quantity, row.Limit)
	if taken == nil {
		return false
	}
	if row.Limit == 1 {
		o.Slotted = true
		return true
	}
	for _, slot := range taken {
		p.Allowances = append(p.Allowances, Allowance{who, slot, o.OrderID})
	}
	return true
}

func (p *Plan) confirm(o Order, row *Row) {
	p.note(o.OrderID)
	if o.Key != "" && (row.Limit > 1 || p.state.Closely) { // otherwise the unique key over slot 0 decides
		p.state.Keys[o.key()] = true
	}
	p.Confirmed = append(p.Confirmed, o)
	p.Settlement.Rows++
	row.Settled += int64(o.Quantity)
	p.move(row).Settled += int64(o.Quantity)
}

func (p *Plan) refuse(o Order, reason sale.OrderReason) {
	p.note(o.OrderID)
	o.Reason = reason
	p.Refused = append(p.Refused, o)
	p.Settlement.Rows++
	p.Settlement.Refused++
	p.LookCloser = p.LookCloser || !p.state.Closely
}

// note marks an order as written, so that the plan does not write a second one with the same id.
func (p *Plan) note(id sale.OrderID) {
	if p.state.Orders != nil {
		p.state.Orders[id] = true
	}
}

func (p *Plan) termsOf(b *sale.Batch, row *Row) *Terms {
	created := min(max(b.CreatedMS, MinMomentMS), MaxMomentMS)
	t := &Terms{
		Bucket: b.Bucket, PriceCents: row.PriceCents, Currency: row.Currency,
		CreatedMS: created, UpdatedMS: max(created, p.state.NowMS), // not before its creation
		PayByMS: -1,
	}
	if row.PaymentTTL > 0 {
		t.PayByMS = max(created+row.PaymentTTL*1000, t.UpdatedMS+min(row.PaymentTTL, sale.LeastToPay)*1000)
	}
	return t
}
