package check

import (
	"slices"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// checkRefusals: a refusal for the sake of a limit or of the stock names a line of the purchase, or the whole sale, and its
// numbers refuse that purchase. An answer with an order shows the lines that the buyer asked for.
func checkRefusals(e *Evidence, r *report) {
	e.buys(func(op *history.Op) {
		if shown := op.Order(); shown.Order != "" && !history.Same(shown.Lines, op.Wants()) {
			r.fault("%s asked for %v (operation %d) and was shown an order of %v", op.Buyer, op.Wants(), op.N, shown.Lines)
		}
		of, known := e.Sales[op.Sale]
		if op.End == history.Refused && known && aboutLines(op.Code) && !refuses(&of, op) {
			r.fault("%s asked for %v (operation %d), the answer does not refuse that: %+v", op.Buyer, op.Wants(), op.N, op.Answer)
		}
	})
}

// aboutLines reports whether a refusal is for the sake of a line or a limit.
func aboutLines(code string) bool {
	return slices.Contains([]string{
		sale.OutcomeOverLimit.String(), sale.OutcomeAlreadyBought.String(), sale.OutcomeTooManyCancellations.String(),
		sale.OutcomeNotEnough.String(), sale.OutcomeSoldOut.String(),
	}, code)
}

// refuses reports whether the answer gives a reason to refuse what was asked.
func refuses(of *Sale, op *history.Op) bool {
	units, limit := history.UnitsOf(op.Wants(), op.Of), of.SaleLimit
	if op.Scope != string(sale.ScopeSale) {
		limit = of.limitOf(op.Of)
		if op.Of == "" || units == 0 {
			return false // no line of the purchase
		}
	} else if op.Of != "" {
		return false
	}
	scoped := op.Scope == string(sale.ScopeSKU) || op.Scope == string(sale.ScopeSale)
	switch op.Code {
	case sale.OutcomeOverLimit.String():
		return scoped && op.Limit == limit && units > limit
	case sale.OutcomeAlreadyBought.String():
		return scoped && op.Limit == limit && op.Bought <= limit && op.Bought+units > limit
	case sale.OutcomeNotEnough.String():
		return op.Available > 0 && op.Available < int64(units)
	}
	return true
}
