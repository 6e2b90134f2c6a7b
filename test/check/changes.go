package check

import (
	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// changeOf names a stock change.
type changeOf struct{ sale, sku, key string }

// mostLoaded returns the most units of a SKU that may have been loaded at one moment: those at rest and those that the operator
// took back.
func (e *Evidence) mostLoaded(saleID, sku string) int64 {
	units := e.Sales[saleID].Loaded[sku]
	for i := range e.Changes {
		if c := &e.Changes[i]; c.Sale == saleID && c.SKU == sku {
			units -= min(c.Units, 0)
		}
	}
	return units
}

// checkChanges: each stock change that was asked under a key happened once, every answer to it has the units that it added,
// and no change happened that nobody asked for. A raise adds what it asks, a take-back at most that. checkConservation
// compares the units that were loaded.
func checkChanges(e *Evidence, r *report) {
	rows, asked := map[changeOf]*StockChange{}, map[changeOf]bool{}
	for i := range e.Changes {
		c := &e.Changes[i]
		if c.Key == "" {
			continue
		}
		of := changeOf{c.Sale, c.SKU, c.Key}
		if rows[of] != nil {
			r.fault("the stock change %+v is there twice", *c)
		}
		rows[of] = c
		if c.Asked > 0 && c.Units != c.Asked || c.Asked <= 0 && (c.Units > 0 || c.Units < c.Asked) {
			r.fault("the stock change %+v adds what it does not ask", *c)
		}
	}
	for i := range e.Ops {
		op := &e.Ops[i]
		if op.Verb == history.Restock {
			of := changeOf{op.Sale, op.SKU, op.Key}
			row := rows[of]
			asked[of] = asked[of] || row != nil && row.Asked == op.Add
			checkChangeAnswer(op, row, r)
		}
	}
	for of, row := range rows {
		if !asked[of] {
			r.fault("nobody asked for the stock change %+v", *row)
		}
	}
	r.count("stock changes", len(rows))
}

// checkChangeAnswer compares the answer to a stock change with what the database has under its key.
func checkChangeAnswer(op *history.Op, row *StockChange, r *report) {
	reused := op.Code == sale.OutcomeKeyReused.String()
	same := row != nil && row.Asked == op.Add
	switch {
	case op.End == history.OK && !same:
		r.fault("%d units of %s were answered as added (operation %d, key %s), the change is %+v", op.Added, op.SKU, op.N, op.Key,
			row)
	case op.End == history.OK && op.Added != row.Units:
		r.fault("a stock change was answered with %d units added (operation %d): %+v", op.Added, op.N, *row)
	case reused && (row == nil || same):
		r.fault("the key %s was called reused (operation %d), the change is %+v", op.Key, op.N, row)
	}
}
