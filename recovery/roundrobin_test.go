package recovery

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// When there are more buckets than one call returns, every bucket has its turn, also while buckets are added and removed.
func TestRoundRobinGivesEveryBucketItsTurn(t *testing.T) {
	itself := func(b sale.Bucket) sale.Bucket { return b }
	var all []sale.Bucket
	for i := range 207 {
		all = append(all, sale.Bucket{Sale: fmt.Sprintf("sale-%04d", i%50), Number: i / 50})
	}
	slices.SortFunc(all, compareBuckets)
	r := &roundRobin{most: 100}
	looked := map[sale.Bucket]int{}
	for range 4 {
		next := nextOf(r, all, itself)
		require.Len(t, next, 100)
		for _, b := range next {
			looked[b]++
		}
	}
	require.Len(t, looked, len(all))
	for b, times := range looked {
		require.Contains(t, []int{1, 2}, times, b)
	}
	last := r.after
	all = slices.DeleteFunc(all, func(b sale.Bucket) bool { return b == last })
	next, _ := slices.BinarySearchFunc(all, last, compareBuckets)
	require.Equal(t, all[next], nextOf(r, all, itself)[0], "the call continues where the one before ended")
	require.Empty(t, nextOf(r, nil, itself))
	require.Len(t, nextOf(r, all[:5], itself), 5)
}

// The view returns its buckets in order, whatever the order of the changes.
func TestViewKeepsTheOrder(t *testing.T) {
	now := time.Now()
	v := newView()
	open := func(saleID string, number int) sale.BucketRow {
		return sale.BucketRow{Bucket: sale.Bucket{Sale: saleID, Number: number}, Epoch: 1, State: sale.BucketOpen}
	}
	for _, id := range []string{"b", "a"} {
		v.update(sale.Changes{Sales: []sale.Sale{{
			ID: id, State: sale.StateOpen, StartsAt: sale.Time{Time: now.Add(-time.Hour)},
			EndsAt: sale.Time{Time: now.Add(time.Hour)},
		}}})
	}
	v.update(sale.Changes{Buckets: []sale.BucketRow{open("b", 0), open("a", 1)}})
	require.Len(t, v.moving(now), 2)
	v.update(sale.Changes{Buckets: []sale.BucketRow{open("a", 3), open("a", 0), open("b", 0)}})
	want := []sale.Bucket{
		{Sale: "a"}, {Sale: "a", Number: 1}, {Sale: "a", Number: 3}, {Sale: "b"},
	}
	require.Equal(t, want, v.moving(now))
	var watched, rows []sale.Bucket
	for _, w := range v.watched(now) {
		watched = append(watched, w.Bucket)
	}
	for _, row := range v.open() {
		rows = append(rows, row.Bucket)
	}
	require.Equal(t, want, watched)
	require.Equal(t, want, rows)
}
