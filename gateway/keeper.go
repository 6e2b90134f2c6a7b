package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// Bounds of the keeper's work.
const (
	looksPerTurn        = 1000 // buckets looked at in one turn; more closed ones take turns
	ownersLoaders       = 2    // filters of owners built at once
	ownersQueue         = 256  // builds that wait; the next turn asks again for the others
	ownersTimeout       = time.Minute
	ownersFalsePositive = 0.001 // share of strangers who are sent to Redis for nothing
	minOwners           = 1024  // room of the smallest filter
	staleAfter          = time.Second
	ownersRest          = 10 // between two readings of a bucket's owners, in times of what the last one took
)

// keeper looks after the closed latches: it opens those whose stock is back, and reads the owners of the others, again when
// others than this gateway have sold. Open latches cost nothing.
type keeper struct {
	stock   Stock
	levels  Levels
	timeout time.Duration
	clock   func() time.Duration // monotonic
	builds  chan build

	generation atomic.Uint64 // rises when a latch closes or opens

	mu     sync.Mutex
	closed []*bucketLatch
	rested []*bucketLatch // closed ones of sales that are over: nobody looks until the sale changes
	next   int            // where the next turn begins
	looked time.Time      // when a look last succeeded, by the local clock
}

// build is an order for one filter of owners; it counts only while the latch is still in the state it was made for.
type build struct {
	latch *bucketLatch
	state *soldOut
	epoch int64
	sold  int64 // units of the epoch before the owners are read
}

func newKeeper(d Deps, timeout time.Duration) *keeper {
	start := time.Now()
	return &keeper{
		stock: d.Stock, levels: d.Levels, timeout: timeout, builds: make(chan build, ownersQueue),
		clock: func() time.Duration { return time.Since(start) },
	}
}

// soldOut closes the latch of a SKU on the Stock's verdict.
func (k *keeper) soldOut(l *latch) {
	if l.all() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.closed) == 0 {
		k.looked = time.Now()
	}
	for n := range l.buckets {
		b := &l.buckets[n]
		if b.state.CompareAndSwap(nil, &soldOut{}) {
			l.closed.Add(1)
			k.generation.Add(1)
			k.closed = append(k.closed, b)
		}
	}
}

// open opens the latch of a SKU: whoever finds his own bucket empty has the units of the others moved to it.
func (k *keeper) open(l *latch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for n := range l.buckets {
		if l.buckets[n].state.Swap(nil) != nil {
			l.closed.Add(-1)
			k.generation.Add(1)
		}
	}
	k.closed = slices.DeleteFunc(k.closed, func(b *bucketLatch) bool { return b.latch == l })
}

// turn looks once at closed latches, at most looksPerTurn of them.
func (k *keeper) turn(ctx context.Context) error {
	due := k.due()
	if len(due) == 0 {
		return nil
	}
	buckets, known := make([]sale.Bucket, len(due)), make([]tally, len(due))
	for i, b := range due {
		buckets[i], known[i] = b.bucket, b.tally()
	}
	readings, err := k.read(ctx, buckets)
	if err != nil {
		k.distrust()
		return err
	}
	k.saw()
	for i, b := range due {
		k.judge(b, readings[i], known[i])
	}
	return nil
}

// read looks at buckets, in one trip.
func (k *keeper) read(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	readings, err := k.levels.Readings(ctx, buckets)
	if err == nil && len(readings) != len(buckets) {
		err = fmt.Errorf("asked for %d, got %d", len(buckets), len(readings))
	}
	if err != nil {
		return nil, fmt.Errorf("look at buckets: %w", err)
	}
	return readings, nil
}

// confirm asks the Stock whether a SKU of several buckets is sold out.
func (k *keeper) confirm(ctx context.Context, item *liveItem) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	soldOut, err := k.stock.SoldOut(ctx, item.appendBuckets(nil))
	if err != nil {
		return false, fmt.Errorf("look at the whole of %s/%s: %w", item.buckets[0].Sale, item.SKU, err)
	}
	return soldOut, nil
}

