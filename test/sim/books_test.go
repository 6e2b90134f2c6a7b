package sim

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"flashsale/ledger"
	"flashsale/sale"
)

// books are the model of the database: tables in memory, a transaction under one lock. What a transaction decides is
// decided by room ledger, as in the real stores; what is a model is the reading and the writing.
type books struct {
	place *place

	mu        sync.Mutex
	offset    time.Duration // of its clock
	ahead     time.Duration // the most that it ever was
	version   int64
	sale      sale.Sale
	rows      map[sale.Bucket]*stockRow
	orders    map[sale.OrderID]*orderRow
	markers   map[ledger.Place]sale.OrderID
	forks     map[ledger.Mark]bool
	slots     map[ledger.Owner]*ledger.Slots
	keys      map[ledger.Key]bool // of orders that were not refused
	outbox    map[sale.Bucket][]sale.OutboxRow
	fences    map[string]bool
	positions map[int32]sale.Position
	letters   map[string]sale.DeadLetter
	poisoned  sale.OrderID // the batch that cannot settle
	leases    map[string]lease
	nodes     map[int64]*nodeRow
	events    []sale.OrderEvent
	eventID   int64
	closings  []string // why buckets were closed, in order
	engineID  string
	applied   map[sale.OrderID]time.Duration // when the outbox row of an order was done; absorbed ones never are

	untilPoison int // batches that come before it
	watch       *watcher
}

type stockRow struct {
	ledger.Row
	version int64
}

type orderRow struct {
	sale.Order
	bucket sale.Bucket
	key    string
	slots  []int // of its buyer, empty once its units have gone back
}

type lease struct {
	holder string
	until  time.Time
}

type nodeRow struct {
	holder      string
	until       time.Time
	highWaterMS int64
}

func newBooks(s sale.Sale, partitions int32) *books {
	b := &books{
		place: newPlace("database"), version: 1, sale: s,
		rows: map[sale.Bucket]*stockRow{}, orders: map[sale.OrderID]*orderRow{}, markers: map[ledger.Place]sale.OrderID{},
		forks: map[ledger.Mark]bool{}, slots: map[ledger.Owner]*ledger.Slots{}, keys: map[ledger.Key]bool{}, outbox: map[sale.Bucket][]sale.OutboxRow{},
		fences: map[string]bool{}, positions: map[int32]sale.Position{}, letters: map[string]sale.DeadLetter{},
		applied: map[sale.OrderID]time.Duration{}, leases: map[string]lease{}, nodes: map[int64]*nodeRow{}, engineID: "engine-of-the-simulator",
	}
	b.place.refused = errRefused
	b.sale.Version = 1
	for i, item := range s.Items {
		for number := range item.Buckets {
			row := ledger.Row{PriceCents: item.PriceCents, Currency: s.Currency, Limit: s.PerBuyerLimit, PaymentTTL: s.PaymentTTL}
			row.BucketRow = sale.BucketRow{
				Bucket: sale.Bucket{Sale: s.ID, SKU: item.SKU, Number: number}, State: sale.BucketClosed,
				Partition: int32(i+number) % partitions,
			}
			row.Loaded = sale.BucketStock(item.Stock, number, item.Buckets)
			b.rows[row.Bucket] = &stockRow{row, 1}
		}
	}
	return b
}

// now is the time by the clock of the database.
func (b *books) now() time.Time { return time.Now().Add(b.offset) }

// step moves that clock.
func (b *books) step(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offset += d
	b.ahead = max(b.ahead, b.offset)
}

func (b *books) stamp(row *stockRow) {
	b.version++
	row.version = b.version
}

// sorted returns the rows of some buckets, or of all, in the order of their names.
func (b *books) sorted() []*stockRow {
	return slices.SortedFunc(maps.Values(b.rows), func(x, y *stockRow) int { return cmp.Compare(x.Number, y.Number) })
}

// copies returns all rows as they are now.
func (b *books) copies() []*stockRow {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := b.sorted()
	for i, row := range rows {
		now := *row
		rows[i] = &now
	}
	return rows
}

// Changes returns what changed in the catalogue since a version.
func (b *books) Changes(_ context.Context, since int64) (sale.Changes, error) {
	changes := sale.Changes{Version: b.version}
	if since == b.version {
		return changes, nil
	}
	if b.sale.Version > since {
		changes.Sales = []sale.Sale{b.sale}
	}
	for _, row := range b.sorted() {
		if row.version > since {
			changes.Buckets = append(changes.Buckets, row.BucketRow)
		}
	}
	return changes, nil
}

// change moves the sale.
func (b *books) change(move func(*sale.Sale)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	move(&b.sale)
	b.version++
	b.sale.Version = b.version
}

