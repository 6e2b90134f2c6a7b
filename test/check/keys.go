package check

import (
	"slices"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// keyOf names an idempotency key: it belongs to one buyer of one SKU.
type keyOf struct{ sale, sku, buyer, key string }

func gone(row *Row) bool { return row == nil || row.Status == "refused" }

// checkKeys: one key names one order. Only after Redis lost writes may it name two, and then one of them at most counts; two
// rows that count never have one key.
func checkKeys(e *Evidence, r *report) {
	rows := e.rowsByID()
	first := map[keyOf]string{}
	e.buys(func(op *history.Op) {
		told := op.Order()
		if op.Key == "" || told.Order == "" {
			return
		}
		key := keyOf{op.Sale, op.SKU, op.Buyer, op.Key}
		before := first[key]
		if first[key] = told.Order; before == "" || before == told.Order {
			return
		}
		a, b := rows[before], rows[told.Order]
		if !(gone(a) || gone(b)) || !(e.excused(before, a, op) || e.excused(told.Order, b, op)) {
			r.fault("key %s names orders %s and %s", key, before, told.Order)
		}
	})
	r.count("keys", len(first))
	counted := map[keyOf]string{}
	for i := range e.Rows {
		row := &e.Rows[i]
		if row.Key == "" || row.Status == "refused" {
			continue
		}
		key := keyOf{row.Sale, row.SKU, row.Buyer, row.Key}
		if other := counted[key]; other != "" {
			r.fault("key %s has orders %s and %s", key, other, row.Order)
		}
		counted[key] = row.Order
	}
	if e.Final {
		checkLastWords(e, counted, r)
	}
}

// checkLastWords: a key that was definitely refused has no order, whatever its presses before that may have done.
func checkLastWords(e *Evidence, counted map[keyOf]string, r *report) {
	e.buys(func(op *history.Op) {
		order := counted[keyOf{op.Sale, op.SKU, op.Buyer, op.Key}]
		if op.Definite() && op.End == history.Refused && order != "" {
			r.fault("%s was refused (operation %d) and has order %s", op.Buyer, op.N, order)
		}
	})
}

// excused reports whether Redis may have forgotten the order.
func (e *Evidence) excused(id string, row *Row, op *history.Op) bool {
	return e.mayVanish(id, row, op) || e.mayBeRefused(id, row, op)
}

// undecided are the codes of refusals that are given before the key is looked at, and say nothing of its order.
var undecided = []string{
	history.NotSent, sale.OutcomeFenced.String(), sale.OutcomeUnavailable.String(), sale.OutcomeOverloaded.String(),
	sale.OutcomePaused.String(), sale.OutcomeNotStarted.String(), sale.OutcomeSaleEnded.String(),
	sale.OutcomeSaleNotFound.String(),
	sale.OutcomeRateLimited.String(),
}

// checkKeysAnswer: after a key was answered with an order, a later press with the key and the quantity is answered with it
// too, also when nothing is left, unless the order was refused. A gateway that knows the SKU as sold out learns of owners
// from its next look at Redis, so until then it may say sold_out.
func checkKeysAnswer(e *Evidence, r *report) {
	if e.Unnoticed || len(e.Losses) > 0 {
		return // a Redis that went back has forgotten keys
	}
	rows := e.rowsByID()
	told := map[keyOf]*history.Op{} // the first answer with an order
	e.buys(func(op *history.Op) {
		key := keyOf{op.Sale, op.SKU, op.Buyer, op.Key}
		if first := told[key]; op.Key != "" && !gone(rows[op.Order().Order]) && (first == nil || op.Return < first.Return) {
			told[key] = op
		}
	})
	e.buys(func(op *history.Op) {
		first := told[keyOf{op.Sale, op.SKU, op.Buyer, op.Key}]
		if first == nil || op.Invoke <= first.Return || op.End != history.Refused || slices.Contains(undecided, op.Code) ||
			max(op.Quantity, 1) != max(first.Quantity, 1) {
			return
		}
		if op.Code == sale.OutcomeSoldOut.String() && !e.NoLatch && op.Invoke < first.Return+latchLookUS {
			return
		}
		r.fault("%s pressed again (operation %d) with key %q of order %s (operation %d) and was refused: %s", op.Buyer, op.N,
			op.Key, first.Order().Order, first.N, op.Code)
	})
}
