package check

import "flashsale/test/buyers/history"

// changeOf names a stock change.
type changeOf struct{ sale, sku, key string }

// loaded returns the units of a SKU that are loaded at rest: those of the definition, and those that stock changes added.
func (e *Evidence) loaded(of item) int64 {
	units := e.Sales[of.sale].Loaded[of.sku]
	for i := range e.Changes {
		if c := &e.Changes[i]; c.Sale == of.sale && c.SKU == of.sku {
			units += c.Added
		}
	}
	return units
}

// mostLoaded returns the most units of a SKU that may have been loaded at one moment.
func (e *Evidence) mostLoaded(of item) int64 {
	units := e.Sales[of.sale].Loaded[of.sku]
	for i := range e.Changes {
		if c := &e.Changes[i]; c.Sale == of.sale && c.SKU == of.sku {
			units += max(c.Added, 0)
		}
	}
	return units
}

// checkChanges: each stock change that was asked under a key happened once, every answer to it has the units that it added,
// and no change happened that nobody asked for. A raise adds what it asks, a take-back at most that. checkConservation
// compares the units that were loaded.
func checkChanges(e *Evidence, r *report) {
	rows, asked := map[changeOf]*Change{}, map[changeOf]bool{}
	for i := range e.Changes {
		c := &e.Changes[i]
		of := changeOf{c.Sale, c.SKU, c.Key}
		if rows[of] != nil {
			r.fault("the stock change %+v is there twice", *c)
		}
		rows[of] = c
		if c.Done && c.Asked > 0 && c.Added != c.Asked || c.Asked < 0 && (c.Added > 0 || c.Added < c.Asked) {
			r.fault("the stock change %+v adds what it does not ask", *c)
		}
	}
	for i := range e.Ops {
		op := &e.Ops[i]
		if op.Verb != history.Restock {
			continue
		}
		of := changeOf{op.Sale, op.SKU, op.Key}
		row := rows[of]
		switch {
		case row != nil && row.Asked == op.Add:
			asked[of] = true
			if op.End == history.OK && (!row.Done || op.Added != row.Added) {
				r.fault("a stock change was answered with %d units added (operation %d): %+v", op.Added, op.N, *row)
			}
			if op.Code == keyReused {
				r.fault("the key of the stock change %+v was called reused for the same units (operation %d)", *row, op.N)
			}
		case op.End == history.OK:
			r.fault("%d units of %s were answered as added (operation %d, key %s), the change is %+v", op.Added, op.SKU, op.N,
				op.Key, row)
		case op.Code == keyReused && row == nil:
			r.fault("the key %s was called reused (operation %d) and has no stock change", op.Key, op.N)
		}
	}
	for of, row := range rows {
		if !asked[of] {
			r.fault("nobody asked for the stock change %+v", *row)
		}
	}
	r.count("stock changes", len(rows))
}

// keyReused is the code of a key that belongs to another request.
const keyReused = "idempotency_key_reused"
