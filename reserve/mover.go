package reserve

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/sale"
)

// Bounds of a search for units in the other buckets of a SKU.
const (
	seekWithin  = 950 * time.Millisecond // from the moment a purchase came: nobody waits longer than 1 s for units
	seekEvery   = 20 * time.Millisecond  // between the beginnings of two turns
	turnTimeout = time.Second
	maxSeekers  = maxPending // of one SKU; more are overloaded
)

// lacking reports whether a purchase was refused because its bucket has too little.
func lacking(a sale.Answer) bool {
	return a.Outcome == sale.OutcomeSoldOut || a.Outcome == sale.OutcomeNotEnough
}

// item names a SKU of a sale.
type item struct{ sale, sku string }

// movers are the SKUs of several buckets that somebody has sought units in, at most those of the catalogue.
type movers struct {
	mu sync.Mutex
	of map[item]*mover
}

// mover brings units to the buyers of one SKU whose own bucket has too little, and decides when nothing is left in any
// bucket. It works while somebody seeks, turn after turn, one goroutine for all of them; see turn.
type mover struct {
	engine  *Engine
	buckets []sale.Bucket // of the SKU, by number
	tickets []ticket      // the goroutine's own, as is failing
	failing bool

	mu      sync.Mutex
	waiting []*seeker
	running bool
}

// seeker is a purchase that its bucket has refused. It waits for exactly one finding.
type seeker struct {
	home     int
	quantity int64
	until    time.Time
	found    chan finding // holds one
	done     bool         // the finding was given; the mover's goroutine alone looks at it
	gone     atomic.Bool  // nobody waits for the finding any more
}

// finding tells a seeker to try again, or how to answer.
type finding struct {
	again  bool
	answer sale.Answer
}

func (s *seeker) tell(f finding) {
	s.done = true
	s.found <- f
}

// wait returns the finding. A turn that is under way may take longer than the seeker waits: then nobody knows.
func (s *seeker) wait() finding {
	timer := time.NewTimer(time.Until(s.until))
	defer timer.Stop()
	select {
	case f := <-s.found:
		return f
	case <-timer.C:
		s.gone.Store(true)
		return finding{answer: sale.Answer{Outcome: sale.OutcomeOverloaded}}
	}
}

func (s *seeker) refuse(o sale.Outcome) { s.tell(finding{answer: sale.Answer{Outcome: o}}) }

// seek goes on with a purchase that its bucket has refused: it is tried again when there are units for it, until the whole
// SKU was seen to have too little since it came, or until its time is over: then nobody knows.
func (e *Engine) seek(p sale.Purchase, came time.Time) sale.Answer {
	if !e.gate.enter() {
		return sale.Answer{Outcome: sale.OutcomeUnavailable}
	}
	defer e.gate.leave()
	m := e.mover(p)
	for {
		s := &seeker{
			home: p.Bucket.Number, quantity: int64(p.Quantity), until: came.Add(seekWithin), found: make(chan finding, 1),
		}
		if !m.join(s) {
			return sale.Answer{Outcome: sale.OutcomeOverloaded}
		}
		f := s.wait()
		if !f.again {
			return f.answer
		}
		if a := e.decide(p, came, true); !lacking(a) {
			return a
		}
	}
}

func (e *Engine) mover(p sale.Purchase) *mover {
	e.movers.mu.Lock()
	defer e.movers.mu.Unlock()
	name := item{p.Bucket.Sale, p.Bucket.SKU}
	m := e.movers.of[name]
	if m == nil {
		m = &mover{engine: e, buckets: bucketsOf(p)}
		e.movers.of[name] = m
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
func (m *mover) join(s *seeker) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) >= maxSeekers {
		return false
	}
	m.waiting = append(m.waiting, s)
	if !m.running {
		m.running = true
		m.engine.gate.follow()
		go m.run()
	}
	return true
}

// run takes turns until nobody seeks any more.
func (m *mover) run() {
	defer m.engine.gate.leave()
	for seekers := m.next(); len(seekers) > 0; seekers = m.next() {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), turnTimeout)
		m.note(m.turn(ctx, seekers))
		cancel()
		pause(context.Background(), seekEvery-time.Since(began))
	}
}

// note reports when turns begin to fail and when they succeed again, and not every failure in between.
func (m *mover) note(err error) {
	failing := err != nil
	if failing == m.failing {
		return
	}
	m.failing = failing
	sku := slog.String("sku", m.buckets[0].Sale+"/"+m.buckets[0].SKU)
	if failing {
		m.engine.Log.Warn("units cannot be sought in other buckets", sku, slog.Any("error", err))
		return
	}
	m.engine.Log.Info("units can be sought in other buckets again", sku)
}

// next returns the seekers of the next turn, in the order in which they came, and answers those whose time is over. None:
// the goroutine has to end.
func (m *mover) next() []*seeker {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	kept := m.waiting[:0]
	for _, s := range m.waiting {
		if !s.done && now.After(s.until) {
			s.refuse(sale.OutcomeOverloaded)
		}
		if !s.done && !s.gone.Load() {
			kept = append(kept, s)
		}
	}
	clear(m.waiting[len(kept):])
	m.waiting, m.running = kept, len(kept) > 0
	return append([]*seeker(nil), kept...)
}
