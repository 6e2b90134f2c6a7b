package reserve

import (
	"cmp"
	"slices"

	"flashsale/sale"
)

// maxRoundShelves bounds what a round reads: SKUs times buckets. When the waiting purchases name more SKUs, they take turns,
// and a round stays short however many SKUs the sale has.
const maxRoundShelves = 8192

// roundSKUs are the SKUs that a round reads, each with its column.
type roundSKUs struct {
	most    int
	names   []string
	columns map[string]int
}

// chooseSKUs returns the SKUs of a round and the purchases that take part in it, in their order: those of which the round reads
// every SKU. Where it cannot read all, the purchases whose last turn is the longest ago go first.
func (r *rebalancer) chooseSKUs(waiting []*waitingPurchase) (*roundSKUs, []*waitingPurchase) {
	chosen := &roundSKUs{most: max(sale.MaxLines, maxRoundShelves/len(r.buckets)), columns: map[string]int{}}
	if !chosen.addAll(waiting) {
		chosen.dropFrom(0)
		byTurn := slices.Clone(waiting)
		slices.SortStableFunc(byTurn, func(a, b *waitingPurchase) int { return cmp.Compare(a.turn, b.turn) })
		chosen.addAll(byTurn)
	}
	var taking []*waitingPurchase
	for _, p := range waiting {
		if chosen.setColumns(p) {
			p.turn = r.rounds
			taking = append(taking, p)
		}
	}
	return chosen, taking
}

// addAll adds the SKUs of the purchases that fit, and reports whether all do.
func (c *roundSKUs) addAll(waiting []*waitingPurchase) (all bool) {
	all = true
	for _, p := range waiting {
		all = c.add(p) && all
	}
	return all
}

// add adds the SKUs of a purchase, or none of them when they do not fit.
func (c *roundSKUs) add(p *waitingPurchase) bool {
	before := len(c.names)
	for i := range p.lines {
		if !c.addName(p.lines[i].SKU) {
			c.dropFrom(before)
			return false
		}
	}
	return true
}

// addName adds a SKU, and returns false when it does not fit.
func (c *roundSKUs) addName(name string) bool {
	if _, known := c.columns[name]; known {
		return true
	}
	if len(c.names) == c.most {
		return false
	}
	c.columns[name] = len(c.names)
	c.names = append(c.names, name)
	return true
}

// dropFrom removes the SKUs from a column on.
func (c *roundSKUs) dropFrom(column int) {
	for _, name := range c.names[column:] {
		delete(c.columns, name)
	}
	c.names = c.names[:column]
}

// setColumns gives a purchase the columns of its lines, and reports whether each has one.
func (c *roundSKUs) setColumns(p *waitingPurchase) bool {
	p.columns = p.columns[:0]
	for i := range p.lines {
		column, known := c.columns[p.lines[i].SKU]
		if !known {
			return false
		}
		p.columns = append(p.columns, column)
	}
	return true
}
