package pulse

import (
	"flashsale/sale"
)

// Rates returns the present rates of a sale and of the deployment: between the last two pulses of each process, and for the
// latency of the last five seconds.
func (r *Recorder) Rates(saleID string) sale.Rates {
	r.mu.Lock()
	defer r.mu.Unlock()
	rates := sale.Rates{
		PressesPerS: sale.Unknown(), OrdersPerS: sale.Unknown(), P50MS: sale.Unknown(), P99MS: sale.Unknown(),
		SettleLagRecords: sale.Unknown(), OldestHeldS: sale.Unknown(), EventsWaiting: sale.Unknown(), RowsPerS: sale.Unknown(),
	}
	var presses pressRates
	var latency sale.Latency
	heard := false
	for _, p := range r.processes {
		last := p.last()
		if !r.fresh(p) {
			continue
		}
		addGauges(&rates, last.Settle)
		if len(p.recent) < 2 {
			continue
		}
		before := &p.recent[len(p.recent)-2]
		seconds := last.At.Sub(before.At.Time).Seconds()
		if last.Settle != nil && before.Settle != nil {
			add(&rates.RowsPerS, float64(since(last.Settle.Rows, before.Settle.Rows))/seconds)
		}
		if last.Gateway != nil && before.Gateway != nil {
			heard = true
			presses.add(pressesSince(last.Gateway, before.Gateway, saleID), seconds)
			latency = latency.Add(last.Gateway.Latency.Since(p.recent[0].Gateway.Latency))
		}
	}
	if heard {
		rates.PressesPerS, rates.OrdersPerS = sale.Number(presses.all), sale.Number(presses.orders)
		rates.RefusedPerS = map[string]sale.Number{}
		for outcome, n := range presses.refused {
			rates.RefusedPerS[outcome] = sale.Number(n)
		}
		rates.P50MS, rates.P99MS = latency.QuantileMS(.5), latency.QuantileMS(.99)
	}
	return rates
}

// addGauges adds what a settling process says of the present moment; nil for a gateway.
func addGauges(rates *sale.Rates, s *sale.SettlePulse) {
	if s == nil {
		return
	}
	add(&rates.SettleLagRecords, float64(s.LagRecords))
	if s.EventsWaiting != nil {
		add(&rates.EventsWaiting, float64(*s.EventsWaiting))
	}
	if s.OldestJournalS != nil {
		add(&rates.OldestHeldS, *s.OldestJournalS)
	}
}

// add adds to a number, which may be unknown.
func add(to *sale.Number, n float64) {
	if !to.Known() {
		*to = 0
	}
	*to += sale.Number(n)
}

// since returns by how much a counter grew, all of it when it has begun anew.
func since(now, before int64) int64 {
	if now < before {
		return now
	}
	return now - before
}

// pressesSince returns a sale's presses between two pulses of a gateway. A sale that was among the others in the earlier pulse
// has none: how many of the others' presses were its own is not known.
func pressesSince(now, before *sale.GatewayPulse, id string) sale.Presses {
	earlier, known := before.Sales[id]
	if !known && len(before.Other) > 0 {
		return nil
	}
	grown := sale.Presses{}
	for outcome, n := range now.Sales[id] {
		if more := since(n, earlier[outcome]); more > 0 {
			grown[outcome] = more
		}
	}
	return grown
}

// pressRates are presses a second.
type pressRates struct {
	all, orders float64
	refused     map[string]float64
}

// add adds the presses of one gateway in so many seconds. A replayed answer is a press, and neither an order nor a refusal.
func (r *pressRates) add(presses sale.Presses, seconds float64) {
	for outcome, n := range presses {
		rate := float64(n) / seconds
		r.all += rate
		switch outcome {
		case sale.OutcomeQueued.String(), sale.OutcomeHeld.String():
			r.orders += rate
		case sale.OutcomeReplayed.String():
		default:
			if r.refused == nil {
				r.refused = map[string]float64{}
			}
			r.refused[outcome] += rate
		}
	}
}
