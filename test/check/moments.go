package check

import (
	"cmp"
	"slices"

	"github.com/anishathalye/porcupine"

	"flashsale/test/buyers/history"
)

// builder turns evidence into the histories of both models. Redis's clock is the machine's, so created_at is the moment
// of a taking, and the record of the batch tells the order within the millisecond; checkInvocations sees to it that the
// moment lies inside the press. A return counts from the moment it could first have happened, because in both models an
// earlier return never explains less.
type builder struct {
	e       *Evidence
	rows    map[string]*Row
	stock   map[item][]porcupine.Operation
	buyers  map[ownerOf][]porcupine.Operation
	moments map[string]int64 // when each order was taken
}

type ownerOf struct{ sale, sku, buyer string }

func newBuilder(e *Evidence) *builder {
	b := &builder{e: e, rows: e.rowsByID(), stock: map[item][]porcupine.Operation{},
		buyers: map[ownerOf][]porcupine.Operation{}, moments: moments(e)}
	for i := range e.Rows {
		b.take(&e.Rows[i])
	}
	e.buys(func(op *history.Op) {
		id := op.Order().Order
		switch {
		case id != "" && b.rows[id] == nil || perhaps(op):
			b.maybe(op)
		case id == "":
			b.refusal(op)
		}
	})
	b.giveBacks()
	return b
}

// moments gives every row its moment: its millisecond, and within it the place in its batch.
func moments(e *Evidence) map[string]int64 {
	place := map[string]int{}
	for _, batch := range e.Batches {
		for _, id := range batch.Orders {
			if _, known := place[id]; !known {
				place[id] = len(place)
			}
		}
	}
	order := make([]*Row, len(e.Rows))
	for i := range e.Rows {
		order[i] = &e.Rows[i]
	}
	slices.SortStableFunc(order, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(a.CreatedMS, b.CreatedMS), cmp.Compare(place[a.Order], place[b.Order]))
	})
	at := make(map[string]int64, len(order))
	var last int64
	for _, row := range order {
		last = min(max(row.CreatedMS*1000, last+1), row.CreatedMS*1000+999)
		at[row.Order] = last
	}
	return at
}

// take adds the taking of an order. One that was refused later was taken by a Redis that forgot.
func (b *builder) take(row *Row) {
	do := step{took, int64(row.Quantity), 0}
	if row.Status == "refused" {
		do.verb = ghost
	}
	b.add(row.Sale, row.SKU, row.Buyer, do, b.moments[row.Order])
}

// maybe adds what a press that left no row may have done to a Redis that forgot it.
func (b *builder) maybe(op *history.Op) {
	if named := op.Named; named != "" && b.rows[named] != nil {
		return
	}
	end := op.Return
	if end == 0 {
		end = op.Invoke
	}
	if anyHits(b.e.Losses, op.Invoke, end) {
		b.add(op.Sale, op.SKU, op.Buyer, step{ghost, int64(max(op.Quantity, 1)), 0}, op.Invoke)
	}
}

func (b *builder) refusal(op *history.Op) {
	units := int64(max(op.Quantity, 1))
	of := item{op.Sale, op.SKU}
	switch op.Code {
	case "sold_out":
		b.stock[of] = append(b.stock[of], operation(step{soldOut, units, 0}, b.stale(op), op.Return))
	case "not_enough":
		b.stock[of] = append(b.stock[of], operation(step{fewer, units, op.Available}, millisecond(op.Invoke), op.Return))
	case "already_bought":
		who := ownerOf{op.Sale, op.SKU, op.Buyer}
		b.buyers[who] = append(b.buyers[who], operation(step{bought, units, int64(op.Bought)}, millisecond(op.Invoke), op.Return))
	}
}

// millisecond is the last moment before the millisecond of a moment: what was taken in it has its beginning for its moment,
// and may have been taken after a question that came within it.
func millisecond(us int64) int64 { return us - us%1000 - 1 }

// stale is the earliest moment of which a refusal of a gateway that looks at the stock now and then may speak: its last
// look, and before anything broke that kept it from looking.
func (b *builder) stale(op *history.Op) int64 {
	from := op.Invoke - latchLookUS
	for range b.e.Outages {
		before := from
		for _, o := range b.e.Outages {
			if o.Hits(from, op.Return) {
				from = min(from, o.FromUS-latchLookUS)
			}
		}
		if from == before {
			break
		}
	}
	return from
}

// giveBacks adds the return of units: between the first cancel that was asked and the first that was answered; of others
// only the result is known.
func (b *builder) giveBacks() {
	asked, answered := map[string]int64{}, map[string]int64{}
	for i := range b.e.Ops {
		op := &b.e.Ops[i]
		if op.Verb != history.Cancel && op.Verb != history.ShopCancel {
			continue
		}
		if _, known := asked[op.Question.Order]; !known {
			asked[op.Question.Order] = op.Invoke
		}
		if _, known := answered[op.Question.Order]; !known && op.End == history.OK {
			answered[op.Question.Order] = op.Return
		}
	}
	for i := range b.e.Rows {
		row := &b.e.Rows[i]
		if !row.returned() {
			continue
		}
		from := b.moments[row.Order] + 1
		if row.Status == "cancelled" {
			from = max(from, asked[row.Order])
		}
		units := int64(row.Quantity)
		b.add(row.Sale, row.SKU, row.Buyer, step{gave, units, 0}, from)
		decided := max(from, answered[row.Order], (row.UpdatedMS+1)*1000) // by the database's clock, the machine's too
		b.add(row.Sale, row.SKU, row.Buyer, step{arrived, units, 0}, b.settled(decided))
	}
}

// settled is the moment by which what was decided has certainly reached Redis: a while after it, and after whatever was
// broken in that while.
func (b *builder) settled(decided int64) int64 {
	moment := decided + arrivalUS
	for range b.e.Outages {
		before := moment
		for _, o := range b.e.Outages {
			if o.Hits(decided, moment) {
				moment = max(moment, o.ToUS+arrivalUS)
			}
		}
		if moment == before {
			break
		}
	}
	return moment
}

func (b *builder) add(sale, sku, buyer string, do step, moment int64) {
	if _, ours := b.e.Sales[sale]; !ours {
		return
	}
	of, who := item{sale, sku}, ownerOf{sale, sku, buyer}
	b.stock[of] = append(b.stock[of], operation(do, moment, moment))
	b.buyers[who] = append(b.buyers[who], operation(do, moment, moment))
}

func operation(do step, from, until int64) porcupine.Operation {
	return porcupine.Operation{Input: do, Call: from, Return: max(from, until)}
}
