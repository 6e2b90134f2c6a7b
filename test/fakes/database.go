package fakes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"flashsale/ledger"
	"flashsale/sale"
	"flashsale/test/memory"
)

// Database is the database in memory with what tests of Redis's side need besides: settlement of single records, the
// operators' acts in a word each, and losses that were reported.
type Database struct {
	*memory.Database

	mu      sync.Mutex
	away    error
	losses  []string
	failing bool // transfers end in the dead letters

	OnBeginLoads func() // called after the new epochs have begun; may be nil
	OnChanges    func() // called before everything is read; may be nil
	OnCounters   func() // called before the counters of buckets are read; may be nil
}

// NewDatabase returns an empty database.
func NewDatabase() *Database {
	d := &Database{}
	d.Database = memory.New(memory.Options{Hooks: memory.Hooks{Before: d.before, After: d.after}})
	return d
}

// ours are the calls that tests make in place of settlement and operators: no fault strikes them.
var ours = []string{"Settle", "CancelOrder", "AddDeadLetter", "RefuseDeadLetter", "MarkReplayed"}

func (d *Database) before(_ context.Context, method string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.Contains(ours, method) {
		return nil
	}
	return d.away
}

func (d *Database) after(ctx context.Context, method string) error {
	if method == "BeginLoads" && d.OnBeginLoads != nil {
		d.OnBeginLoads()
	}
	return d.before(ctx, method)
}

// SetAway makes every call of the engine fail with err, nil ends that. In the middle of a call, the call happens and its
// answer is lost.
func (d *Database) SetAway(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = err
}

// PutSale stores a sale as it is, as a new version. Its limits hold for buckets that are there already, and these have its new
// items without units.
func (d *Database) PutSale(s sale.Sale) sale.Sale {
	var listed []string
	if present := d.Snapshot().Sales[s.ID]; present != nil {
		listed = present.Listed
	}
	stored := d.SeedSale(s)
	d.Change(func(t *memory.Tables) {
		t.Sales[s.ID].Listed = listed
		for bucket, row := range t.Buckets {
			if bucket.Sale == s.ID {
				row.SaleLimit = stored.SaleLimit
				shelve(t, bucket, &stored)
			}
		}
	})
	return stored
}

// shelve gives a bucket the sale's items and limits.
func shelve(t *memory.Tables, bucket sale.Bucket, s *sale.Sale) {
	for i := range s.Items {
		item := &s.Items[i]
		at := sale.Shelf{Bucket: bucket, SKU: item.SKU}
		if t.Stock[at] == nil {
			t.Stock[at] = &ledger.Units{ShelfCounters: sale.ShelfCounters{SKU: item.SKU}}
		}
		t.Stock[at].Number, t.Stock[at].Limit = item.Number, s.LimitOf(item)
	}
}

// List sets the list of a sale, and not its size.
func (d *Database) List(saleID string, buyers ...string) {
	d.Change(func(t *memory.Tables) { t.Sales[saleID].Listed = buyers })
}

// AddBucket stores a bucket of a stored sale that was never loaded, with some units of some of the sale's SKUs and none of the
// others.
func (d *Database) AddBucket(b sale.Bucket, partition int32, units ...sale.SKUUnits) sale.BucketRow {
	row := sale.BucketRow{Bucket: b, State: sale.BucketClosed, Partition: partition}
	counters := sale.StockCounters{BucketCounters: sale.BucketCounters{BucketRow: row}}
	for _, item := range d.Snapshot().Sales[b.Sale].Items {
		shelf := sale.ShelfCounters{SKU: item.SKU}
		for _, u := range units {
			if u.SKU == item.SKU {
				shelf.Loaded = u.Units
			}
		}
		counters.Shelves = append(counters.Shelves, shelf)
	}
	d.SeedStock(counters)
	return row
}

// Row returns a bucket's row.
func (d *Database) Row(b sale.Bucket) (row sale.BucketRow) {
	d.ChangeRow(b, func(present *sale.BucketCounters) { row = present.BucketRow })
	return row
}

// Units returns the counters of a SKU in a bucket.
func (d *Database) Units(b sale.Bucket, sku string) (units sale.ShelfCounters) {
	d.ChangeUnits(b, sku, func(present *sale.ShelfCounters) { units = *present })
	return units
}

// Settled returns the units of all SKUs of a bucket that have settled in all epochs.
func (d *Database) Settled(b sale.Bucket) (units int64) {
	d.Change(func(t *memory.Tables) {
		for at, present := range t.Stock {
			if at.Bucket == b {
				units += present.Settled
			}
		}
	})
	return units
}

// ChangeRow changes a bucket's row as no call does.
func (d *Database) ChangeRow(b sale.Bucket, change func(*sale.BucketCounters)) {
	d.Change(func(t *memory.Tables) { change(&t.Buckets[b].BucketCounters) })
}

// ChangeUnits changes the counters of a SKU in a bucket as no call does.
func (d *Database) ChangeUnits(b sale.Bucket, sku string, change func(*sale.ShelfCounters)) {
	d.Change(func(t *memory.Tables) { change(&t.Stock[sale.Shelf{Bucket: b, SKU: sku}].ShelfCounters) })
}

// HoldLease gives a lease to a holder for longer than any test lasts.
func (d *Database) HoldLease(name, holder string) {
	d.SeedLease(name, memory.Lease{Holder: holder, Until: time.Now().Add(time.Hour)})
}

// LeaseNames returns the names of the leases that are owned, sorted.
func (d *Database) LeaseNames() []string { return slices.Sorted(maps.Keys(d.Snapshot().Leases)) }

// Owners returns the ids of the orders that belong to their buyers, sorted.
func (d *Database) Owners(b sale.Bucket) []sale.OrderID {
	return d.orders(func(o *memory.Order) bool { return o.Bucket() == b && o.Counts() })
}

// Refused returns the ids of the orders that were refused, sorted.
func (d *Database) Refused() []sale.OrderID {
	return d.orders(func(o *memory.Order) bool { return o.Status == sale.StatusRefused })
}

func (d *Database) orders(wanted func(*memory.Order) bool) (ids []sale.OrderID) {
	stored := d.Snapshot()
	for _, o := range stored.SortedOrders() {
		if wanted(o) {
			ids = append(ids, o.OrderID)
		}
	}
	return ids
}

// ReportLoss notes what is reported, and where.
func (d *Database) ReportLoss(ctx context.Context, b sale.Bucket, epoch int64, reason string) error {
	if err := d.Database.ReportLoss(ctx, b, epoch, reason); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.losses = append(d.losses, fmt.Sprintf("%s epoch %d: %s", b, epoch, reason))
	return nil
}

// Reported returns the losses that were reported.
func (d *Database) Reported() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.losses)
}

// Changes is the catalogue's change since a version.
func (d *Database) Changes(ctx context.Context, since int64) (sale.Changes, error) {
	if since == 0 && d.OnChanges != nil {
		d.OnChanges()
	}
	return d.Database.Changes(ctx, since)
}

// BucketCounters reads the counters of buckets.
func (d *Database) BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	if d.OnCounters != nil {
		d.OnCounters()
	}
	return d.Database.BucketCounters(ctx, buckets)
}

// StockCounters reads the counters of buckets and their stock.
func (d *Database) StockCounters(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error) {
	if d.OnCounters != nil {
		d.OnCounters()
	}
	return d.Database.StockCounters(ctx, buckets, skus)
}
