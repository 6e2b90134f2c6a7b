package pulse

import (
	"time"

	"flashsale/sale"
)

// step is the rates of one step, that of a sale without presses being left out.
type step struct {
	index int64 // 0: nothing is known of the step
	heard bool  // a gateway was heard, so a sale that is not here had no presses
	sales map[string]*pressRates

	p50, p99, lag, oldest, events sale.Number
}

// close returns the step that has ended, and lets the next one begin at the last pulses.
func (r *Recorder) close(index int64) step {
	gauges := sale.Rates{SettleLagRecords: sale.Unknown(), OldestHeldS: sale.Unknown(), EventsWaiting: sale.Unknown()}
	s := step{index: index, sales: map[string]*pressRates{}}
	var latency sale.Latency
	for _, p := range r.processes {
		last, seconds := p.last(), p.last().At.Sub(p.base.At.Time).Seconds()
		if seconds <= 0 { // not heard in this step
			continue
		}
		addGauges(&gauges, last.Settle)
		if last.Gateway != nil && p.base.Gateway != nil {
			s.heard = true
			s.addSales(last.Gateway, p.base.Gateway, seconds)
			latency = latency.Add(last.Gateway.Latency.Since(p.base.Gateway.Latency))
		}
		p.base = *last
	}
	s.p50, s.p99 = latency.QuantileMS(.5), latency.QuantileMS(.99)
	s.lag, s.oldest, s.events = gauges.SettleLagRecords, gauges.OldestHeldS, gauges.EventsWaiting
	return s
}

// addSales adds the presses of every sale between two pulses of a gateway.
func (s *step) addSales(now, before *sale.GatewayPulse, seconds float64) {
	for id := range now.Sales {
		presses := pressesSince(now, before, id)
		if len(presses) == 0 {
			continue
		}
		if s.sales[id] == nil {
			s.sales[id] = &pressRates{}
		}
		s.sales[id].add(presses, seconds)
	}
}

// History returns the last 15 minutes of a sale, without the step under way. What this process has not heard is unknown.
func (r *Recorder) History(saleID string) sale.History {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := indexOf(r.now) - stepCount
	h := sale.History{
		StepS: int(stepLength / time.Second), Sale: saleID, Refused: map[string][]sale.Number{},
		From: sale.TimeMillis(first * stepLength.Milliseconds()),
	}
	for _, list := range []*[]sale.Number{
		&h.Presses, &h.Orders, &h.P50MS, &h.P99MS, &h.SettleLag, &h.OldestHeld, &h.EventsWaiting,
	} {
		*list = unknowns()
	}
	for i := range stepCount {
		s := &r.steps[(first+int64(i))%stepCount]
		if s.index != first+int64(i) {
			continue
		}
		h.P50MS[i], h.P99MS[i], h.SettleLag[i], h.OldestHeld[i], h.EventsWaiting[i] = s.p50, s.p99, s.lag, s.oldest, s.events
		if !s.heard {
			continue
		}
		of := s.sales[saleID]
		if of == nil {
			of = &pressRates{}
		}
		h.Presses[i], h.Orders[i] = sale.Number(of.all), sale.Number(of.orders)
		for outcome := range of.refused {
			if h.Refused[outcome] == nil {
				h.Refused[outcome] = unknowns()
			}
		}
	}
	r.refusals(&h, first)
	return h
}

// refusals fills the lists of refusals: 0 in a step in which a gateway was heard and this outcome did not occur.
func (r *Recorder) refusals(h *sale.History, first int64) {
	for outcome, list := range h.Refused {
		for i := range list {
			s := &r.steps[(first+int64(i))%stepCount]
			if s.index != first+int64(i) || !s.heard {
				continue
			}
			list[i] = 0
			if of := s.sales[h.Sale]; of != nil {
				list[i] = sale.Number(of.refused[outcome])
			}
		}
	}
}

func unknowns() []sale.Number {
	all := make([]sale.Number, stepCount)
	for i := range all {
		all[i] = sale.Unknown()
	}
	return all
}
