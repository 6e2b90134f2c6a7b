package gateway

import (
	"sync/atomic"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// latch remembers that a SKU is sold out, so that the crowd is refused from local memory. All its buckets close together, by
// the Stock's own verdict on the whole SKU, and open together when a look finds units in any of them; the latch watcher
// looks ten times a second, at closed ones only.
type latch struct {
	buckets []bucketLatch
	closed  atomic.Int32 // how many buckets are closed
	until   atomic.Int64 // Unix milliseconds after which it is not looked at any more
	stock   atomic.Int64 // units of the whole SKU: an upper bound of its owners
}

// bucketLatch is the latch of one bucket; no state means open.
type bucketLatch struct {
	bucket   sale.Bucket
	latch    *latch
	epoch    atomic.Int64 // in which the bucket is open as far as the catalogue is known, else 0
	state    atomic.Pointer[soldOut]
	owners   atomic.Pointer[owners] // as they were read last, kept while the latch opens and closes
	building atomic.Bool            // a reading of the owners is ordered
	rests    atomic.Int64           // until when none is ordered, by the owners reader's clock
}

// soldOut is a closed bucket. It is replaced, never changed.
type soldOut struct {
	owners *bloom.BloomFilter // buyers who own a unit; nil: not known, so every press goes on to the exact path
}

func newLatch(rows []sale.BucketRow) *latch {
	l := &latch{buckets: make([]bucketLatch, len(rows))}
	for i := range rows {
		l.buckets[i].bucket = rows[i].Bucket
		l.buckets[i].latch = l
	}
	return l
}

// sold notes a purchase that took units. The owners are those that were known before it was sent to Redis, so that it is not
// in their reading already. Until the next look everybody goes on to the exact path: the filter at work may lack the buyer.
func (b *bucketLatch) sold(known *owners, p *sale.Purchase, units int) {
	if known != nil && known.epoch == p.Epoch {
		known.add(p.Buyer, int64(units))
	}
	if state := b.state.Load(); state != nil && state.owners != nil {
		b.state.CompareAndSwap(state, &soldOut{})
	}
}

// update takes over what a changed sale means for the latch.
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

// refuses reports whether a press can be refused as sold out: nothing is left and the buyer, proven by his token, owns no
// unit of his bucket. Empty means that the token proves no buyer: then no bucket is his home and no unit his own.
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
