package ledger

import (
	"flashsale/sale"
)

// Owner is a buyer in a sale.
type Owner struct{ Sale, Buyer string }

// Bought is what an owner has bought. The lock of the owner's bucket row covers it.
type Bought struct {
	Units map[string]int  // units by SKU of the orders that count towards the limits: confirmed and paid ones
	Keys  map[string]bool // idempotency keys of the orders that are not refused
}

// BoughtBy returns what an owner has bought, for reading and adding to. It is empty if nothing was read.
func (s *State) BoughtBy(o Owner) *Bought {
	bought := s.Bought[o]
	if bought == nil {
		bought = &Bought{Units: map[string]int{}, Keys: map[string]bool{}}
		s.Bought[o] = bought
	}
	return bought
}

// boughtBy returns what an owner has bought, in the state and in this plan, for reading.
func (p *Plan) boughtBy(o Owner) *Bought {
	first := p.firsts[o]
	switch {
	case first != nil:
		bought := p.state.BoughtBy(o)
		bought.add(first)
		delete(p.firsts, o)
		return bought
	case p.state.Bought[o] == nil:
		return &p.nothing
	}
	return p.state.Bought[o]
}

// bought notes an order that is confirmed. Most owners buy once: the plan keeps their order alone.
func (p *Plan) bought(o Owner, order *sale.RecordOrder) {
	if p.state.Bought[o] != nil {
		p.state.Bought[o].add(order)
		return
	}
	if p.firsts == nil {
		p.firsts = map[Owner]*sale.RecordOrder{}
	}
	p.firsts[o] = order
}

// add notes an order that is confirmed.
func (b *Bought) add(o *sale.RecordOrder) {
	for i := range o.Lines {
		b.Units[o.Lines[i].SKU] += o.Lines[i].Quantity
	}
	if o.Key != "" {
		b.Keys[o.Key] = true
	}
}

// total returns the units over all SKUs.
func (b *Bought) total() (units int) {
	for _, n := range b.Units {
		units += n
	}
	return units
}
