package check

import (
	"slices"

	"flashsale/test/buyers/history"
)

// checkLists: a list that was asked for at rest shows exactly the buyer's orders that were not refused: of the sale, or those
// with the SKU.
func checkLists(e *Evidence, r *report) {
	if e.RestUS == 0 {
		return
	}
	rows, owned := e.rowsByID(), map[ownerOf][]string{}
	for i := range e.Rows {
		if row := &e.Rows[i]; row.Status != "refused" {
			all := ownerOf{row.Sale, "", row.Buyer} // the list of the sale
			owned[all] = append(owned[all], row.Order)
			for _, line := range row.Lines {
				who := ownerOf{row.Sale, line.SKU, row.Buyer}
				owned[who] = append(owned[who], row.Order)
			}
		}
	}
	for i := range e.Ops {
		op := &e.Ops[i]
		if op.Verb != history.List || op.Invoke < e.RestUS {
			continue
		}
		r.count("lists", 1)
		if op.End != history.OK {
			r.fault("%s was not answered with a list at rest (operation %d): %d %s", op.Buyer, op.N, op.Status, op.Code)
			continue
		}
		shown := []string{}
		for _, seen := range op.Orders {
			if row := rows[seen.Order]; row == nil || row.Status != "refused" {
				shown = append(shown, seen.Order)
			}
		}
		own := owned[ownerOf{op.Sale, op.SKU, op.Buyer}]
		slices.Sort(shown)
		slices.Sort(own)
		if !slices.Equal(shown, own) {
			r.fault("%s was shown the orders %v of %s/%s and has %v", op.Buyer, shown, op.Sale, op.SKU, own)
		}
	}
}
