package admin

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"flashsale/lease"
	"flashsale/sale"
)

var errAway = errors.New("the store is away")

// fakeStore is the database of these tests. It keeps every sale, list, rule and lease in memory and refuses what the
// store refuses.
type fakeStore struct {
	gateways map[string]int64 // gateway → catalogue version that it sells by
	onBehind func()           // called before the gateways are read

	mu     sync.Mutex
	sales  map[string]sale.Sale
	lists  map[string][]string
	books  map[string][]sale.BucketBooks
	orders map[sale.OrderID]sale.Order

	remembered map[sale.OrderID]string // payments of orders that are on their way
	rules      sale.Rules
	leases     map[string]string // name → holder
	version    int64
	away       bool // every call fails

	acquired  []string // names of the leases taken, in order
	unheld    []string // changes made without the sale's lease
	renewals  int
	stolen    bool // another process has taken the lease when it is renewed
	partition int32
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		sales: map[string]sale.Sale{}, lists: map[string][]string{}, books: map[string][]sale.BucketBooks{},
		orders: map[sale.OrderID]sale.Order{}, remembered: map[sale.OrderID]string{}, leases: map[string]string{},
		rules: sale.Rules{Version: 1, Grief: sale.DefaultGrief()},
	}
}

func (f *fakeStore) enter() (func(), error) {
	f.mu.Lock()
	if f.away {
		f.mu.Unlock()
		return nil, errAway
	}
	return f.mu.Unlock, nil
}

func (f *fakeStore) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeStore) CatalogueVersion(context.Context) (int64, error) {
	leave, err := f.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	return f.version, nil
}

func (f *fakeStore) GatewaysBehind(_ context.Context, version int64, _ time.Duration) (behind []string, err error) {
	leave, err := f.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if f.onBehind != nil {
		f.onBehind()
	}
	for holder, has := range f.gateways {
		if has < version {
			behind = append(behind, holder)
		}
	}
	return behind, nil
}

func (f *fakeStore) PutSale(_ context.Context, s sale.Sale) (sale.Sale, bool, error) {
	leave, err := f.enter()
	if err != nil {
		return s, false, err
	}
	defer leave()
	old, there := f.sales[s.ID]
	if there {
		f.checkLease(s.ID, "put")
		if old.State != sale.StateDraft && (s.Currency != old.Currency || len(s.Items) != len(old.Items)) {
			return s, false, &sale.StateError{State: old.State, Detail: "only stock, times and the name may change"}
		}
		s.State, s.ListVersion, s.ListSize = old.State, old.ListVersion, old.ListSize
	}
	f.version++
	s.Version = f.version
	f.sales[s.ID] = s
	return s, !there, nil
}

func (f *fakeStore) checkLease(id, what string) {
	if f.leases[string(lease.Sale(id))] == "" {
		f.unheld = append(f.unheld, what)
	}
}

func (f *fakeStore) Sale(_ context.Context, id string) (sale.Sale, error) {
	leave, err := f.enter()
	if err != nil {
		return sale.Sale{}, err
	}
	defer leave()
	s, there := f.sales[id]
	if !there {
		return s, sale.ErrNotFound
	}
	return s, nil
}

func (f *fakeStore) Sales(context.Context) ([]sale.Sale, error) {
	leave, err := f.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	var all []sale.Sale
	for _, s := range f.sales {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b sale.Sale) int { return int(a.Version - b.Version) })
	return all, nil
}

func (f *fakeStore) SetState(_ context.Context, id string, to sale.State, from ...sale.State) (sale.Sale, error) {
	leave, err := f.enter()
	if err != nil {
		return sale.Sale{}, err
	}
	defer leave()
	s, there := f.sales[id]
	switch {
	case !there:
		return s, sale.ErrNotFound
	case s.State == to:
		return s, nil
	case !slices.Contains(from, s.State):
		return s, &sale.StateError{State: s.State, Detail: "wrong move"}
	}
	f.version++
	s.State, s.Version = to, f.version
	f.sales[id] = s
	return s, nil
}

