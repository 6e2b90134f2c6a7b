package ledger

import (
	"slices"

	"flashsale/sale"
)

// Releasing is a confirmed order, its row locked, that is to give its units back.
type Releasing struct {
	sale.Bucket
	sale.ReleasedOrder
}

// MaxReleased bounds the orders of one outbox row, so that applying it is one short script call.
const MaxReleased = 1000

// Release decides that orders become cancelled or expired: their units and allowances go back once, in the database now and
// in Redis through one outbox row per bucket. The orders were seen confirmed under their locks.
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

// Refuse ends every order of a batch that could not settle and has no row yet. In the row's epoch Redis has taken the
// units: they go back through the outbox, or, where the state has the place or one of the orders already, by a rebuild.
// Released does not grow, because nothing had settled. In another epoch the rebuild in between has given them back.
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

// Applied decides what Redis's answer about a bucket's outbox rows means: they are done, and the sequence of the write
// that brought them is marked, so that a batch of another life at the same place is found to be a fork. Another marker
// there closes the bucket. In another epoch the rows were absorbed and there is nothing to note.
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
