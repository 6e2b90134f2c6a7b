package reserve

import (
	"context"
	"errors"
	"fmt"

	"flashsale/sale"
)

// BucketReader is the database's view of buckets.
type BucketReader interface {
	// BucketCounters returns the books of buckets in the order asked, all of one moment.
	BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error)
}

var errCircuitOpen = errors.New("the circuit breaker is open")

// sight is what was seen of all buckets of a SKU: first Redis, bucket by bucket, then the database, all at once.
//
// It proves something once Redis is read again and no bucket has moved between: then every reading is true of the moment
// of the books too. If in that moment every unit that transfers took is settled and every unit that the database gave back
// has come, then nothing was on its way, and what the buckets held was all there was. rule: whole-sku
type skuSnapshot struct {
	readings []sale.Reading
	books    []sale.BucketCounters
	promised []int64 // units of each bucket that its own buyers are about to take: not to be moved
}

// spare is what a bucket holds beyond what is promised.
func (s *skuSnapshot) unpromised(number int) int64 {
	return s.readings[number].Available - s.promised[number]
}

// sound reports whether a bucket sells: it is open, and Redis is in the epoch that the database has.
func (s *skuSnapshot) sound(number int) bool {
	return s.books[number].State == sale.BucketOpen && s.books[number].Epoch == s.readings[number].Epoch
}

// whole reports whether every bucket sells.
func (s *skuSnapshot) whole() bool {
	for number := range s.readings {
		if !s.sound(number) {
			return false
		}
	}
	return true
}

// moving reports whether units are on their way to a bucket: out of another one and not settled, or given and not come
// (rule: sold-out-by-books).
func (s *skuSnapshot) moving() bool {
	for number, r := range s.readings {
		if b := &s.books[number]; r.Moved != b.MovedEpoch || r.Returned != b.GivenEpoch {
			return true
		}
	}
	return false
}

// total is what all buckets hold together.
func (s *skuSnapshot) total() int64 {
	var units int64
	for _, r := range s.readings {
		units += r.Available
	}
	return units
}

// still reports whether no bucket has moved between two readings (rule: sold-out-read-again): one that went back between
// them may have been empty before and another one after, and never both. A bucket that went back may be at the same sequence
// again by another write, so what was moved, returned and left counts too.
func (s *skuSnapshot) still(again []sale.Reading) bool {
	for number, r := range s.readings {
		a := &again[number]
		if a.Epoch != r.Epoch || a.Sequence != r.Sequence || a.Moved != r.Moved || a.Returned != r.Returned || a.Available != r.Available {
			return false
		}
	}
	return true
}

// SoldOut reports whether nothing is left in any bucket of a SKU and nothing on its way to one, in a moment after the
// call. buckets are all that the SKU has; false may mean that nobody knows.
func (e *Engine) SoldOut(ctx context.Context, buckets []sale.Bucket) (bool, error) {
	readings, err := e.readRedis(ctx, buckets)
	if err != nil {
		return false, err
	}
	v := skuSnapshot{readings: readings}
	if v.total() > 0 {
		return false, nil
	}
	if v.books, err = e.readDatabase(ctx, buckets); err != nil || !v.whole() || v.moving() {
		return false, err
	}
	again, err := e.readRedis(ctx, buckets)
	return err == nil && v.still(again), err
}

// ownTime is the time of one call. What another store has used up of the caller's time must not look like a fault of this
// one to its circuit.
func ownTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), roundTimeout)
}

// readings asks Redis, unless its circuit is open or nobody waits any more.
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

// books asks the database, unless its circuit is open or nobody waits any more.
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
	books, err := e.Buckets.BucketCounters(ctx, buckets)
	if err == nil && len(books) != len(buckets) {
		err = fmt.Errorf("asked for %d, got %d", len(buckets), len(books))
	}
	exit(err)
	if err != nil {
		return nil, fmt.Errorf("read the books of %d buckets: %w", len(buckets), err)
	}
	return books, nil
}
