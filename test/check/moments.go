package check

import (
	"cmp"
	"slices"

	"github.com/anishathalye/porcupine"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// builder turns evidence into the histories of both models. Redis's clock is the machine's, so created_at is the moment of
// a taking, and the record of the batch has the order within the millisecond; checkInvocations ensures that the moment is
// inside the press. A return counts from the first moment at which it could have happened, because in both models an
// earlier return never explains less.
type builder struct {
	e       *Evidence
	rows    map[string]*Row
	stock   map[item][]porcupine.Operation
	buyers  map[ownerOf][]porcupine.Operation
	moments map[string]int64 // when each order was taken
}

// ownerOf names a buyer of a SKU, or of a sale when sku is empty.
type ownerOf struct{ sale, sku, buyer string }

func (o ownerOf) String() string {
	if o.sku == "" {
		return o.sale + "/" + o.buyer
	}
	return o.sale + "/" + o.sku + "/" + o.buyer
}

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
	b.stockChanges()
	return b
}

// moments returns the moment of every row: its millisecond, and within it the position in its batch.
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

// take adds the taking of an order. An order that was refused later was taken by a Redis that lost it.
func (b *builder) take(row *Row) {
	verb := took
	if row.Status == "refused" {
		verb = ghost
	}
	b.add(row.Sale, row.Buyer, verb, row.Lines, b.moments[row.Order])
}

// maybe adds the possible effect of a press without a row on a Redis that lost it.
func (b *builder) maybe(op *history.Op) {
	if named := op.Named; named != "" && b.rows[named] != nil {
		return
	}
	end := op.Return
	if end == 0 {
		end = op.Invoke
	}
	if anyHits(b.e.Losses, op.Invoke, end) {
		b.add(op.Sale, op.Buyer, ghost, op.Wanted(), op.Invoke)
	}
}

func (b *builder) refusal(op *history.Op) {
	of := item{op.Sale, op.AtFault()}
	units := int64(op.Of(of.sku))
	switch op.Code {
	case "sold_out":
		b.stock[of] = append(b.stock[of], operation(step{soldOut, units, 0}, b.stale(op), op.Return))
	case "not_enough":
		b.stock[of] = append(b.stock[of], operation(step{fewer, units, op.Available}, millisecond(op.Invoke), op.Return))
	case "already_bought":
		who := ownerOf{op.Sale, of.sku, op.Buyer}
		if op.Scope == string(sale.ScopeSale) {
			who.sku, units = "", int64(history.Units(op.Wanted()))
		}
		b.buyers[who] = append(b.buyers[who], operation(step{bought, units, int64(op.Bought)}, millisecond(op.Invoke), op.Return))
	}
}

// millisecond returns the last moment before the millisecond of a moment: a taking is dated to the beginning of its
// millisecond, and may have happened after a question of the same millisecond.
func millisecond(us int64) int64 { return us - us%1000 - 1 }

// stale returns the earliest moment whose stock a refusal may reflect: the gateway's last look, or the moment before a
// fault that kept the gateway from looking.
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

// giveBacks adds the return of units: between the first cancel that was asked and the first that was answered; when neither
// exists, from the result alone.
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
		b.add(row.Sale, row.Buyer, gave, row.Lines, from)
		decided := max(from, answered[row.Order], (row.UpdatedMS+1)*1000) // by the database's clock, the machine's too
		b.add(row.Sale, row.Buyer, arrived, row.Lines, b.settled(decided))
	}
}

// settled returns the moment by which a decision has certainly reached Redis: a fixed time later, and later than any outage
// in that time.
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

// stockChanges adds what the operator did to the stock: units that were added may be for sale from the request on and are a
// while after the answer; of units that were taken back none may be left from the request on, and none is after the answer.
func (b *builder) stockChanges() {
	for _, c := range b.e.Changes {
		of := item{c.Sale, c.SKU}
		steps := []porcupine.Operation{operation(step{gave, c.Units, 0}, c.FromUS, c.FromUS),
			operation(step{arrived, c.Units, 0}, b.settled(c.ToUS), 0)}
		if c.Units < 0 {
			steps = []porcupine.Operation{operation(step{ghost, -c.Units, 0}, c.FromUS, c.FromUS),
				operation(step{taken, -c.Units, 0}, c.ToUS, c.ToUS)}
		}
		b.stock[of] = append(b.stock[of], steps...)
	}
}

// add adds a step of every line, all at one moment, to the SKUs and to the buyer's shares of them and of the sale.
func (b *builder) add(saleID, buyer string, do verb, lines []history.Line, moment int64) {
	of, ours := b.e.Sales[saleID]
	if !ours {
		return
	}
	own := func(sku string, units int64) {
		who := ownerOf{saleID, sku, buyer}
		b.buyers[who] = append(b.buyers[who], operation(step{do, units, 0}, moment, moment))
	}
	for _, line := range lines {
		at, units := item{saleID, line.SKU}, int64(line.Quantity)
		b.stock[at] = append(b.stock[at], operation(step{do, units, 0}, moment, moment))
		own(line.SKU, units)
	}
	if of.SaleLimit > 0 {
		own("", int64(history.Units(lines)))
	}
}

func operation(do step, from, until int64) porcupine.Operation {
	return porcupine.Operation{Input: do, Call: from, Return: max(from, until)}
}
