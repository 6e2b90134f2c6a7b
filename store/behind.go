package store

import (
	"maps"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// maxBehind bounds the buckets that an error names; the next attempt names the next ones.
const maxBehind = 10

// behind says that records of later epochs have come than the database has begun: each bucket with the highest one seen.
func behind(epochs map[sale.Bucket]int64, stock map[sale.Bucket]*ledger.Row) error {
	buckets := slices.SortedFunc(maps.Keys(epochs), compareBuckets)
	var found []sale.BehindBucket
	for _, b := range buckets[:min(len(buckets), maxBehind)] {
		found = append(found, sale.BehindBucket{Bucket: b, Here: stock[b].Epoch, There: epochs[b]})
	}
	return sale.Behind("the orders topic", found)
}
