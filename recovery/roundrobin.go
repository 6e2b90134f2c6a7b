package recovery

import (
	"cmp"
	"slices"

	"flashsale/sale"
)

// rota lets all buckets have their turn, so many at a time, so that the cost of looking at them does not grow with their
// number: only the time does, after which each has been looked at.
type roundRobin struct {
	most  int
	after sale.Bucket // the last one of the turn before
}

// inTurn returns the members of a sorted list whose turn it is.
func nextOf[T any](r *roundRobin, sorted []T, bucketOf func(T) sale.Bucket) []T {
	if len(sorted) <= r.most {
		return sorted
	}
	at, found := slices.BinarySearchFunc(sorted, r.after, func(t T, b sale.Bucket) int { return compareBuckets(bucketOf(t), b) })
	if found {
		at++
	}
	turn := make([]T, 0, r.most)
	turn = append(turn, sorted[at:min(at+r.most, len(sorted))]...)
	turn = append(turn, sorted[:r.most-len(turn)]...)
	r.after = bucketOf(turn[len(turn)-1])
	return turn
}

func compareBuckets(a, b sale.Bucket) int {
	return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Number, b.Number))
}
