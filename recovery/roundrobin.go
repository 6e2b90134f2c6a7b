package recovery

import (
	"cmp"
	"slices"

	"flashsale/sale"
)

// roundRobin picks a bounded number of buckets at a time, all of them in turn. So the cost of looking at buckets does not grow
// with their number; only the time until each has been looked at does.
type roundRobin struct {
	most  int
	after sale.Bucket // the last one picked before
}

// nextOf returns the next members of a sorted list.
func nextOf[T any](r *roundRobin, sorted []T, bucketOf func(T) sale.Bucket) []T {
	if len(sorted) <= r.most {
		return sorted
	}
	at, found := slices.BinarySearchFunc(sorted, r.after, func(t T, b sale.Bucket) int { return compareBuckets(bucketOf(t), b) })
	if found {
		at++
	}
	next := make([]T, 0, r.most)
	next = append(next, sorted[at:min(at+r.most, len(sorted))]...)
	next = append(next, sorted[:r.most-len(next)]...)
	r.after = bucketOf(next[len(next)-1])
	return next
}

func compareBuckets(a, b sale.Bucket) int {
	return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.Number, b.Number))
}
