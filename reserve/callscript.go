package reserve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
)

// ending is how the calls for one batch ended: decided, with a verdict for each purchase, or with one answer for the whole
// batch.
type ending struct {
	ran     bool // the script has run to its end, so that it has trimmed
	decided bool
	answer  sale.Answer
	err     error // what the circuit breaker of Redis is told
}

// A bucket may lack a SKU for a moment: gateways know a new item before the outbox has brought it to Redis. Within newSKUWithin
// of the arrival of its oldest purchase a batch waits for that; then the bucket is in doubt.
const (
	detailSKU    = "sku" // of a fenced reply: the bucket lacks a SKU of the batch
	newSKUWithin = time.Second
)

var errLateCall = errors.New("redis got the call after its deadline")

// callScript calls the script until the outcome is known or time is up.
//
// A call without a reply may have happened. The worker sends the next one after the deadline of the one before, so two calls
// of one batch can never both take units, and it sends the same order ids: the script finds by them what the first call took.
// From then on a refusal of the whole batch says nothing about the first call, and the outcome is unknown.
func (w *batchWorker) callScript() (scripts.ReserveReply, ending) {
	call := w.newCall()
	giveUp := w.oldest.Add(answerWithin - callTimeout)
	for late := 0; ; {
		reply, err := w.engine.Redis.Reserve(call, w.arguments)
		switch {
		case err == nil && reply.Code == scripts.CodeLate && late < 2:
			late++ // the clock has learned from the reply; this call took nothing
		case err == nil && reply.Code == scripts.CodeLate:
			return reply, w.ended(call, sale.OutcomeUnavailable, errLateCall)
		case err == nil && w.awaitsSKU(reply):
			w.restForSKU() // this call took nothing either
		case err == nil:
			return reply, w.judge(call, reply)
		case scripts.Definite(err) && !call.AskedAgain:
			return reply, w.ended(call, sale.OutcomeUnavailable, err)
		default:
			call.AskedAgain = call.AskedAgain || !scripts.Definite(err) // rule: same-ids-asked-again
			w.restBeforeAsking(call)
		}
		call.Highest = w.queue.seen(call.Epoch)
		if time.Now().After(giveUp) {
			return reply, w.ended(call, sale.OutcomeUnavailable, fmt.Errorf("no answer in time: %w", err))
		}
	}
}

func (w *batchWorker) newCall() *scripts.ReserveCall {
	w.purchases = w.purchases[:0]
	for _, r := range w.batch {
		w.purchases = append(w.purchases, &r.purchase)
	}
	first := w.purchases[0]
	return &scripts.ReserveCall{
		Keys: w.queue.keys, Head: w.queue.head, Clock: w.queue.clock, Within: callTimeout, Epoch: first.Epoch, Highest: w.highest,
		MaxJournal: w.engine.JournalMaxOrders, Grief: first.Grief, Trims: w.trims, Purchases: w.purchases, OrderIDs: w.orderIDs,
	}
}

// restBeforeAsking waits until Redis cannot execute the last call any more. Where that is long, because the connection broke
// at once, another worker takes the purchases that arrive meanwhile.
func (w *batchWorker) restBeforeAsking(call *scripts.ReserveCall) {
	now, _ := w.queue.clock.Now()
	wait := max(time.UnixMilli(call.DeadlineMS).Add(askMargin).Sub(now), askPause)
	if wait > askPause && w.queue.stepAside() {
		defer w.queue.stepBack()
	}
	role.Pause(context.Background(), wait)
}

// awaitsSKU reports whether a call is worth to be repeated because the outbox may bring the SKU that the bucket lacks.
func (w *batchWorker) awaitsSKU(reply scripts.ReserveReply) bool {
	return reply.Code == scripts.CodeFenced && reply.Detail == detailSKU && time.Since(w.oldest) < newSKUWithin
}

// restForSKU waits a moment, while another worker takes the purchases that arrive.
func (w *batchWorker) restForSKU() {
	if w.queue.stepAside() {
		defer w.queue.stepBack()
	}
	role.Pause(context.Background(), askPause)
}

// judge reads the code of a reply that arrived.
func (w *batchWorker) judge(call *scripts.ReserveCall, reply scripts.ReserveReply) ending {
	switch reply.Code {
	case scripts.CodeOK:
		faults.Point("reserve.decided")
		return ending{ran: true, decided: true}
	case scripts.CodeWindow:
		return w.ended(call, scripts.WindowOutcome(reply.Detail), nil)
	}
	if reply.Epoch <= call.Epoch { // otherwise the gateway's view is old and the database knows better
		w.engine.reporter.report(w.queue.bucket, call.Epoch, reply.Detail)
	}
	end := w.ended(call, sale.OutcomeFenced, nil)
	end.answer.Reason = reply.Detail
	return end
}

// ended is the answer for a batch that was refused whole: unknown when an earlier call may have taken units.
func (w *batchWorker) ended(call *scripts.ReserveCall, outcome sale.Outcome, err error) ending {
	if call.AskedAgain {
		outcome = sale.OutcomeUnknown
	}
	return ending{answer: sale.Answer{Outcome: outcome}, err: err}
}
