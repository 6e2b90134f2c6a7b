package sale

// Summary is one sale in a list of all sales: without its items, with the sums of its buckets.
type Summary struct {
	Sale    // Items is nil
	Buckets []BucketSum
	Paid    int64 // units of paid orders
}

// BucketSum is a bucket with the units of all its SKUs together, as the database has them.
type BucketSum struct {
	BucketRow
	SKUs     int
	Loaded   int64
	Settled  int64
	Released int64
}
