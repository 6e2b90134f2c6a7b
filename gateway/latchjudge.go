package gateway

import (
	"context"
	"slices"

	"flashsale/sale"
)

// judge reads the stock of closed latches of one sale and decides about each: it opens, its filters go to work, or the owners
// have to be read.
func (w *latchWatcher) judge(ctx context.Context, l *saleLatches, part []*closing) error {
	known := make([]tally, len(l.buckets)) // before the reading
	for n := range known {
		known[n] = l.buckets[n].tally()
	}
	skus := make([]string, len(part))
	for i, c := range part {
		skus[i] = c.latch.sku
	}
	readings, err := w.stockReadings(ctx, l.names(nil), skus)
	if err != nil {
		return err
	}
	for i, c := range part {
		if c.hasUnits(readings, i) {
			w.open(c)
		}
	}
	for n := range readings {
		missing := false
		for i, c := range part {
			if c.latch.closed.Load() == c {
				missing = !c.settle(n, known[n], unitsSold(&readings[n], i)) || missing
			}
		}
		if missing {
			l.unsettled.Store(true)
			w.orderOwners(l, n, readings[n].Epoch)
		}
	}
	return nil
}

// hasUnits reports whether a bucket has units of the SKU, which has this index in the readings. A latch also opens if Redis
// does not have a bucket, or the SKU in it, because the call to Redis gives the right answer.
func (c *closing) hasUnits(readings []sale.StockReading, index int) bool {
	for n := range readings {
		shelf := &readings[n].Shelves[index]
		if shelf.Available > 0 || readings[n].Epoch == 0 || shelf.Number == 0 {
			return true
		}
	}
	return false
}

// unitsSold returns the units of a SKU that the epoch of a bucket has sold, including those returned since.
func unitsSold(r *sale.StockReading, index int) soldUnits {
	shelf := &r.Shelves[index]
	return soldUnits{r.Epoch, shelf.Taken - shelf.Moved}
}

// settle puts the filter of a bucket to work if no owner is missing from the count, by the units that the look has read, and
// reports whether that is so. Otherwise it takes the filter out of work: another gateway has sold since, or a rebuild loaded
// the bucket.
func (c *closing) settle(number int, known tally, read soldUnits) bool {
	c.sold[number] = read
	present := c.filters[number].Load() // before all(): a purchase after it replaces the filter, and the swap fails
	if !known.complete(c.latch.number, read) {
		if present.buyers != nil {
			c.filters[number].CompareAndSwap(present, &ownersFilter{})
		}
		return false
	}
	if all := known.owners.all(); present.buyers != all {
		c.filters[number].CompareAndSwap(present, &ownersFilter{buyers: all})
	}
	return true
}

// orderOwners orders a reading of the owners of a bucket, for all closed latches of the sale.
func (w *latchWatcher) orderOwners(l *saleLatches, number int, epoch int64) {
	if !w.owners.ready(&l.buckets[number], epoch) {
		return
	}
	w.mu.Lock()
	closed := slices.Clone(l.closed)
	w.mu.Unlock()
	w.owners.request(l, number, epoch, closed)
}

// distrust takes the filters of all buckets out of work.
func (c *closing) distrust() {
	for n := range c.filters {
		if present := c.filters[n].Load(); present.buyers != nil {
			c.filters[n].CompareAndSwap(present, &ownersFilter{})
		}
	}
}
