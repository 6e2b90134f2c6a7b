package gateway

import (
	"flashsale/sale"
	"flashsale/tracing"
)

// press is what is known of a press of Buy when it has been answered.
type press struct {
	pressed bool      // false: the request is another one
	live    *liveSale // nil when the path has no sale, or no SKU of it, that buyers see
	outcome sale.Outcome
	orderID sale.OrderID // 0: it has none
	batchID sale.OrderID // of the batch that took its units, 0 when none did or another press did
	trace   *sale.PurchaseTrace
}

// begin notes that the request is a press, and begins the trace of a sampled one.
func (p *press) begin(span *tracing.Span) {
	if p.pressed = true; span != nil {
		p.trace = &sale.PurchaseTrace{Span: span.Context()}
	}
}
