package fakes

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"flashsale/sale"
)

// Database keeps the books in memory by the rules of the real ones: epochs by compare-and-set, markers by batch
// identity, late batches refused. It is Books, Report, Catalogue, Leases and NodeLeases in one.
type Database struct {
	Mu       sync.Mutex
	version  int64
	sales    map[string]sale.Sale
	Rows     map[sale.Bucket]*Row
	fences   map[string]bool
	markers  map[string]bool
	Leases   map[string]string
	Listed   map[string][]string
	losses   []string
	Refused  []sale.OrderID
	OpenRows []sale.OutboxRow
	Away     error // every call fails with it
	burying  bool
	buried   []*sale.Transfer // in the dead letters

	OnBeginLoads func() // called after the new epochs have begun; may be nil
	OnChanges    func() // called when everything is read; may be nil
	OnBooks      func() // called before the books of buckets are read; may be nil
}

type Row struct {
	sale.BucketRow
	loaded, Settled, Released int64
	version                   int64
	Owners, Former            []sale.RecordOrder // who count against their limits, and who count no more

	settledEpoch, movedEpoch, givenEpoch, Sequence, OutboxNumber int64
}

func NewDatabase() *Database {
	return &Database{
		sales: map[string]sale.Sale{}, Rows: map[sale.Bucket]*Row{}, fences: map[string]bool{},
		markers: map[string]bool{}, Leases: map[string]string{}, Listed: map[string][]string{},
	}
}

// putSale stores a sale as a new version.
func (d *Database) PutSale(s sale.Sale) sale.Sale {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	d.version++
	s.Version = d.version
	d.sales[s.ID] = s
	return s
}

// addBucket stores a bucket that was never loaded.
func (d *Database) AddBucket(b sale.Bucket, stock int64, partition int32) sale.BucketRow {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	row := sale.BucketRow{Bucket: b, State: sale.BucketClosed, Partition: partition}
	d.Rows[b] = &Row{BucketRow: row, loaded: stock}
	d.touch(d.Rows[b])
	return row
}

func (d *Database) touch(r *Row) {
	d.version++
	r.version = d.version
}

func (d *Database) Row(b sale.Bucket) sale.BucketRow {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	return d.Rows[b].BucketRow
}

func (d *Database) Settled(b sale.Bucket) int64 {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	return d.Rows[b].Settled
}

// settle writes one record, once.
func (d *Database) Settle(raw []byte, _ int32) {
	record, err := sale.DecodeRecord(raw)
	if err != nil {
		panic(err)
	}
	d.Mu.Lock()
	defer d.Mu.Unlock()
	if record.Transfer != nil {
		d.settleTransfer(record.Transfer)
		return
	}
	if record.Batch == nil {
		d.fences[record.Fence] = true
		return
	}
	batch := record.Batch
	marker := fmt.Sprint(batch.Bucket, batch.Epoch, batch.Sequence, batch.BatchID)
	if d.markers[marker] {
		return
	}
	d.markers[marker] = true
	row := d.Rows[batch.Bucket]
	if batch.Epoch == row.Epoch {
		row.Sequence = max(row.Sequence, batch.Sequence)
	}
	for _, o := range batch.Orders {
		if batch.Epoch != row.Epoch || row.Settled-row.Released+int64(o.Quantity) > row.loaded {
			d.Refused = append(d.Refused, o.OrderID)
			continue
		}
		row.Settled += int64(o.Quantity)
		row.settledEpoch += int64(o.Quantity)
		row.Owners = append(row.Owners, o)
	}
}

func (d *Database) CloseBuckets(_ context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	var present []sale.BucketRow
	for _, asked := range rows {
		row := d.Rows[asked.Bucket]
		if row.Epoch == asked.Epoch && row.State != sale.BucketClosed {
			row.State = sale.BucketClosed
			d.touch(row)
		}
		present = append(present, row.BucketRow)
	}
	return present, d.Away
}

func (d *Database) FencesPassed(_ context.Context, tokens []string) (bool, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	for _, token := range tokens {
		if !d.fences[token] {
			return false, d.Away
		}
	}
	return true, d.Away
}

func (d *Database) BeginLoads(_ context.Context, rows []sale.BucketRow) ([]sale.Load, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	var loads []sale.Load
	for _, asked := range rows {
		row := d.Rows[asked.Bucket]
		if row.Epoch != asked.Epoch || row.State != sale.BucketClosed {
			continue
		}
		row.Epoch, row.State = row.Epoch+1, sale.BucketLoading
		row.settledEpoch, row.movedEpoch, row.givenEpoch, row.Sequence = 0, 0, 0, 0
		d.OpenRows = slices.DeleteFunc(d.OpenRows, func(out sale.OutboxRow) bool { return out.Bucket == row.Bucket })
		d.touch(row)
		of := d.sales[asked.Sale]
		loads = append(loads, sale.Load{
			BucketRow: row.BucketRow, Available: row.loaded - row.Settled + row.Released, Window: sale.WindowOf(&of),
			Owners: slices.Clone(row.Owners), Released: slices.Clone(row.Former), Outbox: row.OutboxNumber,
		})
	}
	if d.OnBeginLoads != nil {
		d.OnBeginLoads()
	}
	return loads, d.Away
}

func (d *Database) OpenBuckets(_ context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	var opened []sale.BucketRow
	for _, asked := range rows {
		if row := d.Rows[asked.Bucket]; row.Epoch == asked.Epoch && row.State == sale.BucketLoading {
			row.State = sale.BucketOpen
			d.touch(row)
			opened = append(opened, row.BucketRow)
		}
	}
	return opened, d.Away
}

func (d *Database) ReportLoss(_ context.Context, b sale.Bucket, epoch int64, reason string) error {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	if d.Away != nil {
		return d.Away
	}
	d.losses = append(d.losses, fmt.Sprintf("%s epoch %d: %s", b, epoch, reason))
	if row := d.Rows[b]; row != nil && row.Epoch == epoch && row.State == sale.BucketOpen {
		row.State = sale.BucketClosed
		d.touch(row)
	}
	return nil
}

func (d *Database) Reported() []string {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	return append([]string(nil), d.losses...)
}

func (d *Database) SetAway(err error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	d.Away = err
}

func (d *Database) Changes(_ context.Context, since int64) (sale.Changes, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	if since == 0 && d.OnChanges != nil {
		d.OnChanges()
	}
	changes := sale.Changes{Version: d.version}
	for _, s := range d.sales {
		if s.Version > since {
			changes.Sales = append(changes.Sales, s)
		}
	}
	for _, row := range d.Rows {
		if row.version > since {
			changes.Buckets = append(changes.Buckets, row.BucketRow)
		}
	}
	return changes, d.Away
}

func (d *Database) EachListed(_ context.Context, id string, each func(string) error) error {
	for _, buyer := range d.Listed[id] {
		if err := each(buyer); err != nil {
			return err
		}
	}
	return nil
}

func (d *Database) AcquireLease(_ context.Context, name, holder string, _ time.Duration) (bool, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	if owner := d.Leases[name]; owner != "" && owner != holder {
		return false, d.Away
	}
	d.Leases[name] = holder
	return true, d.Away
}

func (d *Database) ReleaseLease(_ context.Context, name, holder string) error {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	if d.Leases[name] == holder {
		delete(d.Leases, name)
	}
	return d.Away
}

func (d *Database) LeaseNode(_ context.Context, holder string, _ time.Duration) (sale.NodeLease, error) {
	return sale.NodeLease{Node: 7, Holder: holder}, nil
}

func (d *Database) RenewNode(context.Context, sale.NodeLease, int64, time.Duration) error {
	return nil
}
