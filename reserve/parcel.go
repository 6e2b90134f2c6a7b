package reserve

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"flashsale/faults"
	"flashsale/sale"
)

var errNoAck = errors.New("kafka did not acknowledge in time")

// parcel is one journal entry on its way to Kafka, with the requests that wait for it. It is published, the same bytes,
// until Kafka acknowledges it; then its entry is trimmed.
type parcel struct {
	shelf *shelf
	place
	nowMS   int64
	entryID string
	record  []byte
	places  []int // of its requests in the flow's batch; none for a transfer
	backoff time.Duration
	sent    bool // it has room among the bytes that wait for Kafka; otherwise it is the relay's
	acked   chan struct{}
}

// pack puts the batch's i-th request into the parcel of a place.
func (f *flow) pack(i int, at place, createdMS int64) *parcel {
	r := f.batch[i]
	r.answer = sale.Answer{OrderID: f.orderIDs[i], Quantity: r.purchase.Quantity, CreatedAt: createdAt(createdMS)}
	for _, p := range f.parcels {
		if p.place == at {
			p.places = append(p.places, i)
			return p
		}
	}
	p := &parcel{
		shelf: f.shelf, place: at, nowMS: createdMS, acked: make(chan struct{}), backoff: republishFirst,
		places: append(make([]int, 0, len(f.batch)), i),
	}
	f.parcels = append(f.parcels, p)
	return p
}

// keep stores the entry that the script has just written.
func (p *parcel) keep(reply reserveReply) {
	if p.record == nil {
		p.entryID, p.record = reply.entryID, []byte(reply.record)
	}
}

// restore writes the record of an earlier call anew: the same bytes, because all orders of one sequence number came from
// one call, and that call had this batch.
func (f *flow) restore(p *parcel) {
	batch := sale.Batch{Bucket: f.bucket, Epoch: p.epoch, Sequence: p.sequence, CreatedMS: p.nowMS}
	for _, i := range p.places {
		purchase := f.batch[i].purchase
		batch.Orders = append(batch.Orders, sale.RecordOrder{
			OrderID: f.orderIDs[i], Quantity: purchase.Quantity, Buyer: purchase.Buyer, Key: purchase.Key,
		})
	}
	batch.BatchID = batch.Orders[0].OrderID
	p.record = sale.AppendBatch(nil, &batch)
	p.entryID = entryID(batch.Epoch, batch.Sequence, batch.BatchID)
}

// entryID is the journal's name for a batch: epoch, sequence and batch id, so that it is the identity and rises.
func entryID(epoch, sequence int64, batchID sale.OrderID) string {
	return fmt.Sprintf("%d%010d-%d", epoch, sequence, batchID)
}

// deliver publishes the parcels and answers their requests: queued when Kafka has acknowledged, held when it has not in
// time. Kafka's circuit is entered here and not before, because only what is published says anything about Kafka. What it
// does not let through is held at once: units are taken, and the relay publishes the journal.
func (f *flow) deliver() {
	if !f.findRoom() {
		f.answerAll()
		return
	}
	exit, ok := f.engine.Breaker.Enter(sale.ResourceKafka)
	if !ok {
		for _, p := range f.parcels {
			p.giveRoom()
		}
		f.answerAll()
		return
	}
	for _, p := range f.parcels {
		if p.sent {
			p.send()
		}
	}
	exit(f.awaitAcks())
}

// findRoom completes the parcels and marks those that there is room for; the others are left to the relay. It reports
// whether there is anything to publish.
func (f *flow) findRoom() (some bool) {
	for _, p := range f.parcels {
		if p.record == nil {
			f.restore(p)
		}
		f.engine.orders.Observe(float64(len(p.places)))
		some = p.takeRoom() || some
	}
	return some
}

// awaitAcks answers every parcel once it is acknowledged or time is up, and returns what Kafka's circuit breaker hears.
func (f *flow) awaitAcks() (failed error) {
	wait := newAckWait(f, min(f.patience.limit(f.engine.AckTimeout), time.Until(f.oldest.Add(answerWithin))))
	defer wait.end()
	for _, p := range f.parcels {
		if failed == nil && p.sent && !wait.on(p) {
			failed = errNoAck
			f.patience.timedOut()
		}
		f.answer(p)
	}
	clear(f.parcels)
	return failed
}

// answerAll answers every parcel as it is.
func (f *flow) answerAll() {
	for _, p := range f.parcels {
		f.answer(p)
	}
	clear(f.parcels)
}

// await waits for the acknowledgement or for the end of patience, and reports which came.
func (p *parcel) await(timeout <-chan time.Time) bool {
	select {
	case <-p.acked:
		return true
	case <-timeout:
		return false
	}
}

func (f *flow) answer(p *parcel) {
	outcome := sale.OutcomeHeld
	select {
	case <-p.acked: // rule: answer-after-ack
		outcome = sale.OutcomeQueued
	default:
	}
	for _, i := range p.places {
		a := f.batch[i].answer
		a.Outcome = outcome
		f.batch[i].reply(a)
	}
}

// takeRoom reserves room among the bytes that wait for Kafka. Where there is none the parcel is left to the relay.
func (p *parcel) takeRoom() bool {
	p.sent = p.shelf.engine.unacked.reserve(len(p.record))
	return p.sent
}

// giveRoom gives the room back of a parcel that is not sent after all.
func (p *parcel) giveRoom() {
	if p.sent {
		p.sent = false
		p.shelf.engine.unacked.release(len(p.record))
	}
}

// send begins to publish the parcel, which has room.
func (p *parcel) send() {
	p.shelf.engine.gate.follow()
	p.publish()
}

func (p *parcel) publish() {
	p.shelf.engine.Producer.Publish(p.shelf.partition, p.shelf.recordKey, p.record, p.published)
	faults.Point("reserve.published")
}

// published hears what became of the record. An error means unknown: the same bytes go out again, settlement dedupes.
func (p *parcel) published(err error) {
	e := p.shelf.engine
	if err != nil && !e.ended.Load() {
		wait := p.backoff
		p.backoff = min(2*p.backoff, republishMost)
		time.AfterFunc(wait, p.publish)
		return
	}
	if err == nil {
		faults.Point("reserve.acknowledged")
		p.shelf.acknowledge(trim{place: p.place, entryID: p.entryID, orders: max(1, len(p.places))})
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
