package check

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

const seeds = 60

// A shop that keeps its promises is never accused, whatever the seed.
func TestGoodHistoriesPass(t *testing.T) {
	for seed := range uint64(seeds) {
		s := newShop(seed)
		result := Judge(s.Evidence)
		require.Empty(t, result.Faults, "seed %d", seed)
		require.Positive(t, result.Counts["promises"])
		linear := Linearizable(s.Evidence)
		require.Empty(t, linear.Faults, "seed %d", seed)
		require.Zero(t, linear.Undecided, "seed %d", seed)
		require.Positive(t, linear.Passed)
	}
}

// breach is one broken promise: it changes good evidence in one place and reports whether it found a place.
type breach struct {
	name, caughtBy string
	commit         func(*shop) bool
}

var breaches = []breach{
	{"a row too many", "no oversell", func(s *shop) bool {
		for range 2 * shopUnits {
			s.Rows = append(s.Rows, Row{Order: fmt.Sprint("x", len(s.Rows)), Sale: "s", Lines: history.One("a", 1), Buyer: "x",
				Status: "paid", CreatedMS: 1_500_000})
		}
		return true
	}},
	{"more rows for a moment", "no oversell", func(s *shop) bool {
		s.Peaks = append(s.Peaks, Peak{"s", "a", 2 * shopUnits})
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
	{"an order lacks a line", "no lost order", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return s.promised(r) && len(r.Lines) > 1 })
		if row == nil {
			return false
		}
		row.Lines = row.Lines[:1]
		return true
	}},
	{"a row changes hands", "no lost order", func(s *shop) bool {
		s.anyRow(s.promised).Buyer = "someone-else"
		return true
	}},
	{"a row of another quantity", "no lost order", func(s *shop) bool {
		row := s.anyRow(s.promised)
		row.Lines = history.One(row.Lines[0].SKU, row.Lines[0].Quantity+1)
		return true
	}},
	{"beyond the limit", "limit", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.takesUnits() })
		twin := *row
		twin.Order, twin.Lines = "twin", history.One("a", shopLimit+1)
		s.Rows = append(s.Rows, twin)
		return true
	}},
	{"beyond the limit of the sale", "limit", func(s *shop) bool {
		s.Rows = append(s.Rows,
			Row{Order: "x", Sale: "s", Lines: history.One("a", shopLimit), Buyer: "x", Status: "paid", CreatedMS: 1_500_000},
			Row{Order: "y", Sale: "s", Lines: []history.Line{{SKU: "b", Quantity: 1}, {SKU: "c", Quantity: 1}}, Buyer: "x",
				Status: "paid", CreatedMS: 1_500_000})
		return true
	}},
	{"beyond the item's own limit", "limit", func(s *shop) bool {
		s.Rows = append(s.Rows, Row{Order: "x", Sale: "s", Lines: history.One("b", shopOther+1), Buyer: "x", Status: "paid",
			CreatedMS: 1_500_000})
		return true
	}},
	{"a refusal names a SKU that was not asked for", "refusals are true", func(s *shop) bool {
		return s.lie(func(op *history.Op) { op.Of = "c" })
	}},
	{"a refusal has another limit", "refusals are true", func(s *shop) bool {
		return s.lie(func(op *history.Op) { op.Limit++ })
	}},
	{"a refusal shows too few units for its limit", "refusals are true", func(s *shop) bool {
		return s.lie(func(op *history.Op) { op.Bought = 0; op.Quantity = 1; op.Lines = nil; op.SKU = "a"; op.Of = "a" })
	}},
	{"a refusal without its scope", "refusals are true", func(s *shop) bool {
		return s.lie(func(op *history.Op) { op.Scope = "" })
	}},
	{"an order is shown with other lines", "refusals are true", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Verb == history.Buy && op.Order().Order != "" })
		op.Orders[0].Lines = history.One("c", 1)
		return true
	}},
	{"a stock change that nobody asked for", "each stock change once", func(s *shop) bool {
		s.Changes = append(s.Changes, Change{"s", "a", "other", 1, 1, true})
		return true
	}},
	{"a stock change happens twice", "conservation", func(s *shop) bool {
		if len(s.Changes) == 0 || s.Changes[0].Added == 0 {
			return false
		}
		at := 0
		if s.Changes[0].SKU == "b" {
			at = 1
		}
		s.Stock[at].Loaded += s.Changes[0].Added
		s.Stock[at].Available += s.Changes[0].Added
		return true
	}},
	{"a stock change is there twice", "each stock change once", func(s *shop) bool {
		if len(s.Changes) == 0 {
			return false
		}
		s.Changes = append(s.Changes, s.Changes[0])
		return true
	}},
	{"a stock change is answered with other units", "each stock change once", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Verb == history.Restock })
		if op == nil {
			return false
		}
		op.Added++
		return true
	}},
	{"a stock change that was answered is not there", "each stock change once", func(s *shop) bool {
		changes := len(s.Changes)
		s.Changes = nil
		return changes > 0
	}},
	{"a take-back takes more than it was asked", "each stock change once", func(s *shop) bool {
		for i := range s.Changes {
			if s.Changes[i].Asked < 0 {
				s.Changes[i].Added = s.Changes[i].Asked - 1
				return true
			}
		}
		return false
	}},
	{"one key names two orders", "one key, one order", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Key != "" && s.standing(op.Order().Order) != nil })
		other := s.anyRow(func(r *Row) bool { return r.takesUnits() && (op == nil || r.Order != op.Order().Order) })
		if op == nil || other == nil {
			return false
		}
		again := *op
		again.N, again.Orders = len(s.Ops), []history.Seen{{Order: other.Order, Status: "queued", Lines: op.Wants()}}
		s.Ops = append(s.Ops, again)
		return true
	}},
	{"a row without a press", "no row without an invocation", func(s *shop) bool {
		s.Rows = append(s.Rows, Row{Order: "x", Sale: "s", Lines: history.One("a", 1), Buyer: "x", Status: "cancelled",
			CreatedMS: 1_500_000})
		return true
	}},
	{"a refused press has a row", "no row without an invocation", func(s *shop) bool {
		op := s.anyOp(func(op *history.Op) bool { return op.Code == "already_bought" && op.Key == "" })
		if op == nil {
			return false
		}
		s.Rows = append(s.Rows, Row{Order: "x", Sale: "s", Lines: op.Wants(), Buyer: "fresh", Status: "cancelled",
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
		row := s.anyRow(func(r *Row) bool { return r.takesUnits() && history.UnitsOf(r.Lines, "a") > 0 })
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
		id := s.Events[s.random.IntN(len(s.Events))].ID
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
			Answer:   history.Answer{End: history.Refused, Code: "already_bought", Named: row.Order}})
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
	{"a unit of a bucket leaks", "buckets agree", func(s *shop) bool { s.Buckets[0].Shelves[0].Available++; return true }},
	{"a unit of a bucket is in flight", "buckets agree", func(s *shop) bool {
		s.Buckets[0].Shelves[1].Settled--
		s.Buckets[0].Shelves[1].InFlight++
		return true
	}},
	{"a bucket gave back more than its rows", "buckets agree", func(s *shop) bool {
		s.Buckets[0].Shelves[0].Settled++
		s.Buckets[0].Shelves[0].Released++
		return true
	}},
	{"a bucket is closed in Redis", "buckets agree", func(s *shop) bool { s.Buckets[0].RedisState = "closed"; return true }},
	{"a bucket is closed in the database", "buckets agree", func(s *shop) bool { s.Buckets[0].State = "closed"; return true }},
	{"a bucket lives in two epochs", "buckets agree", func(s *shop) bool { s.Buckets[0].RedisEpoch--; return true }},
	{"Redis knows an owner too few", "buckets agree", func(s *shop) bool {
		s.Buckets[0].Owners = slices.DeleteFunc(s.Buckets[0].Owners, func(o Owner) bool { return !o.Released })[:0]
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
			Code: "sold_out", Of: "a"}}
		s.Ops = append(s.Ops, early)
		return true
	}},
	{"a unit that was given back stays away", "linearizable", func(s *shop) bool {
		from := s.now + 2*arrivalUS // nothing is taken any more, and this unit is the last
		s.Ops = append(s.Ops,
			history.Op{N: len(s.Ops), Invoke: s.now, Return: s.now + 1, Question: history.Question{Verb: history.Cancel,
				Order: s.cancelled()}, Answer: history.Answer{End: history.OK}},
			history.Op{N: len(s.Ops) + 1, Invoke: from, Return: from + 1, Question: history.Question{Verb: history.Buy, Sale: "s",
				SKU: "a", Buyer: "late"}, Answer: history.Answer{End: history.Refused, Code: "sold_out", Of: "a"}})
		return true
	}},
	{"fewer left than there were", "linearizable", func(s *shop) bool {
		first := s.Ops[0]
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: first.Invoke, Return: first.Return, Question: history.Question{
			Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "early", Quantity: 2}, Answer: history.Answer{End: history.Refused,
			Code: "not_enough", Of: "a", Available: 1}})
		return true
	}},
	{"a buyer who owned nothing had bought", "linearizable", func(s *shop) bool {
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: 1, Return: 2, Question: history.Question{Verb: history.Buy,
			Sale: "s", SKU: "a", Buyer: "b1", Quantity: 1}, Answer: history.Answer{End: history.Refused, Code: "already_bought",
			Of: "a", Scope: "sku", Limit: shopLimit, Bought: 2}})
		return true
	}},
	{"beyond the limit for a while", "linearizable", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.takesUnits() })
		if row == nil {
			return false
		}
		twin := *row
		twin.Order, twin.Lines, twin.Status = "twin", history.One("a", shopLimit+1), "cancelled"
		s.Rows = append(s.Rows, twin)
		s.now += 10_000
		s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: s.now, Return: s.now + 2000, Question: history.Question{
			Verb: history.Cancel, Order: twin.Order}, Answer: history.Answer{End: history.OK}})
		return true
	}},
}

