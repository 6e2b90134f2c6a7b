package check

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatHoldsAtEveryMoment: good counters pass, and each breach is named.
func TestWhatHoldsAtEveryMoment(t *testing.T) {
	require.Empty(t, Moment(killedSale()))
	for fault, breach := range map[string]func(*Evidence){
		"are more than 3 loaded": func(e *Evidence) { e.Buckets[0].Shelves[0].Settled = 5 },
		"3 units, the limit is 2": func(e *Evidence) {
			e.Rows[0].Lines = units("a", 3)
		},
		"4 units in standing rows, 3 were loaded": func(e *Evidence) { e.Rows[1].Status = "paid" },
		"the buckets of s/a have 4 units loaded":  func(e *Evidence) { e.Buckets[0].Shelves[0].Loaded = 4 },
		"orders own 2 units of s/a":               func(e *Evidence) { e.Rows[2].Status = "expired" },
	} {
		e := killedSale()
		breach(e)
		require.Contains(t, fmt.Sprint(Moment(e)), fault)
	}
}
