package reserve

import (
	"time"

	"flashsale/sale"
)

// flow is one goroutine that takes batch after batch from a shelf, each from the script to the acknowledgement. What it
// has allocated serves the next flow of any shelf: where few press, each flow takes one batch.
type flow struct {
	*shelf
	batch     []*request
	orderIDs  []sale.OrderID
	trims     []trim
	arguments *argumentBuffer
	parcels   []*parcel
	lines     []*presses // of the batch's buyers, until their next presses may go on
	oldest    time.Time  // when the oldest purchase of the batch came
}

// run works until the shelf is empty. Every request of every batch gets exactly one answer.
func (f *flow) run() {
	e := f.engine
	defer e.gate.leave()
	for {
		began := time.Now()
		f.batch = f.next(f.batch)
		if len(f.batch) == 0 {
			f.shelf = nil
			e.flows.Put(f)
			return
		}
		f.oldest = f.batch[0].came
		f.hold()
		f.process()
		f.letNext()
		last := len(f.batch)
		clear(f.batch)
		f.gather(last, began)
	}
}

// process takes one batch through: checks, order ids, script, Kafka.
func (f *flow) process() {
	if doubt := f.engine.Redis.owner.check(); doubt != nil {
		f.refuse(sale.Answer{Outcome: sale.OutcomeFenced, Reason: reasonOf(doubt)})
		return
	}
	if !f.dropStale() {
		return
	}
	if !f.makeOrderIDs() { // before any circuit: one that is entered hears of a call
		f.refuse(sale.Answer{Outcome: sale.OutcomeUnavailable})
		return
	}
	exit, ok := f.engine.Breaker.Enter(sale.ResourceRedis)
	if !ok {
		f.refuse(sale.Answer{Outcome: sale.OutcomeUnavailable})
		return
	}
	if left, err := f.onlyListed(); !left {
		exit(err)
		return
	}
	reply, end := f.ask()
	f.letNext()
	exit(end.err)
	if !end.decided {
		f.refuseAs(end.answer)
		return
	}
	f.give(reply)
	f.deliver()
}

// dropStale answers the purchases that waited too long while other batches were under way, and reports whether any are
// left.
func (f *flow) dropStale() bool {
	now := time.Now()
	if now.Sub(f.oldest) <= queueWait {
		return true
	}
	kept := f.batch[:0]
	for _, r := range f.batch {
		if now.Sub(r.came) > queueWait {
			r.reply(sale.Answer{Outcome: sale.OutcomeUnavailable})
		} else {
			kept = append(kept, r)
		}
	}
	f.batch = kept
	if len(kept) > 0 {
		f.oldest = kept[0].came
	}
	return len(kept) > 0
}

func (f *flow) makeOrderIDs() (ok bool) {
	f.orderIDs, ok = f.engine.IDs.Append(f.orderIDs[:0], len(f.batch))
	return ok
}

// refuse gives every request of the batch the same answer.
func (f *flow) refuse(a sale.Answer) {
	for _, r := range f.batch {
		r.reply(a)
	}
}

// refuseAs is refuse, with each request's own order id when the answer is unknown.
func (f *flow) refuseAs(a sale.Answer) {
	for i, r := range f.batch {
		if a.Outcome == sale.OutcomeUnknown {
			a.OrderID, a.Quantity = f.orderIDs[i], r.purchase.Quantity
		}
		r.reply(a)
	}
}
