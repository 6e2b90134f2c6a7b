package recovery

import (
	"context"

	"flashsale/sale"
)

// Buckets are the rows of buckets in the database: it alone decides which epoch lives. Every method that writes is a
// compare-and-set on (epoch, state), so two control roles at once do no harm.
type Buckets interface {
	// Changes returns the buckets that changed since a version of the catalogue, all of them for 0.
	Changes(ctx context.Context, since int64) (sale.Changes, error)
	// CloseBuckets sets rows closed whose epoch still is the present one, and returns the present rows of all.
	CloseBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error)
	// FencesPassed reports whether settlement has committed past the fences with these tokens.
	FencesPassed(ctx context.Context, tokens []string) (bool, error)
	// BeginLoads moves rows that still are closed in their epoch to loading in the next one, and returns what to load.
	BeginLoads(ctx context.Context, rows []sale.BucketRow) ([]sale.Load, error)
	// OpenBuckets opens rows that still are loading in their epoch, and returns those that it opened.
	OpenBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error)
}
