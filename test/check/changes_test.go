package check

import (
	"fmt"

	"flashsale/test/buyers/history"
)

// restock adds some units of a SKU, or takes back what is left of them, once for all presses with its key.
func (s *shop) restock() {
	q := history.Question{Verb: history.Restock, SKU: shopSKUs[s.random.IntN(2)], Key: fmt.Sprint("r", len(s.Ops)),
		Add: int64(1 + s.random.IntN(4))}
	if s.random.IntN(2) == 0 {
		q.Add = -q.Add
	}
	change := StockChange{Sale: "s", SKU: q.SKU, Units: max(q.Add, -s.left(q.SKU)), FromUS: s.now, Key: q.Key, Asked: q.Add}
	s.Sales["s"].Loaded[q.SKU] += change.Units
	for range 1 + s.random.IntN(2) {
		s.ask(q, func() history.Answer { return history.Answer{End: history.OK, Status: 200, Added: change.Units} })
		if change.ToUS == 0 {
			change.ToUS = s.now
		}
	}
	other := q
	other.Add++
	s.ask(other, func() history.Answer {
		return history.Answer{End: history.Refused, Status: 422, Code: "idempotency_key_reused"}
	})
	s.Changes = append(s.Changes, change)
}

// anyChange returns an answered operation that changed stock.
func (s *shop) anyChange() *history.Op {
	return s.anyOp(func(op *history.Op) bool { return op.Verb == history.Restock && op.End == history.OK })
}

// onceOnly are the breaches of the promise about stock changes.
const onceOnly = "each stock change once"

var changeBreaches = []breach{
	{"a stock change that nobody asked for", onceOnly, func(s *shop) bool {
		s.Changes = append(s.Changes, StockChange{Sale: "s", SKU: "a", Key: "other"})
		return true
	}},
	{"a stock change is there twice", onceOnly, func(s *shop) bool {
		if len(s.Changes) == 0 {
			return false
		}
		s.Changes = append(s.Changes, s.Changes[0])
		return true
	}},
	{"a stock change is answered with other units", onceOnly, func(s *shop) bool {
		op := s.anyChange()
		if op == nil {
			return false
		}
		op.Added++
		return true
	}},
	{"a stock change that was answered is not there", onceOnly, func(s *shop) bool {
		changes := len(s.Changes)
		s.Changes = nil
		return changes > 0
	}},
	{"a stock change adds what it does not ask", onceOnly, func(s *shop) bool {
		if len(s.Changes) == 0 {
			return false
		}
		s.Changes[0].Units += s.Changes[0].Asked
		return true
	}},
	{"the key of a stock change is refused for the same units", onceOnly, func(s *shop) bool {
		op := s.anyChange()
		if op == nil {
			return false
		}
		op.End, op.Code = history.Refused, "idempotency_key_reused"
		return true
	}},
	{"a stock change happens twice", "conservation", func(s *shop) bool {
		if len(s.Changes) == 0 || s.Changes[0].Units == 0 {
			return false
		}
		for i := range s.Stock {
			if s.Stock[i].SKU == s.Changes[0].SKU {
				s.Stock[i].Loaded += s.Changes[0].Units
				s.Stock[i].Available += s.Changes[0].Units
			}
		}
		return true
	}},
}
