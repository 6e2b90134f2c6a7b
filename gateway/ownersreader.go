package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// Bounds of reading owners.
const (
	ownersLoaders       = 2   // buckets read at once
	ownersQueue         = 256 // orders that wait; the watcher's next look repeats an order that found the queue full
	ownersTimeout       = time.Minute
	ownersFalsePositive = 0.001 // share of other buyers who pass the filter and cause a needless call to Redis
	minOwners           = 1024  // room of the smallest filter
	ownersRest          = 10    // pause between two readings of a bucket's owners, as a multiple of the last reading's time
)

// ownersReader reads the owners of sold-out buckets into filters, by orders of the latch watcher.
type ownersReader struct {
	stock  Stock
	clock  func() time.Duration // monotonic, since the start
	orders chan ownersOrder
}

// ownersOrder orders one filter of owners. It is void when the state of the latch has changed.
type ownersOrder struct {
	bucket *bucketLatch
	state  *soldOut
	epoch  int64
	sold   int64 // units of the epoch before the owners are read
}

func newOwnersReader(stock Stock) *ownersReader {
	start := time.Now()
	return &ownersReader{
		stock: stock, orders: make(chan ownersOrder, ownersQueue), clock: func() time.Duration { return time.Since(start) },
	}
}

// request queues an order unless the bucket has one already or rests after its last reading, because the cost of a reading in
// Redis grows with the owners. If the epochs differ it queues nothing, because a rebuild may not have loaded every owner yet.
func (r *ownersReader) request(order ownersOrder) {
	b := order.bucket
	if order.epoch != b.epoch.Load() || int64(r.clock()) < b.rests.Load() || !b.building.CompareAndSwap(false, true) {
		return
	}
	select {
	case r.orders <- order:
	default: // the queue is full: the next look asks again
		b.building.Store(false)
	}
}

// read reads the owners of a bucket and installs their filter, unless the latch has changed since the order.
func (r *ownersReader) read(ctx context.Context, order ownersOrder) error {
	b := order.bucket
	defer b.building.Store(false)
	if b.state.Load() != order.state || order.state.owners != nil {
		return nil
	}
	began := r.clock()
	ctx, cancel := context.WithTimeout(ctx, ownersTimeout)
	defer cancel()
	share := b.latch.stock.Load() / int64(len(b.latch.buckets))
	room := min(max(2*share, minOwners), sale.MaxStock)
	filter := bloom.NewWithEstimates(uint(room), ownersFalsePositive)
	err := r.stock.Owners(ctx, b.bucket, func(buyer string) error {
		filter.AddString(buyer)
		room--
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the owners of %s: %w", b.bucket, err)
	}
	now := r.clock()
	b.rests.Store(int64(now + ownersRest*(now-began)))
	b.owners.Store(&owners{epoch: order.epoch, sold: order.sold, filter: filter, room: int(max(room, 0))})
	b.state.CompareAndSwap(order.state, &soldOut{owners: filter})
	return nil
}
