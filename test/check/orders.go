package check

import (
	"slices"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// checkOversell: the units of confirmed and paid rows never exceed what was loaded, at rest and at every moment that was
// observed.
func checkOversell(e *Evidence, r *report) {
	standing := e.standing()
	for of, units := range standing {
		if loaded := e.Sales[of.sale].Loaded[of.sku]; units > loaded {
			r.fault("%s/%s: %d units in standing rows, %d were loaded", of.sale, of.sku, units, loaded)
		}
	}
	for _, p := range e.Peaks {
		if loaded := e.mostLoaded(p.Sale, p.SKU); p.Units > loaded {
			r.fault("%s/%s: %d units in standing rows at one moment, %d were loaded", p.Sale, p.SKU, p.Units, loaded)
		}
	}
	r.count("rows", len(e.Rows))
}

func (e *Evidence) standing() map[item]int64 {
	units := map[item]int64{}
	for i := range e.Rows {
		if row := &e.Rows[i]; row.takesUnits() {
			for _, line := range row.Lines {
				units[item{row.Sale, line.SKU}] += int64(line.Quantity)
			}
		}
	}
	return units
}

// checkLost: every promised order has its row, as asked for. It may be refused only when Redis may have lost it, and a
// held one may be gone only then.
func checkLost(e *Evidence, r *report) {
	rows := e.rowsByID()
	e.buys(func(op *history.Op) {
		shown := op.Order()
		if shown.Order == "" {
			return
		}
		r.count("promises", 1)
		row := rows[shown.Order]
		switch {
		case row == nil && shown.Status == "held" && e.mayVanish(shown.Order, row, op):
			r.count("held orders lost with Redis", 1)
		case row == nil:
			r.fault("order %s of %s was answered %s (operation %d) and has no row", shown.Order, op.Buyer, shown.Status, op.N)
		case row.Buyer != op.Buyer || row.Sale != op.Sale || row.text() != linesOf(&op.Question) || row.Key != op.Key:
			r.fault("order %s is %+v, but %s asked for %s of %s with key %q", shown.Order, *row, op.Buyer,
				linesOf(&op.Question), op.Sale, op.Key)
		case shown.Lines != nil && !samePrices(shown.Lines, row.Lines):
			r.fault("order %s was answered with %v (operation %d) and has %v", shown.Order, shown.Lines, op.N, row.Lines)
		case row.Status == "refused" && e.mayBeRefused(shown.Order, row, op):
			r.count("promised orders refused after a loss", 1)
		case row.Status == "refused":
			r.fault("order %s of %s was answered %s and then refused (%s), though Redis lost nothing", shown.Order, op.Buyer,
				shown.Status, row.Reason)
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

// text is the row's lines, whatever their order.
func (r *Row) text() string { return history.LinesText(bySKU(r.Lines)) }

// samePrices reports whether two orders have the same lines at the same prices, in any order.
func samePrices(a, b []history.Line) bool { return slices.Equal(bySKU(a), bySKU(b)) }

// checkLimit: no buyer owns more of a SKU than its limit, nor more of the sale than the sale's.
func checkLimit(e *Evidence, r *report) {
	units := map[ownerOf]int{}
	own := func(who ownerOf, more, limit int) {
		if units[who] += more; units[who] > limit {
			r.fault("%s has %d units, the limit is %d", who, units[who], limit)
		}
	}
	for i := range e.Rows {
		row := &e.Rows[i]
		if !row.takesUnits() {
			continue
		}
		of := e.Sales[row.Sale]
		for _, line := range row.Lines {
			own(ownerOf{row.Sale, line.SKU, row.Buyer}, line.Quantity, of.LimitOf(line.SKU))
		}
		if of.SaleLimit > 0 {
			own(ownerOf{row.Sale, "", row.Buyer}, history.Units(row.Lines), of.SaleLimit)
		}
	}
	r.count("owners", len(units))
}

// press has the members by which a press explains a row.
type press struct{ sale, buyer, key, lines string }

// checkInvocations: an order that a refusal names is the buyer's own. Every row has a press that named it, or one that ended
// in perhaps, each of which can explain one row, and the press began no later than the order was taken.
func checkInvocations(e *Evidence, r *report) {
	named, rows := map[string]bool{}, e.rowsByID()
	open := map[press][]*history.Op{}
	e.buys(func(op *history.Op) {
		if shown := op.Order(); shown.Order != "" {
			named[shown.Order] = true
			if row := rows[shown.Order]; row != nil && op.Return < row.CreatedMS*1000 {
				r.fault("order %s was answered at %d us (operation %d), taken at %d ms", shown.Order, op.Return, op.N,
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
			p := press{op.Sale, op.Buyer, op.Key, linesOf(&op.Question)}
			open[p] = append(open[p], op)
		}
	})
	for i := range e.Rows {
		row := &e.Rows[i]
		if named[row.Order] || e.ClockBack {
			continue
		}
		p := press{row.Sale, row.Buyer, row.Key, row.text()}
		if !take(open, p, row.CreatedMS) {
			r.fault("no press asked for order %s: %+v", row.Order, *row)
		}
	}
}

// ownOrder checks the order that a refusal names. It may have no row only when Redis may have lost it.
func (e *Evidence) ownOrder(op *history.Op, row *Row, r *report) {
	switch {
	case row == nil && (len(e.Losses) > 0 || e.Fates[op.Named].MayVanish):
		r.count("refusals that name a lost order", 1)
	case row == nil || row.Buyer != op.Buyer || row.Sale != op.Sale || !row.concerns(op):
		r.fault("%s was named order %s (operation %d, %s), which is not theirs: %+v", op.Buyer, op.Named, op.N, op.Code, row)
	}
}

// concerns reports whether a refusal may name the row: a used key and a limit of the sale concern every order of the buyer,
// a limit of a SKU those with the SKU.
func (r *Row) concerns(op *history.Op) bool {
	if op.Code == sale.OutcomeKeyReused.String() || op.Scope == string(sale.ScopeSale) {
		return true
	}
	return slices.ContainsFunc(r.Lines, func(line history.Line) bool { return line.SKU == op.AtFault() })
}

// take removes one open press that began before the order was taken.
func take(open map[press][]*history.Op, p press, createdMS int64) bool {
	for i, op := range open[p] {
		if op.Invoke/1000 <= createdMS {
			open[p] = append(open[p][:i:i], open[p][i+1:]...)
			return true
		}
	}
	return false
}
