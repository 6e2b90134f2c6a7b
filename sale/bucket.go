package sale

import "fmt"

// Bucket names a slice of a SKU's stock that lives on one Redis slot and one Kafka partition.
type Bucket struct {
	Sale   string
	SKU    string
	Number int // 0 to MaxBuckets-1
}

// String returns "sale:sku:number", the text inside the Redis hash tag and the key of the bucket's Kafka records.
func (b Bucket) String() string { return fmt.Sprintf("%s:%s:%d", b.Sale, b.SKU, b.Number) }

// HomeBucket returns the bucket number, 0 to buckets-1, in which all purchases of a buyer are decided, so that the
// purchase limit is checked in one place. It is FNV-1a (32 bit) of the buyer id modulo the bucket count; the mapping is
// part of the stored state and must not change. It does not allocate: gateways call it for presses they refuse.
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

// BucketStock returns the units that bucket number of a SKU with stock units in all starts with: an even split, the
// remainder to the first buckets.
func BucketStock(stock int64, number, buckets int) int64 {
	share := stock / int64(buckets)
	if int64(number) < stock%int64(buckets) {
		share++
	}
	return share
}

// BucketState is the life of a bucket in the database. Only the database decides it.
type BucketState string

// A bucket is created closed with epoch 0; a rebuild takes it through loading to open in the next epoch.
const (
	BucketClosed  BucketState = "closed"
	BucketLoading BucketState = "loading"
	BucketOpen    BucketState = "open"
)

// BucketRow is one row of the stock table without its counters: what gateways need to sell from the bucket.
type BucketRow struct {
	Bucket
	Epoch     int64
	State     BucketState
	Partition int32 // of the orders topic, fixed at the first preload
}
