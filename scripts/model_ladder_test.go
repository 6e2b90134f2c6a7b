package scripts

import (
	"fmt"
	"slices"

	"flashsale/sale"
)

// modelPurchase is a purchase to decide, and what the decision depends on.
type modelPurchase struct {
	*sale.Purchase
	id        sale.OrderID
	window    string
	full      bool
	grief     sale.Grief
	now       int64
	journal   []modelJournal // before the call
	journaled int64          // before the call
}

// ladder decides one purchase: the first rule that applies.
func (m *stockModel) ladder(p *modelPurchase) string {
	entries := m.buyers[p.Buyer]
	if at := slices.IndexFunc(entries, func(e buyerEntry) bool { return e.orderID == p.id }); at >= 0 {
		return fmt.Sprintf("A %d %d", entries[at].sequence, m.created(entries[at]))
	}
	switch {
	case p.window != "":
		return "W"
	case p.full:
		return "J"
	}
	for _, rule := range []func(*modelPurchase) string{m.replay, m.overLimit, m.alreadyBought, m.tooMany, m.unavailable} {
		if verdict := rule(p); verdict != "" {
			return verdict
		}
	}
	return "T"
}

func (m *stockModel) replay(p *modelPurchase) string {
	at := slices.IndexFunc(m.buyers[p.Buyer], func(e buyerEntry) bool { return p.Key != "" && e.key == p.Key })
	if at < 0 {
		return ""
	}
	same := m.buyers[p.Buyer][at]
	if !sameNumbers(same.lines, p.Lines) {
		return "K " + base36(same.orderID)
	}
	kept := slices.ContainsFunc(p.journal, func(j modelJournal) bool { return j.epoch == m.epoch && j.seq == same.sequence })
	kept = kept && p.journaled > 0 || same.sequence == m.seq+1
	return fmt.Sprintf("R %s %d %d %s", base36(same.orderID), same.sequence, m.created(same), flag(kept))
}

// sameNumbers is sale.SameLines for lines that have numbers and may lack SKUs.
func sameNumbers(a, b []sale.Line) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(l sale.Line) bool {
		return !slices.ContainsFunc(b, func(o sale.Line) bool { return o.Number == l.Number && o.Quantity == l.Quantity })
	})
}

func (m *stockModel) overLimit(p *modelPurchase) string {
	for i, line := range p.Lines {
		if limit := m.shelves[line.SKU].limit; line.Quantity > limit {
			return fmt.Sprintf("L %d %d", i+1, limit)
		}
	}
	if m.saleLimit > 0 && sale.UnitsOf(p.Lines) > m.saleLimit {
		return fmt.Sprintf("l %d", m.saleLimit)
	}
	return ""
}

func (m *stockModel) alreadyBought(p *modelPurchase) string {
	for i, line := range p.Lines {
		limit := m.shelves[line.SKU].limit
		if bought, latest := m.bought(p.Buyer, line.Number); bought+line.Quantity > limit {
			return fmt.Sprintf("B %d %d %d %s", i+1, limit, bought, base36(latest))
		}
	}
	bought, latest := m.bought(p.Buyer, 0)
	if m.saleLimit > 0 && bought+sale.UnitsOf(p.Lines) > m.saleLimit {
		return fmt.Sprintf("b %d %d %s", m.saleLimit, bought, base36(latest))
	}
	if entries := m.buyers[p.Buyer]; len(entries) >= sale.MaxBuyerOrders {
		return fmt.Sprintf("b %d %d %s", sale.MaxBuyerOrders, len(entries), base36(entries[len(entries)-1].orderID))
	}
	return ""
}

// bought returns a buyer's units of the item with the number, or of all items for 0, and the latest order of them.
func (m *stockModel) bought(buyer string, number int) (units int, latest sale.OrderID) {
	for _, e := range m.buyers[buyer] {
		if n := e.unitsOf(number); n > 0 && !e.released {
			units, latest = units+n, e.orderID
		}
	}
	return units, latest
}

// unitsOf returns the entry's units of the item with the number, or of all items for 0.
func (e *buyerEntry) unitsOf(number int) (units int) {
	for _, line := range e.lines {
		if number == 0 || line.Number == number {
			units += line.Quantity
		}
	}
	return units
}

// mostReleased returns how many released orders of one SKU a buyer has, of the SKU with the most.
func (m *stockModel) mostReleased(buyer string) (most int) {
	count := map[int]int{}
	for _, e := range m.buyers[buyer] {
		for _, line := range e.lines {
			if e.released {
				count[line.Number]++
				most = max(most, count[line.Number])
			}
		}
	}
	return most
}

// tooMany refuses a buyer with too many released orders of a SKU, and with a key of any SKU.
func (m *stockModel) tooMany(p *modelPurchase) string {
	for i, line := range p.Lines {
		released, recent := 0, 0
		for _, e := range m.buyers[p.Buyer] {
			if !e.released || e.unitsOf(line.Number) == 0 {
				continue
			}
			if released++; m.made(e) >= p.now-1000*p.grief.WindowS {
				recent++
			}
		}
		switch {
		case p.grief.Unpaid > 0 && recent >= p.grief.Unpaid:
			return fmt.Sprintf("C %d %d %d", i+1, p.grief.Unpaid, recent)
		case released >= sale.MaxReleased:
			return fmt.Sprintf("C %d %d %d", i+1, sale.MaxReleased, released)
		}
	}
	if most := m.mostReleased(p.Buyer); p.Key != "" && most >= sale.MaxReleased {
		return fmt.Sprintf("C 1 %d %d", sale.MaxReleased, most)
	}
	return ""
}

// made returns when an order was made, by its id if the database has it.
func (m *stockModel) made(e buyerEntry) int64 {
	if e.sequence == 0 {
		return int64(float64(e.orderID)/(1<<22)) + sale.IDEpoch
	}
	return m.base + e.sinceMS
}

func (m *stockModel) unavailable(p *modelPurchase) string {
	for i, line := range p.Lines {
		switch left := m.shelves[line.SKU].available; {
		case left == 0:
			return fmt.Sprintf("S %d", i+1)
		case left < int64(line.Quantity):
			return fmt.Sprintf("E %d %d", i+1, left)
		}
	}
	return ""
}
