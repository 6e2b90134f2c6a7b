package crash

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func goodBooks() books {
	return books{
		Stock: 3, Limit: 2,
		Rows: []row{
			{"1", "a", "k", "confirmed", 0, 2}, {"2", "b", "k", "cancelled", 0, 1}, {"3", "c", "k", "paid", 0, 1},
		},
		Buckets: []bucket{{Loaded: 3, Settled: 4, Released: 1, State: "open", RedisState: "open", Epoch: 2, RedisEpoch: 2, Entries: 3}},
		Said:    []said{{"a", "k", "1"}, {"b", "k", "2"}, {"c", "k", "3"}, {"d", "k", ""}},
	}
}

// TestJudge: good books pass, and each breach is named.
func TestJudge(t *testing.T) {
	require.Empty(t, judge(goodBooks()))
	for fault, breach := range map[string]func(*books){
		"was refused although":      func(b *books) { b.Rows[1].Status = "refused" },
		"have one key":              func(b *books) { b.Rows[2].Buyer = "b" },
		"the limit is 2":            func(b *books) { b.Rows[2].Buyer, b.Rows[2].Key = "a", "other" },
		"a was refused and has":     func(b *books) { b.Said[3].Buyer = "a" },
		"which is lost":             func(b *books) { b.Rows = b.Rows[1:] },
		"told of order 9 and has 1": func(b *books) { b.Said[0].Order = "9" },
		"it were 3":                 func(b *books) { b.Buckets[0].Loaded = 2 },
		"units are left":            func(b *books) { b.Buckets[0].Available = 1 },
		"outbox rows":               func(b *books) { b.EventsRows = 1 },
		"its rows are":              func(b *books) { b.Buckets[0].Settled, b.Buckets[0].Released = 5, 2 },
		"in Redis closed":           func(b *books) { b.Buckets[0].RedisState = "closed" },
		"but available":             func(b *books) { b.Buckets[0].Available = -1 },
		"orders journaled":          func(b *books) { b.Buckets[0].Held = 1 },
		"units in entries":          func(b *books) { b.Buckets[0].Entries = 2 },
	} {
		b := goodBooks()
		breach(&b)
		require.Contains(t, fmt.Sprint(judge(b)), fault)
	}
}
