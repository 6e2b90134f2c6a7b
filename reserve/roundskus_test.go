package reserve

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestARoundReadsABoundedNumberOfSKUs: where the waiting purchases name more, all of them get their turn.
func TestARoundReadsABoundedNumberOfSKUs(t *testing.T) {
	const buckets, purchases = sale.MaxBuckets, 1000
	r := &rebalancer{buckets: make([]sale.Bucket, buckets)}
	waiting := make([]*waitingPurchase, purchases)
	for i := range waiting {
		waiting[i] = &waitingPurchase{lines: []sale.Line{{SKU: fmt.Sprint("first-", i)}, {SKU: fmt.Sprint("second-", i/2)}}}
	}
	turns := map[*waitingPurchase]int{}
	const rounds = 13
	for range rounds {
		r.rounds++
		skus, taking := r.chooseSKUs(waiting)
		require.LessOrEqual(t, len(skus.names)*buckets, maxRoundShelves)
		require.NotEmpty(t, taking)
		for _, p := range taking {
			turns[p]++
			for i, column := range p.columns {
				require.Equal(t, p.lines[i].SKU, skus.names[column])
			}
		}
		require.True(t, slices.IsSortedFunc(taking, func(a, b *waitingPurchase) int {
			return slices.Index(waiting, a) - slices.Index(waiting, b)
		}))
	}
	require.Len(t, turns, purchases, "each had its turn within %d rounds", rounds)
	skus, taking := r.chooseSKUs(waiting[:40])
	require.Len(t, taking, 40, "a few fit at once")
	require.Len(t, skus.names, 60)
}