// due returns the latches of this turn and lays those of sales that are over to rest; they stay closed.
func (k *keeper) due() []*bucketLatch {
	now := k.stock.Now().UnixMilli()
	k.mu.Lock()
	defer k.mu.Unlock()
	kept := k.closed[:0]
	for _, b := range k.closed {
		if now < b.latch.until.Load() {
			kept = append(kept, b)
		} else {
			k.rested = append(k.rested, b)
		}
	}
	clear(k.closed[len(kept):])
	k.closed = kept
	due := make([]*bucketLatch, min(len(kept), looksPerTurn))
	for i := range due {
		due[i] = kept[(k.next+i)%len(kept)]
	}
	if len(kept) > 0 {
		k.next = (k.next + len(due)) % len(kept)
	}
	return due
}

// tally is what was known of a bucket's owners before a look at it: what is counted afterwards may hide a sale that the look
// has seen.
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

// complete reports whether nobody was missing when the bucket was looked at.
func (t tally) complete(r sale.Reading) bool {
	return t.owners != nil && t.owners.epoch == r.Epoch && t.counted == sold(r)
}

// sold is how many units of a bucket its epoch has sold, also those that came back since.
func sold(r sale.Reading) int64 { return r.Taken - r.Moved }

// judge decides about one latch. That of a bucket which Redis does not know opens too: the exact path says what is wrong.
func (k *keeper) judge(b *bucketLatch, r sale.Reading, known tally) {
	if r.Available > 0 || r.Epoch == 0 {
		k.open(b.latch)
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
	case state.owners != nil: // somebody else has sold since, or the bucket was loaded anew: the filter may lack an owner
		unknown := &soldOut{}
		if !b.state.CompareAndSwap(state, unknown) {
			return
		}
		state = unknown
	}
	k.order(b, build{b, state, r.Epoch, sold(r)})
}

// order has the owners of a bucket read, once at a time and not too often: a reading costs Redis as much as there are owners.
func (k *keeper) order(b *bucketLatch, order build) {
	if order.epoch != b.epoch.Load() || int64(k.clock()) < b.rests.Load() || !b.building.CompareAndSwap(false, true) {
		return // where the epochs differ, a rebuild may not have loaded every owner yet
	}
	select {
	case k.builds <- order:
	default: // the queue is full: the next turn asks again
		b.building.Store(false)
	}
}

// wake looks at every closed latch again: a sale has changed, perhaps its end.
func (k *keeper) wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = append(k.closed, k.rested...)
	k.rested = nil
}

func (k *keeper) saw() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looked = time.Now()
}

// distrust drops the filters when Redis could not be looked at for a while: an owner could be missing in them.
func (k *keeper) distrust() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.looked) < staleAfter {
		return
	}
	for _, b := range k.closed {
		if state := b.state.Load(); state != nil && state.owners != nil {
			b.state.CompareAndSwap(state, &soldOut{})
		}
	}
}

// buildOwners reads the owners of a bucket and puts their filter to work, unless the latch has moved on.
func (k *keeper) buildOwners(ctx context.Context, order build) error {
	b := order.latch
	defer b.building.Store(false)
	if b.state.Load() != order.state || order.state.owners != nil {
		return nil
	}
	began := k.clock()
	ctx, cancel := context.WithTimeout(ctx, ownersTimeout)
	defer cancel()
	share := b.latch.stock.Load() / int64(len(b.latch.buckets))
	room := min(max(2*share, minOwners), sale.MaxStock)
	filter := bloom.NewWithEstimates(uint(room), ownersFalsePositive)
	err := k.stock.Owners(ctx, b.bucket, func(buyer string) error {
		filter.AddString(buyer)
		room--
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the owners of %s: %w", b.bucket, err)
	}
	now := k.clock()
	b.rests.Store(int64(now + ownersRest*(now-began)))
	b.owners.Store(&owners{epoch: order.epoch, sold: order.sold, filter: filter, room: int(max(room, 0))})
	b.state.CompareAndSwap(order.state, &soldOut{owners: filter})
	return nil
}