// closeBucket is rule (a), and what a report of loss does.
func (b *books) closeBucket(row *stockRow, epoch int64, reason string) {
	if row != nil && row.Epoch == epoch && row.State != sale.BucketClosed {
		row.State = sale.BucketClosed
		b.stamp(row)
		b.closings = append(b.closings, reason)
	}
}

func (b *books) CloseBuckets(_ context.Context, rows []sale.BucketRow) (present []sale.BucketRow, err error) {
	for _, asked := range rows {
		row := b.rows[asked.Bucket]
		b.closeBucket(row, asked.Epoch, "rebuild")
		if row != nil {
			present = append(present, row.BucketRow)
		}
	}
	return present, nil
}

func (b *books) ReportLoss(_ context.Context, bucket sale.Bucket, epoch int64, reason string) error {
	b.closeBucket(b.rows[bucket], epoch, reason)
	return nil
}

func (b *books) FencesPassed(_ context.Context, tokens []string) (bool, error) {
	for _, token := range tokens {
		if !b.fences[token] {
			return false, nil
		}
	}
	return true, nil
}

func (b *books) BeginLoads(_ context.Context, rows []sale.BucketRow) (loads []sale.Load, err error) {
	for _, asked := range rows {
		row := b.rows[asked.Bucket]
		if row == nil || !row.MayBegin(asked.Epoch) {
			continue
		}
		load := row.Begin()
		b.watch.world.counter.count("engine: rebuilds", 1)
		b.stamp(row)
		b.outbox[row.Bucket] = nil
		b.watch.begun(row.Bucket, row.Epoch)
		load.Window = sale.WindowOf(&b.sale)
		for _, o := range b.sortedOrders() {
			if o.bucket != row.Bucket {
				continue
			}
			known := sale.RecordOrder{OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.BuyerID, Key: o.key}
			switch o.Status {
			case sale.StatusConfirmed, sale.StatusPaid:
				load.Owners = append(load.Owners, known)
			case sale.StatusCancelled, sale.StatusExpired:
				load.Released = append(load.Released, known)
			}
		}
		loads = append(loads, load)
	}
	return loads, nil
}

func (b *books) sortedOrders() []*orderRow {
	return slices.SortedFunc(maps.Values(b.orders), func(x, y *orderRow) int { return cmp.Compare(x.OrderID, y.OrderID) })
}

func (b *books) OpenBuckets(_ context.Context, rows []sale.BucketRow) (opened []sale.BucketRow, err error) {
	for _, asked := range rows {
		row := b.rows[asked.Bucket]
		if row != nil && row.Epoch == asked.Epoch && row.State == sale.BucketLoading {
			row.State = sale.BucketOpen
			b.stamp(row)
			opened = append(opened, row.BucketRow)
		}
	}
	return opened, nil
}

func (b *books) BucketCounters(_ context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	found := make([]sale.BucketCounters, len(buckets))
	for i, bucket := range buckets {
		if b.rows[bucket] == nil {
			return nil, sale.ErrNotFound
		}
		found[i] = b.rows[bucket].BucketCounters
	}
	return found, nil
}

func (b *books) AcquireLease(_ context.Context, name, holder string, ttl time.Duration) (bool, error) {
	if held := b.leases[name]; held.holder != "" && held.holder != holder && b.now().Before(held.until) {
		return false, nil
	}
	b.leases[name] = lease{holder, b.now().Add(ttl)}
	return true, nil
}

func (b *books) ReleaseLease(_ context.Context, name, holder string) error {
	if b.leases[name].holder == holder {
		delete(b.leases, name)
	}
	return nil
}

const nodes = 8 // few, so that the ids of dead processes come back

func (b *books) LeaseNode(_ context.Context, holder string, ttl time.Duration) (sale.NodeLease, error) {
	for node := range int64(nodes) {
		row := b.nodes[node]
		if row == nil {
			row = &nodeRow{}
			b.nodes[node] = row
		}
		if !b.now().Before(row.until) {
			row.holder, row.until = holder, b.now().Add(ttl)
			return sale.NodeLease{Node: node, Holder: holder, HighWaterMS: row.highWaterMS}, nil
		}
	}
	return sale.NodeLease{}, sale.ErrLeaseHeld
}

func (b *books) RenewNode(_ context.Context, l sale.NodeLease, highWaterMS int64, ttl time.Duration) error {
	row := b.nodes[l.Node]
	if row == nil || row.holder != l.Holder {
		return sale.ErrLeaseHeld
	}
	row.until, row.highWaterMS = b.now().Add(ttl), max(row.highWaterMS, highWaterMS)
	return nil
}

func (b *books) EngineID(context.Context) (string, error) { return b.engineID, nil }
