package chaos

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/chaos/check"
	"flashsale/test/chaos/history"
)

func told(buyer, order string) history.Op {
	op := history.Op{Question: history.Question{Verb: history.Buy, Buyer: buyer, Key: "k"},
		Answer: history.Answer{End: history.OK, Status: 202}}
	if op.Orders = []history.Seen{{Order: order}}; order == "" {
		op.Answer = history.Answer{End: history.Refused, Status: 409, Code: "sold_out"}
	}
	return op
}

func goodEvidence() *check.Evidence {
	early := told("e", "")
	early.Code = "not_started" // pressed again until the sale begins
	return &check.Evidence{
		Rows: []check.Row{
			{Order: "1", Buyer: "a", Key: "k", Status: "confirmed"}, {Order: "2", Buyer: "b", Key: "k", Status: "cancelled"},
			{Order: "3", Buyer: "c", Key: "k", Status: "paid"}, {Order: "4", Buyer: "e", Key: "k", Status: "confirmed"},
		},
		Ops: []history.Op{told("a", "1"), told("b", "2"), told("c", "3"), told("d", ""), early, told("e", "4")},
	}
}

// TestStrict: good evidence passes, and each breach is named.
func TestStrict(t *testing.T) {
	require.Empty(t, strict(goodEvidence()))
	for fault, breach := range map[string]func(*check.Evidence){
		"was refused although":                      func(e *check.Evidence) { e.Rows[1].Status = "refused" },
		"have one key":                              func(e *check.Evidence) { e.Rows[2].Buyer = "b" },
		"d was refused (operation 0) and has":       func(e *check.Evidence) { e.Rows[2].Buyer = "d" },
		"which is lost":                             func(e *check.Evidence) { e.Rows = e.Rows[1:] },
		"told of order 9 (operation 0) and has 1":   func(e *check.Evidence) { e.Ops[0] = told("a", "9") },
		"a was refused (operation 0) and has order": func(e *check.Evidence) { e.Ops[0] = told("a", "") },
	} {
		e := goodEvidence()
		breach(e)
		require.Contains(t, fmt.Sprint(strict(e)), fault)
	}
}

// TestBucketsBalance: a good bucket passes, and each breach is named.
func TestBucketsBalance(t *testing.T) {
	good := bucket{Stock: sale.Stock{Loaded: 3, Settled: 4, Released: 1}, State: "open", RedisState: "open",
		Epoch: 2, RedisEpoch: 2, Standing: 3, Returned: 1, Entries: 3}
	require.Empty(t, good.faults(0))
	for fault, breach := range map[string]func(*bucket){
		"off by 1":           func(b *bucket) { b.Available = -1 },
		"off by -1":          func(b *bucket) { b.Available = 1 },
		"InFlight:1":         func(b *bucket) { b.InFlight = 1 },
		"its rows are":       func(b *bucket) { b.Settled, b.Released = 5, 2 },
		"in Redis closed":    func(b *bucket) { b.RedisState = "closed" },
		"is closed in epoch": func(b *bucket) { b.State = "closed" },
		"in Redis open in":   func(b *bucket) { b.RedisEpoch = 1 },
		"orders journaled":   func(b *bucket) { b.Journaled = 1 },
		"units in entries":   func(b *bucket) { b.Entries = 2 },
	} {
		b := good
		breach(&b)
		require.Contains(t, fmt.Sprint(b.faults(1)), fault)
	}
}
