package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"flashsale/sale"
)

// Bounds of the watcher's work.
const (
	looksPerRound = 1000 // buckets of one look, and as many shelves; if there are more, the looks take them in rotation
	staleAfter    = time.Second
)

// latchWatcher watches the closed latches. It opens those whose stock is back. For the others it orders a reading of the
// owners, and another one after other gateways have sold. Open latches cost nothing. Closed ones cost a look at the buckets
// of their sale, and one at the stock of the closed SKUs when something has changed in a bucket.
type latchWatcher struct {
	stock   Stock
	levels  Levels
	timeout time.Duration
	owners  *ownersReader
	woken   chan struct{} // of capacity 1: there is something to look at again

	mu     sync.Mutex
	sales  []*saleLatches // with closed latches
	rested []*saleLatches // with closed latches, over: no look until the sale changes
	next   int            // index in sales where the next look begins
	looked time.Time      // time of the last successful look, by the local clock
}

func newLatchWatcher(d Deps, timeout time.Duration) *latchWatcher {
	return &latchWatcher{stock: d.Stock, levels: d.Levels, timeout: timeout, owners: newOwnersReader(d.Stock),
		woken: make(chan struct{}, 1)}
}

// soldOut closes the latch of a SKU after the Stock answered that it is sold out, and returns its closing.
func (w *latchWatcher) soldOut(l *latch) *closing {
	if c := l.closed.Load(); c != nil {
		return c
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := l.closed.Load(); c != nil {
		return c
	}
	c := newClosing(l)
	c.place = len(l.sale.closed)
	if c.place == 0 {
		if len(w.sales) == 0 {
			w.looked = time.Now()
			w.rouse()
		}
		w.sales = append(w.sales, l.sale)
	}
	l.sale.closed = append(l.sale.closed, c)
	l.closed.Store(c)
	l.sale.unsettled.Store(true)
	l.sale.generation.Add(1)
	return c
}

// open opens a closed latch, for all buckets: transfers move units of any bucket to the others.
func (w *latchWatcher) open(c *closing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.latch.closed.CompareAndSwap(c, nil) {
		return
	}
	l := c.latch.sale
	last := len(l.closed) - 1
	l.closed[c.place] = l.closed[last]
	l.closed[c.place].place = c.place
	l.closed[last] = nil
	l.closed = l.closed[:last]
	l.unsettled.Store(true) // the latch that took this place may be one that the round has not looked at
	if last == 0 {
		same := func(one *saleLatches) bool { return one == l }
		w.sales, w.rested = slices.DeleteFunc(w.sales, same), slices.DeleteFunc(w.rested, same)
	}
	l.generation.Add(1)
}

// look looks once at sales with closed latches, at most looksPerRound buckets and shelves of them.
func (w *latchWatcher) look(ctx context.Context) error {
	due := w.due()
	if len(due) == 0 {
		return nil
	}
	if err := w.lookAt(ctx, due); err != nil {
		w.distrust()
		return err
	}
	w.noteLook()
	return nil
}

// due returns the sales of this look. It moves sales that are over to rested; their latches stay closed.
func (w *latchWatcher) due() []*saleLatches {
	now := w.stock.Now().UnixMilli()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sales = slices.DeleteFunc(w.sales, func(l *saleLatches) bool {
		over := now >= l.until.Load()
		if over {
			w.rested = append(w.rested, l)
		}
		return over
	})
	var due []*saleLatches
	buckets := 0
	for i := range w.sales {
		l := w.sales[(w.next+i)%len(w.sales)]
		if buckets += len(l.buckets); buckets > looksPerRound {
			break
		}
		due = append(due, l)
	}
	if len(due) < len(w.sales) {
		w.next += len(due)
	} else {
		w.next++ // all sales fit: another one is the first to use the bound of shelves
	}
	return due
}

// lookAt reads the buckets of sales in one round trip, and then the stock of each sale whose latches need it.
func (w *latchWatcher) lookAt(ctx context.Context, due []*saleLatches) error {
	var buckets []sale.Bucket
	for _, l := range due {
		buckets = l.names(buckets)
	}
	readings, err := w.readings(ctx, buckets)
	if err != nil {
		return err
	}
	shelves := looksPerRound
	for _, l := range due {
		part := w.part(l, readings[:len(l.buckets)], shelves/len(l.buckets))
		readings = readings[len(l.buckets):]
		shelves -= len(part) * len(l.buckets)
		if len(part) == 0 {
			continue
		}
		if err := w.judge(ctx, l, part); err != nil {
			l.unsettled.Store(true)
			return err
		}
	}
	return nil
}

// round is one pass over the closed latches of a sale, by as many looks as the bound of shelves takes.
type round struct {
	seen []mark // of the buckets when the round began
	next int    // index in closed where the next look begins
	left int    // latches that the round has not looked at
}

// mark tells two moments of a bucket apart: every change of its stock raises the sequence.
type mark struct {
	epoch, sequence, outbox int64
	shut                    bool
}

func markOf(r *sale.Reading) mark { return mark{r.Epoch, r.Sequence, r.Outbox, r.Shut} }

// part returns the closed latches of a sale that this look judges, at most so many. A round begins when a bucket has changed
// since the last round began, or the latches are unsettled. The readings are from before those of the stock, so that the
// next look sees a change that comes between.
func (w *latchWatcher) part(l *saleLatches, readings []sale.Reading, most int) []*closing {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &l.round
	if most == 0 || r.left == 0 && !r.due(readings) && !l.unsettled.Load() {
		return nil
	}
	if r.left == 0 {
		l.unsettled.Store(false)
		r.left, r.seen = len(l.closed), r.seen[:0]
		for i := range readings {
			r.seen = append(r.seen, markOf(&readings[i]))
		}
	}
	part := make([]*closing, min(most, r.left, len(l.closed)))
	for i := range part {
		part[i] = l.closed[(r.next+i)%len(l.closed)]
	}
	r.next += len(part)
	r.left = max(0, min(r.left, len(l.closed))-len(part))
	return part
}

// due reports whether a bucket has changed since the last round began.
func (r *round) due(readings []sale.Reading) bool {
	if len(r.seen) != len(readings) {
		return true
	}
	for i := range readings {
		if r.seen[i] != markOf(&readings[i]) {
			return true
		}
	}
	return false
}

// readings reads buckets without their stock in one round trip.
func (w *latchWatcher) readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
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

// stockReadings reads the stock of SKUs in the buckets of a sale in one round trip.
func (w *latchWatcher) stockReadings(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockReading, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	readings, err := w.levels.StockReadings(ctx, buckets, skus)
	if err == nil && (len(readings) != len(buckets) || len(readings[0].Shelves) != len(skus)) {
		err = fmt.Errorf("asked for %d SKUs in %d buckets, got %d buckets", len(skus), len(buckets), len(readings))
	}
	if err != nil {
		return nil, fmt.Errorf("look at the stock of %s: %w", buckets[0].Sale, err)
	}
	return readings, nil
}

// confirm asks the Stock whether a SKU of several buckets is sold out.
func (w *latchWatcher) confirm(ctx context.Context, buckets []sale.Bucket, sku string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	soldOut, err := w.stock.SoldOut(ctx, buckets, sku)
	if err != nil {
		return false, fmt.Errorf("look at the whole of %s/%s: %w", buckets[0].Sale, sku, err)
	}
	return soldOut, nil
}

// wake makes the rested sales due again, because a sale has changed and its end may have too.
func (w *latchWatcher) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sales = append(w.sales, w.rested...)
	w.rested = nil
	if len(w.sales) > 0 {
		w.rouse()
	}
}

// rouse ends the sleep of the role.
func (w *latchWatcher) rouse() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// looks reports whether there is anything to look at.
func (w *latchWatcher) looks() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sales) > 0
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
	for _, l := range w.sales {
		for _, c := range l.closed {
			c.distrust()
		}
		l.unsettled.Store(true)
	}
}
