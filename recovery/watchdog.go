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

// watchdog compares Redis's counters of the buckets of unclosed sales with the database's.
//
// It reads the database first. Every sequence in the database was in Redis before, so a lower one in Redis means that Redis has
// lost writes, also when no gateway that saw the higher number is alive (rule: sequence-watched). Outbox rows go the other way:
// the database numbered every row that Redis has applied. So when the database, read again after Redis, has a lower number in
// the same epoch, it has lost rows, and Redis would take new rows with those numbers for applied ones.
type watchdog struct {
	redis *scripts.Redis
	units BucketReader
	log   *slog.Logger
	turns roundRobin
	ahead map[sale.Bucket]time.Time // since when Redis has a later epoch than the database; zero = logged

	// window is called with the version of the window that a bucket has in Redis. A Redis that has lost only the write of a
	// window would otherwise keep a sale paused, or open, against the catalogue.
	window func(b sale.Bucket, version int64)
}

func newWatchdog(redis *scripts.Redis, units BucketReader, log *slog.Logger,
	window func(b sale.Bucket, version int64)) *watchdog {
	return &watchdog{
		redis: redis, units: units, log: log, turns: roundRobin{most: watchdogBuckets}, ahead: map[sale.Bucket]time.Time{},
		window: window,
	}
}

// round is one unit of work on the next buckets of moving, which are in order. It returns the open ones whose data in Redis is
// lost or out of date.
func (w *watchdog) round(ctx context.Context, moving []sale.Bucket) ([]sale.BucketRow, error) {
	buckets := nextOf(&w.turns, moving, func(b sale.Bucket) sale.Bucket { return b })
	if len(buckets) == 0 {
		return nil, nil
	}
	counters, err := w.units.BucketCounters(ctx, buckets)
	if err != nil {
		return nil, fmt.Errorf("read the counters of %d buckets: %w", len(buckets), err)
	}
	readings, err := w.redis.Readings(ctx, buckets)
	if err != nil {
		return nil, err
	}
	forgot, err := w.wentBack(ctx, counters, readings)
	if err != nil {
		return nil, err
	}
	var doubted []sale.BucketRow
	for i := range counters {
		row, reason := counters[i].BucketRow, doubtOf(&counters[i], &readings[i])
		if reason == "" && forgot[row.Bucket] {
			reason = "outbox"
		}
		w.noteAhead(row, readings[i].Epoch)
		if reason == "" {
			w.window(row.Bucket, readings[i].WindowsVersion)
		}
		if reason != "" {
			w.log.Warn("a bucket is in doubt", "bucket", row.Bucket.String(), "epoch", row.Epoch, "reason", reason,
				"redis_epoch", readings[i].Epoch, "redis_sequence", readings[i].Sequence, "sequence", counters[i].Sequence)
			doubted = append(doubted, row)
		}
	}
	return doubted, nil
}

// doubtOf returns why an open bucket's data in Redis cannot be right, empty when it can. A bucket is opened only after Redis
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

// wentBack returns the buckets of which the database has lost outbox rows. Where Redis has applied more rows than the database
// had, it reads the database again, which may have written them since.
func (w *watchdog) wentBack(ctx context.Context, counters []sale.BucketCounters, readings []sale.Reading,
) (map[sale.Bucket]bool, error) {
	var suspects []sale.Bucket
	var applied []*sale.Reading
	for i := range counters {
		if forgotOutbox(&counters[i], &readings[i]) {
			suspects, applied = append(suspects, counters[i].Bucket), append(applied, &readings[i])
		}
	}
	if len(suspects) == 0 {
		return nil, nil
	}
	again, err := w.units.BucketCounters(ctx, suspects)
	if err != nil {
		return nil, fmt.Errorf("read the counters of %d buckets again: %w", len(suspects), err)
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

// noteAhead logs, once, that Redis has had a bucket in a later epoch than the database for longer than behindAfter: a rebuild
// between two readings does not explain that.
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

// behind is the error of a database that does not know an epoch of Redis. Nothing is sold from the bucket.
func behind(row sale.BucketRow, epoch int64) error {
	return sale.Behind("redis", []sale.BehindBucket{{Bucket: row.Bucket, Here: row.Epoch, There: epoch}})
}
