package sim

import (
	"flashsale/sale"
	"flashsale/test/memory"
)

// ended reports whether an order with a line of a SKU was cancelled or expired.
func ended(o *memory.Order, sku string) bool {
	return (o.Status == sale.StatusCancelled || o.Status == sale.StatusExpired) && o.Has(sku)
}

// grieved checks that every buyer who was refused for too many cancellations has had as many orders of the SKU that ended so.
func (j *judge) grieved() {
	for _, p := range j.crowd.presses {
		if p.Outcome != sale.OutcomeTooManyCancellations || p.perhaps {
			continue
		}
		j.counter.count("buyers: refused after cancellations", 1)
		had := 0
		for _, o := range j.stored.Orders {
			had += int(oneIf(o.BuyerID == p.buyer && ended(o, p.SKU)))
		}
		if p.Limit < 1 || p.Unpaid < p.Limit || p.Unpaid > had {
			j.watch.fault("%s was refused with %d cancelled or expired orders of %s of at most %d, but has %d", p.buyer, p.Unpaid,
				p.SKU, p.Limit, had)
		}
	}
}

// ungrieved checks that the rule against grief refuses every order beyond it: when enough orders of a buyer and a SKU ended
// within the window, before their time to pay was over, one more is a fault. With a limit of one unit a buyer, Redis has
// applied the end of those orders, unless it lost it.
func (j *judge) ungrieved() {
	if j.shape.grief.Unpaid == 0 || j.shape.ttl == 0 || j.shape.faults > 0 {
		return
	}
	for _, item := range j.stored.Sales[saleID].Items {
		if j.shape.limitOf(&item) > 1 {
			continue
		}
		for _, o := range j.stored.Orders {
			if o.Status != sale.StatusRefused && o.Has(item.SKU) {
				j.beyondGrief(o, item.SKU)
			}
		}
	}
}

// beyondGrief checks one order.
func (j *judge) beyondGrief(o *memory.Order, sku string) {
	rule, count, taken := j.shape.grief, 0, o.CreatedAt.UnixMilli()
	for _, other := range j.stored.Orders {
		at := other.UpdatedAt.UnixMilli()
		if ended(other, sku) && other.BuyerID == o.BuyerID && at <= taken && at >= taken-rule.WindowS*1000 &&
			at <= other.CreatedAt.UnixMilli()+j.shape.ttl*1000 {
			count++
		}
	}
	if count >= rule.Unpaid {
		j.watch.fault("%s was given order %s after %d of %s that ended within %d s", o.BuyerID, o.OrderID, count, sku,
			rule.WindowS)
	}
}

// priced checks that every line of an order has the price of its item.
func (j *judge) priced() {
	of := j.stored.Sales[saleID]
	for _, o := range j.stored.Orders {
		for _, line := range o.Lines {
			if item, known := of.Item(line.SKU); !known || item.PriceCents != line.UnitPriceCents {
				j.watch.fault("order %s has %+v, the item is %+v", o.OrderID, line, item)
			}
		}
	}
}
