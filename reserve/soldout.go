package reserve

import (
	"context"
	"errors"
	"fmt"

	"flashsale/sale"
)

// BucketReader reads the database's counters of buckets and their stock.
type BucketReader interface {
	// StockCounters returns the counters of buckets and of some SKUs in them, in the order asked, all of one moment.
	StockCounters(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error)
}

var errCircuitOpen = errors.New("the circuit breaker is open")

// SoldOut reports whether, at some moment between the call and its return, no bucket of a SKU had units and none were on
// their way to one. buckets are all buckets of the sale. It also returns false when it cannot prove that.
func (e *Engine) SoldOut(ctx context.Context, buckets []sale.Bucket, sku string) (bool, error) {
	const column = 0
	skus := []string{sku}
	readings, err := e.readRedis(ctx, buckets, skus)
	if err != nil {
		return false, err
	}
	snapshot := newStockSnapshot(skus, readings)
	if snapshot.total(column) > 0 {
		return false, nil
	}
	counters, err := e.readDatabase(ctx, buckets, skus)
	if err != nil {
		return false, err
	}
	snapshot.setCounters(counters)
	if found := snapshot.judged[column]; !found.whole || found.moving {
		return false, nil
	}
	again, err := e.readRedis(ctx, buckets, skus)
	return err == nil && snapshot.still(column, again, column), err
}

// ownTime gives one call its own time. When an earlier call to another store has used up the caller's time, this store's
// circuit must not count that as a failure.
func ownTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), roundTimeout)
}

// readRedis asks Redis, unless its circuit is open or the caller's time is over.
func (e *Engine) readRedis(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockReading, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	exit, ok := e.Breaker.Enter(sale.ResourceRedis)
	if !ok {
		return nil, errCircuitOpen
	}
	ctx, cancel := ownTime(ctx)
	defer cancel()
	readings, err := e.Redis.StockReadings(ctx, buckets, skus)
	exit(err)
	return readings, err
}

// readDatabase asks the database, unless its circuit is open or the caller's time is over.
func (e *Engine) readDatabase(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	exit, ok := e.Breaker.Enter(sale.ResourceMySQL)
	if !ok {
		return nil, errCircuitOpen
	}
	ctx, cancel := ownTime(ctx)
	defer cancel()
	counters, err := e.Buckets.StockCounters(ctx, buckets, skus)
	if err == nil {
		err = complete(counters, len(buckets), len(skus))
	}
	exit(err)
	if err != nil {
		return nil, fmt.Errorf("read the counters of %d SKUs in %d buckets: %w", len(skus), len(buckets), err)
	}
	return counters, nil
}

// complete returns an error when counters of a bucket or of a SKU are missing.
func complete(counters []sale.StockCounters, buckets, skus int) error {
	if len(counters) != buckets {
		return fmt.Errorf("asked for %d buckets, got %d", buckets, len(counters))
	}
	for i := range counters {
		if got := len(counters[i].Shelves); got != skus {
			return fmt.Errorf("asked for %d SKUs of bucket %s, got %d", skus, counters[i].Bucket, got)
		}
	}
	return nil
}
