package admin

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"flashsale/lease"
	"flashsale/sale"
	"flashsale/test/memory"
)

var errAway = errors.New("the store is away")

// tenOClock is when these tests take place, also by the clock of the database.
var tenOClock = time.Date(2026, 11, 11, 10, 0, 0, 123e6, time.UTC)

// fakeStore is the database in memory. It notes who works under which lease.
type fakeStore struct {
	*memory.Database

	mu          sync.Mutex
	away        bool          // every call fails
	later       time.Duration // what the database's clock is past ten
	onBehind    func()        // before the gateways are read
	acquired    []string      // names of the leases taken, in order
	unheld      []string      // changes made without the sale's lease
	renewals    int
	stolen      bool // another process has taken the lease when it is renewed
	partition   int32
	changes     int                         // calls that change the stock
	saleReads   int                         // calls that read one sale with its items
	headReads   int                         // calls that read one sale without them
	entriesRead int                         // entries of the trail that were read by their ids
	relay       func(context.Context) error // the settling process; nil: there is none
	trail       []sale.TrailEntry
	asked       sale.TrailQuery // of the last question about the trail
}

func newFakeStore() *fakeStore {
	f := &fakeStore{}
	f.Database = memory.New(memory.Options{
		Now: f.now, Hooks: memory.Hooks{Before: f.before},
	})
	f.Change(func(t *memory.Tables) { t.Rules = sale.Rules{Version: 1, Grief: sale.DefaultGrief()} })
	return f
}

func (f *fakeStore) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return tenOClock.Add(f.later)
}

func (f *fakeStore) before(_ context.Context, method string) error {
	f.mu.Lock()
	away, onBehind := f.away, f.onBehind
	f.mu.Unlock()
	if away {
		return errAway
	}
	switch method {
	case "Sale":
		f.set(func() { f.saleReads++ })
	case "SaleHead":
		f.set(func() { f.headReads++ })
	}
	if method == "GatewaysBehind" && onBehind != nil {
		onBehind()
	}
	return nil
}

func (f *fakeStore) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// sale returns a sale with its list, an empty one when there is none.
func (f *fakeStore) sale(id string) memory.Sale {
	if found := f.Snapshot().Sales[id]; found != nil {
		return *found
	}
	return memory.Sale{}
}

// changeSale changes a sale as no call of the API does.
func (f *fakeStore) changeSale(id string, change func(*memory.Sale)) {
	f.Change(func(t *memory.Tables) { change(t.Sales[id]) })
}

// changeRow changes the row of a bucket.
func (f *fakeStore) changeRow(bucket sale.Bucket, change func(*sale.BucketCounters)) {
	f.Change(func(t *memory.Tables) { change(&t.Buckets[bucket].BucketCounters) })
}

// changeShelf changes the stock row of phones in a bucket.
func (f *fakeStore) changeShelf(bucket sale.Bucket, change func(*sale.ShelfCounters)) {
	f.Change(func(t *memory.Tables) { change(&t.Stock[sale.Shelf{Bucket: bucket, SKU: "phone"}].ShelfCounters) })
}

// gateways sets by which version each gateway sells.
func (f *fakeStore) gateways(versions map[string]int64) {
	f.Change(func(t *memory.Tables) {
		t.Gateways = map[string]memory.Gateway{}
		for holder, version := range versions {
			t.Gateways[holder] = memory.Gateway{Version: version, Seen: tenOClock}
		}
	})
}

func (f *fakeStore) version() int64 { return f.Snapshot().Version }

// giveLease gives a lease to another process for as long as the test lasts.
func (f *fakeStore) giveLease(name, holder string) {
	f.SeedLease(name, memory.Lease{Holder: holder, Until: tenOClock.Add(time.Hour)})
}

func (f *fakeStore) PutSale(ctx context.Context, s sale.Sale) (sale.Sale, bool, error) {
	if f.sale(s.ID).ID != "" {
		f.checkLease(s.ID, "put")
	}
	stored, created, err := f.Database.PutSale(ctx, s)
	return stored, created, errors.Join(err, f.relayed(ctx))
}

func (f *fakeStore) ChangeStock(ctx context.Context, change sale.StockChange) (sale.StockChange, error) {
	f.set(func() { f.changes++ })
	changed, err := f.Database.ChangeStock(ctx, change)
	return changed, errors.Join(err, f.relayed(ctx))
}

// relayed carries the outbox into Redis, as a settling process does soon after each commit.
func (f *fakeStore) relayed(ctx context.Context) error {
	f.mu.Lock()
	relay := f.relay
	f.mu.Unlock()
	if relay == nil {
		return nil
	}
	return relay(ctx)
}

func (f *fakeStore) checkLease(id, what string) {
	if f.Snapshot().Leases[string(lease.Sale(id))].Holder == "" {
		f.set(func() { f.unheld = append(f.unheld, what) })
	}
}

func (f *fakeStore) LoadStock(ctx context.Context, id string, partitions int32) ([]sale.BucketRow, error) {
	f.checkLease(id, "load")
	f.set(func() { f.partition = partitions })
	return f.Database.LoadStock(ctx, id, partitions)
}

func (f *fakeStore) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	renews := f.Snapshot().Leases[name].Holder == holder
	taken, err := f.Database.AcquireLease(ctx, name, holder, ttl)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case renews:
		f.renewals++
		return taken && !f.stolen, err
	case taken:
		f.acquired = append(f.acquired, name)
	}
	return taken, err
}

// fakeStock is Redis and its rebuild: readings, windows and lists in memory.
type fakeStock struct {
	store *fakeStore

	mu       sync.Mutex
	readings map[sale.Bucket]*sale.StockReading
	windows  map[sale.Bucket]sale.Window
	lists    map[string][]string // of the list version that was loaded last
	versions map[string]int64
	away     bool
	halfway  bool          // the next rebuild ends early, as after a restart of Redis
	gate     chan struct{} // when set, a rebuild waits for it
	entered  chan struct{} // when set, a rebuild signals it at its start
	rebuilds int
	applied  int
}

