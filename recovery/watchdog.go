package recovery

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"flashsale/sale"
	"flashsale/scripts"
)

// Bounds of the watchdog.
const (
	watchdogBuckets = 2000 // looked at each second, in turn
	behindAfter     = 2 * time.Second
)

// DatabaseReader is the database's view of buckets.
type BucketReader interface {
	// BucketCounters returns what the database knows of buckets, in the order asked, all of one moment.
	BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error)
}

// watchdog compares what Redis says of the buckets of sales that are not closed with what the database has seen of them.
// The database's sequence is read first, and every number in it came from Redis: a lower one in Redis means that Redis
// went back, also when no gateway that saw the higher number is alive (rule: sequence-watched). With outbox rows it is the
// other way round: every number that Redis has applied came from the database, so a lower one there, read after Redis,
// means that the database went back, within an epoch; rows that it numbers anew would be taken for applied.
type watchdog struct {
	redis *scripts.Redis
	units BucketReader
	log   *slog.Logger
	turns roundRobin
	ahead map[sale.Bucket]time.Time // since when Redis has a later epoch than the database; zero = told

	// window hears which version of its sale's window a bucket has in Redis: a Redis that went back by no more than that
	// write would otherwise keep a sale paused, or open, that is not.
	window func(b sale.Bucket, version int64)
}

func newWatchdog(redis *scripts.Redis, units BucketReader, log *slog.Logger, window func(b sale.Bucket, version int64)) *watchdog {
	return &watchdog{
		redis: redis, units: units, log: log, turns: roundRobin{most: watchdogBuckets}, ahead: map[sale.Bucket]time.Time{},
		window: window,
	}
}

// round is one unit of work on buckets in order: it returns the open ones whose copy in Redis went back or is gone.
func (w *watchdog) round(ctx context.Context, moving []sale.Bucket) ([]sale.BucketRow, error) {
	buckets := nextOf(&w.turns, moving, func(b sale.Bucket) sale.Bucket { return b })
	if len(buckets) == 0 {
		return nil, nil
	}
	books, err := w.units.BucketCounters(ctx, buckets)
	if err != nil {
		return nil, fmt.Errorf("read the books of %d buckets: %w", len(buckets), err)
	}
	readings, err := w.redis.Readings(ctx, buckets)
	if err != nil {
		return nil, err
	}
	forgot, err := w.wentBack(ctx, books, readings)
	if err != nil {
		return nil, err
	}
	var doubted []sale.BucketRow
	for i := range books {
		row, reason := books[i].BucketRow, doubtOf(&books[i], &readings[i])
		if reason == "" && forgot[row.Bucket] {
			reason = "outbox"
		}
		w.noteAhead(row, readings[i].Epoch)
		if reason == "" {
			w.window(row.Bucket, readings[i].WindowsVersion)
		}
		if reason != "" {
			w.log.Warn("a bucket is in doubt", "bucket", row.Bucket.String(), "epoch", row.Epoch, "reason", reason,
				"redis_epoch", readings[i].Epoch, "redis_sequence", readings[i].Sequence, "sequence", books[i].Sequence)
			doubted = append(doubted, row)
		}
	}
	return doubted, nil
}

// doubtOf says why an open bucket's copy in Redis cannot be right, empty when it can. A bucket is open only after Redis
// has been loaded in its epoch.
func doubtOf(b *sale.BucketCounters, r *sale.Reading) string {
	switch {
	case b.State != sale.BucketOpen:
		return ""
	case r.Epoch == 0:
		return "missing"
	case r.Epoch < b.Epoch:
		return "epoch"
	case r.Epoch == b.Epoch && r.Sequence < b.Sequence:
		return "sequence"
	case r.Epoch == b.Epoch && r.Shut: // rule: state-watched
		return "state"
	}
	return ""
}

// wentBack returns the buckets of which the database has forgotten outbox rows. Where Redis has applied more than the books
// said, the books are read again: they may have gone on since.
func (w *watchdog) wentBack(ctx context.Context, books []sale.BucketCounters, readings []sale.Reading) (map[sale.Bucket]bool, error) {
	var suspects []sale.Bucket
	var applied []*sale.Reading
	for i := range books {
		if forgotOutbox(&books[i], &readings[i]) {
			suspects, applied = append(suspects, books[i].Bucket), append(applied, &readings[i])
		}
	}
	if len(suspects) == 0 {
		return nil, nil
	}
	again, err := w.units.BucketCounters(ctx, suspects)
	if err != nil {
		return nil, fmt.Errorf("read the books of %d buckets again: %w", len(suspects), err)
	}
	found := map[sale.Bucket]bool{}
	for i := range again {
		found[suspects[i]] = forgotOutbox(&again[i], applied[i])
	}
	return found, nil
}

func forgotOutbox(b *sale.BucketCounters, r *sale.Reading) bool {
	return b.State == sale.BucketOpen && b.Epoch == r.Epoch && b.Outbox < r.Outbox
}

// noteAhead tells, once, of a bucket that Redis has had in a later epoch than the database for longer than a rebuild
// between two readings explains.
func (w *watchdog) noteAhead(row sale.BucketRow, epoch int64) {
	since, known := w.ahead[row.Bucket]
	switch {
	case epoch <= row.Epoch:
		delete(w.ahead, row.Bucket)
	case !known:
		w.ahead[row.Bucket] = time.Now()
	case !since.IsZero() && time.Since(since) > behindAfter:
		w.ahead[row.Bucket] = time.Time{}
		w.log.Error("nothing is sold from a bucket", "bucket", row.Bucket.String(), "error", behind(row, epoch))
	}
}

// behind is the error of a database that does not know an epoch which Redis has lived. Nothing is sold from the bucket.
func behind(row sale.BucketRow, epoch int64) error {
	return sale.Behind("redis", []sale.BehindBucket{{Bucket: row.Bucket, Here: row.Epoch, There: epoch}})
}
