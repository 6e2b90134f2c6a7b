package reserve

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

// Bounds of a search for units in the other buckets of a sale.
const (
	unitsWithin         = 950 * time.Millisecond // from the arrival of a purchase: it waits at most 1 s for units
	roundEvery          = 20 * time.Millisecond  // between the beginnings of two rounds
	roundTimeout        = time.Second
	maxWaitingPurchases = maxPending // of one sale; more are overloaded
)

// lacking reports whether a purchase was refused because its bucket has too few units.
func lacking(a sale.Answer) bool {
	return a.Outcome == sale.OutcomeSoldOut || a.Outcome == sale.OutcomeNotEnough
}

// rebalancers are the rebalancers of the sales of several buckets, at most one for each sale of the catalogue.
type rebalancers struct {
	mu sync.Mutex
	of map[string]*rebalancer
}

// rebalancer moves units to the buckets of one sale whose buyers wait for them, and finds out when no bucket has any of a SKU
// left. One goroutine works for all waiting purchases, round after round, and ends when none waits; see round.
type rebalancer struct {
	engine  *Engine
	buckets []sale.Bucket    // of the sale, by number
	pending pendingTransfers // used by the goroutine only
	health  role.Health      // used by the goroutine only

	mu      sync.Mutex
	waiting []*waitingPurchase
	running bool
	rounds  int64 // so far
}

// waitingPurchase is a purchase that its bucket has refused. It receives exactly one result.
type waitingPurchase struct {
	home      int // number of its bucket
	lines     []sale.Line
	columns   []int // of the lines, in the readings of a round; used by the rebalancer's goroutine only
	turn      int64 // the last round that it took part in, at first the one that was under way when it joined
	until     time.Time
	found     chan result // of capacity 1
	done      bool        // the result is sent; used by the rebalancer's goroutine only
	abandoned atomic.Bool // the buyer's goroutine does not wait any more
}

// result tells a waiting purchase to try again, or its answer.
type result struct {
	again  bool
	answer sale.Answer
}

func (p *waitingPurchase) deliver(r result) {
	p.done = true
	p.found <- r
}

func (p *waitingPurchase) refuse(o sale.Outcome) { p.deliver(result{answer: sale.Answer{Outcome: o}}) }

// wait returns the result. A round may take longer than the purchase may wait: then the answer is overloaded, because the
// engine does not know whether the sale has units for it.
func (p *waitingPurchase) wait() result {
	timer := time.NewTimer(time.Until(p.until))
	defer timer.Stop()
	select {
	case r := <-p.found:
		return r
	case <-timer.C:
		p.abandoned.Store(true)
		return result{answer: sale.Answer{Outcome: sale.OutcomeOverloaded}}
	}
}

// waitForUnits waits on behalf of a purchase that its bucket has refused: until there are units for it and it may be tried
// again, until one of its SKUs was seen to have too few in the whole sale since the purchase arrived, or until its time is over;
// then the answer is overloaded, because the engine does not know.
func (e *Engine) waitForUnits(p sale.Purchase, arrivedAt time.Time) result {
	if !e.gate.enter() {
		return result{answer: sale.Answer{Outcome: sale.OutcomeUnavailable}}
	}
	defer e.gate.leave()
	waiting := &waitingPurchase{
		home: p.Bucket.Number, lines: slices.Clone(p.Lines), until: arrivedAt.Add(unitsWithin), found: make(chan result, 1),
	}
	if !e.rebalancer(p).join(waiting) {
		return result{answer: sale.Answer{Outcome: sale.OutcomeOverloaded}}
	}
	return waiting.wait()
}

func (e *Engine) rebalancer(p sale.Purchase) *rebalancer {
	e.rebalancers.mu.Lock()
	defer e.rebalancers.mu.Unlock()
	r := e.rebalancers.of[p.Bucket.Sale]
	if r == nil {
		of := sale.Sale{ID: p.Bucket.Sale, Buckets: p.Buckets}
		r = &rebalancer{engine: e, buckets: of.BucketNames(), pending: pendingTransfers{}, health: role.Health{
			Failing: "units cannot be moved between the buckets of a sale",
			Working: "units can be moved between the buckets again",
			Log:     e.Log.With("sale", of.ID),
		}}
		e.rebalancers.of[of.ID] = r
	}
	return r
}

// join adds a purchase, which the next round includes, and starts the goroutine when it does not run. It returns false when
// too many purchases wait. The caller is inside the gate.
func (r *rebalancer) join(p *waitingPurchase) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= maxWaitingPurchases {
		return false
	}
	p.turn = r.rounds
	r.waiting = append(r.waiting, p)
	if !r.running {
		r.running = true
		r.engine.gate.add()
		go r.run()
	}
	return true
}

// run does rounds until no purchase waits.
func (r *rebalancer) run() {
	defer r.engine.gate.leave()
	var began time.Time
	rest := func(int) time.Duration { return roundEvery - time.Since(began) }
	role.Until(context.Background(), rest, func() (idle bool) {
		waiting := r.next()
		if len(waiting) == 0 {
			return true
		}
		began = time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
		defer cancel()
		r.health.Note(context.Background(), r.round(ctx, waiting))
		return false
	})
}

// next returns the purchases of the next round in the order of their arrival, and answers those whose time is over. When it
// returns none, the goroutine has to end.
func (r *rebalancer) next() []*waitingPurchase {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	kept := r.waiting[:0]
	for _, p := range r.waiting {
		if !p.done && now.After(p.until) {
			p.refuse(sale.OutcomeOverloaded)
		}
		if !p.done && !p.abandoned.Load() {
			kept = append(kept, p)
		}
	}
	clear(r.waiting[len(kept):])
	r.waiting, r.running = kept, len(kept) > 0
	r.rounds++
	return append([]*waitingPurchase(nil), kept...)
}
