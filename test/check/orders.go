package check

import (
	"flashsale/test/buyers/history"
)

// checkOversell: rows that stand never exceed what was loaded, at rest and at every moment that was looked at.
func checkOversell(e *Evidence, r *report) {
	standing := e.standing()
	for of, units := range standing {
		if loaded := e.Sales[of.sale].Loaded[of.sku]; units > loaded {
			r.fault("%s/%s: %d units in standing rows, %d were loaded", of.sale, of.sku, units, loaded)
		}
	}
	for _, p := range e.Peaks {
		if loaded := e.Sales[p.Sale].Loaded[p.SKU]; p.Units > loaded {
			r.fault("%s/%s: %d units in standing rows at one moment, %d were loaded", p.Sale, p.SKU, p.Units, loaded)
		}
	}
	r.count("rows", len(e.Rows))
}

func (e *Evidence) standing() map[item]int64 {
	units := map[item]int64{}
	for i := range e.Rows {
		if row := &e.Rows[i]; row.stands() {
			units[item{row.Sale, row.SKU}] += int64(row.Quantity)
		}
	}
	return units
}

// checkLost: every promised order has its row, as asked for. It may be refused only when Redis may have lost it, and a
// held one may be gone only then.
func checkLost(e *Evidence, r *report) {
	rows := e.rowsByID()
	e.buys(func(op *history.Op) {
		told := op.Order()
		if told.Order == "" {
			return
		}
		r.count("promises", 1)
		row := rows[told.Order]
		switch {
		case row == nil && told.Status == "held" && e.mayVanish(told.Order, row, op):
			r.count("held orders lost with Redis", 1)
		case row == nil:
			r.fault("order %s of %s was answered %s (operation %d) and has no row", told.Order, op.Buyer, told.Status, op.N)
		case row.Buyer != op.Buyer || row.Sale != op.Sale || row.SKU != op.SKU || row.Quantity != max(op.Quantity, 1) ||
			row.Key != op.Key:
			r.fault("order %s is %+v, but %s asked for %d of %s/%s with key %q", told.Order, *row, op.Buyer, op.Quantity, op.Sale,
				op.SKU, op.Key)
		case row.Status == "refused" && e.mayBeRefused(told.Order, row, op):
			r.count("promised orders refused after a loss", 1)
		case row.Status == "refused":
			r.fault("order %s of %s was answered %s and then refused (%s), though Redis lost nothing", told.Order, op.Buyer,
				told.Status, row.Reason)
		}
	})
	if e.Calm {
		for i := range e.Rows {
			if row := &e.Rows[i]; row.Status == "refused" {
				r.fault("order %s of %s was refused (%s), though no store lost anything", row.Order, row.Buyer, row.Reason)
			}
		}
	}
}

// checkLimit: no buyer owns more than the limit.
func checkLimit(e *Evidence, r *report) {
	units := map[string]int{}
	for i := range e.Rows {
		row := &e.Rows[i]
		if !row.stands() {
			continue
		}
		units[e.owner(row)] += row.Quantity
		if limit := e.Sales[row.Sale].Limit; units[e.owner(row)] > limit {
			r.fault("%s has %d units, the limit is %d", e.owner(row), units[e.owner(row)], limit)
		}
	}
	r.count("owners", len(units))
}

// press is what has to explain a row.
type press struct {
	sale, sku, buyer, key string
	quantity              int
}

// checkInvocations: an order that a refusal names is the buyer's own. Every row has a press that named it, or one that ended
// in perhaps, each of which can explain one row, and the press began no later than the order was taken.
func checkInvocations(e *Evidence, r *report) {
	named, rows := map[string]bool{}, e.rowsByID()
	open := map[press][]*history.Op{}
	e.buys(func(op *history.Op) {
		if told := op.Order(); told.Order != "" {
			named[told.Order] = true
			if row := rows[told.Order]; row != nil && op.Return < row.CreatedMS*1000 {
				r.fault("order %s was answered at %d us (operation %d), taken at %d ms", told.Order, op.Return, op.N,
					row.CreatedMS)
			}
		}
		switch {
		case op.Named == "":
		case op.Code == "unknown":
			named[op.Named] = true // perhaps, but by name
		default:
			e.ownOrder(op, rows[op.Named], r)
		}
		if perhaps(op) {
			p := press{op.Sale, op.SKU, op.Buyer, op.Key, max(op.Quantity, 1)}
			open[p] = append(open[p], op)
		}
	})
	for i := range e.Rows {
		row := &e.Rows[i]
		if named[row.Order] || e.ClockBack {
			continue
		}
		p := press{row.Sale, row.SKU, row.Buyer, row.Key, row.Quantity}
		if !take(open, p, row.CreatedMS) {
			r.fault("nobody pressed for order %s: %+v", row.Order, *row)
		}
	}
}

// ownOrder checks the order that a refusal names. It may have no row only when Redis may have lost it.
func (e *Evidence) ownOrder(op *history.Op, row *Row, r *report) {
	switch {
	case row == nil && (len(e.Losses) > 0 || e.Fates[op.Named].MayVanish):
		r.count("refusals that name a lost order", 1)
	case row == nil || row.Buyer != op.Buyer || row.Sale != op.Sale || row.SKU != op.SKU:
		r.fault("%s was told of order %s (operation %d, %s), which is not theirs: %+v", op.Buyer, op.Named, op.N, op.Code, row)
	}
}

// take uses up one open press that was made before the order was.
func take(open map[press][]*history.Op, p press, createdMS int64) bool {
	for i, op := range open[p] {
		if op.Invoke/1000 <= createdMS {
			open[p] = append(open[p][:i:i], open[p][i+1:]...)
			return true
		}
	}
	return false
}