func (f *fakeStore) ReplaceBuyers(_ context.Context, id string, next func() (string, error)) (int64, error) {
	distinct := map[string]bool{}
	for {
		buyer, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, errors.Join(errors.New("replace buyers"), err)
		}
		distinct[buyer] = true
	}
	leave, err := f.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	s := f.sales[id]
	f.version++
	s.ListVersion, s.ListSize, s.Version = s.ListVersion+1, int64(len(distinct)), f.version
	f.sales[id], f.lists[id] = s, nil
	for buyer := range distinct {
		f.lists[id] = append(f.lists[id], buyer)
	}
	return s.ListSize, nil
}

// LoadStock writes the missing rows and closes those whose stock was raised.
func (f *fakeStore) LoadStock(_ context.Context, id string, partitions int32) ([]sale.BucketRow, error) {
	leave, err := f.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	f.checkLease(id, "load")
	f.partition = partitions
	s := f.sales[id]
	rows := map[sale.Bucket]sale.BucketBooks{}
	for _, row := range f.books[id] {
		rows[row.Bucket] = row
	}
	var all []sale.BucketBooks
	var closed []sale.BucketRow
	for _, b := range bucketsOf(&s) {
		row, there := rows[b]
		item, _ := s.Item(b.SKU)
		want := sale.BucketStock(item.Stock, b.Number, item.Buckets)
		if !there || row.Loaded < want {
			row.Bucket, row.State, row.Loaded = b, sale.BucketClosed, want
		}
		all = append(all, row)
		if row.State != sale.BucketOpen {
			closed = append(closed, row.BucketRow)
		}
	}
	f.books[id] = all
	return closed, nil
}

func (f *fakeStore) Books(_ context.Context, id string) ([]sale.BucketBooks, error) {
	leave, err := f.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return slices.Clone(f.books[id]), nil
}

func (f *fakeStore) EachListed(_ context.Context, id string, each func(string) error) error {
	leave, err := f.enter()
	if err != nil {
		return err
	}
	list := slices.Clone(f.lists[id])
	leave()
	for _, buyer := range list {
		if err := each(buyer); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeStore) AcquireLease(_ context.Context, name, holder string, _ time.Duration) (bool, error) {
	leave, err := f.enter()
	if err != nil {
		return false, err
	}
	defer leave()
	switch present := f.leases[name]; {
	case present == holder:
		f.renewals++
		return !f.stolen, nil
	case present != "":
		return false, nil
	}
	f.leases[name] = holder
	f.acquired = append(f.acquired, name)
	return true, nil
}

func (f *fakeStore) ReleaseLease(_ context.Context, name, holder string) error {
	leave, err := f.enter()
	if err != nil {
		return err
	}
	defer leave()
	if f.leases[name] == holder {
		delete(f.leases, name)
	}
	return nil
}

func (f *fakeStore) Rules(context.Context) (sale.Rules, error) {
	leave, err := f.enter()
	if err != nil {
		return sale.Rules{}, err
	}
	defer leave()
	return f.rules, nil
}

func (f *fakeStore) PutRules(_ context.Context, rules sale.Rules, expect *int64) (sale.Rules, error) {
	leave, err := f.enter()
	if err != nil {
		return rules, err
	}
	defer leave()
	if expect != nil && *expect != f.rules.Version {
		return rules, &sale.VersionError{Present: f.rules.Version}
	}
	rules.Version = f.rules.Version + 1
	f.rules = rules
	return rules, nil
}

func (f *fakeStore) Order(_ context.Context, id sale.OrderID) (sale.Order, error) {
	leave, err := f.enter()
	if err != nil {
		return sale.Order{}, err
	}
	defer leave()
	order, there := f.orders[id]
	if !there {
		return order, sale.ErrNotFound
	}
	return order, nil
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
	f.store.set(func() {
		for i := range f.store.books[row.Sale] {
			if b := &f.store.books[row.Sale][i]; b.Bucket == row.Bucket {
				b.Epoch, b.State, b.SettledEpoch = b.Epoch+1, sale.BucketOpen, 0
				reading := sale.Reading{Epoch: b.Epoch, Available: b.Loaded - b.Settled + b.Released}
				f.set(func() { f.readings[row.Bucket] = reading })
			}
		}
	})
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
