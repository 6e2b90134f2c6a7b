package gateway

import (
	"context"
	"fmt"
	"slices"
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

// ownersReader reads the owners of buckets with sold-out SKUs into filters, by orders of the latch watcher.
type ownersReader struct {
	stock  Stock
	clock  func() time.Duration // monotonic, since the start
	orders chan ownersOrder
}

// ownersOrder orders one filter of the owners of a bucket, for the SKUs that are sold out.
type ownersOrder struct {
	sale   *saleLatches
	bucket *bucketOwners
	closed []*closing
	epoch  int64
	sold   map[int]int64 // by number of the SKU: units of the epoch before the owners are read
}

func newOwnersReader(stock Stock) *ownersReader {
	start := time.Now()
	return &ownersReader{
		stock: stock, orders: make(chan ownersOrder, ownersQueue), clock: func() time.Duration { return time.Since(start) },
	}
}

// ready reports whether the owners of a bucket may be read: it has no order yet and does not rest after its last reading,
// because the cost of a reading in Redis grows with the buyers, and Redis has it in the epoch of the catalogue, because before
// that a rebuild may not have loaded every owner.
func (r *ownersReader) ready(b *bucketOwners, epoch int64) bool {
	return epoch == b.epoch.Load() && int64(r.clock()) >= b.rests.Load() && !b.building.Load()
}

// request queues an order for the bucket of a number, which is ready. closed are all closed latches of the sale.
func (r *ownersReader) request(l *saleLatches, number int, epoch int64, closed []*closing) {
	b := &l.buckets[number]
	if !b.building.CompareAndSwap(false, true) {
		return
	}
	order := ownersOrder{sale: l, bucket: b, closed: closed, epoch: epoch, sold: make(map[int]int64, len(closed))}
	for _, c := range closed {
		if c.sold[number].epoch == epoch {
			order.sold[c.latch.number] = c.sold[number].units
		}
	}
	select {
	case r.orders <- order:
	default: // the queue is full: the next look asks again
		b.building.Store(false)
	}
}

// read reads the owners of a bucket, unless every SKU of the order has units again. The next look puts the filter to work,
// if no owner is missing from it then.
func (r *ownersReader) read(ctx context.Context, order ownersOrder) error {
	b := order.bucket
	defer b.building.Store(false)
	if !order.wanted() {
		return nil
	}
	began := r.clock()
	ctx, cancel := context.WithTimeout(ctx, ownersTimeout)
	defer cancel()
	room := order.room()
	filter := bloom.NewWithEstimates(uint(room), ownersFalsePositive)
	var key [ownerKeyBytes]byte
	err := r.stock.Owners(ctx, b.bucket, func(buyer string, numbers []int) error {
		for _, number := range numbers {
			if _, covered := order.sold[number]; covered {
				filter.Add(appendOwner(key[:0], number, buyer))
				room--
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the owners of %s: %w", b.bucket, err)
	}
	now := r.clock()
	b.rests.Store(int64(now + ownersRest*(now-began)))
	b.owners.Store(&owners{epoch: order.epoch, sold: order.sold, filter: filter, room: int(max(room, 0))})
	order.sale.unsettled.Store(true)
	return nil
}

// wanted reports whether any SKU of the order is still sold out.
func (o *ownersOrder) wanted() bool {
	return slices.ContainsFunc(o.closed, func(c *closing) bool { return c.latch.closed.Load() == c })
}

// room returns the owners for whom the filter has room: twice the bucket's share of the units, because units return.
func (o *ownersOrder) room() int64 {
	units := int64(0)
	for _, c := range o.closed {
		units += c.latch.stock.Load()
	}
	return min(max(2*units/int64(len(o.sale.buckets)), minOwners), sale.MaxStock)
}
