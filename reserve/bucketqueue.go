package reserve

import (
	"fmt"
	"sort"
	"sync"
	"time"

	"flashsale/sale"
	"flashsale/scripts"
)

// request is one purchase on its way. It is reused: done carries exactly one token for each use.
type request struct {
	purchase  sale.Purchase
	arrivedAt time.Time
	again     bool     // it was refused before and is tried again
	line      *presses // of its buyer, while it waits
	answer    sale.Answer
	done      chan struct{}
}

func (r *request) reply(a sale.Answer) {
	r.answer = a
	r.done <- struct{}{}
}

// shelf is where the purchases of one bucket wait for their batch, and what the engine knows of the bucket.
type bucketQueue struct {
	engine    *Engine
	bucket    sale.Bucket
	partition int32
	keys      scripts.BucketKeys
	head      string         // SALE SKU NUMBER, for the record
	recordKey []byte         // of the bucket's Kafka records
	clock     *scripts.Clock // of the server that holds the bucket
	patience  *patience
	enough    chan struct{} // holds one: wanted purchases wait

	mu           sync.Mutex
	pending      []*request
	lines        map[string]*presses // of the buyers who have a press here or under way
	ready        int                 // of them, those of whom none is under way
	wanted       int                 // purchases that the one flow waits for, 0 when it does not
	workers      int                 // at work
	waitingAside int                 // flows that wait to ask again, while others may take from the shelf
	epoch        int64               // the newest that a reply was good for
	highest      int64               // sequence seen in that epoch
	trims        []scripts.Trim
	acked        ackedWrites
	inJanitor    bool // the janitor looks after this shelf

	spareLines []*presses // at most a batch of them
}

func newBucketQueue(e *Engine, b sale.Bucket, partition int32, patience *patience) *bucketQueue {
	return &bucketQueue{
		engine: e, bucket: b, partition: partition, keys: e.Redis.Keys(b), clock: scripts.NewClock(e.clock), patience: patience,
		acked: ackedWrites{}, lines: map[string]*presses{}, enough: make(chan struct{}, 1),
		head: fmt.Sprintf("%s %s %d", b.Sale, b.SKU, b.Number), recordKey: []byte(b.String()),
	}
}

// put lays a request on the shelf and starts a flow when none runs, or when a full batch waits. It refuses when the
// shelf is full or the engine drains.
func (q *bucketQueue) put(r *request) (sale.Outcome, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.engine.draining.Load() {
		return sale.OutcomeUnavailable, true
	}
	if len(q.pending) >= maxPending {
		return sale.OutcomeOverloaded, true
	}
	if !q.lineUp(r) {
		return sale.OutcomeRateLimited, true
	}
	full := q.ready >= q.engine.BatchMaxOrders && q.workers < maxWorkers && q.wanted == 0
	if q.ready > 0 && (q.workers == 0 || full) {
		if !q.engine.gate.enter() {
			q.forget(r.line)
			return sale.OutcomeUnavailable, true
		}
		q.startWorker()
	}
	q.pending = append(q.pending, r)
	if r.again {
		q.moveUp()
	}
	q.signalIfFull()
	return 0, false
}

// begin starts a flow that the gate has let in; the caller holds the lock.
func (q *bucketQueue) startWorker() {
	q.workers++
	q.addToJanitor()
	f := q.engine.workers.Get().(*batchWorker)
	f.bucketQueue = q
	go f.run()
}

// stepAside leaves what is on the shelf, and what comes, to others while a flow waits. It reports whether it did; a flow that
// did steps back.
func (q *bucketQueue) stepAside() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waitingAside == maxAside {
		return false
	}
	if q.workers == 1 && q.ready > 0 {
		if !q.engine.gate.enter() {
			return false // draining: nobody comes any more
		}
		q.startWorker()
	}
	q.workers--
	q.waitingAside++
	return true
}

func (q *bucketQueue) stepBack() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waitingAside--
	q.workers++
}

// moveUp moves the last request before those that came after it, so that the first of a batch is its oldest.
func (q *bucketQueue) moveUp() {
	last := len(q.pending) - 1
	r := q.pending[last]
	at := sort.Search(last, func(i int) bool { return q.pending[i].arrivedAt.After(r.arrivedAt) })
	copy(q.pending[at+1:], q.pending[at:last])
	q.pending[at] = r
}

// next moves the next batch from the shelf into batch. It returns none when the flow has to end: nothing waits that may
// go on, or another flow is at work and no full batch waits. What may not go on yet is left to the flow that is at work for
// the same buyer.
func (q *bucketQueue) nextBatch(batch []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ready == 0 || (q.workers > 1 && q.ready < q.engine.BatchMaxOrders) {
		q.workers--
		return batch[:0]
	}
	return q.takeBatch(batch[:0])
}

// alike reports whether two purchases of a bucket may share a batch.
func sameTerms(a, b *request) bool {
	return a.purchase.Epoch == b.purchase.Epoch && a.purchase.Grief == b.purchase.Grief &&
		a.purchase.ListVersion == b.purchase.ListVersion && a.purchase.ListSize == b.purchase.ListSize
}

// expire answers the purchases that have waited too long for a batch: none of them was sent, nothing was taken. It also
// forgets what was acknowledged and trimmed long enough ago.
func (q *bucketQueue) expire(now time.Time) {
	q.mu.Lock()
	q.acked.fade(now)
	n := 0
	for n < len(q.pending) && now.Sub(q.pending[n].arrivedAt) > queueWait {
		n++
	}
	late := append([]*request(nil), q.pending[:n]...)
	for _, r := range late {
		q.forget(r.line)
		r.line = nil
	}
	rest := copy(q.pending, q.pending[n:])
	clear(q.pending[rest:])
	q.pending = q.pending[:rest]
	q.mu.Unlock()
	for _, r := range late {
		r.reply(sale.Answer{Outcome: sale.OutcomeUnavailable})
	}
}

// seen returns the highest sequence seen in an epoch.
func (q *bucketQueue) seen(epoch int64) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if epoch != q.epoch {
		return 0
	}
	return q.highest
}

// learn keeps the highest sequence of the newest epoch.
func (q *bucketQueue) learn(epoch, sequence int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case epoch > q.epoch:
		q.epoch, q.highest = epoch, sequence
	case epoch == q.epoch:
		q.highest = max(q.highest, sequence)
	}
}

// takeTrims moves up to maxTrims entries from the shelf into trims.
func (q *bucketQueue) takeTrims(trims []scripts.Trim) []scripts.Trim {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.trims), maxTrims)
	trims = append(trims[:0], q.trims[:n]...)
	q.trims = q.trims[:copy(q.trims, q.trims[n:])]
	return trims
}

// addTrims leaves entries for the next call or the janitor, whichever comes first.
func (q *bucketQueue) addTrims(trims ...scripts.Trim) {
	if len(trims) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.trims = append(q.trims, trims...)
	q.addToJanitor()
}

// watch has the janitor look after the shelf; the caller holds the lock.
func (q *bucketQueue) addToJanitor() {
	if !q.inJanitor {
		q.inJanitor = true
		q.engine.janitor.add(q)
	}
}

// rest ends the janitor's work on an idle shelf: nothing runs, waits, is to be trimmed or remembered. It reports whether it did.
func (q *bucketQueue) leaveJanitor() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.workers+q.waitingAside > 0 || len(q.pending) > 0 || len(q.trims) > 0 || len(q.acked) > 0 {
		return false
	}
	q.inJanitor = false
	return true
}

// idle reports whether no flow runs, so that nobody takes the trims along.
func (q *bucketQueue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.workers == 0
}
