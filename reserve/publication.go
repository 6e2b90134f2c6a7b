package reserve

import (
	"errors"
	"time"

	"flashsale/faults"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/tracing"
)

var errNoAck = errors.New("kafka did not acknowledge in time")

// publication is one journal entry on its way to Kafka, with the requests that wait for it. The producer sends the same bytes
// until Kafka acknowledges them; then the entry is trimmed.
type publication struct {
	queue *bucketQueue
	scripts.WriteID
	nowMS   int64
	entryID string
	record  []byte
	indexes []int // of its requests in the worker's batch; none for a transfer
	backoff time.Duration
	sent    bool // its bytes are counted among those that wait for Kafka; otherwise the relay publishes it
	acked   chan struct{}
	batchID sale.OrderID     // of its first order; 0 for a transfer
	under   sale.SpanContext // the span of its batch, zero when no purchase of it is sampled
	span    *tracing.Span
}

// publicationOf adds the batch's i-th request to the publication of the write that took its units.
func (w *batchWorker) publicationOf(i int, at scripts.WriteID, createdMS int64) *publication {
	r := w.batch[i]
	r.answer = sale.Answer{OrderID: w.orderIDs[i], BatchID: w.orderIDs[i], CreatedAt: scripts.CreatedAt(createdMS)}
	for _, p := range w.publications {
		if p.WriteID == at {
			r.answer.BatchID = p.batchID
			p.indexes = append(p.indexes, i)
			return p
		}
	}
	p := &publication{
		queue: w.queue, WriteID: at, nowMS: createdMS, acked: make(chan struct{}), backoff: republishFirst,
		indexes: append(make([]int, 0, len(w.batch)), i), batchID: w.orderIDs[i], under: w.span.Context(),
	}
	w.publications = append(w.publications, p)
	return p
}

// setEntry stores the entry that the script has just written.
func (p *publication) setEntry(reply scripts.ReserveReply) {
	if p.record == nil {
		p.entryID, p.record = reply.EntryID, []byte(reply.Record)
	}
}

// restore writes the record of an earlier call anew: the same bytes, because all orders of one sequence number came from
// one call, and that call had this batch.
func (w *batchWorker) restore(p *publication) {
	batch := sale.Batch{Bucket: w.queue.bucket, Epoch: p.Epoch, Sequence: p.Sequence, CreatedMS: p.nowMS}
	for _, i := range p.indexes {
		purchase := w.batch[i].purchase
		batch.Orders = append(batch.Orders, sale.RecordOrder{
			OrderID: w.orderIDs[i], Lines: purchase.Lines, Buyer: purchase.Buyer, Key: purchase.Key,
		})
	}
	batch.BatchID = batch.Orders[0].OrderID
	p.record = sale.AppendBatch(nil, &batch)
	p.entryID = scripts.EntryID(batch.Epoch, batch.Sequence, batch.BatchID)
}

// publish publishes the batch's publications and answers their requests: queued when Kafka has acknowledged, held when it has
// not in time. It enters Kafka's circuit here and not before, because only a record that is published says anything about
// Kafka. When the circuit is open the answer is held at once: the units are taken, and the relay publishes the journal.
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
			p.beginPublish()
			p.send()
		}
	}
	exit(w.awaitAcks())
}

// reserveBytes completes the publications and counts the bytes of those that fit the bound; the relay publishes the others. It
// reports whether any fits.
func (w *batchWorker) reserveBytes() (some bool) {
	for _, p := range w.publications {
		if p.record == nil {
			w.restore(p)
		}
		w.engine.orders.Observe(float64(len(p.indexes)))
		p.tell("batch reserved")
		some = p.reserveBytes() || some
	}
	return some
}

// awaitAcks answers every publication when it is acknowledged or time is up, and returns what Kafka's circuit breaker is told.
func (w *batchWorker) awaitAcks() (failed error) {
	wait := newAckWait(w.queue, min(w.queue.patience.limit(w.engine.AckTimeout), time.Until(w.oldest.Add(answerWithin))))
	defer wait.end()
	for _, p := range w.publications {
		if failed == nil && p.sent && !wait.on(p) {
			failed = errNoAck
			w.queue.patience.timedOut()
		}
		w.answer(p)
	}
	clear(w.publications)
	return failed
}

// answerAll answers every publication as it is.
func (w *batchWorker) answerAll() {
	for _, p := range w.publications {
		w.answer(p)
	}
	clear(w.publications)
}

// await waits for the acknowledgement until the timeout, and reports whether Kafka acknowledged.
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
	if outcome == sale.OutcomeHeld {
		p.span.Event("answered held")
	}
}

// reserveBytes counts the record among the bytes that wait for Kafka. Beyond the bound the relay publishes it.
func (p *publication) reserveBytes() bool {
	p.sent = p.queue.engine.unacked.reserve(len(p.record))
	return p.sent
}

// releaseBytes ends the count of a record that is not sent after all.
func (p *publication) releaseBytes() {
	if p.sent {
		p.sent = false
		p.queue.engine.unacked.release(len(p.record))
	}
}

// send begins to publish a record whose bytes are counted.
func (p *publication) send() {
	p.queue.engine.gate.add()
	p.publish()
}

func (p *publication) publish() {
	p.queue.engine.Producer.Publish(p.queue.partition, p.queue.recordKey, p.record, p.span.Context(), p.published)
	faults.Point("reserve.published")
}

// published takes the producer's result. An error leaves the outcome open: the same bytes go out again, and settlement
// dedupes.
func (p *publication) published(err error) {
	e := p.queue.engine
	if err != nil && !e.ended.Load() {
		p.span.Event("sent again")
		wait := p.backoff
		p.backoff = min(2*p.backoff, republishMost)
		time.AfterFunc(wait, p.publish)
		return
	}
	if err == nil {
		faults.Point("reserve.acknowledged")
		p.queue.acknowledge(scripts.Trim{WriteID: p.WriteID, EntryID: p.entryID, Orders: max(1, len(p.indexes))})
		close(p.acked)
		p.queue.patience.acked()
		p.tell("batch published")
	}
	p.span.FailWith(err)
	p.span.End()
	e.unacked.release(len(p.record))
	e.gate.leave()
}
