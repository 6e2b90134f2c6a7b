package reserve

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/scripts"
)

// janitor works for the queues that are in use, and only for those: it answers purchases that waited too long, and trims the
// entries that no further call of an idle bucket trims. It sleeps while no queue is in use.
type janitor struct {
	wake     chan struct{} // of capacity 1; a queue was added where there was none
	mu       sync.Mutex
	queues   []*bucketQueue
	flushing atomic.Bool    // one flush at a time; one that hangs must not delay the answers to waiting purchases
	flushes  sync.WaitGroup // at most one
}

func newJanitor() *janitor { return &janitor{wake: make(chan struct{}, 1)} }

// add registers a queue; the queue makes sure that it is added once.
func (j *janitor) add(q *bucketQueue) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queues = append(j.queues, q)
	if len(j.queues) > 1 {
		return
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// rest is the time until the next sweep.
func (j *janitor) rest(time.Duration) time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queues) == 0 {
		return role.UntilWoken
	}
	return janitorEvery
}

func (j *janitor) run(ctx context.Context, log *slog.Logger) {
	loop := role.Loop{Name: "janitor", Rest: j.rest, Wake: j.wake, Log: log, Unit: func(ctx context.Context) error {
		j.sweep(ctx)
		return nil
	}}
	loop.Run(ctx)
}

// sweep is one unit of work.
func (j *janitor) sweep(ctx context.Context) {
	j.mu.Lock()
	queues := j.queues
	j.queues = nil
	j.mu.Unlock()
	now := time.Now()
	for _, q := range queues {
		q.expire(now)
	}
	if j.flushing.CompareAndSwap(false, true) {
		j.flushes.Go(func() {
			defer j.flushing.Store(false)
			flushTrims(ctx, queues)
		})
	}
	for _, q := range queues {
		if !q.leaveJanitor() {
			j.add(q)
		}
	}
}

// sweepLast trims the acknowledged entries when the engine ends. The relay publishes once more, and then trims, what cannot be
// trimmed now.
func (j *janitor) sweepLast(ctx context.Context) {
	j.flushes.Wait() // it may have put trims back
	j.sweep(ctx)
	j.flushes.Wait()
}

// flushTrims deletes, in one pipeline, the acknowledged entries of those queues that are idle.
func flushTrims(ctx context.Context, queues []*bucketQueue) {
	var calls []scripts.TrimCall
	var owners []*bucketQueue
	for _, q := range queues {
		if trims := q.idleTrims(); len(trims) > 0 {
			calls, owners = append(calls, scripts.TrimCall{Keys: q.keys, Trims: trims}), append(owners, q)
		}
	}
	if len(calls) == 0 {
		return
	}
	if err := owners[0].engine.Redis.Trim(ctx, calls); err != nil {
		for i, q := range owners {
			q.addTrims(calls[i].Trims...)
		}
		return
	}
	faults.Point("reserve.trimmed")
	for i, q := range owners {
		q.trimmed(calls[i].Trims)
	}
}
