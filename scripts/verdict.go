package scripts

import (
	"strconv"
	"strings"
	"time"

	"flashsale/sale"
)

// Verdict is the decision of the reserve script about one purchase.
type Verdict struct {
	Taken     bool        // units were taken, by this call or by an earlier one with the same order id
	Earlier   bool        // an earlier call took them, and its reply was lost
	Sequence  int64       // of the write that took them; 0 for a replayed order that was loaded from the database
	CreatedMS int64       // when the earlier call took them, Unix milliseconds
	Answer    sale.Answer // of a purchase that took nothing now
}

// ReadVerdict decodes one verdict. detail is the reply's detail: for W, how the window is closed. It returns false when this
// version of the client does not know the verdict.
func ReadVerdict(text, detail string) (v Verdict, ok bool) {
	words := wordReader{text: text}
	switch words.next() {
	case "T":
		v.Taken = true
	case "A":
		v.Taken, v.Earlier = true, true
		v.Sequence, v.CreatedMS = words.number(), words.number()
	case "R":
		v.Answer = sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: words.orderID(), Quantity: int(words.number())}
		v.Sequence = words.number()
		v.Answer.CreatedAt, v.Answer.Status = CreatedAt(words.number()), sale.StatusQueued
		if words.number() == 1 && v.Sequence != 0 {
			v.Answer.Status = sale.StatusHeld
		}
	case "K":
		v.Answer = sale.Answer{Outcome: sale.OutcomeKeyReused, OrderID: words.orderID()}
	case "L":
		v.Answer = sale.Answer{Outcome: sale.OutcomeOverLimit, Limit: int(words.number())}
	case "B":
		v.Answer = sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: int(words.number()), Bought: int(words.number())}
		v.Answer.OrderID = words.orderID()
	case "C":
		v.Answer = sale.Answer{
			Outcome: sale.OutcomeTooManyCancellations, Limit: int(words.number()), Unpaid: int(words.number()),
		}
	case "E":
		v.Answer = sale.Answer{Outcome: sale.OutcomeNotEnough, Available: words.number()}
	case "S":
		v.Answer = sale.Answer{Outcome: sale.OutcomeSoldOut}
	case "J":
		v.Answer = sale.Answer{Outcome: sale.OutcomeUnavailable}
	case "W":
		v.Answer = sale.Answer{Outcome: WindowOutcome(detail)}
	default:
		return v, false
	}
	return v, !words.bad
}

// WindowOutcome returns the outcome for a closed window: not_started, ended, or paused for any other detail.
func WindowOutcome(detail string) sale.Outcome {
	switch detail {
	case "not_started":
		return sale.OutcomeNotStarted
	case "ended":
		return sale.OutcomeSaleEnded
	}
	return sale.OutcomePaused
}

// CreatedAt turns Unix milliseconds into a time. It returns the zero time for 0: then only the database knows the time.
func CreatedAt(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// wordReader reads a verdict word by word and notes whether a word is missing or malformed.
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