// Every breach is found by the check that is there for it, in nearly every history.
func TestEveryLieIsCaught(t *testing.T) {
	for _, l := range breaches {
		t.Run(l.name, func(t *testing.T) {
			committed := 0
			for seed := range uint64(seeds) {
				s := newShop(seed)
				if !l.commit(s) {
					continue
				}
				committed++
				faults := Judge(s.Evidence).Faults
				if l.caughtBy == "linearizable" {
					faults = Linearizable(s.Evidence).Faults
				}
				require.True(t, slices.ContainsFunc(faults, func(f Fault) bool { return f.Check == l.caughtBy }),
					"seed %d: not caught by %q: %v", seed, l.caughtBy, faults)
			}
			assert.Greater(t, committed, seeds/3)
		})
	}
}

// Each promise has a breach that it catches.
func TestEveryCheckIsTested(t *testing.T) {
	for _, name := range append(Promises(), "linearizable") {
		assert.True(t, slices.ContainsFunc(breaches, func(l breach) bool { return l.caughtBy == name }), name)
	}
}

// A Redis that went back may take something under a closed epoch, as long as it is refused in the end.
func TestALossExcusesWhatWasRefused(t *testing.T) {
	found := func(status string, lossUS int64) bool {
		e := &Evidence{Sales: map[string]Sale{"s": {}},
			Rows:    []Row{{Order: "1", Sale: "s", Lines: history.One("a", 1), Status: status, CreatedMS: 50}},
			Batches: []Batch{{Sale: "s", Epoch: 1, CreatedMS: 50, Orders: []string{"1"}}},
			Epochs:  []EpochSeen{{"s", 0, 1, 10_000}, {"s", 0, 2, 40_000}},
			Losses:  []Span{{FromUS: lossUS, ToUS: lossUS + 10_000}},
		}
		r := &report{counts: map[string]int{}}
		checkEpochs(e, r)
		return len(r.faults) > 0
	}
	require.False(t, found("refused", 45_000))
	require.True(t, found("confirmed", 45_000), "it counts")
	require.True(t, found("refused", 60_000), "nothing was lost then")
}
