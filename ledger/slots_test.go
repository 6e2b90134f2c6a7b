package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

// Slots against a plain set: the lowest free ones are taken, never one twice, never beyond the limit, all or none.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limit := rapid.IntRange(1, sale.MaxLimit).Draw(r, "limit")
		taken := map[int]bool{}
		var s Slots
		for _, slot := range rapid.SliceOf(rapid.IntRange(-2, maxSlots+2)).Draw(r, "set") {
			s.Set(slot)
			taken[slot] = true
		}
		for range 5 {
			n := rapid.IntRange(1, limit+1).Draw(r, "n")
			var want []int
			for slot := 0; slot < limit && len(want) < n; slot++ {
				if !taken[slot] {
					want = append(want, slot)
				}
			}
			if len(want) < n {
				want = nil
			}
			require.Equal(r, want, s.take(n, limit))
			for _, slot := range want {
				taken[slot] = true
			}
		}
	})
}

func TestSlotsHoldTheHighestLimit(t *testing.T) {
	require.LessOrEqual(t, sale.MaxLimit, maxSlots)
	require.Equal(t, 64*len(Slots{}), maxSlots)
}
