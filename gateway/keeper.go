package gateway

import (
	"context"
	"fmt"
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
)

// keeper looks after the closed latches: it opens those whose stock is back, and reads the owners of the others again
// whenever the bucket has moved. Open latches cost nothing.
type keeper struct {
	stock   Stock
	levels  Levels
	timeout time.Duration
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
	stamp stamp
}

func newKeeper(d Deps, timeout time.Duration) *keeper {
	return &keeper{stock: d.Stock, levels: d.Levels, timeout: timeout, builds: make(chan build, ownersQueue)}
}

// soldOut closes the latch of a bucket on Redis's verdict.
func (k *keeper) soldOut(l *latch, number int) {
	b := &l.buckets[number]
	if b.state.Load() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !b.state.CompareAndSwap(nil, &soldOut{}) {
		return
	}
	l.closed.Add(1)
	k.generation.Add(1)
	if len(k.closed) == 0 {
		k.looked = time.Now()
	}
	k.closed = append(k.closed, b)
}

func (k *keeper) open(b *bucketLatch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b.state.Swap(nil) != nil {
		b.latch.closed.Add(-1)
		k.generation.Add(1)
	}
	k.forget(b)
}

// forget takes a latch off the list; k.mu is held.
func (k *keeper) forget(b *bucketLatch) {
	for i := range k.closed {
		if k.closed[i] == b {
			last := len(k.closed) - 1
			k.closed[i] = k.closed[last]
			k.closed = k.closed[:last]
			return
		}
	}
}

// turn looks once at closed latches, at most looksPerTurn of them.
func (k *keeper) turn(ctx context.Context) error {
	due := k.due()
	if len(due) == 0 {
		return nil
	}
	buckets := make([]sale.Bucket, len(due))
	for i, b := range due {
		buckets[i] = b.bucket
	}
	readings, err := k.read(ctx, buckets)
	if err != nil {
		k.distrust()
		return err
	}
	k.saw()
	for i, b := range due {
		k.judge(b, readings[i])
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

// judge decides about one latch. A bucket that Redis does not know is opened too: the exact path says what is wrong.
func (k *keeper) judge(b *bucketLatch, r sale.Reading) {
	if r.Available > 0 || r.Epoch == 0 {
		k.open(b)
		return
	}
	state := b.state.Load()
	now := stamp{r.Epoch, r.Sequence}
	if state == nil || state.owners != nil && state.stamp == now {
		return
	}
	if state.owners != nil { // someone bought or gave back since: the filter may lack an owner
		unknown := &soldOut{}
		if !b.state.CompareAndSwap(state, unknown) {
			return
		}
		state = unknown
	}
	if !b.building.CompareAndSwap(false, true) {
		return
	}
	select {
	case k.builds <- build{b, state, now}:
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

// buildOwners reads the owners of a bucket and puts their filter to work, unless the latch has moved on. An empty set
// puts no filter to work: it may be a bucket that is just being loaded.
func (k *keeper) buildOwners(ctx context.Context, order build) error {
	defer order.latch.building.Store(false)
	if order.latch.state.Load() != order.state || order.state.owners != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ownersTimeout)
	defer cancel()
	share := order.latch.latch.stock.Load() / int64(len(order.latch.latch.buckets))
	owners := bloom.NewWithEstimates(uint(min(max(2*share, minOwners), sale.MaxStock)), ownersFalsePositive)
	count := 0
	err := k.stock.Owners(ctx, order.latch.bucket, func(buyer string) error {
		owners.AddString(buyer)
		count++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the owners of %s: %w", order.latch.bucket, err)
	}
	if count > 0 {
		order.latch.state.CompareAndSwap(order.state, &soldOut{owners: owners, stamp: order.stamp})
	}
	return nil
}
