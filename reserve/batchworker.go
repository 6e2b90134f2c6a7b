package reserve

import (
	"time"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/tracing"
)

// batchWorker is one goroutine that takes batch after batch from a queue, each through the script to Kafka's acknowledgement.
// It alone owns the state of its batch. What it has allocated serves the next worker of any queue: where few buyers press,
// each worker takes one batch.
type batchWorker struct {
	engine       *Engine
	queue        *bucketQueue
	batch        []*request
	oldest       time.Time // when the oldest purchase of the batch arrived
	purchases    []*sale.Purchase
	orderIDs     []sale.OrderID
	trims        []scripts.Trim // that the batch's call deletes
	highest      int64          // sequence seen in the batch's epoch
	lines        []*presses     // of the batch's buyers, until their next presses may be taken
	arguments    *scripts.ArgumentBuffer
	publications []*publication
	span         *tracing.Span // nil: no purchase of the batch is sampled
}

// run works until the queue gives it no batch. Every request of every batch gets exactly one answer.
func (w *batchWorker) run() {
	e := w.engine
	defer e.gate.leave()
	for {
		began := time.Now()
		if !w.queue.next(w) {
			w.queue = nil
			e.workers.Put(w)
			return
		}
		w.beginSpan()
		if exit, ok := w.prepare(); ok {
			reply, end := w.callScript()
			w.queue.decided(w, end.ran, reply.Epoch, reply.Sequence)
			exit(end.err)
			if end.decided {
				w.answerVerdicts(reply)
				w.endSpan(reply, end)
				w.publish()
			} else {
				w.endSpan(reply, end)
				w.refuse(end.answer)
			}
		} else {
			w.span.End()
			w.queue.decided(w, false, 0, 0)
		}
		size := len(w.batch)
		clear(w.batch)
		w.batchfill(size, began)
	}
}

// prepare makes the checks that come before the script, and the order ids. It enters Redis's circuit last, because a circuit
// that is entered is told of a call. It answers the purchases that fail a check, and reports whether any is left; exit tells
// the circuit the result of the call.
func (w *batchWorker) prepare() (exit func(error), ok bool) {
	if doubt := w.engine.Redis.Doubt(); doubt != nil {
		w.refuse(sale.Answer{Outcome: sale.OutcomeFenced, Reason: scripts.DoubtReason(doubt)})
		return nil, false
	}
	if !w.dropStale() {
		return nil, false
	}
	if !w.makeOrderIDs() {
		w.refuse(sale.Answer{Outcome: sale.OutcomeUnavailable})
		return nil, false
	}
	if exit, ok = w.engine.Breaker.Enter(sale.ResourceRedis); !ok {
		w.refuse(sale.Answer{Outcome: sale.OutcomeUnavailable})
		return nil, false
	}
	if left, err := w.onlyListed(); !left {
		exit(err)
		return nil, false
	}
	return exit, true
}

// dropStale answers the purchases that waited too long while other batches were under way, and reports whether any are
// left.
func (w *batchWorker) dropStale() bool {
	now := time.Now()
	if now.Sub(w.oldest) <= queueWait {
		return true
	}
	kept := w.batch[:0]
	for _, r := range w.batch {
		if now.Sub(r.arrivedAt) > queueWait {
			r.reply(sale.Answer{Outcome: sale.OutcomeUnavailable})
		} else {
			kept = append(kept, r)
		}
	}
	w.batch = kept
	if len(kept) > 0 {
		w.oldest = kept[0].arrivedAt
	}
	return len(kept) > 0
}

func (w *batchWorker) makeOrderIDs() (ok bool) {
	w.orderIDs, ok = w.engine.IDs.Append(w.orderIDs[:0], len(w.batch))
	return ok
}

// refuse gives every request of the batch the same answer, with its own order id when the outcome is unknown.
func (w *batchWorker) refuse(a sale.Answer) {
	for i, r := range w.batch {
		if a.Outcome == sale.OutcomeUnknown {
			a.OrderID = w.orderIDs[i]
		}
		r.reply(a)
	}
}
