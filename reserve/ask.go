package reserve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flashsale/faults"
	"flashsale/sale"
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
func (w *batchWorker) callScript() (reserveReply, ending) {
	call := w.newCall()
	giveUp := w.oldest.Add(answerWithin - callTimeout)
	for late := 0; ; {
		w.trims = w.takeTrims(w.trims)
		call.trims = w.trims
		reply, err := w.callOnce(call)
		if err != nil || reply.code != codeOK {
			w.addTrims(w.trims...)
		} else {
			w.trimmed(w.trims)
			faults.Point("reserve.decided")
		}
		switch {
		case err == nil && reply.code == codeLate && late < 2:
			late++ // send has learned the clock; nothing was taken by this call
		case err == nil && reply.code == codeLate:
			return reply, w.ended(call, sale.OutcomeUnavailable, errLateCall)
		case err == nil:
			return reply, w.judge(call, reply)
		case definite(err) && !call.askedAgain:
			return reply, w.ended(call, sale.OutcomeUnavailable, err)
		default:
			call.askedAgain = call.askedAgain || !definite(err) // rule: same-ids-asked-again
			w.restBeforeAsking(call)
		}
		if time.Now().After(giveUp) {
			return reply, w.ended(call, sale.OutcomeUnavailable, fmt.Errorf("no answer in time: %w", err))
		}
	}
}

func (w *batchWorker) newCall() *reserveCall {
	epoch := w.batch[0].purchase.Epoch
	w.purchases = w.purchases[:0]
	for _, r := range w.batch {
		w.purchases = append(w.purchases, &r.purchase)
	}
	return &reserveCall{
		keys: w.keys, head: w.head, epoch: epoch, maxJournal: w.engine.JournalMaxOrders,
		purchases: w.purchases, orderIDs: w.orderIDs, grief: w.batch[0].purchase.Grief,
	}
}

// send makes one call with a fresh deadline and learns from the reply.
func (w *batchWorker) callOnce(call *reserveCall) (reserveReply, error) {
	now, err := w.redisTime(context.Background())
	if err != nil {
		return reserveReply{}, err
	}
	call.deadlineMS = now.Add(callTimeout).UnixMilli()
	call.highest = w.seen(call.epoch)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	sent := w.clock.reading()
	reply, err := w.engine.Redis.reserve(ctx, call, w.arguments)
	if err == nil && reply.nowMS > 0 {
		w.clock.learn(sent, w.clock.reading(), time.Duration(reply.nowMS)*time.Millisecond+time.Millisecond/2)
	}
	return reply, err
}

// untilDeadline is how long the last call may still be executed.
func (w *batchWorker) untilDeadline(call *reserveCall) time.Duration {
	now, _ := w.clock.now()
	return time.UnixMilli(call.deadlineMS).Add(askMargin).Sub(now)
}

// restBeforeAsking waits until the last call cannot be executed any more. Where that is long, because the connection broke
// at once, the purchases that come meanwhile are not kept waiting: another flow takes them.
func (w *batchWorker) restBeforeAsking(call *reserveCall) {
	wait := max(w.untilDeadline(call), askPause)
	if wait > askPause && w.stepAside() {
		defer w.stepBack()
	}
	pause(context.Background(), wait)
}

// judge reads the code of a reply that arrived.
func (w *batchWorker) judge(call *reserveCall, reply reserveReply) ending {
	switch reply.code {
	case codeOK:
		w.learn(call.epoch, reply.sequence)
		return ending{decided: true}
	case codeWindow:
		return w.ended(call, windowOutcome(reply.detail), nil)
	}
	if reply.epoch <= call.epoch { // otherwise the gateway's view is old and the database knows better
		w.engine.reporter.report(w.bucket, call.epoch, reply.detail)
	}
	end := w.ended(call, sale.OutcomeFenced, nil)
	end.answer.Reason = reply.detail
	return end
}

// ended is the answer for a batch that was refused whole: unknown when an earlier call may have taken something.
func (w *batchWorker) ended(call *reserveCall, outcome sale.Outcome, err error) ending {
	if call.askedAgain {
		outcome = sale.OutcomeUnknown
	}
	return ending{answer: sale.Answer{Outcome: outcome}, err: err}
}
