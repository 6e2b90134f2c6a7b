package ledger

import (
	"flashsale/sale"
)

// Reasons for closing a bucket.
const (
	ClosedByFork     = "settlement: two records at one sequence"
	ClosedByOrder    = "settlement: an order could not be inserted"
	ClosedByTransfer = "settlement: a transfer of units that are not there"
	ClosedByTake     = "units were taken back that orders have"
	ClosedByRefusal  = "a dead letter was refused"
)

// Settle decides one batch. It skips a batch that has a marker and a row for each of its orders. In the row's epoch it confirms
// each order that the limits and the loaded units allow, and refuses the others. In an older epoch the batch is late, and
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
	before := len(p.Confirmed)
	for i := range b.Orders {
		agreed = p.order(Order{RecordOrder: &b.Orders[i], Terms: terms}, row, late) && agreed
	}
	if late {
		return
	}
	p.depart(row, b)
	p.count(row, int64(len(p.Confirmed)-before))
	switch {
	case at.fork:
		p.close(row, ClosedByFork)
	case !agreed:
		p.close(row, ClosedByOrder)
	}
}

// count adds confirmed orders to the bucket's count of them.
func (p *Plan) count(row *Row, orders int64) {
	row.Orders += orders
	p.move(row).Orders += orders
}

// depart counts a batch's units as no longer in flight, those of SKUs that the database does not have left out.
func (p *Plan) depart(row *Row, b *sale.Batch) (known bool) {
	known = true
	for i := range b.Orders {
		for _, line := range b.Orders[i].Lines {
			at := p.account(row, line.SKU)
			if at.units == nil {
				known = false
				continue
			}
			at.gain.SettledEpoch += int64(line.Quantity)
		}
	}
	p.advance(row, b.Sequence)
	return known
}

// order decides one order, all its lines together, and reports whether Redis and the database agree about it.
func (p *Plan) order(o Order, row *Row, late bool) (agreed bool) {
	switch {
	case p.state.Orders[o.OrderID]: // rule: order-once
		return late // it has a row already, so Redis or the database counts it twice
	case late:
		p.refuse(o, sale.ReasonFenced)
		return true
	}
	owner := Owner{o.Sale, o.Buyer}
	bought := p.boughtBy(owner)
	p.ordered = p.ordered[:0]
	for i := range o.Lines {
		p.ordered = append(p.ordered, p.account(row, o.Lines[i].SKU))
	}
	switch {
	case o.Key != "" && bought.Keys[o.Key]: // rule: key-once-in-books
		// A key makes one order, also one that has given its units back, but Redis may take two after it has lost writes.
		p.refuse(o, sale.ReasonOverLimit)
		return false
	case !p.fits(&o): // rule: stock-guard
		p.refuse(o, sale.ReasonSoldOut)
		return false
	case !p.allows(&o, row, bought): // rule: limit-guard
		p.refuse(o, sale.ReasonOverLimit)
		return false
	}
	p.bought(owner, o.RecordOrder)
	p.confirm(o)
	return true
}

// fits is the guard against oversell, of every line (rule: guard-with-released). One line beyond it refuses the whole order
// (rule: lines-whole-in-books).
func (p *Plan) fits(o *Order) bool {
	for i := range o.Lines {
		shelf := p.ordered[i].units
		if shelf.Settled-shelf.Released+int64(o.Lines[i].Quantity) > shelf.Loaded {
			return false
		}
	}
	return true
}

// allows reports whether an order is within the limit of each SKU and within that of the sale.
func (p *Plan) allows(o *Order, row *Row, bought *Bought) bool {
	for i := range o.Lines {
		if bought.Units[o.Lines[i].SKU]+o.Lines[i].Quantity > p.ordered[i].units.Limit {
			return false
		}
	}
	return row.SaleLimit == 0 || bought.total()+sale.UnitsOf(o.Lines) <= row.SaleLimit // rule: sale-limit-in-books
}

func (p *Plan) confirm(o Order) {
	p.note(o.OrderID)
	p.Confirmed = append(p.Confirmed, o)
	p.Settlement.Rows++
	for i := range o.Lines {
		units := int64(o.Lines[i].Quantity)
		p.ordered[i].units.Settled += units
		p.ordered[i].gain.Settled += units
	}
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
		Bucket: b.Bucket, Currency: row.Currency, CreatedMS: created,
		UpdatedMS: max(created, p.state.NowMS), // not before its creation
		PayByMS:   -1,
		ThawNo:    row.ThawNo,
	}
	if row.PaymentTTL > 0 {
		thawed := p.state.moved(b.Sale, created)
		t.PayByMS = max(created+row.PaymentTTL*1000+thawed, t.UpdatedMS+min(row.PaymentTTL, sale.LeastToPay)*1000)
	}
	return t
}
