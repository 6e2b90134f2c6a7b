package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/tracing"
)

// Watched is a bucket whose journal the relay looks at. Done means that the sale is over: no call takes units any more once
// Redis has the sale's Version. Until then the relay looks at the bucket again.
type Watched struct {
	sale.BucketRow
	Version int64
	Done    bool
}

// RelayOptions are the parts of a Relay.
type RelayOptions struct {
	Redis     *scripts.Redis
	Publisher RecordPublisher
	Leases    lease.Leases
	Owner     string                        // of leases, unique to this process
	Watched   func(now time.Time) []Watched // the buckets that may have a journal now, in order
	Deadline  time.Duration                 // an entry that its gateway has not trimmed within it is published again [2 s]
	Tracer    *tracing.Tracer               // nil: no spans
	Log       *slog.Logger
}

// Times of the relay.
const (
	relayDeadline = 2 * time.Second
	relayEvery    = 500 * time.Millisecond // so that an overdue entry is published within a second, also under load
	relayTimeout  = 30 * time.Second       // of one unit of work
	relayBuckets  = 1000                   // looked at in one unit, in turn
)

// Relay publishes the journal entries that were not trimmed in time: their gateway died, or Kafka was away for longer than the
// gateway kept the records. One process at a time relays; two would only publish the same bytes twice. The relay looks only at
// buckets of sales that sell, at most relayBuckets in one unit, so its cost does not grow with the number of sales.
type Relay struct {
	RelayOptions
	clock *scripts.Clock
	turns roundRobin
	quiet map[sale.Bucket]int64 // version of the sale at which a finished bucket was seen without a journal
}

// NewRelay returns a relay; Run does its work.
func NewRelay(o RelayOptions) *Relay {
	if o.Deadline <= 0 {
		o.Deadline = relayDeadline
	}
	return &Relay{
		RelayOptions: o, clock: scripts.NewClock(nil), turns: roundRobin{most: relayBuckets}, quiet: map[sale.Bucket]int64{},
	}
}

// Run relays until ctx ends.
func (r *Relay) Run(ctx context.Context) {
	loop := role.Loop{
		Name: "relay", Unit: r.relayOnce, Every: relayEvery, Limit: relayTimeout, Quiet: []error{sale.ErrLeaseHeld},
		Failing: "journals could not be relayed", Log: r.Log,
	}
	loop.Run(ctx)
}

// ClockAhead returns how far this machine's clock is ahead of Redis's, negative when it is behind, and whether the relay has
// learned Redis's time.
func (r *Relay) ClockAhead() (time.Duration, bool) { return r.clock.Ahead() }

// relayOnce is one unit of work: it looks at the next watched journals, and publishes under the lease when any has entries.
func (r *Relay) relayOnce(ctx context.Context) error {
	if err := r.Redis.Doubt(); err != nil {
		return err
	}
	if err := r.clock.Poll(ctx, r.Redis); err != nil {
		return fmt.Errorf("read redis's clock: %w", err)
	}
	now, _ := r.clock.Now()
	journaled, err := r.journaled(ctx, r.Watched(now))
	if err != nil || len(journaled) == 0 {
		return err
	}
	one := lease.Lease{Leases: r.Leases, Name: lease.Relay, Owner: r.Owner, Log: r.Log}
	return one.Do(ctx, func(ctx context.Context) error {
		return r.relay(ctx, journaled, now.Add(-r.Deadline))
	})
}

// journaled returns those of the next watched buckets that have a journal, and remembers the finished ones that have none.
func (r *Relay) journaled(ctx context.Context, watched []Watched) ([]sale.BucketRow, error) {
	r.forgetGone(watched)
	look := watched[:0:0]
	for _, w := range watched {
		if quiet, known := r.quiet[w.Bucket]; !w.Done || !known || quiet != w.Version {
			look = append(look, w)
		}
	}
	look = nextOf(&r.turns, look, func(w Watched) sale.Bucket { return w.Bucket })
	buckets := make([]sale.Bucket, len(look))
	for i, w := range look {
		buckets[i] = w.Bucket
	}
	counts, err := r.Redis.JournalCounts(ctx, buckets)
	if err != nil {
		return nil, fmt.Errorf("look for journals: %w", err)
	}
	var found []sale.BucketRow
	for i, count := range counts {
		switch {
		case count.Orders > 0:
			found = append(found, look[i].BucketRow)
		case look[i].Done && count.WindowVersion >= look[i].Version:
			r.quiet[look[i].Bucket] = look[i].Version
		}
	}
	return found, nil
}

// forgetGone forgets the buckets of sales that were archived, once they are the greater part of what is remembered.
func (r *Relay) forgetGone(watched []Watched) {
	if len(r.quiet) <= 2*len(watched) {
		return
	}
	left := make(map[sale.Bucket]bool, len(watched))
	for _, w := range watched {
		left[w.Bucket] = true
	}
	maps.DeleteFunc(r.quiet, func(b sale.Bucket, _ int64) bool { return !left[b] })
}

// relay publishes the overdue entries of some journals. When one journal fails it continues with the next.
func (r *Relay) relay(ctx context.Context, journals []sale.BucketRow, before time.Time) error {
	var failed []error
	for _, b := range journals {
		n, err := publishJournal(ctx, r.Redis, r.Publisher, b, before.UnixMilli(), r.Tracer)
		if err != nil {
			failed = append(failed, fmt.Errorf("bucket %s: %w", b.Bucket, err))
		}
		if n > 0 {
			r.Log.Info("overdue journal entries were published", "bucket", b.Bucket.String(), "entries", n)
		}
	}
	return errors.Join(failed...)
}
