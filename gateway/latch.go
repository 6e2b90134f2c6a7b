package gateway

import (
	"sync/atomic"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// saleLatches are the latches of a sale's SKUs, and the owners by bucket. The snapshots of the catalogue share them.
type saleLatches struct {
	buckets    []bucketOwners
	until      atomic.Int64  // Unix milliseconds after which the watcher does not look at the sale
	generation atomic.Uint64 // rises when a latch of the sale closes or opens

	// unsettled orders a look at the stock even if nothing has changed in Redis since the last one: a latch has closed, or
	// the filter of one does not have all owners.
	unsettled atomic.Bool

	closed []*closing // in no order; under the lock of the latch watcher
	round  round      // of the latch watcher's goroutine
}

// bucketOwners is the gateway's knowledge of who has bought in one bucket.
type bucketOwners struct {
	bucket   sale.Bucket
	epoch    atomic.Int64           // epoch of the bucket if it is open in the catalogue, else 0
	owners   atomic.Pointer[owners] // of the last reading; stays while latches open and close
	building atomic.Bool            // there is an order to read the owners
	rests    atomic.Int64           // no new order until then, by the clock of the owners reader
}

// latch remembers that a SKU is sold out, so that the gateway refuses purchases from local memory. It closes when the Stock
// answers that the SKU is sold out, which is about all buckets of the sale. It opens when a look finds units in any of them.
// An open latch costs one pointer, whatever the number of buckets.
type latch struct {
	sale   *saleLatches
	sku    string
	number int
	stock  atomic.Int64            // units of the SKU: an upper bound of its owners
	closed atomic.Pointer[closing] // nil: open
}

// closing is a closed latch, from the Stock's answer to the look that finds units.
type closing struct {
	latch   *latch
	refusal []byte                         // the sold_out problem of the SKU
	filters []atomic.Pointer[ownersFilter] // by bucket, never nil
	sold    []soldUnits                    // by bucket, as the last look found them; of the latch watcher's goroutine
	place   int                            // index in the sale's closed latches
}

// soldUnits are the units of a SKU that a bucket has sold in an epoch, including those returned since.
type soldUnits struct{ epoch, units int64 }

// ownersFilter has the buyers who own a unit of a closed latch's SKU in one bucket. It is replaced and never changed.
type ownersFilter struct {
	buyers *bloom.BloomFilter // nil: an owner may be missing, so every purchase goes to Redis
}

func newSaleLatches(rows []sale.BucketRow) *saleLatches {
	l := &saleLatches{buckets: make([]bucketOwners, len(rows))}
	for i := range rows {
		l.buckets[i].bucket = rows[i].Bucket
	}
	return l
}

func newClosing(l *latch) *closing {
	c := &closing{
		latch: l, refusal: soldOutProblem(l.sku), filters: make([]atomic.Pointer[ownersFilter], len(l.sale.buckets)),
		sold: make([]soldUnits, len(l.sale.buckets)),
	}
	for n := range c.filters {
		c.filters[n].Store(&ownersFilter{})
	}
	return c
}

// changed applies a changed sale to its latches.
func (l *saleLatches) changed(live *liveSale) {
	until := live.ends
	if live.State == sale.StateClosed {
		until = 0
	}
	l.until.Store(until)
}

// names appends the sale's buckets.
func (l *saleLatches) names(buckets []sale.Bucket) []sale.Bucket {
	for n := range l.buckets {
		buckets = append(buckets, l.buckets[n].bucket)
	}
	return buckets
}

// sold notes a purchase that took units. known are the owners of its bucket from before the call to Redis, so that their
// reading does not contain this purchase already. The filters in use may lack the buyer, so until the next look every
// purchase of these SKUs goes to Redis. The filter is replaced also where it is not known: a look that is under way has
// perhaps joined a filter without this buyer, and must not put it to work.
func (l *saleLatches) sold(known *owners, p *sale.Purchase, lines []pressLine) {
	for i := range lines {
		if known != nil && known.epoch == p.Epoch {
			known.add(lines[i].item.Number, p.Buyer, int64(lines[i].quantity))
		}
		if c := lines[i].item.latch.closed.Load(); c != nil {
			c.filters[p.Bucket.Number].Store(&ownersFilter{})
			l.unsettled.Store(true)
		}
	}
}

// soldOut reports whether the SKU is sold out.
func (l *latch) soldOut() bool { return l.closed.Load() != nil }

// anySoldOut reports whether the SKU of any line is sold out.
func anySoldOut(lines []pressLine) bool {
	for i := range lines {
		if lines[i].item.latch.soldOut() {
			return true
		}
	}
	return false
}

// refuses reports whether the gateway can refuse a purchase as sold out: the buyer of a verified token owns no unit of the
// SKU in the home bucket. An empty buyer is a request without a valid token, which has no home bucket. It does not allocate.
func (c *closing) refuses(buyer []byte) bool {
	if len(buyer) == 0 {
		return true
	}
	buyers := c.filters[sale.HomeBucket(buyer, len(c.filters))].Load().buyers
	if buyers == nil {
		return false
	}
	var key [ownerKeyBytes]byte
	return !buyers.Test(appendOwner(key[:0], c.latch.number, buyer))
}
