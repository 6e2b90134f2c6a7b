package reserve

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
)

const (
	reportTimeout = 5 * time.Second
	reportRetry   = time.Second
)

// reporter reports buckets in doubt to the database, once for each bucket and epoch, and tries again while the database is
// away. No purchase waits for it. Its memory is bounded by the buckets of the catalogue.
type reporter struct {
	sink LossReporter
	log  *slog.Logger
	wake chan struct{}

	mu       sync.Mutex
	reported map[sale.Bucket]int64 // the newest epoch reported
	waiting  map[sale.Bucket]loss
}

type loss struct {
	bucket sale.Bucket
	epoch  int64
	reason string
}

func newReporter(sink LossReporter, log *slog.Logger) *reporter {
	return &reporter{
		sink: sink, log: log, wake: make(chan struct{}, 1),
		reported: map[sale.Bucket]int64{}, waiting: map[sale.Bucket]loss{},
	}
}

// report notes a loss and returns at once.
func (r *reporter) report(b sale.Bucket, epoch int64, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if epoch <= r.reported[b] {
		return
	}
	r.reported[b] = epoch
	r.waiting[b] = loss{bucket: b, epoch: epoch, reason: reason}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reporter) run(ctx context.Context) {
	loop := role.Loop{
		Name: "reporter", Unit: r.flush, Wake: r.wake, Retry: func(int) time.Duration { return reportRetry },
		Failing: "a bucket in doubt could not be reported", Log: r.log,
	}
	loop.Run(ctx)
}

// flush is one unit of work: it reports the losses that wait.
func (r *reporter) flush(ctx context.Context) error {
	r.mu.Lock()
	losses := maps.Clone(r.waiting)
	r.mu.Unlock()
	for b, l := range losses {
		call, cancel := context.WithTimeout(ctx, reportTimeout)
		err := r.sink.ReportLoss(call, b, l.epoch, l.reason)
		cancel()
		if err != nil {
			return fmt.Errorf("report bucket %s (%s): %w", b, l.reason, err)
		}
		faults.Point("reserve.loss-reported")
		r.log.Warn("a bucket is in doubt and was reported", "bucket", b.String(), "epoch", l.epoch, "reason", l.reason)
		r.done(b, l)
	}
	return nil
}

func (r *reporter) done(b sale.Bucket, l loss) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[b] == l {
		delete(r.waiting, b)
	}
}
