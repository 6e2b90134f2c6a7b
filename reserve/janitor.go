package reserve

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/faults"
	"flashsale/scripts"
)

// janitor looks after the shelves that are in use, and only those: it answers purchases that waited too long, and trims
// what no further call of an idle bucket takes along.
type janitor struct {
	mu       sync.Mutex
	shelves  []*bucketQueue
	flushing atomic.Bool    // one flush at a time; a stuck one must not delay the answers to waiting purchases
	flushes  sync.WaitGroup // at most one
}

func newJanitor() *janitor { return &janitor{} }

// add hands a shelf over; the shelf sees to it that it is added once.
func (j *janitor) add(s *bucketQueue) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.shelves = append(j.shelves, s)
}

func (j *janitor) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, janitorEvery)
		j.sweep(ctx)
	}
}

// sweep is one unit of work.
func (j *janitor) sweep(ctx context.Context) {
	j.mu.Lock()
	shelves := j.shelves
	j.shelves = nil
	j.mu.Unlock()
	now := time.Now()
	for _, s := range shelves {
		s.expire(now)
	}
	if j.flushing.CompareAndSwap(false, true) {
		j.flushes.Go(func() {
			defer j.flushing.Store(false)
			flushTrims(ctx, shelves)
		})
	}
	for _, s := range shelves {
		if !s.leaveJanitor() {
			j.add(s)
		}
	}
}

// sweepLast trims what is acknowledged when the engine ends. What cannot be trimmed now is published once more by the
// relay and trimmed then.
func (j *janitor) sweepLast(ctx context.Context) {
	j.flushes.Wait() // it may have put trims back
	j.sweep(ctx)
	j.flushes.Wait()
}

// flushTrims deletes acknowledged entries of the idle ones among some shelves, in one pipeline.
func flushTrims(ctx context.Context, shelves []*bucketQueue) {
	var calls []scriptCall
	var owners []*bucketQueue
	var taken [][]trim
	for _, s := range shelves {
		if !s.idle() {
			continue
		}
		if trims := s.takeTrims(nil); len(trims) > 0 {
			calls, owners, taken = append(calls, trimCall(s.keys, trims)), append(owners, s), append(taken, trims)
		}
	}
	if len(calls) == 0 {
		return
	}
	redis := owners[0].engine.Redis
	if err := redis.runScripts(ctx, scripts.Trim(), calls, nil); err != nil {
		for i, s := range owners {
			s.addTrims(taken[i]...) // an entry that is gone already is not there to delete: trimming twice is harmless
		}
		return
	}
	faults.Point("reserve.trimmed")
	for i, s := range owners {
		s.trimmed(taken[i])
	}
}

func trimCall(keys bucketKeys, trims []trim) scriptCall {
	args := make([]string, 0, 2*len(trims))
	for _, t := range trims {
		args = append(args, t.entryID, strconv.Itoa(t.orders))
	}
	return scriptCall{keys: []string{keys.meta, keys.journal}, args: args}
}
