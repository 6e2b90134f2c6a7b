package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/sale"
)

// Bounds of the watcher's work.
const (
	looksPerRound = 1000 // buckets of one look; if more are closed, the looks take them in rotation
	staleAfter    = time.Second
)

// latchWatcher watches the closed latches. It opens those whose stock is back. For the others it orders a reading of the
// owners, and another one after other gateways have sold. Open latches cost nothing.
type latchWatcher struct {
	stock   Stock
	levels  Levels
	timeout time.Duration
	owners  *ownersReader

	generation atomic.Uint64 // rises when a latch closes or opens

	mu     sync.Mutex
	closed []*bucketLatch
	rested []*bucketLatch // closed latches of sales that are over: no look until the sale changes
	next   int            // index in closed where the next look begins
	looked time.Time      // time of the last successful look, by the local clock
}

func newLatchWatcher(d Deps, timeout time.Duration) *latchWatcher {
	return &latchWatcher{stock: d.Stock, levels: d.Levels, timeout: timeout, owners: newOwnersReader(d.Stock)}
}

// soldOut closes the latch of a SKU after the Stock answered that it is sold out.
func (w *latchWatcher) soldOut(l *latch) {
	if l.all() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.closed) == 0 {
		w.looked = time.Now()
	}
	for n := range l.buckets {
		b := &l.buckets[n]
		if b.state.CompareAndSwap(nil, &soldOut{}) {
			l.closed.Add(1)
			w.generation.Add(1)
			w.closed = append(w.closed, b)
		}
	}
}

// open opens the latch of a SKU in all its buckets, because transfers move units of any bucket to the others.
func (w *latchWatcher) open(l *latch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range l.buckets {
		if l.buckets[n].state.Swap(nil) != nil {
			l.closed.Add(-1)
			w.generation.Add(1)
		}
	}
	w.closed = slices.DeleteFunc(w.closed, func(b *bucketLatch) bool { return b.latch == l })
}

// look reads closed latches once, at most looksPerRound of them.
func (w *latchWatcher) look(ctx context.Context) error {
	due := w.due()
	if len(due) == 0 {
		return nil
	}
	buckets, known := make([]sale.Bucket, len(due)), make([]tally, len(due))
	for i, b := range due {
		buckets[i], known[i] = b.bucket, b.tally()
	}
	readings, err := w.read(ctx, buckets)
	if err != nil {
		w.distrust()
		return err
	}
	w.noteLook()
	for i, b := range due {
		w.judge(b, readings[i], known[i])
	}
	return nil
}

// read reads buckets in one round trip.
func (w *latchWatcher) read(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	readings, err := w.levels.Readings(ctx, buckets)
	if err == nil && len(readings) != len(buckets) {
		err = fmt.Errorf("asked for %d, got %d", len(buckets), len(readings))
	}
	if err != nil {
		return nil, fmt.Errorf("look at buckets: %w", err)
	}
	return readings, nil
}

// confirm asks the Stock whether a SKU of several buckets is sold out.
func (w *latchWatcher) confirm(ctx context.Context, item *liveItem) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	soldOut, err := w.stock.SoldOut(ctx, item.appendBuckets(nil))
	if err != nil {
		return false, fmt.Errorf("look at the whole of %s/%s: %w", item.buckets[0].Sale, item.SKU, err)
	}
	return soldOut, nil
}

// due returns the latches of this look. It moves latches of sales that are over to rested; they stay closed.
func (w *latchWatcher) due() []*bucketLatch {
	now := w.stock.Now().UnixMilli()
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.closed[:0]
	for _, b := range w.closed {
		if now < b.latch.until.Load() {
			kept = append(kept, b)
		} else {
			w.rested = append(w.rested, b)
		}
	}
	clear(w.closed[len(kept):])
	w.closed = kept
	due := make([]*bucketLatch, min(len(kept), looksPerRound))
	for i := range due {
		due[i] = kept[(w.next+i)%len(kept)]
	}
	if len(kept) > 0 {
		w.next = (w.next + len(due)) % len(kept)
	}
	return due
}

// tally is the count of a bucket's owners from before a look at the bucket. A count from after the look may contain a
// purchase of this gateway instead of one of another gateway that the look has read.
type tally struct {
	owners  *owners
	counted int64
}

func (b *bucketLatch) tally() tally {
	known := b.owners.Load()
	if known == nil {
		return tally{}
	}
	return tally{known, known.counted()}
}

// complete reports whether no owner is missing, by the units sold that the look has read.
func (t tally) complete(r sale.Reading) bool {
	return t.owners != nil && t.owners.epoch == r.Epoch && t.counted == sold(r)
}

// sold returns the units that the epoch of a bucket has sold, including those returned since.
func sold(r sale.Reading) int64 { return r.Taken - r.Moved }

// judge decides about one latch. A latch whose bucket Redis does not have opens too, because the call to Redis gives the
// right answer.
func (w *latchWatcher) judge(b *bucketLatch, r sale.Reading, known tally) {
	if r.Available > 0 || r.Epoch == 0 {
		w.open(b.latch)
		return
	}
	state := b.state.Load()
	switch {
	case state == nil:
		return
	case known.complete(r):
		if all := known.owners.all(); state.owners != all {
			b.state.CompareAndSwap(state, &soldOut{owners: all})
		}
		return
	case state.owners != nil: // another gateway has sold since, or a rebuild loaded the bucket: the filter may lack an owner
		unknown := &soldOut{}
		if !b.state.CompareAndSwap(state, unknown) {
			return
		}
		state = unknown
	}
	w.owners.request(ownersOrder{b, state, r.Epoch, sold(r)})
}

// wake makes the rested latches due again, because a sale has changed and its end may have too.
func (w *latchWatcher) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = append(w.closed, w.rested...)
	w.rested = nil
}

func (w *latchWatcher) noteLook() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = time.Now()
}

// distrust drops the filters if no look has succeeded for staleAfter, because they may lack an owner.
func (w *latchWatcher) distrust() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) < staleAfter {
		return
	}
	for _, b := range w.closed {
		if state := b.state.Load(); state != nil && state.owners != nil {
			b.state.CompareAndSwap(state, &soldOut{})
		}
	}
}
