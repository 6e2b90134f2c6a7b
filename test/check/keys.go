package check

import (
	"slices"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// keyOf names an idempotency key: it belongs to one buyer of one sale.
type keyOf struct{ sale, buyer, key string }

func gone(row *Row) bool { return row == nil || row.Status == "refused" }

// checkKeys: one key names one order. Only after Redis lost writes may it name two, of which at most one is confirmed or
// paid; two such rows never have one key.
func checkKeys(e *Evidence, r *report) {
	rows := e.rowsByID()
	first := map[keyOf]string{}
	e.buys(func(op *history.Op) {
		shown := op.Order()
		if op.Key == "" || shown.Order == "" {
			return
		}
		key := keyOf{op.Sale, op.Buyer, op.Key}
		before := first[key]
		if first[key] = shown.Order; before == "" || before == shown.Order {
			return
		}
		a, b := rows[before], rows[shown.Order]
		if !(gone(a) || gone(b)) || !(e.excused(before, a, op) || e.excused(shown.Order, b, op)) {
			r.fault("key %s names orders %s and %s", key, before, shown.Order)
		}
	})
	r.count("keys", len(first))
	counted := map[keyOf]string{}
	for i := range e.Rows {
		row := &e.Rows[i]
		if row.Key == "" || row.Status == "refused" {
			continue
		}
		key := keyOf{row.Sale, row.Buyer, row.Key}
		if other := counted[key]; other != "" {
			r.fault("key %s has orders %s and %s", key, other, row.Order)
		}
		counted[key] = row.Order
	}
	if e.Final {
		checkLastWords(e, counted, r)
	}
}

// checkLastWords: a key that was refused for good has no order, whatever the outcome of its earlier presses.
func checkLastWords(e *Evidence, counted map[keyOf]string, r *report) {
	e.buys(func(op *history.Op) {
		order := counted[keyOf{op.Sale, op.Buyer, op.Key}]
		if op.Definite() && op.End == history.Refused && order != "" {
			r.fault("%s was refused (operation %d) and has order %s", op.Buyer, op.N, order)
		}
	})
}

// linesOf is the text of the lines that a press asks for, whatever their order.
func linesOf(q *history.Question) string { return history.LinesText(bySKU(q.Wanted())) }

// excused reports whether Redis may have lost the order.
func (e *Evidence) excused(id string, row *Row, op *history.Op) bool {
	return e.mayVanish(id, row, op) || e.mayBeRefused(id, row, op)
}

// undecided are the codes of refusals that are given before the key is looked up, so they decide nothing about its order.
var undecided = []string{
	history.NotSent, sale.OutcomeFenced.String(), sale.OutcomeUnavailable.String(), sale.OutcomeOverloaded.String(),
	sale.OutcomePaused.String(), sale.OutcomeNotStarted.String(), sale.OutcomeSaleEnded.String(),
	sale.OutcomeSaleNotFound.String(), sale.OutcomeSKUNotFound.String(), // of a gateway that has not read the catalogue yet
	sale.OutcomeRateLimited.String(),
}

// checkKeysAnswer: after a key was answered with an order, a later press with the same key and lines is answered with it
// too, also when nothing is left, unless the order was refused. A gateway whose sold-out latch is set reads the owners with
// its next look at Redis; until then it may answer sold_out.
func checkKeysAnswer(e *Evidence, r *report) {
	if e.Unnoticed || len(e.Losses) > 0 {
		return // a Redis that went back has forgotten keys
	}
	rows := e.rowsByID()
	shown := map[keyOf]*history.Op{} // the first answer with an order
	e.buys(func(op *history.Op) {
		key := keyOf{op.Sale, op.Buyer, op.Key}
		if first := shown[key]; op.Key != "" && !gone(rows[op.Order().Order]) && (first == nil || op.Return < first.Return) {
			shown[key] = op
		}
	})
	e.buys(func(op *history.Op) {
		first := shown[keyOf{op.Sale, op.Buyer, op.Key}]
		if first == nil || op.Invoke <= first.Return || op.End != history.Refused || slices.Contains(undecided, op.Code) ||
			linesOf(&op.Question) != linesOf(&first.Question) {
			return
		}
		if op.Code == sale.OutcomeSoldOut.String() && !e.NoLatch && op.Invoke < first.Return+latchLookUS {
			return
		}
		r.fault("%s pressed again (operation %d) with key %q of order %s (operation %d) and was refused: %s", op.Buyer, op.N,
			op.Key, first.Order().Order, first.N, op.Code)
	})
}
