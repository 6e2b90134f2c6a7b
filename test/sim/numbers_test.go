package sim

import (
	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// numbered checks the numbers of the refusals: the limit is that of the scope, what the buyer has is within it, and the units
// that are left are fewer than asked for.
func (j *judge) numbered() {
	for _, p := range j.crowd.presses {
		if !p.perhaps && !j.refuses(p) {
			j.watch.fault("%s asked for %v, the answer does not refuse that: %+v", p.buyer, p.lines, p.Answer)
		}
	}
}

// refuses reports whether the numbers of an answer are a reason to refuse a press. Other answers have none.
func (j *judge) refuses(p *press) bool {
	units, limit := history.Units(p.lines), j.shape.saleLimit
	if p.Scope != sale.ScopeSale {
		of := j.shape.definition()
		units, limit = 0, of.LimitOf(p.SKU)
		for _, line := range p.lines {
			if line.SKU == p.SKU {
				units = line.Quantity
			}
		}
	}
	switch p.Outcome {
	case sale.OutcomeOverLimit:
		return p.Limit == limit && units > limit
	case sale.OutcomeAlreadyBought:
		return p.Limit == limit && p.Bought <= limit && p.Bought+units > limit
	case sale.OutcomeNotEnough:
		return p.Available > 0 && p.Available < int64(units)
	case sale.OutcomeSoldOut, sale.OutcomeTooManyCancellations:
		return units > 0
	}
	return true
}
