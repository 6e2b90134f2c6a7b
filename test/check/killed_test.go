package check

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// killedSale is the evidence of a sale whose processes died and were started again: three units in one bucket, one of them
// given back and bought again, and nothing lost.
func killedSale() *Evidence {
	row := func(id, buyer, status string, quantity int) Row {
		return Row{Order: id, Sale: "s", Lines: units("a", quantity), Buyer: buyer, Key: "k", Status: status, CreatedMS: 5}
	}
	press := func(buyer, order string, quantity int) history.Op {
		op := history.Op{Invoke: 1, Return: 9_000, Question: history.Question{Verb: history.Buy, Sale: "s", SKU: "a",
			Buyer: buyer, Key: "k", Quantity: quantity}}
		op.Answer = history.Answer{End: history.OK, Status: 202, Orders: []history.Seen{{Order: order, Status: "queued"}}}
		if order == "" {
			op.Answer = history.Answer{End: history.Refused, Status: 409, Code: "sold_out", NamedSKU: "a"}
		}
		return op
	}
	e := &Evidence{Calm: true, Unread: true, Waiting: map[string]int64{},
		Sales: map[string]Sale{"s": {EndsMS: 100, Limit: 2, Loaded: map[string]int64{"a": 3},
			Demand: map[string]bool{"a": true}}},
		Rows: []Row{row("1", "a", "confirmed", 2), row("2", "b", "cancelled", 1), row("3", "c", "paid", 1)},
		Ops:  []history.Op{press("a", "1", 2), press("b", "2", 1), press("c", "3", 1), press("d", "", 1)},
		Buckets: []Bucket{{Sale: "s", Shelves: []Shelf{{"a", sale.Stock{Loaded: 3, Settled: 4, Released: 1}}}, State: "open",
			RedisState: "open", Epoch: 2, RedisEpoch: 2, Owners: []Owner{{"a", "1", units("a", 2), false},
				{"b", "2", units("a", 1), true}, {"c", "3", units("a", 1), false}}}},
	}
	e.Stock = Totals(e.Buckets)
	return e
}

// TestJudgeOfAKilledSale: good evidence passes, and each breach is named.
func TestJudgeOfAKilledSale(t *testing.T) {
	early := killedSale() // pressed again until the sale began
	early.Final = true
	early.Ops = append(early.Ops, early.Ops[0])
	early.Ops[4].Answer = history.Answer{End: history.Refused, Status: 409, Code: "not_started"}
	require.Empty(t, Judge(early).Faults)
	for fault, breach := range map[string]func(*Evidence){
		"though no store lost anything": func(e *Evidence) { e.Rows[1].Status = "refused" },
		"has orders 2 and 3":            func(e *Evidence) { e.Rows[2].Buyer = "b" },
		"the limit is 2":                func(e *Evidence) { e.Rows[2].Buyer, e.Rows[2].Key = "a", "other" },
		"no press asked for order 1":    func(e *Evidence) { e.Ops[3].Buyer, e.Ops = "a", e.Ops[1:] },
		"a pressed again": func(e *Evidence) {
			e.Ops[3].Buyer, e.Ops[3].Quantity, e.Ops[3].Invoke = "a", 2, 10_000+latchLookUS
		},
		"and has no row":            func(e *Evidence) { e.Rows = e.Rows[1:] },
		"order 9 of a was answered": func(e *Evidence) { e.Ops[0].Orders[0].Order = "9" },
		"the operator gave 3":       func(e *Evidence) { e.Stock[0].Loaded, e.Stock[0].Settled = 2, 3 },
		"units are left":            func(e *Evidence) { e.Stock[0].Available = 1 },
		"1 events wait":             func(e *Evidence) { e.Waiting["events"] = 1 },
		"its rows are": func(e *Evidence) {
			e.Buckets[0].Shelves[0].Settled, e.Buckets[0].Shelves[0].Released = 5, 2
		},
		"in Redis closed": func(e *Evidence) { e.Buckets[0].RedisState = "closed" },
		"d was refused (operation 3) and has order 3": func(e *Evidence) {
			e.Final, e.Rows[2].Buyer, e.Ops[3].N = true, "d", 3
		},
		"bucket s/0 is closed in epoch 2": func(e *Evidence) { e.Buckets[0].State = "closed" },
		"1 units in flight": func(e *Evidence) {
			e.Buckets[0].Shelves[0].InFlight, e.Buckets[0].Shelves[0].Loaded = 1, 4
		},
		"off by -1":                     func(e *Evidence) { e.Buckets[0].Shelves[0].Available = 1 },
		"in Redis open in epoch 1":      func(e *Evidence) { e.Buckets[0].RedisEpoch = 1 },
		"off by 1":                      func(e *Evidence) { e.Buckets[0].Shelves[0].Available = -1 },
		"1 orders in the journal wait":  func(e *Evidence) { e.Waiting["orders in the journal"] = 1 },
		"Redis has the owners [a 1 a:1": func(e *Evidence) { e.Buckets[0].Owners[0].Lines = units("a", 1) },
	} {
		e := killedSale()
		breach(e)
		require.Contains(t, fmt.Sprint(Judge(e).Faults), fault)
	}
}

// TestAWitnessExcusesSingleOrders: the fate that a witness inside Redis gives an order decides, whatever else was lost.
func TestAWitnessExcusesSingleOrders(t *testing.T) {
	for fate, want := range map[Fate]string{{MayVanish: true}: "[]", {}: "has no row"} {
		e := killedSale()
		e.Rows, e.Ops, e.Buckets, e.Stock, e.Sales["s"].Demand["a"] = nil, e.Ops[:1], nil, nil, false
		e.Ops[0].Orders[0].Status, e.Fates = "held", map[string]Fate{"1": fate}
		require.Contains(t, fmt.Sprint(Judge(e).Faults), want)
	}
	for fate, want := range map[Fate]string{{MayBeRefused: true}: "[]", {}: "then refused"} {
		e := killedSale()
		e.Rows, e.Ops, e.Buckets, e.Stock, e.Sales["s"].Demand["a"] = e.Rows[:1], e.Ops[:1], nil, nil, false
		e.Rows[0].Status, e.Calm, e.Fates = "refused", false, map[string]Fate{"1": fate}
		require.Contains(t, fmt.Sprint(Judge(e).Faults), want)
	}
}

// TestARevivedCallNeedsNoPress: when Redis's clock went back, rows without a press are excused.
func TestARevivedCallNeedsNoPress(t *testing.T) {
	e := killedSale()
	e.Ops[1].Buyer, e.Ops[1].End = "other", history.Refused
	require.NotEmpty(t, Judge(e).Faults)
	e.ClockBack = true
	require.Empty(t, Judge(e).Faults)
}
