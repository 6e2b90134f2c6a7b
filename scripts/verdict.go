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

// ReadVerdict decodes one verdict. detail is the reply's detail: for W, how the window is closed. lines are those of the
// purchase, of which the verdict may name one. It returns false when this version of the client does not know the verdict.
func ReadVerdict(text, detail string, lines []sale.Line) (v Verdict, ok bool) {
	words := wordReader{text: text, lines: lines}
	switch words.next() {
	case "T":
		v.Taken = true
	case "A":
		v.Taken, v.Earlier = true, true
		v.Sequence, v.CreatedMS = words.number(), words.number()
	case "R":
		v.Answer = sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: words.orderID()}
		v.Sequence = words.number()
		v.Answer.CreatedAt, v.Answer.Status = CreatedAt(words.number()), sale.StatusQueued
		if words.number() == 1 && v.Sequence != 0 {
			v.Answer.Status = sale.StatusHeld
		}
	case "K":
		v.Answer = sale.Answer{Outcome: sale.OutcomeKeyReused, OrderID: words.orderID()}
	case "J":
		v.Answer = sale.Answer{Outcome: sale.OutcomeUnavailable}
	case "W":
		v.Answer = sale.Answer{Outcome: WindowOutcome(detail)}
	default:
		words.text = text
		v.Answer = words.refusal()
	}
	return v, !words.bad
}

// refusal reads a verdict that names a line, or a limit of the whole sale.
func (w *wordReader) refusal() (a sale.Answer) {
	switch w.next() {
	case "L":
		a.Outcome, a.Scope, a.SKU, a.Limit = sale.OutcomeOverLimit, sale.ScopeSKU, w.sku(), int(w.number())
	case "l":
		a.Outcome, a.Scope, a.Limit = sale.OutcomeOverLimit, sale.ScopeSale, int(w.number())
	case "B":
		a.Outcome, a.Scope, a.SKU = sale.OutcomeAlreadyBought, sale.ScopeSKU, w.sku()
		a.Limit, a.Bought, a.OrderID = int(w.number()), int(w.number()), w.orderID()
	case "b":
		a.Outcome, a.Scope = sale.OutcomeAlreadyBought, sale.ScopeSale
		a.Limit, a.Bought, a.OrderID = int(w.number()), int(w.number()), w.orderID()
	case "C":
		a.Outcome, a.SKU = sale.OutcomeTooManyCancellations, w.sku()
		a.Limit, a.Unpaid = int(w.number()), int(w.number())
	case "E":
		a.Outcome, a.SKU, a.Available = sale.OutcomeNotEnough, w.sku(), w.number()
	case "S":
		a.Outcome, a.SKU = sale.OutcomeSoldOut, w.sku()
	default:
		w.bad = true
	}
	return a
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
	text  string
	lines []sale.Line // of the purchase
	bad   bool
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

// sku reads the index of a line, from 1, and returns its SKU.
func (w *wordReader) sku() string {
	line := w.number()
	if line < 1 || line > int64(len(w.lines)) {
		w.bad = true
		return ""
	}
	return w.lines[line-1].SKU
}

func (w *wordReader) orderID() sale.OrderID {
	id, err := parseID(w.next())
	w.bad = w.bad || err != nil
	return id
}