func newFakeStock(store *fakeStore) *fakeStock {
	f := &fakeStock{
		store: store, readings: map[sale.Bucket]*sale.StockReading{}, windows: map[sale.Bucket]sale.Window{},
		lists: map[string][]string{}, versions: map[string]int64{},
	}
	store.relay = f.applyOutbox
	return f
}

// applyOutbox applies every row of the outbox as the scripts do and tells the database.
func (f *fakeStock) applyOutbox(ctx context.Context) error {
	rows, err := f.store.Outbox(ctx, 1000)
	if err != nil {
		return err
	}
	var applied []sale.Applied
	f.set(func() {
		for _, row := range rows {
			reading := f.readings[row.Bucket]
			reading.Sequence++
			reading.Outbox = row.Number
			done := sale.Applied{Bucket: row.Bucket, Epoch: row.Epoch, Number: row.Number, Sequence: reading.Sequence}
			for _, line := range row.Lines {
				shelf := f.shelf(row.Bucket, line.SKU)
				shelf.Number, shelf.Limit = line.Number, line.Limit
				if row.Kind == sale.OutboxTake {
					found := min(line.Units, shelf.Available)
					shelf.Available, shelf.Returned = shelf.Available-found, shelf.Returned-found
					done.Took = append(done.Took, sale.SKUUnits{SKU: line.SKU, Units: found})
				} else {
					shelf.Available, shelf.Returned = shelf.Available+line.Units, shelf.Returned+line.Units
				}
			}
			applied = append(applied, done)
		}
	})
	return f.store.OutboxDone(ctx, applied)
}

// shelf returns what Redis has of a SKU in a bucket, and adds the SKU when it is new. The caller has the lock.
func (f *fakeStock) shelf(bucket sale.Bucket, sku string) *sale.ShelfReading {
	reading := f.readings[bucket]
	at := slices.IndexFunc(reading.Shelves, func(s sale.ShelfReading) bool { return s.SKU == sku })
	if at < 0 {
		at = len(reading.Shelves)
		reading.Shelves = append(reading.Shelves, sale.ShelfReading{SKU: sku})
	}
	return &reading.Shelves[at]
}

// changeShelf changes what Redis has of phones in a bucket.
func (f *fakeStock) changeShelf(bucket sale.Bucket, change func(*sale.ShelfReading)) {
	f.set(func() { change(f.shelf(bucket, "phone")) })
}

func (f *fakeStock) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeStock) Rebuild(ctx context.Context, rows []sale.BucketRow, progress func(done, total int)) error {
	f.mu.Lock()
	gate, entered, halfway, away := f.gate, f.entered, f.halfway, f.away
	f.rebuilds++
	f.halfway = false
	f.mu.Unlock()
	if away {
		return errAway
	}
	if entered != nil {
		entered <- struct{}{}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for i, row := range rows {
		if halfway && i >= len(rows)/2 {
			return nil
		}
		if err := f.openBucket(ctx, row); err != nil {
			return err
		}
		progress(i+1, len(rows))
	}
	return nil
}

// openBucket is steps (e) to (h) of a rebuild.
func (f *fakeStock) openBucket(ctx context.Context, row sale.BucketRow) error {
	loads, err := f.store.BeginLoads(ctx, []sale.BucketRow{row})
	if err != nil || len(loads) != 1 {
		return errors.Join(err, errors.New("the bucket is not to be loaded"))
	}
	load := loads[0]
	reading := &sale.StockReading{Reading: sale.Reading{Epoch: load.Epoch, Outbox: load.Outbox}}
	for _, s := range load.Stock {
		reading.Shelves = append(reading.Shelves,
			sale.ShelfReading{SKU: s.SKU, Available: s.Available, Number: s.Number, Limit: s.Limit})
	}
	f.set(func() { f.readings[row.Bucket] = reading })
	_, err = f.store.OpenBuckets(ctx, []sale.BucketRow{load.BucketRow})
	return err
}

func (f *fakeStock) LoadList(_ context.Context, id string, version, size int64, each func(func(string) error) error) error {
	var list []string
	if err := each(func(buyer string) error { list = append(list, buyer); return nil }); err != nil {
		return err
	}
	if int64(len(list)) != size {
		return errors.New("the list has another size")
	}
	f.set(func() { f.lists[id], f.versions[id] = list, version })
	return nil
}

func (f *fakeStock) HasList(_ context.Context, id string, version, size int64) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.versions[id] == version && int64(len(f.lists[id])) == size, nil
}

func (f *fakeStock) ApplyWindow(_ context.Context, buckets []sale.Bucket, window sale.Window) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return errAway
	}
	f.applied++
	for _, b := range buckets {
		if window.Version >= f.windows[b].Version {
			f.windows[b] = window
		}
	}
	return nil
}

func (f *fakeStock) Readings(_ context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, errAway
	}
	all := make([]sale.Reading, len(buckets))
	for i, b := range buckets {
		if reading := f.readings[b]; reading != nil {
			all[i] = reading.Reading
		}
	}
	return all, nil
}

// StockReadings reads all SKUs of each bucket.
func (f *fakeStock) StockReadings(_ context.Context, buckets []sale.Bucket, _ []string) ([]sale.StockReading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, errAway
	}
	all := make([]sale.StockReading, len(buckets))
	for i, b := range buckets {
		if reading := f.readings[b]; reading != nil {
			all[i] = *reading
			all[i].Shelves = slices.Clone(reading.Shelves)
		}
	}
	return all, nil
}
