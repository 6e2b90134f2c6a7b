package gateway

import (
	"sync/atomic"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// latch remembers that a SKU is sold out, so that the gateway refuses purchases from local memory. All its buckets close
// together, when the Stock answers that the whole SKU is sold out. They open together, when a look finds units in any of
// them; the latch watcher looks at the closed ones ten times a second.
type latch struct {
	buckets []bucketLatch
	closed  atomic.Int32 // how many buckets are closed
	until   atomic.Int64 // Unix milliseconds after which the watcher does not look at it
	stock   atomic.Int64 // units of the whole SKU: an upper bound of its owners
}

// bucketLatch is the latch of one bucket; a nil state means open.
type bucketLatch struct {
	bucket   sale.Bucket
	latch    *latch
	epoch    atomic.Int64 // epoch of the bucket if it is open in the catalogue, else 0
	state    atomic.Pointer[soldOut]
	owners   atomic.Pointer[owners] // of the last reading; stays while the latch opens and closes
	building atomic.Bool            // there is an order to read the owners
	rests    atomic.Int64           // no new order until then, by the clock of the owners reader
}

// soldOut is the state of a closed bucket. The gateway replaces it and never changes it.
type soldOut struct {
	owners *bloom.BloomFilter // buyers who own a unit; nil: not known, so every purchase goes to Redis
}

func newLatch(rows []sale.BucketRow) *latch {
	l := &latch{buckets: make([]bucketLatch, len(rows))}
	for i := range rows {
		l.buckets[i].bucket = rows[i].Bucket
		l.buckets[i].latch = l
	}
	return l
}

// sold notes a purchase that took units. known are the owners from before the call to Redis, so that their reading does not
// contain this purchase already. The filter in use may lack the buyer, so until the next look every purchase goes to Redis.
func (b *bucketLatch) sold(known *owners, p *sale.Purchase, units int) {
	if known != nil && known.epoch == p.Epoch {
		known.add(p.Buyer, int64(units))
	}
	if state := b.state.Load(); state != nil && state.owners != nil {
		b.state.CompareAndSwap(state, &soldOut{})
	}
}

// update applies a changed sale to the latch.
func (l *latch) update(live *liveSale, item *liveItem) {
	until := live.ends
	if live.State == sale.StateClosed {
		until = 0
	}
	l.until.Store(until)
	l.stock.Store(item.Stock)
	for n := range item.buckets {
		epoch := int64(0)
		if item.buckets[n].State == sale.BucketOpen {
			epoch = item.buckets[n].Epoch
		}
		l.buckets[n].epoch.Store(epoch)
	}
}

// all reports whether the SKU is sold out.
func (l *latch) all() bool { return int(l.closed.Load()) == len(l.buckets) }

// refuses reports whether the gateway can refuse a purchase as sold out: the SKU is sold out, and the buyer of a verified
// token owns no unit of the home bucket. An empty buyer is a request without a valid token, which has no home bucket.
func (l *latch) refuses(buyer []byte) bool {
	if l.closed.Load() == 0 {
		return false
	}
	if len(buyer) == 0 {
		return l.all()
	}
	state := l.buckets[sale.HomeBucket(buyer, len(l.buckets))].state.Load()
	return state != nil && state.owners != nil && !state.owners.Test(buyer)
}
