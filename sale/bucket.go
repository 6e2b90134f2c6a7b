package sale

import "fmt"

// Bucket names a slice of a sale that lives on one Redis slot and one Kafka partition. It has units of all the sale's SKUs.
type Bucket struct {
	Sale   string
	Number int // 0 to MaxBuckets-1
}

// String returns "sale:number", the text inside the Redis hash tag and the key of the bucket's Kafka records.
func (b Bucket) String() string { return fmt.Sprintf("%s:%d", b.Sale, b.Number) }

// Shelf names the units of one SKU in one bucket.
type Shelf struct {
	Bucket
	SKU string
}

// String returns "sale:number/sku".
func (s Shelf) String() string { return s.Bucket.String() + "/" + s.SKU }

// HomeBucket returns the number, 0 to buckets-1, of the bucket that decides all purchases of a buyer in a sale, so that one
// bucket checks the purchase limits. It is FNV-1a (32 bit) of the buyer id modulo the bucket count; the mapping is part of
// the stored state and must not change. It does not allocate: gateways also call it for requests that they refuse.
func HomeBucket[T Text](buyer T, buckets int) int {
	const offset, prime = 2166136261, 16777619
	if buckets <= 1 {
		return 0
	}
	h := uint32(offset)
	for i := 0; i < len(buyer); i++ {
		h = (h ^ uint32(buyer[i])) * prime
	}
	return int(h % uint32(buckets))
}

// BucketStock returns the units of a SKU with which bucket number starts, when the SKU has stock units and its sale has
// buckets buckets: an even split, with the remainder in the first buckets.
func BucketStock(stock int64, number, buckets int) int64 {
	share := stock / int64(buckets)
	if int64(number) < stock%int64(buckets) {
		share++
	}
	return share
}

// BucketState is the state of a bucket in the database. Only the database changes it.
type BucketState string

// A new bucket is closed and has epoch 0. A rebuild begins the next epoch: the bucket is loading, then open. The archive of the
// sale begins the last epoch: no rebuild and no purchase follow.
const (
	BucketClosed   BucketState = "closed"
	BucketLoading  BucketState = "loading"
	BucketOpen     BucketState = "open"
	BucketArchived BucketState = "archived"
)

// MayLoad reports whether a rebuild may load a bucket in this state: it is neither open nor archived.
func (s BucketState) MayLoad() bool { return s == BucketClosed || s == BucketLoading }

// BucketRow is one row of the buckets table without its counters: what gateways need to sell from the bucket.
type BucketRow struct {
	Bucket
	Epoch     int64
	State     BucketState
	Partition int32 // of the orders topic, fixed at the first preload
}

// BucketsOf returns the buckets of some rows, in their order.
func BucketsOf(rows []BucketRow) []Bucket {
	buckets := make([]Bucket, len(rows))
	for i := range rows {
		buckets[i] = rows[i].Bucket
	}
	return buckets
}
