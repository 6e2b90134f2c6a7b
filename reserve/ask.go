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

// ending is how asking the script ended: decided, with a verdict for each purchase, or the one answer for the whole
// batch. err is what the circuit breaker of Redis hears.
type ending struct {
	decided bool
	answer  sale.Answer
	err     error
}

var errLateCall = errors.New("redis got the call after its deadline")

// ask calls the script until the outcome is known or time is up.
//
// A call without an answer may have happened. The next one goes out after the deadline of the one before, so two calls of
// one batch can never both take something, and it carries the same order ids: what the first took is found by them. From
// then on a refusal of the whole batch says nothing about the first call, and the answer is unknown.
func (w *batchWorker) callScript() (scripts.ReserveReply, ending) {
	call := w.newCall()
	giveUp := w.oldest.Add(answerWithin - callTimeout)
	for late := 0; ; {
		w.trims = w.takeTrims(w.trims)
		call.Trims = w.trims
		reply, err := w.callOnce(call)
		if err != nil || reply.Code != scripts.CodeOK {
			w.addTrims(w.trims...)
		} else {
			w.trimmed(w.trims)
			faults.Point("reserve.decided")
		}
		switch {
		case err == nil && reply.Code == scripts.CodeLate && late < 2:
			late++ // send has learned the clock; nothing was taken by this call
		case err == nil && reply.Code == scripts.CodeLate:
			return reply, w.ended(call, sale.OutcomeUnavailable, errLateCall)
		case err == nil:
			return reply, w.judge(call, reply)
		case scripts.Definite(err) && !call.AskedAgain:
			return reply, w.ended(call, sale.OutcomeUnavailable, err)
		default:
			call.AskedAgain = call.AskedAgain || !scripts.Definite(err) // rule: same-ids-asked-again
			w.restBeforeAsking(call)
		}
		if time.Now().After(giveUp) {
			return reply, w.ended(call, sale.OutcomeUnavailable, fmt.Errorf("no answer in time: %w", err))
		}
	}
}

func (w *batchWorker) newCall() *scripts.ReserveCall {
	epoch := w.batch[0].purchase.Epoch
	w.purchases = w.purchases[:0]
	for _, r := range w.batch {
		w.purchases = append(w.purchases, &r.purchase)
	}
	return &scripts.ReserveCall{
		Keys: w.keys, Head: w.head, Epoch: epoch, MaxJournal: w.engine.JournalMaxOrders,
		Purchases: w.purchases, OrderIDs: w.orderIDs, Grief: w.batch[0].purchase.Grief,
	}
}

// send makes one call with a fresh deadline and learns from the reply.
func (w *batchWorker) callOnce(call *scripts.ReserveCall) (scripts.ReserveReply, error) {
	now, err := w.redisTime(context.Background())
	if err != nil {
		return scripts.ReserveReply{}, err
	}
	call.DeadlineMS = now.Add(callTimeout).UnixMilli()
	call.Highest = w.seen(call.Epoch)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	sent := w.clock.Reading()
	reply, err := w.engine.Redis.Reserve(ctx, call, w.arguments)
	if err == nil && reply.NowMS > 0 {
		w.clock.Learn(sent, w.clock.Reading(), time.Duration(reply.NowMS)*time.Millisecond+time.Millisecond/2)
	}
	return reply, err
}

// untilDeadline is how long the last call may still be executed.
func (w *batchWorker) untilDeadline(call *scripts.ReserveCall) time.Duration {
	now, _ := w.clock.Now()
	return time.UnixMilli(call.DeadlineMS).Add(askMargin).Sub(now)
}

// restBeforeAsking waits until the last call cannot be executed any more. Where that is long, because the connection broke
// at once, the purchases that come meanwhile are not kept waiting: another flow takes them.
func (w *batchWorker) restBeforeAsking(call *scripts.ReserveCall) {
	wait := max(w.untilDeadline(call), askPause)
	if wait > askPause && w.stepAside() {
		defer w.stepBack()
	}
	role.Pause(context.Background(), wait)
}

// judge reads the code of a reply that arrived.
func (w *batchWorker) judge(call *scripts.ReserveCall, reply scripts.ReserveReply) ending {
	switch reply.Code {
	case scripts.CodeOK:
		w.learn(call.Epoch, reply.Sequence)
		return ending{decided: true}
	case scripts.CodeWindow:
		return w.ended(call, scripts.WindowOutcome(reply.Detail), nil)
	}
	if reply.Epoch <= call.Epoch { // otherwise the gateway's view is old and the database knows better
		w.engine.reporter.report(w.bucket, call.Epoch, reply.Detail)
	}
	end := w.ended(call, sale.OutcomeFenced, nil)
	end.answer.Reason = reply.Detail
	return end
}

// ended is the answer for a batch that was refused whole: unknown when an earlier call may have taken something.
func (w *batchWorker) ended(call *scripts.ReserveCall, outcome sale.Outcome, err error) ending {
	if call.AskedAgain {
		outcome = sale.OutcomeUnknown
	}
	return ending{answer: sale.Answer{Outcome: outcome}, err: err}
}
