package reserve

import (
	"context"
	"errors"
	"fmt"

	"flashsale/sale"
)

// BucketReader reads the database's counters of buckets.
type BucketReader interface {
	// BucketCounters returns the counters of buckets in the order asked, all of one moment.
	BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error)
}

var errCircuitOpen = errors.New("the circuit breaker is open")

// SoldOut reports whether, at some moment between the call and its return, no bucket of a SKU had units and none were on
// their way to one. buckets are all buckets of the SKU. It also returns false when it cannot prove that.
func (e *Engine) SoldOut(ctx context.Context, buckets []sale.Bucket) (bool, error) {
	readings, err := e.readRedis(ctx, buckets)
	if err != nil {
		return false, err
	}
	snapshot := skuSnapshot{readings: readings}
	if snapshot.total() > 0 {
		return false, nil
	}
	if snapshot.counters, err = e.readDatabase(ctx, buckets); err != nil || !snapshot.whole() || snapshot.moving() {
		return false, err
	}
	again, err := e.readRedis(ctx, buckets)
	return err == nil && snapshot.still(again), err
}

// ownTime gives one call its own time. When an earlier call to another store has used up the caller's time, this store's
// circuit must not count that as a failure.
func ownTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), roundTimeout)
}

// readRedis asks Redis, unless its circuit is open or the caller's time is over.
func (e *Engine) readRedis(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	exit, ok := e.Breaker.Enter(sale.ResourceRedis)
	if !ok {
		return nil, errCircuitOpen
	}
	ctx, cancel := ownTime(ctx)
	defer cancel()
	readings, err := e.Redis.Readings(ctx, buckets)
	exit(err)
	return readings, err
}

// readDatabase asks the database, unless its circuit is open or the caller's time is over.
func (e *Engine) readDatabase(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	exit, ok := e.Breaker.Enter(sale.ResourceMySQL)
	if !ok {
		return nil, errCircuitOpen
	}
	ctx, cancel := ownTime(ctx)
	defer cancel()
	counters, err := e.Buckets.BucketCounters(ctx, buckets)
	if err == nil && len(counters) != len(buckets) {
		err = fmt.Errorf("asked for %d, got %d", len(buckets), len(counters))
	}
	exit(err)
	if err != nil {
		return nil, fmt.Errorf("read the counters of %d buckets: %w", len(buckets), err)
	}
	return counters, nil
}
