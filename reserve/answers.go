package reserve

import (
	"strings"

	"flashsale/sale"
)

// answerVerdicts answers every refused and replayed purchase at once, and collects the taken ones in publications: one for
// this call, and one for each earlier call of the same batch whose reply was lost. A request that has been answered belongs
// to its buyer again: the worker reads nothing from it any more.
func (w *batchWorker) answerVerdicts(reply reserveReply) {
	w.publications = w.publications[:0]
	if reply.verdicts == allTaken {
		for i := range w.batch {
			w.publicationOf(i, WriteID{reply.epoch, reply.sequence}, reply.nowMS).setEntry(reply)
		}
		return
	}
	text, rest := "", reply.verdicts
	for i, r := range w.batch {
		text, rest, _ = strings.Cut(rest, "\n")
		v, ok := readVerdict(text, reply.detail)
		switch {
		case !ok:
			r.reply(w.unreadable(i, text))
		case v.earlier:
			w.publicationOf(i, WriteID{reply.epoch, v.sequence}, v.createdMS)
		case v.taken:
			w.publicationOf(i, WriteID{reply.epoch, reply.sequence}, reply.nowMS).setEntry(reply)
		case v.answer.Status == sale.StatusHeld && w.queued(WriteID{reply.epoch, v.sequence}):
			v.answer.Status = sale.StatusQueued
			r.reply(v.answer)
		default:
			r.reply(v.answer)
		}
	}
}

// unreadable is the answer to a verdict that this client cannot read: the script may have taken units.
func (w *batchWorker) unreadable(i int, verdict string) sale.Answer {
	w.engine.Log.Error("a verdict of the reserve script cannot be read", "bucket", w.bucket.String(), "verdict", verdict)
	return sale.Answer{Outcome: sale.OutcomeUnknown, OrderID: w.orderIDs[i], Quantity: w.batch[i].purchase.Quantity}
}
