package reserve

import (
	"fmt"
	"sort"
	"sync"
	"time"

	"flashsale/sale"
	"flashsale/scripts"
)

// request is one purchase on its way. The engine reuses it: done carries exactly one token for each use.
type request struct {
	purchase  sale.Purchase
	arrivedAt time.Time
	again     bool     // the bucket has refused it before, and it is tried again
	line      *presses // of its buyer, while it waits
	answer    sale.Answer
	done      chan struct{}
}

func (r *request) reply(a sale.Answer) {
	r.answer = a
	r.done <- struct{}{}
}

// bucketQueue keeps the purchases of one bucket that wait for their batch, and what the engine knows of the bucket. It changes
// for a batch at three points: its worker takes it (next), its worker reports what the script decided (decided), and the
// producer's callback reports Kafka's acknowledgement (acknowledge).
type bucketQueue struct {
	engine    *Engine
	bucket    sale.Bucket
	partition int32
	keys      scripts.BucketKeys
	head      string         // SALE NUMBER, for the record
	recordKey []byte         // of the bucket's Kafka records
	clock     *scripts.Clock // of the server that holds the bucket
	patience  *patience
	enough    chan struct{} // capacity 1: signals that the purchases wait which a worker has waited for

	mu           sync.Mutex
	pending      []*request
	pendingLines int                 // of the pending purchases together
	lines        map[string]*presses // of the buyers with a press that waits here or is under way
	ready        int                 // of them, those without a press under way
	wanted       int                 // purchases that the one worker waits for, 0 when it does not
	workers      int                 // at work
	waitingAside int                 // workers that wait to call again or for Kafka, while others may take batches
	epoch        int64               // the newest that a reply was good for
	highest      int64               // sequence seen in that epoch
	trims        []scripts.Trim      // acknowledged entries that a call or the janitor deletes
	acked        ackedWrites
	inJanitor    bool // the janitor looks after this queue

	spareLines []*presses // at most BatchMaxOrders of them
}

func newBucketQueue(e *Engine, b sale.Bucket, partition int32, patience *patience) *bucketQueue {
	return &bucketQueue{
		engine: e, bucket: b, partition: partition, keys: e.Redis.Keys(b), clock: scripts.NewClock(e.clock), patience: patience,
		acked: ackedWrites{}, lines: map[string]*presses{}, enough: make(chan struct{}, 1),
		head: fmt.Sprintf("%s %d", b.Sale, b.Number), recordKey: []byte(b.String()),
	}
}

// put appends a request to the queue, and starts a worker when none works or when a full batch waits. It refuses the request
// when the queue is full, too many presses of the buyer wait, or the engine drains.
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
	full := q.ready >= q.batchSize() && q.workers < maxWorkers && q.wanted == 0
	if q.ready > 0 && (q.workers == 0 || full) {
		if !q.engine.gate.enter() {
			q.forget(r.line)
			return sale.OutcomeUnavailable, true
		}
		q.startWorker()
	}
	q.pending = append(q.pending, r)
	q.pendingLines += len(r.purchase.Lines)
	if r.again {
		q.moveUp()
	}
	q.signalIfFull()
	return 0, false
}

// startWorker starts a worker that the gate has let in; the caller holds the lock.
func (q *bucketQueue) startWorker() {
	q.workers++
	q.addToJanitor()
	w := q.engine.workers.Get().(*batchWorker)
	w.engine, w.queue = q.engine, q
	go w.run()
}

// stepAside lets other workers take batches while one waits, and starts one if purchases wait. It reports whether the caller
// may wait aside; a worker that did steps back afterwards.
func (q *bucketQueue) stepAside() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waitingAside == maxAside {
		return false
	}
	if q.workers == 1 && q.ready > 0 {
		if !q.engine.gate.enter() {
			return false // the engine drains: no further purchase arrives
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

// moveUp moves the last request before those that arrived after it, so that the first of a batch is its oldest.
func (q *bucketQueue) moveUp() {
	last := len(q.pending) - 1
	r := q.pending[last]
	at := sort.Search(last, func(i int) bool { return q.pending[i].arrivedAt.After(r.arrivedAt) })
	copy(q.pending[at+1:], q.pending[at:last])
	q.pending[at] = r
}

// next gives a worker its next batch, with the trims for its call and the highest sequence seen in its epoch. It reports
// false when the worker has to end: no waiting purchase may be taken, or another worker is at work and no full batch waits.
func (q *bucketQueue) next(w *batchWorker) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.batch = w.batch[:0]
	if q.ready == 0 || (q.workers > 1 && q.ready < q.batchSize()) {
		q.workers--
		return false
	}
	q.takeBatch(w)
	w.oldest = w.batch[0].arrivedAt
	w.trims = q.takeTrims(w.trims)
	w.highest = q.highestIn(w.batch[0].purchase.Epoch)
	return true
}

// decided ends the script phase of a worker's batch: the next presses of its buyers may be taken. When the script has run,
// the queue keeps the sequence and notes the trims as done; otherwise it takes the trims back.
func (q *bucketQueue) decided(w *batchWorker, ran bool, epoch, sequence int64) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if ran {
		q.learnLocked(epoch, sequence)
		q.markTrimmed(w.trims, now)
	} else if len(w.trims) > 0 {
		q.trims = append(q.trims, w.trims...)
		q.addToJanitor()
	}
	w.trims = w.trims[:0]
	q.releaseLines(w)
}

// expire answers the purchases that have waited too long for a batch: none of them was sent, nothing was taken. It also
// forgets the acknowledged writes that were trimmed long enough ago.
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
		q.pendingLines -= len(r.purchase.Lines)
	}
	rest := copy(q.pending, q.pending[n:])
	clear(q.pending[rest:])
	q.pending = q.pending[:rest]
	q.mu.Unlock()
	for _, r := range late {
		r.reply(sale.Answer{Outcome: sale.OutcomeUnavailable})
	}
}
