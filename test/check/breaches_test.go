package check

import (
	"fmt"
	"slices"

	"flashsale/test/buyers/history"
)

// breach is one broken promise: it changes good evidence in one place and reports whether it found a place.
type breach struct {
	name, caughtBy string
	commit         func(*shop) bool
}

var breaches = []breach{
	{"a row too many", "no oversell", func(s *shop) bool {
		for range shopUnits + 1 {
			s.Rows = append(s.Rows, Row{Order: fmt.Sprint("x", len(s.Rows)), Sale: "s", Lines: units("a", 1), Buyer: "x",
				Status: "paid", CreatedMS: 1_500_000})
		}
		return true
	}},
	{"more rows for a moment", "no oversell", func(s *shop) bool {
		s.Peaks = append(s.Peaks, Peak{"s", "a", s.mostLoaded("s", "a") + 1})
		return true
	}},
	{"a promised row vanishes", "no lost order", func(s *shop) bool {
		row := s.anyRow(s.promised)
		s.drop(row)
		return true
	}},
	{"a promised row is refused", "no lost order", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return s.promised(r) })
		row.Status, row.Reason = "refused", "fenced"
		return true
	}},
	{"a row changes hands", "no lost order", func(s *shop) bool {
		s.anyRow(s.promised).Buyer = "someone-else"
		return true
	}},
	{"a row of another quantity", "no lost order", func(s *shop) bool {
		s.anyRow(s.promised).Lines[0].Quantity++
		return true
	}},
	{"a row of another price", "no lost order", func(s *shop) bool {
		s.anyRow(s.promised).Lines[0].UnitPriceCents++
		return true
	}},
	{"a row lost a line", "no lost order", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return len(r.Lines) > 1 && s.promised(r) })
		if row == nil {
			return false
		}
		row.Lines = row.Lines[1:]
		return true
	}},
	{"a row's sums are not those of its lines", "all or nothing", func(s *shop) bool {
		s.anyRow(s.promised).Sums.Units++
		return true
	}},
	{"a row without a line", "all or nothing", func(s *shop) bool {
		s.anyRow(s.promised).Lines = nil
		return true
	}},
	{"a row with one SKU in two lines", "all or nothing", func(s *shop) bool {
		row := s.anyRow(s.promised)
		row.Lines = append(row.Lines, row.Lines[0])
		return true
	}},
	{"an answer with a wrong total", "all or nothing", func(s *shop) bool {
		s.anyOp(func(op *history.Op) bool { return op.Verb == history.Buy && op.Order().Order != "" }).Orders[0].TotalCents++
		return true
	}},
	{"a refusal names a SKU that was not asked for", "refusals name their line", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Scope == "sku" || op.Code == "sold_out" })
		op.NamedSKU = "c"
		return true
	}},
	{"a limit is whose nobody says", "refusals name their line", func(s *shop) bool {
		s.anyOp(func(op *history.Op) bool { return op.Scope == "sku" }).Scope = ""
		return true
	}},
	{"a limit of the sale that names a SKU", "refusals name their line", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Scope == "sale" })
		if op == nil {
			return false
		}
		op.NamedSKU = "a"
		return true
	}},
	{"a limit that leaves room", "refusals name their line", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Code == "already_bought" && op.Bought > 0 })
		op.Bought = 0
		return history.Units(op.Wanted()) <= 2
	}},
	{"over a limit that is not exceeded", "refusals name their line", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Code == "sold_out" })
		op.Code, op.Scope, op.NamedSKU = "over_limit", "sku", op.AtFault()
		return true
	}},
	{"beyond the limit", "limit", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.takesUnits() })
		twin := *row
		twin.Order, twin.Lines, twin.Sums = "twin", units("a", shopLimit+1), nil
		s.Rows = append(s.Rows, twin)
		return true
	}},
	{"beyond the limit of the sale", "limit", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.takesUnits() })
		for i, sku := range []string{"c", "d", "e"} { // two units of each, which every SKU's limit allows
			s.Sales["s"].Loaded[sku] = 2
			twin := *row
			twin.Order, twin.Lines, twin.Sums, twin.Key = fmt.Sprint("twin", i), units(sku, shopLimit), nil, ""
			s.Rows = append(s.Rows, twin)
		}
		return true
	}},
	{"one key names two orders", "one key, one order", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Key != "" && s.standing(op.Order().Order) != nil })
		other := s.anyRow(func(r *Row) bool { return r.takesUnits() && (op == nil || r.Order != op.Order().Order) })
		if op == nil || other == nil {
			return false
		}
		again := *op
		again.N, again.Orders = len(s.Ops), []history.Seen{{Order: other.Order, Status: "queued"}}
		s.Ops = append(s.Ops, again)
		return true
	}},
	{"a row without a press", "no row without an invocation", func(s *shop) bool {
		s.Rows = append(s.Rows, Row{Order: "x", Sale: "s", Lines: units("a", 1), Buyer: "x", Status: "cancelled",
			CreatedMS: 1_500_000})
		return true
	}},
	{"a refused press has a row", "no row without an invocation", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Code == "already_bought" && op.Key == "" })
		if op == nil {
			return false
		}
		s.Rows = append(s.Rows, Row{Order: "x", Sale: "s", Lines: op.Wanted(), Buyer: "fresh", Status: "cancelled",
			CreatedMS: op.Return / 1000})
		return true
	}},
	{"a row older than its press", "no row without an invocation", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return !s.promised(r) })
		if row == nil {
			return false
		}
		row.CreatedMS = 1
		return true
	}},
	{"a unit leaks", "conservation", func(s *shop) bool { s.Stock[0].Available--; return true }},
	{"a unit comes from nowhere", "conservation", func(s *shop) bool { s.Stock[0].Available++; return true }},
	{"the engine stops the sale", "conservation", func(s *shop) bool {
		s.Paused = map[string]string{"s": "a/0 is off by 1"}
		return true
	}},
	{"a unit is in flight for ever", "conservation", func(s *shop) bool {
		s.Stock[0].Settled--
		s.Stock[0].InFlight++
		return true
	}},
	{"a release that is in no row", "conservation", func(s *shop) bool {
		s.Stock[0].Released++
		s.Stock[0].Available++
		return true
	}},
	{"units that were never loaded", "conservation", func(s *shop) bool {
		s.Stock[0].Loaded++
		s.Stock[0].Available++
		return true
	}},
	{"a unit that no buyer could get", "no undersell", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.takesUnits() })
		row.Status = "expired"
		return true
	}},
	{"a status goes back", "status moves forward", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Verb == history.Read && op.Orders[0].Status != "confirmed" })
		if op == nil {
			return false
		}
		s.now += 1000
		late := *op
		late.N, late.Invoke, late.Return = len(s.Ops), s.now, s.now+1
		late.Orders = []history.Seen{{Order: op.Orders[0].Order, Status: "confirmed"}}
		s.Ops = append(s.Ops, late)
		return true
	}},
	{"a confirmed order is refused later", "status moves forward", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Verb == history.Read && op.Orders[0].Status == "confirmed" })
		if op == nil {
			return false
		}
		for i := range s.Rows {
			if s.Rows[i].Order == op.Orders[0].Order {
				s.Rows[i].Status = "refused"
			}
		}
		return true
	}},
	{"a cancel that was answered did not happen", "cancelled and paid as answered", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Verb == history.Cancel && op.End == history.OK })
		if op == nil {
			return false
		}
		s.anyRow(func(r *Row) bool { return r.Order == op.Question.Order }).Status = "paid"
		return true
	}},
	{"two payments were answered", "cancelled and paid as answered", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Verb == history.Pay && op.End == history.OK })
		if op == nil {
			return false
		}
		second := *op
		second.Payment = "another"
		s.Ops = append(s.Ops, second)
		return true
	}},
	{"a payment is counted twice", "payments are counted", func(s *shop) bool {
		s.Paid[0].Units++
		s.Paid[0].Orders++
		return true
	}},
	{"no payment is counted", "payments are counted", func(s *shop) bool { s.Paid = []Paid{}; return true }},
	{"a paid order expires", "cancelled and paid as answered", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Verb == history.Pay && op.End == history.OK })
		if op == nil {
			return false
		}
		s.anyRow(func(r *Row) bool { return r.Order == op.Question.Order }).Status = "expired"
		return true
	}},
	{"taken under a closed epoch", "nothing under a closed epoch", func(s *shop) bool {
		middle := s.Batches[len(s.Batches)/2]
		s.Epochs = append(s.Epochs, EpochSeen{"s", 0, 2, middle.CreatedMS*1000 - 1})
		return true
	}},
	{"taken before the start", "nothing outside the window", func(s *shop) bool {
		s.anyRow(s.promised).CreatedMS = s.Sales["s"].StartsMS - 1
		return true
	}},
	{"taken at the end", "nothing outside the window", func(s *shop) bool {
		s.Batches[0].CreatedMS = s.Sales["s"].EndsMS
		return true
	}},
	{"taken while paused", "nothing after pause", func(s *shop) bool {
		spans := pauses(s.Evidence, "s")
		if len(spans) == 0 || spans[0].ToUS-spans[0].FromUS < 3000 {
			return false
		}
		s.Batches[0].CreatedMS = spans[0].FromUS/1000 + 1
		return true
	}},
	{"an event is missing", "events", func(s *shop) bool {
		told := slices.DeleteFunc(slices.Clone(s.Events), func(e Event) bool { return e.Status == "extended" })
		id := told[s.random.IntN(len(told))].ID
		s.Events = slices.DeleteFunc(s.Events, func(e Event) bool { return e.ID == id })
		return true
	}},
	{"events out of order", "events", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.Status == "paid" })
		if row == nil {
			return false
		}
		s.Events = append([]Event{{row.Order + ":paid", row.Order, "paid", ""}}, s.Events...)
		return true
	}},
	{"an event that did not happen", "events", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.Status == "confirmed" })
		if row == nil {
			return false
		}
		s.Events = append(s.Events, Event{row.Order + ":expired", row.Order, "expired", ""})
		return true
	}},
	{"one event with two contents", "events", func(s *shop) bool {
		e := s.Events[0]
		e.Data += "!"
		s.Events = append(s.Events, e)
		return true
	}},
	{"a row of another key", "no lost order", func(s *shop) bool {
		s.anyRow(s.promised).Key = "another"
		return true
	}},
	{"a row is refused though nothing was lost", "no lost order", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return !s.promised(r) })
		if row == nil {
			return false
		}
		s.Calm, row.Status = true, "refused"
		return true
	}},
	{"two rows have one key", "one key, one order", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.Key != "" && r.takesUnits() })
		if row == nil {
			return false
		}
		twin := *row
		twin.Order = "twin"
		s.Rows = append(s.Rows, twin)
		return true
	}},
	{"a refusal names the order of another buyer", "no row without an invocation", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.Buyer != "b1" })
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: s.now, Return: s.now + 1,
			Question: history.Question{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b1"},
			Answer: history.Answer{End: history.Refused, Code: "already_bought", Named: row.Order, Scope: "sku",
				NamedSKU: "a"}})
		return true
	}},
	{"a refusal names an order that is not there", "no row without an invocation", func(s *shop) bool {
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: s.now, Return: s.now + 1,
			Question: history.Question{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b1"},
			Answer:   history.Answer{End: history.Refused, Code: "already_bought", Named: "none"}})
		return true
	}},
	{"a key of an order is refused", "a key answers", func(s *shop) bool { return s.pressAgain("already_bought", 0) }},
	{"the key of an order is answered sold_out", "a key answers",
		func(s *shop) bool { return s.pressAgain("sold_out", latchLookUS) }},
	{"a key is answered sold_out by Redis itself", "a key answers", func(s *shop) bool {
		s.NoLatch = true
		return s.pressAgain("sold_out", 0)
	}},
	{"a unit of a bucket leaks", "buckets agree", func(s *shop) bool { s.Buckets[0].Shelves[1].Available++; return true }},
	{"a unit of a bucket is in flight", "buckets agree", func(s *shop) bool {
		s.Buckets[0].Shelves[1].Settled--
		s.Buckets[0].Shelves[1].InFlight++
		return true
	}},
	{"a bucket gave back more than its rows", "buckets agree", func(s *shop) bool {
		s.Buckets[0].Shelves[1].Settled++
		s.Buckets[0].Shelves[1].Released++
		return true
	}},
	{"a unit of one SKU is credited to another", "buckets agree", func(s *shop) bool {
		s.Buckets[0].Shelves[0].Released--
		s.Buckets[0].Shelves[0].Available--
		s.Buckets[0].Shelves[1].Released++
		s.Buckets[0].Shelves[1].Available++
		return true
	}},
	{"Redis counts one line of an order", "buckets agree", func(s *shop) bool {
		for i := range s.Buckets[0].Owners {
			if o := &s.Buckets[0].Owners[i]; len(o.Lines) > 1 && !o.Gone {
				o.Lines = o.Lines[1:]
				return true
			}
		}
		return false
	}},
	{"a bucket is closed in Redis", "buckets agree", func(s *shop) bool { s.Buckets[0].RedisState = "closed"; return true }},
	{"a bucket is closed in the database", "buckets agree", func(s *shop) bool { s.Buckets[0].State = "closed"; return true }},
	{"a bucket lives in two epochs", "buckets agree", func(s *shop) bool { s.Buckets[0].RedisEpoch--; return true }},
	{"Redis knows an owner too few", "buckets agree", func(s *shop) bool {
		s.Buckets[0].Owners = slices.DeleteFunc(s.Buckets[0].Owners, func(o Owner) bool { return !o.Gone })[:0]
		return true
	}},
	{"Redis remembers a refused order", "buckets agree", func(s *shop) bool {
		s.anyRow(func(r *Row) bool { return r.returned() }).Status = "refused"
		return true
	}},
	{"an outbox row waits", "nothing waits", func(s *shop) bool { s.Waiting["outbox rows"]++; return true }},
	{"units are left though buyers ask", "no undersell", func(s *shop) bool { s.Stock[0].Available++; return true }},
	{"a list lacks an order", "lists are complete", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool {
			return op.Verb == history.List && op.Invoke >= s.RestUS && len(op.Orders) > 0
		})
		if op == nil {
			return false
		}
		op.Orders = op.Orders[1:]
		return true
	}},
	{"a list at rest is not answered", "lists are complete", func(s *shop) bool {
		op := &s.Ops[len(s.Ops)-1]
		op.End, op.Code = history.Perhaps, history.NoAnswer
		return true
	}},
	{"sold out too early", "linearizable", func(s *shop) bool {
		first := s.Ops[0]
		early := history.Op{N: len(s.Ops), Invoke: first.Invoke, Return: first.Return, Question: history.Question{
			Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "early"}, Answer: history.Answer{End: history.Refused,
			Code: "sold_out"}}
		s.Ops = append(s.Ops, early)
		return true
	}},
	{"a unit that was given back stays away", "linearizable", func(s *shop) bool {
		from := s.now + 2*arrivalUS // nothing is taken any more, and this unit is the last
		s.Ops = append(s.Ops,
			history.Op{N: len(s.Ops), Invoke: s.now, Return: s.now + 1, Question: history.Question{Verb: history.Cancel,
				Order: s.cancelled()}, Answer: history.Answer{End: history.OK}},
			history.Op{N: len(s.Ops) + 1, Invoke: from, Return: from + 1, Question: history.Question{Verb: history.Buy, Sale: "s",
				SKU: "a", Buyer: "late"}, Answer: history.Answer{End: history.Refused, Code: "sold_out"}})
		return true
	}},
	{"fewer left than there were", "linearizable", func(s *shop) bool {
		first := s.Ops[0]
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: first.Invoke, Return: first.Return, Question: history.Question{
			Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "early", Quantity: 2}, Answer: history.Answer{End: history.Refused,
			Code: "not_enough", Available: 1}})
		return true
	}},
	{"a buyer who owned nothing of the sale had bought", "linearizable", func(s *shop) bool {
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: 1, Return: 2, Question: history.Question{Verb: history.Buy,
			Sale: "s", Lines: "a:1,b:1", Buyer: "b1"}, Answer: history.Answer{End: history.Refused, Code: "already_bought",
			Scope: "sale", Bought: 3}})
		return true
	}},
	{"a SKU of an order of several lines was sold out too early", "linearizable", func(s *shop) bool {
		first := s.Ops[0]
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: first.Invoke, Return: first.Return, Question: history.Question{
			Verb: history.Buy, Sale: "s", Lines: "a:1,b:1", Buyer: "early"}, Answer: history.Answer{End: history.Refused,
			Code: "sold_out", NamedSKU: "b"}})
		return true
	}},
	{"a buyer who owned nothing had bought", "linearizable", func(s *shop) bool {
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: 1, Return: 2, Question: history.Question{Verb: history.Buy,
			Sale: "s", SKU: "a", Buyer: "b1", Quantity: 1}, Answer: history.Answer{End: history.Refused, Code: "already_bought",
			Bought: 2}})
		return true
	}},
	{"beyond the limit for a while", "linearizable", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.takesUnits() })
		if row == nil {
			return false
		}
		twin := *row
		twin.Order, twin.Lines, twin.Sums, twin.Status = "twin", units(row.Lines[0].SKU, shopOfB), nil, "cancelled"
		s.Rows = append(s.Rows, twin)
		s.now += 10_000
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: s.now, Return: s.now + 2000, Question: history.Question{
			Verb: history.Cancel, Order: twin.Order}, Answer: history.Answer{End: history.OK}})
		return true
	}},
}
