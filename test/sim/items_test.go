package sim

import (
	"fmt"

	"flashsale/sale"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
)

// most is the largest number of SKUs of a sale.
const most = 6

// drawItems draws the SKUs of the preload, a few units of each, and sometimes one that is added while the sale sells.
func (s *shape) drawItems(c *chance) {
	n := pick(c, 1, 1, 2, 2, 3, 4, 5, most)
	low, high := 2, 10
	switch {
	case n > 3:
		low, high = c.between(0, 1), 2
	case n > 2:
		low, high = 1, 3
	case n > 1:
		low, high = 1, 5
	}
	for range n {
		s.items = append(s.items, drawItem(c, len(s.items), low, high))
	}
	if n < most && c.one(5) {
		s.added = append(s.added, drawItem(c, n, 0, 3))
	}
}

func drawItem(c *chance, place, low, high int) sale.Item {
	item := sale.Item{SKU: fmt.Sprint("sku-", string(rune('a'+place))), Stock: int64(c.between(low, high)),
		PriceCents: int64(100 * (place + 1))}
	if c.one(4) {
		own := c.between(1, 3)
		item.PerBuyerLimit = &own
	}
	return item
}

// wares returns all SKUs that the sale will ever have.
func (s *shape) wares() []sale.Item { return append(s.items[:len(s.items):len(s.items)], s.added...) }

func (s *shape) units() int {
	units := 0
	for _, item := range s.wares() {
		units += int(item.Stock)
	}
	return units
}

// limitOf returns the units of an item per buyer.
func (s *shape) limitOf(item *sale.Item) int {
	if item.PerBuyerLimit != nil {
		return *item.PerBuyerLimit
	}
	return s.limit
}

// mostOf returns the most units of a SKU that a buyer may have.
func (s *shape) mostOf(sku string) int {
	units := s.limit
	if own, has := s.limits()[sku]; has {
		units = own
	}
	if s.saleLimit > 0 {
		units = min(units, s.saleLimit)
	}
	return units
}

// definition returns the limits of the sale for its judge, and no stock.
func (s *shape) definition() check.Sale {
	return check.Sale{EndsMS: endOfTimeMS, Limit: s.limit, Limits: s.limits(), SaleLimit: s.saleLimit,
		Loaded: map[string]int64{}, Demand: map[string]bool{}}
}

// limits returns the limits of the items that have their own.
func (s *shape) limits() map[string]int {
	own := map[string]int{}
	for _, item := range s.wares() {
		if item.PerBuyerLimit != nil {
			own[item.SKU] = *item.PerBuyerLimit
		}
	}
	return own
}

// drawLines draws what a buyer asks for: one to three SKUs, sometimes more of one than a buyer may have.
func (s *shape) drawLines(c *chance) []history.Line {
	wares := s.wares()
	n := min(pick(c, 1, 1, 2, 2, 3), len(wares))
	if s.saleLimit > 0 && !c.one(5) {
		n = min(n, s.saleLimit)
	}
	var lines []history.Line
	for first := c.below(len(wares)); len(lines) < n; first++ {
		item := &wares[first%len(wares)]
		quantity := c.between(1, s.limitOf(item))
		if s.saleLimit > 0 && !c.one(5) {
			quantity = min(quantity, max(s.saleLimit/n, 1))
		}
		if c.one(20) {
			quantity = s.limitOf(item) + 1
		}
		lines = append(lines, history.Line{SKU: item.SKU, Quantity: quantity})
	}
	return lines
}

// linesOf returns the lines of an order without what a buyer does not ask for.
func linesOf(of []sale.Line) []history.Line {
	lines := make([]history.Line, len(of))
	for i := range of {
		lines[i] = history.Line{SKU: of[i].SKU, Quantity: of[i].Quantity}
	}
	return lines
}
