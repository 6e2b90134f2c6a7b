package ledger

import (
	"flashsale/sale"
)

// Releasing is a confirmed order with a locked row, which must give its units back.
type Releasing struct {
	sale.Bucket
	sale.ReleasedOrder
}

// MaxReleased bounds the orders of one outbox row, so that one short script call applies it; sale.MaxRecordLines bounds their
// lines.
const MaxReleased = 1000

// MaxPage bounds the lines of one bucket's outbox rows that a store returns at once, unless the first row alone has more.
const MaxPage = 4 * MaxReleased

// Release plans that orders become cancelled or expired. They give back the units of all their lines once: in the database
// with this plan, in Redis through outbox rows of their buckets, of MaxReleased orders each. The orders must be confirmed and
// locked.
func (p *Plan) Release(orders []Releasing, status sale.OrderStatus, reason sale.OrderReason) {
	p.NewStatus, p.Reason = status, reason
	of := map[sale.Bucket][]sale.ReleasedOrder{}
	var buckets []sale.Bucket // in the order of their first orders
	for _, o := range orders {
		if of[o.Bucket] == nil {
			buckets = append(buckets, o.Bucket)
		}
		of[o.Bucket] = append(of[o.Bucket], o.ReleasedOrder)
	}
	p.Released = append(p.Released, orders...)
	for _, bucket := range buckets {
		row := p.state.Buckets[bucket]
		for rest := of[bucket]; len(rest) > 0; {
			n := pageOf(rest)
			p.release(row, rest[:n:n])
			rest = rest[n:]
		}
	}
}

// pageOf returns how many of the first orders one outbox row has.
func pageOf(orders []sale.ReleasedOrder) int {
	lines, n := 0, 0
	for n < min(len(orders), MaxReleased) {
		if lines += len(orders[n].Lines); n > 0 && lines > sale.MaxRecordLines {
			break
		}
		n++
	}
	return n
}

// release plans one outbox row of confirmed orders.
func (p *Plan) release(row *Row, orders []sale.ReleasedOrder) {
	for i := range orders {
		for _, line := range orders[i].Lines {
			units := int64(line.Quantity)
			p.state.shelf(row.Bucket, line.SKU).Released += units
			g := p.gain(row, line.SKU)
			g.Released += units
			g.GivenEpoch += units
		}
	}
	p.give(row, sale.OutboxRow{Kind: sale.OutboxRelease, Orders: orders})
}

// Refuse refuses every order without a row of a batch that could not settle. In the row's epoch Redis has taken the units, so
// the plan gives them back through the outbox; if another record has the same sequence, if one of the orders has a row, or if
// the database does not have one of the SKUs, the plan closes the bucket instead and a rebuild gives them back. Released does
// not grow, because nothing had settled. In an older epoch a rebuild has given the units back already.
func (p *Plan) Refuse(b *sale.Batch) {
	row := p.state.Buckets[b.Bucket]
	fork := p.mark(MarkOfBatch(b))
	terms := p.termsOf(b, row)
	orders := make([]sale.ReleasedOrder, 0, len(b.Orders))
	for i := range b.Orders {
		o := &b.Orders[i]
		if !p.state.Orders[o.OrderID] {
			p.refuse(Order{RecordOrder: o, Terms: terms}, sale.ReasonDeadLetter)
			orders = append(orders, sale.ReleasedOrder{OrderID: o.OrderID, Buyer: o.Buyer, Lines: o.Lines})
		}
	}
	if b.Epoch != row.Epoch {
		return
	}
	if known := p.depart(row, b); fork || !known || len(orders) < len(b.Orders) {
		p.close(row, ClosedByRefusal)
		return
	}
	for i := range orders {
		for _, line := range orders[i].Lines {
			p.gain(row, line.SKU).GivenEpoch += int64(line.Quantity)
		}
	}
	p.give(row, sale.OutboxRow{Kind: sale.OutboxRefusal, Orders: orders}) // rule: refused-forgotten
}
