package gateway

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/sale"
)

// fakeStock decides by a function of the test and records the calls.
type fakeStock struct {
	mu       sync.Mutex
	decide   func(sale.Purchase) sale.Answer
	asked    []sale.Purchase
	holdings map[string][]sale.Holding // by buyer
	owners   map[sale.Shelf][]string
	readings map[sale.Shelf]level
	numbers  map[string]int // of the items, by SKU
	changes  int64          // the sequence of every bucket: each change of the fake counts as one
	moving   bool           // units are on their way between buckets
	failing  error
	now      atomic.Int64 // Unix milliseconds
	reads    atomic.Int64 // buckets read by Readings
	shelves  atomic.Int64 // shelves read by StockReadings
}

// level is what the fake Redis has of a SKU in a bucket.
type level struct{ Epoch, Available, Taken, Moved, Returned int64 }

func newFakeStock() *fakeStock {
	s := &fakeStock{
		holdings: map[string][]sale.Holding{}, owners: map[sale.Shelf][]string{}, readings: map[sale.Shelf]level{},
		numbers: map[string]int{},
	}
	s.decide = func(p sale.Purchase) sale.Answer {
		return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 4242, CreatedAt: s.Now()}
	}
	s.now.Store(noon.UnixMilli())
	return s
}

func (s *fakeStock) Reserve(p sale.Purchase) sale.Answer {
	s.mu.Lock()
	s.asked = append(s.asked, p)
	decide := s.decide
	s.mu.Unlock()
	return decide(p)
}

func (s *fakeStock) Holdings(_ context.Context, _ sale.Bucket, buyer string) ([]sale.Holding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sale.Holding(nil), s.holdings[buyer]...), s.failing
}

func (s *fakeStock) Owners(_ context.Context, b sale.Bucket, each func(string, []int) error) error {
	s.mu.Lock()
	numbers, err := map[string][]int{}, s.failing
	for shelf, buyers := range s.owners {
		if shelf.Bucket == b {
			for _, buyer := range buyers {
				numbers[buyer] = append(numbers[buyer], s.numbers[shelf.SKU])
			}
		}
	}
	s.mu.Unlock()
	for buyer, items := range numbers {
		if err := each(buyer, items); err != nil {
			return err
		}
	}
	return err
}

func (s *fakeStock) Readings(_ context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads.Add(int64(len(buckets)))
	out := make([]sale.Reading, len(buckets))
	for i, b := range buckets {
		out[i] = s.reading(b)
	}
	return out, s.failing
}

// reading has the epoch of any shelf of the bucket. The test holds the lock.
func (s *fakeStock) reading(b sale.Bucket) sale.Reading {
	r := sale.Reading{Sequence: s.changes}
	for shelf, l := range s.readings {
		if shelf.Bucket == b {
			r.Epoch = max(r.Epoch, l.Epoch)
		}
	}
	return r
}

func (s *fakeStock) StockReadings(_ context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockReading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shelves.Add(int64(len(buckets) * len(skus)))
	out := make([]sale.StockReading, len(buckets))
	for i, b := range buckets {
		out[i].Reading = s.reading(b)
		for _, sku := range skus {
			shelf := sale.ShelfReading{SKU: sku}
			if l, ok := s.readings[sale.Shelf{Bucket: b, SKU: sku}]; ok {
				shelf.Number, shelf.Available, shelf.Taken = s.numbers[sku], l.Available, l.Taken
				shelf.Moved, shelf.Returned = l.Moved, l.Returned
			}
			out[i].Shelves = append(out[i].Shelves, shelf)
		}
	}
	return out, s.failing
}

func (s *fakeStock) SoldOut(_ context.Context, buckets []sale.Bucket, sku string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range buckets {
		if s.readings[sale.Shelf{Bucket: b, SKU: sku}].Available > 0 {
			return false, s.failing
		}
	}
	return !s.moving, s.failing
}

func (s *fakeStock) Now() time.Time {
	if ms := s.now.Load(); ms != unknown {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// unknown is the time before the first contact with Redis.
const unknown = 0

func (s *fakeStock) set(change func(*fakeStock)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	change(s)
}

func (s *fakeStock) answer(a sale.Answer) {
	s.set(func(s *fakeStock) { s.decide = func(sale.Purchase) sale.Answer { return a } })
}

func (s *fakeStock) purchases() []sale.Purchase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sale.Purchase(nil), s.asked...)
}

