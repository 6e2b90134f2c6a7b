package reserve

import (
	"fmt"
	"sort"
	"sync"
	"time"

	"flashsale/sale"
)

// request is one purchase on its way. It is reused: done carries exactly one token for each use.
type request struct {
	purchase sale.Purchase
	came     time.Time
	again    bool     // it was refused before and is tried again
	line     *presses // of its buyer, while it waits
	answer   sale.Answer
	done     chan struct{}
}

func (r *request) reply(a sale.Answer) {
	r.answer = a
	r.done <- struct{}{}
}

// trim is an acknowledged journal entry that is still to be deleted.
type trim struct {
	place   place
	entryID string
	orders  int
}

// shelf is where the purchases of one bucket wait for their batch, and what the engine knows of the bucket.
type shelf struct {
	engine    *Engine
	bucket    sale.Bucket
	partition int32
	keys      bucketKeys
	head      string // SALE SKU NUMBER, for the record
	recordKey []byte // of the bucket's Kafka records
	clock     *clock // of the server that holds the bucket
	patience  *patience
	enough    chan struct{} // holds one: wanted purchases wait

	mu      sync.Mutex
	pending []*request
	lines   map[string]*presses // of the buyers who have a press here or under way
	ready   int                 // of them, those of whom none is under way
	wanted  int                 // purchases that the one flow waits for, 0 when it does not
	flows   int                 // at work
	aside   int                 // flows that wait to ask again, while others may take from the shelf
	epoch   int64               // the newest that a reply was good for
	highest int64               // sequence seen in that epoch
	trims   []trim
	acked   ackedPlaces
	swept   bool // the janitor looks after this shelf

	spareLines []*presses // at most a batch of them
}

func newShelf(e *Engine, b sale.Bucket, partition int32, patience *patience) *shelf {
	return &shelf{
		engine: e, bucket: b, partition: partition, keys: e.Redis.keys(b), clock: newClock(e.clock), patience: patience,
		acked: ackedPlaces{}, lines: map[string]*presses{}, enough: make(chan struct{}, 1),
		head: fmt.Sprintf("%s %s %d", b.Sale, b.SKU, b.Number), recordKey: []byte(b.String()),
	}
}

// put lays a request on the shelf and starts a flow when none runs, or when a full batch waits. It refuses when the
// shelf is full or the engine drains.
func (s *shelf) put(r *request) (sale.Outcome, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine.draining.Load() {
		return sale.OutcomeUnavailable, true
	}
	if len(s.pending) >= maxPending {
		return sale.OutcomeOverloaded, true
	}
	if !s.lineUp(r) {
		return sale.OutcomeRateLimited, true
	}
	full := s.ready >= s.engine.BatchMaxOrders && s.flows < maxFlows && s.wanted == 0
	if s.ready > 0 && (s.flows == 0 || full) {
		if !s.engine.gate.enter() {
			s.gone(r.line)
			return sale.OutcomeUnavailable, true
		}
		s.begin()
	}
	s.pending = append(s.pending, r)
	if r.again {
		s.moveUp()
	}
	s.arrived()
	return 0, false
}

// begin starts a flow that the gate has let in; the caller holds the lock.
func (s *shelf) begin() {
	s.flows++
	s.watch()
	f := s.engine.flows.Get().(*flow)
	f.shelf = s
	go f.run()
}

// stepAside leaves what is on the shelf, and what comes, to others while a flow waits. It reports whether it did; a flow that
// did steps back.
func (s *shelf) stepAside() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aside == maxAside {
		return false
	}
	if s.flows == 1 && s.ready > 0 {
		if !s.engine.gate.enter() {
			return false // draining: nobody comes any more
		}
		s.begin()
	}
	s.flows--
	s.aside++
	return true
}

func (s *shelf) stepBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside--
	s.flows++
}

// moveUp moves the last request before those that came after it, so that the first of a batch is its oldest.
func (s *shelf) moveUp() {
	last := len(s.pending) - 1
	r := s.pending[last]
	at := sort.Search(last, func(i int) bool { return s.pending[i].came.After(r.came) })
	copy(s.pending[at+1:], s.pending[at:last])
	s.pending[at] = r
}

// next moves the next batch from the shelf into batch. It returns none when the flow has to end: nothing waits that may
// go on, or another flow is at work and no full batch waits. What may not go on yet is left to the flow that is at work for
// the same buyer.
func (s *shelf) next(batch []*request) []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready == 0 || (s.flows > 1 && s.ready < s.engine.BatchMaxOrders) {
		s.flows--
		return batch[:0]
	}
	return s.choose(batch[:0])
}

// alike reports whether two purchases of a bucket may share a batch.
func alike(a, b *request) bool {
	return a.purchase.Epoch == b.purchase.Epoch && a.purchase.Grief == b.purchase.Grief &&
		a.purchase.ListVersion == b.purchase.ListVersion && a.purchase.ListSize == b.purchase.ListSize
}

// expire answers the purchases that have waited too long for a batch: none of them was sent, nothing was taken. It also
// forgets what was acknowledged and trimmed long enough ago.
func (s *shelf) expire(now time.Time) {
	s.mu.Lock()
	s.acked.fade(now)
	n := 0
	for n < len(s.pending) && now.Sub(s.pending[n].came) > queueWait {
		n++
	}
	late := append([]*request(nil), s.pending[:n]...)
	for _, r := range late {
		s.gone(r.line)
		r.line = nil
	}
	rest := copy(s.pending, s.pending[n:])
	clear(s.pending[rest:])
	s.pending = s.pending[:rest]
	s.mu.Unlock()
	for _, r := range late {
		r.reply(sale.Answer{Outcome: sale.OutcomeUnavailable})
	}
}

// seen returns the highest sequence seen in an epoch.
func (s *shelf) seen(epoch int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch != s.epoch {
		return 0
	}
	return s.highest
}

// learn keeps the highest sequence of the newest epoch.
func (s *shelf) learn(epoch, sequence int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case epoch > s.epoch:
		s.epoch, s.highest = epoch, sequence
	case epoch == s.epoch:
		s.highest = max(s.highest, sequence)
	}
}

// takeTrims moves up to maxTrims entries from the shelf into trims.
func (s *shelf) takeTrims(trims []trim) []trim {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.trims), maxTrims)
	trims = append(trims[:0], s.trims[:n]...)
	s.trims = s.trims[:copy(s.trims, s.trims[n:])]
	return trims
}

// addTrims leaves entries for the next call or the janitor, whichever comes first.
func (s *shelf) addTrims(trims ...trim) {
	if len(trims) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trims = append(s.trims, trims...)
	s.watch()
}

// watch has the janitor look after the shelf; the caller holds the lock.
func (s *shelf) watch() {
	if !s.swept {
		s.swept = true
		s.engine.janitor.add(s)
	}
}

// rest ends the janitor's work on an idle shelf: nothing runs, waits, is to be trimmed or remembered. It reports whether it did.
func (s *shelf) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flows+s.aside > 0 || len(s.pending) > 0 || len(s.trims) > 0 || len(s.acked) > 0 {
		return false
	}
	s.swept = false
	return true
}

// idle reports whether no flow runs, so that nobody takes the trims along.
func (s *shelf) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flows == 0
}
