package brake

import (
	"math"
	"time"

	"flashsale/sale"
)

// Constants of the law.
const (
	// minHold is how long a brake lasts at least, so that it does not begin and end in turns.
	minHold = 5 * time.Second
	// share is the part of what drains that buyers may add while something lags, so that what waits becomes less.
	share = 0.8
)

// Bounds are what may wait before purchases are slowed; 0 is no bound.
type Bounds struct {
	Rows    int64 // orders in the orders topic that are not settled
	Events  int64 // orders of events that are not published
	Journal int64 // orders in the fullest journal
}

// off reports whether there is no bound at all.
func (b Bounds) off() bool { return b == Bounds{} }

// of returns the bound of a reason.
func (b Bounds) of(r sale.BrakeReason) int64 {
	switch r {
	case sale.BrakeRows:
		return b.Rows
	case sale.BrakeEvents:
		return b.Events
	default:
		return b.Journal
	}
}

// reasons are all of them, in the order in which orders reach them from the buyer's side last.
var reasons = [...]sale.BrakeReason{sale.BrakeRows, sale.BrakeEvents, sale.BrakeJournal}

// level is one measurement of what waits.
type level struct {
	known   bool    // whether waiting was measured
	waiting int64   // orders
	drain   float64 // orders a second that leave; negative: not known
}

// levels has a level for each of the reasons.
type levels [len(reasons)]level

// law decides about the brake from measurements. A reason holds from a measurement above its bound until one below half of
// it; while it is not measured it stays as it is. The brake is on while a reason holds, and for minHold at least.
//
// Its rate is a share of what drains, less in the proportion in which the bound is exceeded, so that the lag shrinks also where
// gateways let more pass than they should. Of several reasons the lowest rate counts. The rate is at least one purchase a
// second for each gateway.
type law struct {
	bounds Bounds
	holds  [len(reasons)]bool
	on     bool
	began  time.Time // on the monotonic clock
	reason sale.BrakeReason
	rate   float64
}

// goOn continues with a brake that an earlier governor has begun.
func (l *law) goOn(now time.Time, present *sale.Brake) {
	l.on, l.began, l.reason, l.rate = true, now, present.Reason, float64(present.PerSecond)
	for i, r := range reasons {
		l.holds[i] = r == present.Reason && l.bounds.of(r) > 0
	}
}

// next takes a measurement and returns the brake, nil for none. It begins one only when it knows how much drains.
func (l *law) next(now time.Time, seen levels, gateways int64) *sale.Brake {
	lowest, reason, held := math.Inf(1), l.reason, false
	for i, r := range reasons {
		l.judge(i, seen[i])
		if !l.holds[i] {
			continue
		}
		held = true
		if rate, known := l.rateOf(r, seen[i]); known && rate < lowest {
			lowest, reason = rate, r
		}
	}
	unknown := math.IsInf(lowest, 1)
	switch {
	case held && !l.on && unknown, !held && !l.on:
		return nil
	case !held && now.Sub(l.began) >= minHold:
		l.on = false
		return nil
	case !l.on:
		l.on, l.began = true, now
	}
	if !unknown {
		l.rate, l.reason = lowest, reason
	}
	gateways = max(1, gateways)
	perGateway := max(1, int64(l.rate)/gateways)
	return &sale.Brake{Reason: l.reason, PerSecond: perGateway * gateways, PerGateway: perGateway}
}

// judge changes whether a reason holds.
func (l *law) judge(i int, seen level) {
	bound := l.bounds.of(reasons[i])
	switch {
	case bound <= 0:
		l.holds[i] = false
	case !seen.known:
	case seen.waiting > bound:
		l.holds[i] = true
	case seen.waiting < (bound+1)/2:
		l.holds[i] = false
	}
}

// rateOf returns the purchases a second at which what waits for a reason becomes less.
func (l *law) rateOf(r sale.BrakeReason, seen level) (rate float64, known bool) {
	if !seen.known || seen.drain < 0 {
		return 0, false
	}
	rate = seen.drain * share
	if bound := l.bounds.of(r); seen.waiting > bound {
		rate *= float64(bound) / float64(seen.waiting)
	}
	return rate, true
}
