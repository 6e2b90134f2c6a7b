package reserve

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"flashsale/sale"
)

// Bounds of the watchdog.
const (
	watchdogBuckets = 2000 // looked at each second, in turn
	behindAfter     = 2 * time.Second
)

// watchdog compares what Redis says of the buckets that sell with what the database has seen of them. The database's
// number is read first, and every number in it came from Redis: a lower one in Redis means that Redis went back, also when
// no gateway that saw the higher number is alive (rule: sequence-watched).
type watchdog struct {
	redis *Redis
	units UnitBooks
	log   *slog.Logger
	after sale.Bucket               // the last one of the round before
	ahead map[sale.Bucket]time.Time // since when Redis has a later epoch than the database; zero = told
}

func newWatchdog(redis *Redis, units UnitBooks, log *slog.Logger) *watchdog {
	return &watchdog{redis: redis, units: units, log: log, ahead: map[sale.Bucket]time.Time{}}
}

// round is one unit of work: it returns the open buckets whose copy in Redis went back or is gone.
func (w *watchdog) round(ctx context.Context, selling []sale.Bucket) ([]sale.BucketRow, error) {
	buckets := w.inTurn(selling)
	if len(buckets) == 0 {
		return nil, nil
	}
	books, err := w.units.BucketBooks(ctx, buckets)
	if err != nil {
		return nil, fmt.Errorf("read the books of %d buckets: %w", len(buckets), err)
	}
	readings, err := w.redis.Readings(ctx, buckets)
	if err != nil {
		return nil, err
	}
	var doubted []sale.BucketRow
	for i := range books {
		row, reason := books[i].BucketRow, doubtOf(&books[i], &readings[i])
		w.noteAhead(row, readings[i].Epoch)
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
func doubtOf(b *sale.BucketBooks, r *sale.Reading) string {
	switch {
	case b.State != sale.BucketOpen:
		return ""
	case r.Epoch == 0:
		return "missing"
	case r.Epoch < b.Epoch:
		return "epoch"
	case r.Epoch == b.Epoch && r.Sequence < b.Sequence:
		return "sequence"
	}
	return ""
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

// inTurn returns the buckets to look at now, so that all are looked at in turn when they are many.
func (w *watchdog) inTurn(selling []sale.Bucket) []sale.Bucket {
	slices.SortFunc(selling, compareBuckets)
	if len(selling) <= watchdogBuckets {
		return selling
	}
	at, found := slices.BinarySearchFunc(selling, w.after, compareBuckets)
	if found {
		at++
	}
	turn := slices.Concat(selling[at:], selling[:at])[:watchdogBuckets]
	w.after = turn[len(turn)-1]
	return turn
}

func compareBuckets(a, b sale.Bucket) int {
	return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Number, b.Number))
}

// behind is the error of a database that does not know an epoch which Redis has lived: an epoch begins in the database.
func behind(row sale.BucketRow, epoch int64) error {
	return fmt.Errorf("%w: bucket %s is in epoch %d in redis and in epoch %d in the database. Was a backup restored? Nothing "+
		"is sold from it. Restore a newer database, or lose what this one does not know: stop every gateway and settle "+
		"process, run UPDATE stock SET epoch = %d, state = 'closed' WHERE sale_id = '%s' AND sku = '%s' AND bucket = %d AND "+
		"epoch < %d; and start them again; the bucket is then rebuilt from the database",
		sale.ErrBehind, row.Bucket, epoch, row.Epoch, epoch, row.Sale, row.SKU, row.Number, epoch)
}
