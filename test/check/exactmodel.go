package check

import "github.com/anishathalye/porcupine"

// exactSale is the sequential sale.
type exactSale struct {
	skus      int
	limits    []int // by SKU
	saleLimit int   // 0 = none
}

// model returns the sale of a history, with the units that it begins with.
func (x *Exact) model(of *Sale, begins map[string]int64) porcupine.Model {
	m := exactSale{skus: len(x.skus), limits: make([]int, len(x.skus)), saleLimit: of.SaleLimit}
	free := make([]byte, len(x.skus))
	for sku, at := range x.skus {
		m.limits[at], free[at] = of.LimitOf(sku), byte(begins[sku])
	}
	begin := exactState{string(free), string(make([]byte, len(x.buyers)*len(x.skus))), string(make([]byte, len(x.orders)))}
	return porcupine.Model{
		Init: func() any { return begin },
		Step: func(state, input, _ any) (bool, any) { return m.step(state.(exactState), input.(exactStep)) },
	}
}

func (m *exactSale) step(s exactState, do exactStep) (bool, exactState) {
	switch do.verb {
	case exactTakes:
		if s.orders[do.order] != 0 {
			return false, s
		}
		return m.move(s, do, -1)
	case exactGives:
		if s.orders[do.order] != 1 {
			return false, s
		}
		return m.move(s, do, 1)
	case exactAdds:
		at, units := do.lines[0].sku, do.lines[0].units
		left := int(s.free[at]) + units
		if left < 0 {
			return false, s
		}
		return true, exactState{with(s.free, at, byte(left)), s.bought, s.orders}
	case exactSoldOut:
		return s.free[do.lines[0].sku] == 0, s
	case exactNotEnough:
		return int(s.free[do.lines[0].sku]) == do.seen, s
	case exactOver:
		return m.has(s, do.buyer, do.lines[0].sku) == do.seen, s
	}
	return s.orders[do.order] != 0, s
}

// has returns the units that a buyer has of a SKU, or of the whole sale.
func (m *exactSale) has(s exactState, buyer, sku int) int {
	own := s.bought[buyer*m.skus : (buyer+1)*m.skus]
	if sku != wholeSale {
		return int(own[sku])
	}
	units := 0
	for i := range len(own) {
		units += int(own[i])
	}
	return units
}

// move takes the units of an order out of the sale, or gives them back.
func (m *exactSale) move(s exactState, do exactStep, sign int) (bool, exactState) {
	free, bought := []byte(s.free), []byte(s.bought)
	for _, line := range do.lines {
		own := do.buyer*m.skus + line.sku
		left, has := int(free[line.sku])+sign*line.units, int(bought[own])-sign*line.units
		if left < 0 || has < 0 || sign < 0 && has > m.limits[line.sku] {
			return false, s
		}
		free[line.sku], bought[own] = byte(left), byte(has)
	}
	status := byte(1)
	if sign > 0 {
		status = 2
	}
	next := exactState{string(free), string(bought), with(s.orders, do.order, status)}
	return sign > 0 || m.saleLimit == 0 || m.has(next, do.buyer, wholeSale) <= m.saleLimit, next
}

func with(text string, at int, value byte) string {
	changed := []byte(text)
	changed[at] = value
	return string(changed)
}
