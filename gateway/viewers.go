package gateway

import (
	"context"
	"time"

	"flashsale/sale"
)

// Bounds of the looks for viewers.
const (
	watchedQueue  = 16
	watchInterval = time.Second
	confirmations = 32 // SKUs of several buckets that one look proves to be sold out; the next look takes the others
)

// viewers updates sold_out on a gateway that gets views of a sale and no purchases: it looks at the stock of a sale with
// viewers once a second.
type viewers struct {
	latchWatcher *latchWatcher
	watched      chan *liveSale
}

func newViewers(w *latchWatcher) *viewers {
	return &viewers{latchWatcher: w, watched: make(chan *liveSale, watchedQueue)}
}

// watch orders a look unless there was one in the last second. It never blocks.
func (v *viewers) watch(live *liveSale, now time.Time) {
	last := live.looked.Load()
	if ms := now.UnixMilli(); ms-last < watchInterval.Milliseconds() || !live.looked.CompareAndSwap(last, ms) {
		return
	}
	select {
	case v.watched <- live:
	default: // the queue is full: a view after the next second orders again
	}
}

// look closes the latches of empty SKUs, like a sold-out answer to a purchase does. It looks at looksPerRound shelves of a
// sale at most; the next look takes the SKUs that follow. It does nothing while a bucket is in doubt.
func (v *viewers) look(ctx context.Context, live *liveSale) error {
	if !live.whole() {
		return nil
	}
	items, skus := live.unlatched(looksPerRound / len(live.buckets))
	if len(items) == 0 {
		return nil
	}
	buckets := live.latches.names(nil)
	readings, err := v.latchWatcher.stockReadings(ctx, buckets, skus)
	if err != nil {
		return err
	}
	confirmed := 0
	for i, item := range items {
		empty := live.emptyIn(readings, i)
		if empty && len(buckets) > 1 { // a transfer may have units on their way to another bucket
			if confirmed++; confirmed > confirmations {
				break
			}
			if empty, err = v.latchWatcher.confirm(ctx, buckets, item.SKU); err != nil {
				return err
			}
		}
		if empty {
			v.latchWatcher.soldOut(item.latch)
		}
	}
	return nil
}

// unlatched returns the next items whose latches are open, at most so many, and their SKUs. Only the role of the viewers
// calls it.
func (s *liveSale) unlatched(most int) (items []*liveItem, skus []string) {
	first := int(s.viewed.Load())
	passed := 0
	for ; passed < len(s.shown) && len(items) < most; passed++ {
		if item := s.shown[(first+passed)%len(s.shown)]; !item.latch.soldOut() {
			items, skus = append(items, item), append(skus, item.SKU)
		}
	}
	s.viewed.Store(int64(first+passed) % int64(max(1, len(s.shown))))
	return items, skus
}

// emptyIn reports whether no bucket has units of the SKU with this index in the readings, in the epochs of the catalogue.
func (s *liveSale) emptyIn(readings []sale.StockReading, index int) bool {
	for n := range readings {
		shelf := &readings[n].Shelves[index]
		if shelf.Available != 0 || shelf.Number == 0 || readings[n].Epoch != s.buckets[n].Epoch {
			return false
		}
	}
	return true
}
