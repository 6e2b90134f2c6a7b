package reserve

import (
	"errors"
	"sync/atomic"
	"time"

	"flashsale/faults"
	"flashsale/sale"
	"flashsale/scripts"
)

var errNoAck = errors.New("kafka did not acknowledge in time")

// parcel is one journal entry on its way to Kafka, with the requests that wait for it. It is published, the same bytes,
// until Kafka acknowledges it; then its entry is trimmed.
type publication struct {
	shelf *bucketQueue
	scripts.WriteID
	nowMS   int64
	entryID string
	record  []byte
	indexes []int // of its requests in the flow's batch; none for a transfer
	backoff time.Duration
	sent    bool // it has room among the bytes that wait for Kafka; otherwise it is the relay's
	acked   chan struct{}
}

// pack puts the batch's i-th request into the parcel of a place.
func (w *batchWorker) publicationOf(i int, at scripts.WriteID, createdMS int64) *publication {
	r := w.batch[i]
	r.answer = sale.Answer{OrderID: w.orderIDs[i], Quantity: r.purchase.Quantity, CreatedAt: scripts.CreatedAt(createdMS)}
	for _, p := range w.publications {
		if p.WriteID == at {
			p.indexes = append(p.indexes, i)
			return p
		}
	}
	p := &publication{
		shelf: w.bucketQueue, WriteID: at, nowMS: createdMS, acked: make(chan struct{}), backoff: republishFirst,
		indexes: append(make([]int, 0, len(w.batch)), i),
	}
	w.publications = append(w.publications, p)
	return p
}

// keep stores the entry that the script has just written.
func (p *publication) setEntry(reply scripts.ReserveReply) {
	if p.record == nil {
		p.entryID, p.record = reply.EntryID, []byte(reply.Record)
	}
}

// restore writes the record of an earlier call anew: the same bytes, because all orders of one sequence number came from
// one call, and that call had this batch.
func (w *batchWorker) restore(p *publication) {
	batch := sale.Batch{Bucket: w.bucket, Epoch: p.Epoch, Sequence: p.Sequence, CreatedMS: p.nowMS}
	for _, i := range p.indexes {
		purchase := w.batch[i].purchase
		batch.Orders = append(batch.Orders, sale.RecordOrder{
			OrderID: w.orderIDs[i], Quantity: purchase.Quantity, Buyer: purchase.Buyer, Key: purchase.Key,
		})
	}
	batch.BatchID = batch.Orders[0].OrderID
	p.record = sale.AppendBatch(nil, &batch)
	p.entryID = scripts.EntryID(batch.Epoch, batch.Sequence, batch.BatchID)
}

// deliver publishes the parcels and answers their requests: queued when Kafka has acknowledged, held when it has not in
// time. Kafka's circuit is entered here and not before, because only what is published says anything about Kafka. What it
// does not let through is held at once: units are taken, and the relay publishes the journal.
func (w *batchWorker) publish() {
	if !w.reserveBytes() {
		w.answerAll()
		return
	}
	exit, ok := w.engine.Breaker.Enter(sale.ResourceKafka)
	if !ok {
		for _, p := range w.publications {
			p.releaseBytes()
		}
		w.answerAll()
		return
	}
	for _, p := range w.publications {
		if p.sent {
			p.send()
		}
	}
	exit(w.awaitAcks())
}

// findRoom completes the parcels and marks those that there is room for; the others are left to the relay. It reports
// whether there is anything to publish.
func (w *batchWorker) reserveBytes() (some bool) {
	for _, p := range w.publications {
		if p.record == nil {
			w.restore(p)
		}
		w.engine.orders.Observe(float64(len(p.indexes)))
		some = p.reserveBytes() || some
	}
	return some
}

// awaitAcks answers every parcel once it is acknowledged or time is up, and returns what Kafka's circuit breaker hears.
func (w *batchWorker) awaitAcks() (failed error) {
	wait := newAckWait(w, min(w.patience.limit(w.engine.AckTimeout), time.Until(w.oldest.Add(answerWithin))))
	defer wait.end()
	for _, p := range w.publications {
		if failed == nil && p.sent && !wait.on(p) {
			failed = errNoAck
			w.patience.timedOut()
		}
		w.answer(p)
	}
	clear(w.publications)
	return failed
}

// answerAll answers every parcel as it is.
func (w *batchWorker) answerAll() {
	for _, p := range w.publications {
		w.answer(p)
	}
	clear(w.publications)
}

// await waits for the acknowledgement or for the end of patience, and reports which came.
func (p *publication) await(timeout <-chan time.Time) bool {
	select {
	case <-p.acked:
		return true
	case <-timeout:
		return false
	}
}

func (w *batchWorker) answer(p *publication) {
	outcome := sale.OutcomeHeld
	select {
	case <-p.acked: // rule: answer-after-ack
		outcome = sale.OutcomeQueued
	default:
	}
	for _, i := range p.indexes {
		a := w.batch[i].answer
		a.Outcome = outcome
		w.batch[i].reply(a)
	}
}

// takeRoom reserves room among the bytes that wait for Kafka. Where there is none the parcel is left to the relay.
func (p *publication) reserveBytes() bool {
	p.sent = p.shelf.engine.unacked.reserve(len(p.record))
	return p.sent
}

// giveRoom gives the room back of a parcel that is not sent after all.
func (p *publication) releaseBytes() {
	if p.sent {
		p.sent = false
		p.shelf.engine.unacked.release(len(p.record))
	}
}

// send begins to publish the parcel, which has room.
func (p *publication) send() {
	p.shelf.engine.gate.follow()
	p.publish()
}

func (p *publication) publish() {
	p.shelf.engine.Producer.Publish(p.shelf.partition, p.shelf.recordKey, p.record, p.published)
	faults.Point("reserve.published")
}

// published hears what became of the record. An error means unknown: the same bytes go out again, settlement dedupes.
func (p *publication) published(err error) {
	e := p.shelf.engine
	if err != nil && !e.ended.Load() {
		wait := p.backoff
		p.backoff = min(2*p.backoff, republishMost)
		time.AfterFunc(wait, p.publish)
		return
	}
	if err == nil {
		faults.Point("reserve.acknowledged")
		p.shelf.acknowledge(scripts.Trim{WriteID: p.WriteID, EntryID: p.entryID, Orders: max(1, len(p.indexes))})
		close(p.acked)
		p.shelf.patience.acked()
	}
	e.unacked.release(len(p.record))
	e.gate.leave()
}

// patience is how long batches of one partition wait for Kafka: once it is known to be away, hardly at all.
type patience struct{ timeouts atomic.Int32 }

func (p *patience) limit(full time.Duration) time.Duration {
	if p.timeouts.Load() >= patienceTimeouts {
		return min(full, shortPatience)
	}
	return full
}

func (p *patience) timedOut() { p.timeouts.Add(1) }
func (p *patience) acked()    { p.timeouts.Store(0) }

// unackedBytes bounds the records that are kept for Kafka.
type unackedBytes struct{ bytes atomic.Int64 }

func (u *unackedBytes) reserve(n int) bool {
	if u.bytes.Add(int64(n)) > maxUnackedBytes {
		u.bytes.Add(int64(-n))
		return false
	}
	return true
}

func (u *unackedBytes) release(n int) { u.bytes.Add(int64(-n)) }