// fakeDatabase is the database: catalogue, rules, lists and order rows.
type fakeDatabase struct {
	stock   *fakeStock // learns the numbers of items
	mu      sync.Mutex
	version int64
	pending sale.Changes
	listed  map[string][]string
	rows    map[sale.OrderID]sale.Order
	failing error
	queries atomic.Int64
	polls   atomic.Int64
	onQuery func()

	cancels  int    // asked for
	onCancel func() // before a cancellation
}

func newFakeDatabase(stock *fakeStock) *fakeDatabase {
	return &fakeDatabase{stock: stock, listed: map[string][]string{}, rows: map[sale.OrderID]sale.Order{}}
}

func (b *fakeDatabase) Changes(_ context.Context, since int64) (sale.Changes, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.polls.Add(1)
	if b.failing != nil {
		return sale.Changes{}, b.failing
	}
	if since == b.version {
		return sale.Changes{Version: since}, nil
	}
	changes := b.pending
	changes.Version = b.version
	b.pending = sale.Changes{}
	return changes, nil
}

func (b *fakeDatabase) EachListed(_ context.Context, saleID string, each func(string) error) error {
	b.mu.Lock()
	listed, err := b.listed[saleID], b.failing
	b.mu.Unlock()
	for _, buyer := range listed {
		if err := each(buyer); err != nil {
			return err
		}
	}
	return err
}

func (b *fakeDatabase) Orders(_ context.Context, ids []sale.OrderID) ([]sale.Order, error) {
	b.queries.Add(1)
	b.mu.Lock()
	hook := b.onQuery
	b.mu.Unlock()
	if hook != nil {
		hook()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []sale.Order
	for _, id := range ids {
		if row, ok := b.rows[id]; ok {
			out = append(out, row)
		}
	}
	return out, b.failing
}

func (b *fakeDatabase) BuyerOrders(
	_ context.Context, saleID, sku, buyer string, after sale.OrderID, limit int,
) ([]sale.Order, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []sale.Order
	for _, row := range b.rows {
		if row.Sale == saleID && (sku == "" || row.Has(sku)) && row.BuyerID == buyer && row.OrderID > after {
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return out[:min(len(out), limit)], b.failing
}

// CancelOrder changes a row as the database does, and counts the calls.
func (b *fakeDatabase) CancelOrder(
	_ context.Context, id sale.OrderID, reason sale.OrderReason, buyer string,
) (sale.Order, error) {
	b.mu.Lock()
	hook := b.onCancel
	b.mu.Unlock()
	if hook != nil {
		hook()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cancels++
	row, there := b.rows[id]
	switch {
	case b.failing != nil:
		return sale.Order{}, b.failing
	case !there, buyer != "" && row.BuyerID != buyer:
		return sale.Order{}, fmt.Errorf("cancel order %s: %w", id, sale.ErrNotFound)
	case row.Status == sale.StatusCancelled:
		return row, nil
	case row.Status != sale.StatusConfirmed:
		return sale.Order{}, fmt.Errorf("cancel order %s: %w", id, &sale.StatusError{Status: row.Status})
	}
	row.Status, row.Reason = sale.StatusCancelled, reason
	b.rows[id] = row
	return row, nil
}

func (b *fakeDatabase) set(change func(*fakeDatabase)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

// publish adds sales with all their buckets open, in epoch 1. It numbers their items.
func (b *fakeDatabase) publish(sales ...sale.Sale) {
	b.set(func(b *fakeDatabase) {
		b.version++
		for _, s := range sales {
			for i := range s.Items {
				s.Items[i].Number = i + 1
				b.stock.set(func(f *fakeStock) { f.numbers[s.Items[i].SKU] = i + 1 })
			}
			b.pending.Sales = append(b.pending.Sales, s)
			for _, bucket := range s.BucketNames() {
				b.pending.Buckets = append(b.pending.Buckets,
					sale.BucketRow{Bucket: bucket, Epoch: 1, State: sale.BucketOpen, Partition: 3})
			}
		}
	})
}

func (b *fakeDatabase) rules(r sale.Rules) {
	r.Normalize()
	b.set(func(b *fakeDatabase) { b.version++; b.pending.Rules = &r })
}

func (b *fakeDatabase) bucket(row sale.BucketRow) {
	b.set(func(b *fakeDatabase) { b.version++; b.pending.Buckets = append(b.pending.Buckets, row) })
}
