package reserve

import (
	"strings"

	"flashsale/sale"
	"flashsale/scripts"
)

// answerVerdicts answers every refused and replayed purchase at once, and collects the taken ones in publications: one for
// this call, and one for each earlier call of the same batch whose reply was lost. A request that has been answered belongs
// to its buyer again: the worker reads nothing from it any more.
func (w *batchWorker) answerVerdicts(reply scripts.ReserveReply) {
	w.publications = w.publications[:0]
	if reply.Verdicts == scripts.AllTaken {
		for i := range w.batch {
			w.publicationOf(i, scripts.WriteID{Epoch: reply.Epoch, Sequence: reply.Sequence}, reply.NowMS).setEntry(reply)
		}
		return
	}
	verdicts := reply.Verdicts
	for i, r := range w.batch {
		text, rest, _ := strings.Cut(verdicts, "\n")
		verdicts = rest
		v, ok := scripts.ReadVerdict(text, reply.Detail, r.purchase.Lines)
		switch {
		case !ok:
			r.reply(w.unreadable(i, text))
		case v.Earlier:
			w.publicationOf(i, scripts.WriteID{Epoch: reply.Epoch, Sequence: v.Sequence}, v.CreatedMS)
		case v.Taken:
			w.publicationOf(i, scripts.WriteID{Epoch: reply.Epoch, Sequence: reply.Sequence}, reply.NowMS).setEntry(reply)
		case v.Answer.Status == sale.StatusHeld && w.queue.queued(scripts.WriteID{Epoch: reply.Epoch, Sequence: v.Sequence}):
			v.Answer.Status = sale.StatusQueued
			r.reply(v.Answer)
		default:
			r.reply(v.Answer)
		}
	}
}

// unreadable is the answer to a verdict that this client cannot read: the script may have taken units.
func (w *batchWorker) unreadable(i int, verdict string) sale.Answer {
	w.engine.Log.Error("a verdict of the reserve script cannot be read", "bucket", w.queue.bucket.String(), "verdict", verdict)
	return sale.Answer{Outcome: sale.OutcomeUnknown, OrderID: w.orderIDs[i]}
}
