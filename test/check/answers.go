package check

import (
	"slices"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// checkWhole: an order has one to twenty lines of distinct SKUs, each with a unit or more, and its row has their sums.
func checkWhole(e *Evidence, r *report) {
	for i := range e.Rows {
		row := &e.Rows[i]
		skus := map[string]bool{}
		units, total := 0, int64(0)
		for _, line := range row.Lines {
			if skus[line.SKU] || line.Quantity < 1 {
				r.fault("order %s has the lines %v", row.Order, row.Lines)
			}
			skus[line.SKU] = true
			units, total = units+line.Quantity, total+int64(line.Quantity)*line.UnitPriceCents
		}
		if len(row.Lines) == 0 || len(row.Lines) > sale.MaxLines {
			r.fault("order %s has %d lines", row.Order, len(row.Lines))
		}
		if is := (Sums{len(row.Lines), units, total}); row.Sums != nil && *row.Sums != is {
			r.fault("order %s: its row says %+v, its lines are %v", row.Order, *row.Sums, row.Lines)
		}
		r.count("lines", len(row.Lines))
	}
	e.buys(func(op *history.Op) {
		shown := op.Order()
		total := int64(0)
		for _, line := range shown.Lines {
			total += int64(line.Quantity) * line.UnitPriceCents
		}
		if shown.Lines != nil && total != shown.TotalCents {
			r.fault("order %s was answered with %d cents in all (operation %d) for %v", shown.Order, shown.TotalCents, op.N,
				shown.Lines)
		}
	})
}

// ofLine are the refusals that concern one line.
var ofLine = []string{
	sale.OutcomeSoldOut.String(), sale.OutcomeNotEnough.String(), sale.OutcomeTooManyCancellations.String(),
	sale.OutcomeOverLimit.String(), sale.OutcomeAlreadyBought.String(),
}

// checkRefusals: a refusal that concerns a line names a SKU that was asked for. One for a limit says whose limit it is, and
// the limit is indeed too low for the press; one for the sale's limit names no SKU.
func checkRefusals(e *Evidence, r *report) {
	if e.Wordless {
		return
	}
	e.buys(func(op *history.Op) {
		of, ours := e.Sales[op.Sale]
		if !ours || op.End != history.Refused || !slices.Contains(ofLine, op.Code) {
			return
		}
		r.count("refusals of a line", 1)
		asked, limit := op.Of(op.NamedSKU), of.LimitOf(op.NamedSKU)
		limited := op.Code == sale.OutcomeOverLimit.String() || op.Code == sale.OutcomeAlreadyBought.String()
		switch {
		case limited && op.Scope == string(sale.ScopeSale):
			asked, limit = history.Units(op.Wanted()), of.SaleLimit
			if op.NamedSKU != "" || limit == 0 {
				r.fault("%s was refused for the sale's limit (operation %d): SKU %q, limit %d", op.Buyer, op.N, op.NamedSKU,
					limit)
			}
		case limited && op.Scope != string(sale.ScopeSKU):
			r.fault("%s was refused (operation %d, %s) with the scope %q", op.Buyer, op.N, op.Code, op.Scope)
		case asked == 0:
			r.fault("%s was refused (operation %d, %s) for SKU %q and asked for %s", op.Buyer, op.N, op.Code, op.NamedSKU,
				linesOf(&op.Question))
		}
		if op.Code == sale.OutcomeOverLimit.String() && asked <= limit ||
			op.Code == sale.OutcomeAlreadyBought.String() && asked+op.Bought <= limit {
			r.fault("%s asked for %d, has %d, and was refused (operation %d, %s): the limit is %d", op.Buyer, asked, op.Bought,
				op.N, op.Code, limit)
		}
	})
}
