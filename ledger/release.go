package ledger

import (
	"slices"

	"flashsale/sale"
)

// Releasing is a confirmed order with a locked row, which must give its units back.
type Releasing struct {
	sale.Bucket
	sale.ReleasedOrder
}

// MaxReleased bounds the orders of one outbox row, so that one short script call applies it.
const MaxReleased = 1000

// Release plans that orders become cancelled or expired. They give back their units and allowances once: in the database with
// this plan, in Redis through one outbox row per bucket and MaxReleased orders. The orders must be confirmed and locked.
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
		row := p.state.Stock[bucket]
		for page := range slices.Chunk(of[bucket], MaxReleased) {
			units := unitsOf(page)
			row.Released += units
			p.move(row).Released += units
			p.give(row, sale.OutboxRelease, units, page)
		}
	}
}

func unitsOf(orders []sale.ReleasedOrder) int64 {
	var units int64
	for i := range orders {
		units += int64(orders[i].Quantity)
	}
	return units
}

// Refuse refuses every order without a row of a batch that could not settle. In the row's epoch Redis has taken the units, so
// the plan gives them back through the outbox; if another record has the same sequence or one of the orders has a row, the
// plan closes the bucket instead and a rebuild gives them back. Released does not grow, because nothing had settled. In an
// older epoch a rebuild has given the units back already.
func (p *Plan) Refuse(b *sale.Batch) {
	row := p.state.Stock[b.Bucket]
	fork := p.mark(MarkOfBatch(b))
	terms := p.termsOf(b, row)
	orders := make([]sale.ReleasedOrder, 0, len(b.Orders))
	for i := range b.Orders {
		o := &b.Orders[i]
		if !p.state.Orders[o.OrderID] {
			p.refuse(Order{RecordOrder: o, Terms: terms}, sale.ReasonDeadLetter)
			orders = append(orders, sale.ReleasedOrder{OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.Buyer})
		}
	}
	if b.Epoch != row.Epoch {
		return
	}
	p.move(row).SettledEpoch += b.Units()
	p.advance(row, b.Sequence)
	if fork || len(orders) < len(b.Orders) {
		p.close(row, ClosedByRefusal)
		return
	}
	p.give(row, sale.OutboxRefusal, b.Units(), orders) // rule: refused-forgotten
}

// Applied plans the end of outbox rows that Redis has applied. It marks the sequence of the write in Redis: if Redis loses
// that write and a batch takes the same sequence, the batch is found as a fork. If the sequence has another marker, Applied
// closes the bucket. It does nothing if the row has another epoch, because a rebuild has absorbed the outbox rows.
func (p *Plan) Applied(a sale.Applied) {
	row := p.state.Stock[a.Bucket]
	if row == nil || row.Epoch != a.Epoch {
		return
	}
	p.Done = append(p.Done, a)
	m := MarkOfApplied(&a)
	if p.state.Settled(m) {
		return
	}
	fork := p.mark(m)
	p.advance(row, a.Sequence)
	if fork {
		p.close(row, ClosedByFork)
	}
}
