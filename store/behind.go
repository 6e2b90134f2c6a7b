package store

import (
	"maps"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// maxBehind bounds the buckets in an error; the error of the next attempt has the next ones.
const maxBehind = 10

// behind returns the error for records of later epochs than the database has begun. epochs is the highest epoch of each
// bucket.
func behind(epochs map[sale.Bucket]int64, rows map[sale.Bucket]*ledger.Row) error {
	buckets := slices.SortedFunc(maps.Keys(epochs), compareBuckets)
	var found []sale.BehindBucket
	for _, b := range buckets[:min(len(buckets), maxBehind)] {
		found = append(found, sale.BehindBucket{Bucket: b, Here: rows[b].Epoch, There: epochs[b]})
	}
	return sale.Behind("the orders topic", found)
}
