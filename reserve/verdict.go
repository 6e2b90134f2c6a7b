package reserve

import (
	"strconv"
	"strings"
	"time"

	"flashsale/sale"
)

// give reads the verdicts, answers every refused and replayed purchase at once, and packs the taken ones into parcels:
// one for this call, and one for each earlier call of the same batch whose answer was lost. A request that has been
// answered is its buyer's again: nothing may be read from it any more.
func (w *batchWorker) answerVerdicts(reply reserveReply) {
	w.publications = w.publications[:0]
	if reply.verdicts == allTaken {
		for i := range w.batch {
			w.publicationOf(i, WriteID{reply.epoch, reply.sequence}, reply.nowMS).setEntry(reply)
		}
		return
	}
	text := reply.verdicts
	for i, r := range w.batch {
		var verdict string
		verdict, text, _ = strings.Cut(text, "\n")
		words := wordReader{text: verdict}
		switch words.next() {
		case "T":
			w.publicationOf(i, WriteID{reply.epoch, reply.sequence}, reply.nowMS).setEntry(reply)
		case "A":
			if sequence, created := words.number(), words.number(); !words.bad {
				w.publicationOf(i, WriteID{reply.epoch, sequence}, created)
				continue
			}
			r.reply(w.unreadable(i, verdict))
		default:
			a, sequence, ok := refusal(verdict, reply.detail)
			if !ok {
				a = w.unreadable(i, verdict)
			} else if a.Status == sale.StatusHeld && w.queued(WriteID{reply.epoch, sequence}) {
				a.Status = sale.StatusQueued
			}
			r.reply(a)
		}
	}
}

// unreadable is the answer to a verdict that this client does not know: whether something was taken is not known.
func (w *batchWorker) unreadable(i int, verdict string) sale.Answer {
	w.engine.Log.Error("a verdict of the reserve script cannot be read", "bucket", w.bucket.String(), "verdict", verdict)
	return sale.Answer{Outcome: sale.OutcomeUnknown, OrderID: w.orderIDs[i], Quantity: w.batch[i].purchase.Quantity}
}

// refusal reads every verdict that takes nothing now. detail is the script's word for a closed window; sequence is that of
// the order which is replayed, 0 when it came from the database.
func refusal(verdict, detail string) (a sale.Answer, sequence int64, ok bool) {
	words := wordReader{text: verdict}
	switch words.next() {
	case "R":
		a = sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: words.orderID(), Quantity: int(words.number())}
		sequence = words.number()
		a.CreatedAt, a.Status = createdAt(words.number()), sale.StatusQueued
		if words.number() == 1 && sequence != 0 {
			a.Status = sale.StatusHeld
		}
	case "K":
		a = sale.Answer{Outcome: sale.OutcomeKeyReused, OrderID: words.orderID()}
	case "L":
		a = sale.Answer{Outcome: sale.OutcomeOverLimit, Limit: int(words.number())}
	case "B":
		a = sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: int(words.number()), Bought: int(words.number())}
		a.OrderID = words.orderID()
	case "C":
		a = sale.Answer{
			Outcome: sale.OutcomeTooManyCancellations, Limit: int(words.number()), Unpaid: int(words.number()),
		}
	case "E":
		a = sale.Answer{Outcome: sale.OutcomeNotEnough, Available: words.number()}
	case "S":
		a = sale.Answer{Outcome: sale.OutcomeSoldOut}
	case "J":
		a = sale.Answer{Outcome: sale.OutcomeUnavailable}
	case "W":
		a = sale.Answer{Outcome: windowOutcome(detail)}
	default:
		return a, 0, false
	}
	return a, sequence, !words.bad
}

// createdAt turns Unix milliseconds into a time; 0 stays the zero time: the database knows better.
func createdAt(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// wordReader reads a verdict word by word and notes what is missing or wrong.
type wordReader struct {
	text string
	bad  bool
}

func (w *wordReader) next() string {
	word, rest, _ := strings.Cut(w.text, " ")
	w.text = rest
	w.bad = w.bad || word == ""
	return word
}

func (w *wordReader) number() int64 {
	n, err := strconv.ParseInt(w.next(), 10, 64)
	w.bad = w.bad || err != nil
	return n
}

func (w *wordReader) orderID() sale.OrderID {
	id, err := parseID(w.next())
	w.bad = w.bad || err != nil
	return id
}
