package recovery

import (
	"context"

	"flashsale/sale"
)

// Buckets are the rows of buckets in the database, which alone decides the epoch of a bucket. Every method that writes compares
// epoch and state and changes the row only if they match, so two controllers at once do no harm.
type Buckets interface {
	// Changes returns the buckets that changed since a version of the catalogue, all buckets for version 0.
	Changes(ctx context.Context, since int64) (sale.Changes, error)
	// CloseBuckets closes the buckets whose epoch is still the row's, and returns the present rows of all.
	CloseBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error)
	// FencesPassed reports whether settlement has committed beyond the fences with these tokens.
	FencesPassed(ctx context.Context, tokens []string) (bool, error)
	// BeginLoads changes the rows that are still closed in their epoch to loading in the next epoch, and returns what to load.
	BeginLoads(ctx context.Context, rows []sale.BucketRow) ([]sale.Load, error)
	// OpenBuckets opens the rows that are still loading in their epoch, and returns those that it opened.
	OpenBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error)
}

// BucketReader reads the database's counters of buckets.
type BucketReader interface {
	// BucketCounters returns the counters of buckets in the order asked, all of one moment.
	BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error)
}
