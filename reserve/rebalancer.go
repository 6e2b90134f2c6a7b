package reserve

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

// Bounds of a search for units in the other buckets of a SKU.
const (
	unitsWithin         = 950 * time.Millisecond // from the moment a purchase came: nobody waits longer than 1 s for units
	roundEvery          = 20 * time.Millisecond  // between the beginnings of two turns
	roundTimeout        = time.Second
	maxWaitingPurchases = maxPending // of one SKU; more are overloaded
)

// lacking reports whether a purchase was refused because its bucket has too little.
func lacking(a sale.Answer) bool {
	return a.Outcome == sale.OutcomeSoldOut || a.Outcome == sale.OutcomeNotEnough
}

// item names a SKU of a sale.
type item struct{ sale, sku string }

// movers are the SKUs of several buckets that somebody has sought units in, at most those of the catalogue.
type rebalancers struct {
	mu sync.Mutex
	of map[item]*rebalancer
}

// mover brings units to the buyers of one SKU whose own bucket has too little, and decides when nothing is left in any
// bucket. It works while somebody seeks, turn after turn, one goroutine for all of them; see turn.
type rebalancer struct {
	engine  *Engine
	buckets []sale.Bucket     // of the SKU, by number
	pending []pendingTransfer // the goroutine's own, as is failing
	failing bool

	mu      sync.Mutex
	waiting []*waitingPurchase
	running bool
}

// seeker is a purchase that its bucket has refused. It waits for exactly one finding.
type waitingPurchase struct {
	home      int
	quantity  int64
	until     time.Time
	found     chan result // holds one
	done      bool        // the finding was given; the mover's goroutine alone looks at it
	abandoned atomic.Bool // nobody waits for the finding any more
}

// finding tells a seeker to try again, or how to answer.
type result struct {
	again  bool
	answer sale.Answer
}

func (p *waitingPurchase) deliver(f result) {
	p.done = true
	p.found <- f
}

// wait returns the finding. A turn that is under way may take longer than the seeker waits: then nobody knows.
func (p *waitingPurchase) wait() result {
	timer := time.NewTimer(time.Until(p.until))
	defer timer.Stop()
	select {
	case f := <-p.found:
		return f
	case <-timer.C:
		p.abandoned.Store(true)
		return result{answer: sale.Answer{Outcome: sale.OutcomeOverloaded}}
	}
}

func (p *waitingPurchase) refuse(o sale.Outcome) { p.deliver(result{answer: sale.Answer{Outcome: o}}) }

// waitForUnits waits on behalf of a purchase that its bucket has refused: until there are units for it and it may be tried
// again, until the whole SKU was seen to have too few since the purchase arrived, or until its time is over; then the answer is
// overloaded, because the engine does not know.
func (e *Engine) waitForUnits(p sale.Purchase, arrivedAt time.Time) result {
	if !e.gate.enter() {
		return result{answer: sale.Answer{Outcome: sale.OutcomeUnavailable}}
	}
	defer e.gate.leave()
	waiting := &waitingPurchase{
		home: p.Bucket.Number, quantity: int64(p.Quantity), until: arrivedAt.Add(unitsWithin), found: make(chan result, 1),
	}
	if !e.rebalancer(p).join(waiting) {
		return result{answer: sale.Answer{Outcome: sale.OutcomeOverloaded}}
	}
	return waiting.wait()
}

func (e *Engine) rebalancer(p sale.Purchase) *rebalancer {
	e.rebalancers.mu.Lock()
	defer e.rebalancers.mu.Unlock()
	name := item{p.Bucket.Sale, p.Bucket.SKU}
	m := e.rebalancers.of[name]
	if m == nil {
		m = &rebalancer{engine: e, buckets: bucketsOf(p)}
		e.rebalancers.of[name] = m
	}
	return m
}

func bucketsOf(p sale.Purchase) []sale.Bucket {
	buckets := make([]sale.Bucket, p.Buckets)
	for number := range buckets {
		buckets[number] = sale.Bucket{Sale: p.Bucket.Sale, SKU: p.Bucket.SKU, Number: number}
	}
	return buckets
}

// join adds a seeker, whom the next turn will see, and starts the goroutine when it rests. The caller is inside the gate.
func (r *rebalancer) join(s *waitingPurchase) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= maxWaitingPurchases {
		return false
	}
	r.waiting = append(r.waiting, s)
	if !r.running {
		r.running = true
		r.engine.gate.follow()
		go r.run()
	}
	return true
}

// run takes turns until nobody seeks any more.
func (r *rebalancer) run() {
	defer r.engine.gate.leave()
	for seekers := r.next(); len(seekers) > 0; seekers = r.next() {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
		r.note(r.round(ctx, seekers))
		cancel()
		role.Pause(context.Background(), roundEvery-time.Since(began))
	}
}

// note reports when turns begin to fail and when they succeed again, and not every failure in between.
func (r *rebalancer) note(err error) {
	failing := err != nil
	if failing == r.failing {
		return
	}
	r.failing = failing
	sku := slog.String("sku", r.buckets[0].Sale+"/"+r.buckets[0].SKU)
	if failing {
		r.engine.Log.Warn("units cannot be sought in other buckets", sku, slog.Any("error", err))
		return
	}
	r.engine.Log.Info("units can be sought in other buckets again", sku)
}

// next returns the seekers of the next turn, in the order in which they came, and answers those whose time is over. None:
// the goroutine has to end.
func (r *rebalancer) next() []*waitingPurchase {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	kept := r.waiting[:0]
	for _, s := range r.waiting {
		if !s.done && now.After(s.until) {
			s.refuse(sale.OutcomeOverloaded)
		}
		if !s.done && !s.abandoned.Load() {
			kept = append(kept, s)
		}
	}
	clear(r.waiting[len(kept):])
	r.waiting, r.running = kept, len(kept) > 0
	return append([]*waitingPurchase(nil), kept...)
}
