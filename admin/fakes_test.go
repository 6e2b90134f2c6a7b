package admin

import (
	"context"
	"errors"
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

	mu        sync.Mutex
	away      bool     // every call fails
	onBehind  func()   // before the gateways are read
	acquired  []string // names of the leases taken, in order
	unheld    []string // changes made without the sale's lease
	renewals  int
	stolen    bool // another process has taken the lease when it is renewed
	partition int32
}

func newFakeStore() *fakeStore {
	f := &fakeStore{}
	f.Database = memory.New(memory.Options{
		Now: func() time.Time { return tenOClock }, Hooks: memory.Hooks{Before: f.before},
	})
	f.Change(func(t *memory.Tables) { t.Rules = sale.Rules{Version: 1, Grief: sale.DefaultGrief()} })
	return f
}

func (f *fakeStore) before(_ context.Context, method string) error {
	f.mu.Lock()
	away, onBehind := f.away, f.onBehind
	f.mu.Unlock()
	if away {
		return errAway
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
	f.Change(func(t *memory.Tables) { change(&t.Stock[bucket].BucketCounters) })
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
	return f.Database.PutSale(ctx, s)
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
	readings map[sale.Bucket]sale.Reading
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
	return &fakeStock{
		store: store, readings: map[sale.Bucket]sale.Reading{}, windows: map[sale.Bucket]sale.Window{},
		lists: map[string][]string{}, versions: map[string]int64{},
	}
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
		f.openBucket(row)
		progress(i+1, len(rows))
	}
	return nil
}

// openBucket is steps (e) to (h) of a rebuild.
func (f *fakeStock) openBucket(row sale.BucketRow) {
	var load sale.Load
	f.store.Change(func(t *memory.Tables) {
		load = t.Stock[row.Bucket].Begin()
		t.Stock[row.Bucket].State = sale.BucketOpen
	})
	f.set(func() { f.readings[row.Bucket] = sale.Reading{Epoch: load.Epoch, Available: load.Available} })
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
	var all []sale.Reading
	for _, b := range buckets {
		all = append(all, f.readings[b])
	}
	return all, nil
}
