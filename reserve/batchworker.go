package reserve

import (
	"time"

	"flashsale/sale"
	"flashsale/scripts"
)

// flow is one goroutine that takes batch after batch from a shelf, each from the script to the acknowledgement. What it
// has allocated serves the next flow of any shelf: where few press, each flow takes one batch.
type batchWorker struct {
	*bucketQueue
	batch        []*request
	purchases    []*sale.Purchase // of the batch, for the script
	orderIDs     []sale.OrderID
	trims        []scripts.Trim
	arguments    *scripts.ArgumentBuffer
	publications []*publication
	lines        []*presses // of the batch's buyers, until their next presses may go on
	oldest       time.Time  // when the oldest purchase of the batch came
}

// run works until the shelf is empty. Every request of every batch gets exactly one answer.
func (w *batchWorker) run() {
	e := w.engine
	defer e.gate.leave()
	for {
		began := time.Now()
		w.batch = w.nextBatch(w.batch)
		if len(w.batch) == 0 {
			w.bucketQueue = nil
			e.workers.Put(w)
			return
		}
		w.oldest = w.batch[0].arrivedAt
		w.takeLines()
		w.process()
		w.letNext()
		last := len(w.batch)
		clear(w.batch)
		w.batchfill(last, began)
	}
}

// process takes one batch through: checks, order ids, script, Kafka.
func (w *batchWorker) process() {
	if doubt := w.engine.Redis.Doubt(); doubt != nil {
		w.refuse(sale.Answer{Outcome: sale.OutcomeFenced, Reason: scripts.DoubtReason(doubt)})
		return
	}
	if !w.dropStale() {
		return
	}
	if !w.makeOrderIDs() { // before any circuit: one that is entered hears of a call
		w.refuse(sale.Answer{Outcome: sale.OutcomeUnavailable})
		return
	}
	exit, ok := w.engine.Breaker.Enter(sale.ResourceRedis)
	if !ok {
		w.refuse(sale.Answer{Outcome: sale.OutcomeUnavailable})
		return
	}
	if left, err := w.onlyListed(); !left {
		exit(err)
		return
	}
	reply, end := w.callScript()
	w.letNext()
	exit(end.err)
	if !end.decided {
		w.refuseAs(end.answer)
		return
	}
	w.answerVerdicts(reply)
	w.publish()
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

// refuse gives every request of the batch the same answer.
func (w *batchWorker) refuse(a sale.Answer) {
	for _, r := range w.batch {
		r.reply(a)
	}
}

// refuseAs is refuse, with each request's own order id when the answer is unknown.
func (w *batchWorker) refuseAs(a sale.Answer) {
	for i, r := range w.batch {
		if a.Outcome == sale.OutcomeUnknown {
			a.OrderID, a.Quantity = w.orderIDs[i], r.purchase.Quantity
		}
		r.reply(a)
	}
}
