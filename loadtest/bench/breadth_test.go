package bench

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
)

// breadthSKUs is the number of SKUs over which orders of several lines are measured.
const breadthSKUs = 100

// breadth is what presses ask for; each kind has a sale of its own.
type breadth struct {
	name, saleID string
	skus         int
	asks         asking
	orderCosts   [3][]float64 // of gateway, Redis and settle, one value per repetition
}

// breadth measures what an order costs when a batch asks for many SKUs, and what an order of several lines costs. The kinds
// alternate, and every kind sells to as many buyers before a repetition as the others, so that Redis doubles their tables in
// the same one. It leaves the SKUs behind.
func (s *stack) breadth() []*Figure {
	s.warm("rush")
	s.setRules()
	kinds := []*breadth{
		{name: "1 SKU", skus: 1, asks: one(skuName(0))}, {name: "any of 100 SKUs", skus: 100, asks: anyOf(100)},
		{name: fmt.Sprintf("any of %d SKUs", manySKUs), skus: manySKUs, asks: anyOf(manySKUs)},
		{name: "one line", skus: breadthSKUs, asks: basket(1, breadthSKUs)},
		{name: "three lines", skus: breadthSKUs, asks: basket(3, breadthSKUs)},
	}
	for n, kind := range kinds {
		kind.saleID = fmt.Sprint("breadth-", n)
		s.preloadMany(kind.saleID, kind.skus)
		s.drive(s.gateway.Listen, s.pressesFor(kind.asks, kind.saleID, warmOrders))
		s.finish(kind.saleID)
	}
	for range repetitions {
		for _, kind := range kinds {
			s.sellBreadth(kind)
		}
	}
	few, hundred, many, line, lines := kinds[0], kinds[1], kinds[2], kinds[3], kinds[4]
	figures := hundred.beside(few, 1.2, 1.5, 0)
	figures = append(figures, many.beside(few, 1.4, 2, 0)...)
	return append(figures, lines.beside(line, 1.3, 1.6, 2.2)...)
}

// sellBreadth sells one repetition of a kind. Settle is measured until every order has its row and its event.
func (s *stack) sellBreadth(kind *breadth) {
	s.b.Helper()
	requests := s.pressesFor(kind.asks, kind.saleID, acceptOrders)
	whole, err := StartMeter(s.settle.PID())
	require.NoError(s.b, err)
	var used []time.Duration
	count, _ := s.take(requests, func(u []time.Duration) { used = u })
	s.finish(kind.saleID)
	settled, _, err := whole.Stop()
	require.NoError(s.b, err)
	for i, time := range []time.Duration{used[0], used[1], settled[0]} {
		kind.orderCosts[i] = append(kind.orderCosts[i], perRequest(time, count.Answers))
	}
}

// beside compares the costs of a kind with those of a cheaper one; a target of 0 is none.
func (b *breadth) beside(cheaper *breadth, targets ...float64) []*Figure {
	figures := []*Figure{
		{Name: fmt.Sprintf("an order of %s ÷ of %s: gateway", b.name, cheaper.name)}, {Name: "  Redis"},
		{Name: "  settle, until every order has its row and its event"},
	}
	for i, f := range figures {
		f.Unit, f.Target, f.Ours, f.Base = "CPU µs an order", targets[i], b.orderCosts[i], cheaper.orderCosts[i]
	}
	return figures
}
