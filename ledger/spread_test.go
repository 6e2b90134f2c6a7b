package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

func TestSpreads(t *testing.T) {
	require.Equal(t, []int64{4, 3, 3}, SpreadRaise(10, []int64{0, 0, 0}), "a new item")
	require.Equal(t, []int64{0, 5, 0}, SpreadRaise(5, []int64{9, 0, 3}), "towards 6, 6, 5, the first of them first")
	require.Equal(t, []int64{0}, SpreadRaise(0, []int64{7}))
	require.Equal(t, []int64{6, 0, 0}, SpreadTake(6, []int64{9, 0, 1}), "towards 2, 1, 1")
	require.Equal(t, []int64{9, 0, 1}, SpreadTake(11, []int64{9, 0, 1}), "all of them")
	require.Equal(t, []int64{5, 0}, SpreadTake(6, []int64{5, -3}), "an oversold bucket has none")
}

func total(units []int64) (sum int64) {
	for _, n := range units {
		sum += n
	}
	return sum
}

// A spread has exactly the units asked, or all, and takes from no bucket more than it has. Where no bucket is above its even
// share of a raise or below that of a take, the buckets are even afterwards.
func TestSpreadsAreWholeAndTowardsEven(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		has := rapid.SliceOfN(rapid.Int64Range(0, 20), 1, 8).Draw(r, "has")
		units := rapid.Int64Range(0, 100).Draw(r, "units")
		all := total(has)
		raised, taken := SpreadRaise(units, has), SpreadTake(units, has)
		require.Equal(r, units, total(raised))
		require.Equal(r, min(units, all), total(taken))
		for i, n := range has {
			require.GreaterOrEqual(r, raised[i], int64(0))
			require.LessOrEqual(r, n+raised[i], max(n, sale.BucketStock(all+units, i, len(has))))
			require.GreaterOrEqual(r, taken[i], int64(0))
			require.GreaterOrEqual(r, n-taken[i], min(n, sale.BucketStock(all-min(units, all), i, len(has))))
		}
	})
}
