package gateway

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

	"flashsale/sale"
)

// outcomeSlots is at least the number of outcomes.
const outcomeSlots = 32

// presses counts the presses of one sale by outcome, since the gateway first read the sale.
type presses struct {
	any    atomic.Bool // whether anything was counted: an idle sale costs a reader one load
	counts [outcomeSlots]atomic.Int64
}

// pressed counts one press of the sale: one atomic add. A nil sale counts nothing.
func (s *liveSale) pressed(o sale.Outcome) {
	if s == nil {
		return
	}
	if !s.presses.any.Load() {
		s.presses.any.Store(true)
	}
	s.presses.counts[o].Add(1)
}

// read returns the counts that are not 0 and their sum.
func (p *presses) read() (counts sale.Presses, sum int64) {
	for _, o := range sale.Outcomes() {
		n := p.counts[o].Load()
		if n == 0 {
			continue
		}
		if counts == nil {
			counts = sale.Presses{}
		}
		counts[o.String()] = n
		sum += n
	}
	return counts, sum
}

// Pulse returns what the gateway has counted. It costs about 0.1 µs for each sale, and 1 µs more for each that was pressed.
func (g *Gateway) Pulse() sale.GatewayPulse {
	p := sale.GatewayPulse{Latency: g.metrics.latencyOf(routePurchase), InFlight: g.inFlight.Load(), Connections: g.connections()}
	if catalogue := g.catalogue.current.Load(); catalogue != nil {
		p.Sales, p.Other = catalogue.busiest(sale.MaxPulseSales)
	}
	return p
}

// busiest returns the presses of the sales with most of them, and those of the others together.
func (s *snapshot) busiest(most int) (sales map[string]sale.Presses, other sale.Presses) {
	type counted struct {
		id     string
		counts sale.Presses
		sum    int64
	}
	var all []counted
	for id, live := range s.sales {
		if live.presses.any.Load() {
			counts, sum := live.presses.read()
			all = append(all, counted{id, counts, sum})
		}
	}
	if len(all) > most {
		slices.SortFunc(all, func(a, b counted) int { return cmp.Or(cmp.Compare(b.sum, a.sum), cmp.Compare(a.id, b.id)) })
		for _, one := range all[most:] {
			if other == nil {
				other = maps.Clone(one.counts)
				continue
			}
			for outcome, n := range one.counts {
				other[outcome] += n
			}
		}
		all = all[:most]
	}
	sales = make(map[string]sale.Presses, len(all))
	for _, one := range all {
		sales[one.id] = one.counts
	}
	return sales, other
}
