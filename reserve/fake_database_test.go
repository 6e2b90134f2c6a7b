package reserve

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"flashsale/sale"
)

// fakeDatabase keeps the books in memory by the rules of the real ones: epochs by compare-and-set, markers by batch
// identity, late batches refused. It is Books, Report, Catalogue, Leases and NodeLeases in one.
type fakeDatabase struct {
	mu      sync.Mutex
	version int64
	sales   map[string]sale.Sale
	rows    map[sale.Bucket]*fakeRow
	fences  map[string]bool
	markers map[string]bool
	leases  map[string]string
	listed  map[string][]string
	losses  []string
	refused []sale.OrderID
	outbox  []sale.OutboxRow
	away    error // every call fails with it
	burying bool
	buried  []*sale.Transfer // in the dead letters

	onBeginLoads func() // called after the new epochs have begun; may be nil
	onChanges    func() // called when everything is read; may be nil
	onBooks      func() // called before the books of buckets are read; may be nil
}

type fakeRow struct {
	sale.BucketRow
	loaded, settled, released int64
	version                   int64
	owners, former            []sale.RecordOrder // who count against their limits, and who count no more

	settledEpoch, movedEpoch, givenEpoch, sequence, outboxNumber int64
}

func newFakeDatabase() *fakeDatabase {
	return &fakeDatabase{
		sales: map[string]sale.Sale{}, rows: map[sale.Bucket]*fakeRow{}, fences: map[string]bool{},
		markers: map[string]bool{}, leases: map[string]string{}, listed: map[string][]string{},
	}
}

// putSale stores a sale as a new version.
func (d *fakeDatabase) putSale(s sale.Sale) sale.Sale {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.version++
	s.Version = d.version
	d.sales[s.ID] = s
	return s
}

// addBucket stores a bucket that was never loaded.
func (d *fakeDatabase) addBucket(b sale.Bucket, stock int64, partition int32) sale.BucketRow {
	d.mu.Lock()
	defer d.mu.Unlock()
	row := sale.BucketRow{Bucket: b, State: sale.BucketClosed, Partition: partition}
	d.rows[b] = &fakeRow{BucketRow: row, loaded: stock}
	d.touch(d.rows[b])
	return row
}

func (d *fakeDatabase) touch(r *fakeRow) {
	d.version++
	r.version = d.version
}

func (d *fakeDatabase) row(b sale.Bucket) sale.BucketRow {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rows[b].BucketRow
}

func (d *fakeDatabase) settled(b sale.Bucket) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rows[b].settled
}

// settle writes one record, once.
func (d *fakeDatabase) settle(raw []byte, _ int32) {
	record, err := sale.DecodeRecord(raw)
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
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
	row := d.rows[batch.Bucket]
	if batch.Epoch == row.Epoch {
		row.sequence = max(row.sequence, batch.Sequence)
	}
	for _, o := range batch.Orders {
		if batch.Epoch != row.Epoch || row.settled-row.released+int64(o.Quantity) > row.loaded {
			d.refused = append(d.refused, o.OrderID)
			continue
		}
		row.settled += int64(o.Quantity)
		row.settledEpoch += int64(o.Quantity)
		row.owners = append(row.owners, o)
	}
}

func (d *fakeDatabase) CloseBuckets(_ context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var present []sale.BucketRow
	for _, asked := range rows {
		row := d.rows[asked.Bucket]
		if row.Epoch == asked.Epoch && row.State != sale.BucketClosed {
			row.State = sale.BucketClosed
			d.touch(row)
		}
		present = append(present, row.BucketRow)
	}
	return present, d.away
}

func (d *fakeDatabase) FencesPassed(_ context.Context, tokens []string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, token := range tokens {
		if !d.fences[token] {
			return false, d.away
		}
	}
	return true, d.away
}

func (d *fakeDatabase) BeginLoads(_ context.Context, rows []sale.BucketRow) ([]sale.Load, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var loads []sale.Load
	for _, asked := range rows {
		row := d.rows[asked.Bucket]
		if row.Epoch != asked.Epoch || row.State != sale.BucketClosed {
			continue
		}
		row.Epoch, row.State = row.Epoch+1, sale.BucketLoading
		row.settledEpoch, row.movedEpoch, row.givenEpoch, row.sequence = 0, 0, 0, 0
		d.outbox = slices.DeleteFunc(d.outbox, func(out sale.OutboxRow) bool { return out.Bucket == row.Bucket })
		d.touch(row)
		of := d.sales[asked.Sale]
		loads = append(loads, sale.Load{
			BucketRow: row.BucketRow, Available: row.loaded - row.settled + row.released, Window: sale.WindowOf(&of),
			Owners: slices.Clone(row.owners), Released: slices.Clone(row.former), Outbox: row.outboxNumber,
		})
	}
	if d.onBeginLoads != nil {
		d.onBeginLoads()
	}
	return loads, d.away
}

func (d *fakeDatabase) OpenBuckets(_ context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var opened []sale.BucketRow
	for _, asked := range rows {
		if row := d.rows[asked.Bucket]; row.Epoch == asked.Epoch && row.State == sale.BucketLoading {
			row.State = sale.BucketOpen
			d.touch(row)
			opened = append(opened, row.BucketRow)
		}
	}
	return opened, d.away
}

func (d *fakeDatabase) ReportLoss(_ context.Context, b sale.Bucket, epoch int64, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		return d.away
	}
	d.losses = append(d.losses, fmt.Sprintf("%s epoch %d: %s", b, epoch, reason))
	if row := d.rows[b]; row != nil && row.Epoch == epoch && row.State == sale.BucketOpen {
		row.State = sale.BucketClosed
		d.touch(row)
	}
	return nil
}

func (d *fakeDatabase) reported() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.losses...)
}

func (d *fakeDatabase) setAway(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = err
}

func (d *fakeDatabase) Changes(_ context.Context, since int64) (sale.Changes, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if since == 0 && d.onChanges != nil {
		d.onChanges()
	}
	changes := sale.Changes{Version: d.version}
	for _, s := range d.sales {
		if s.Version > since {
			changes.Sales = append(changes.Sales, s)
		}
	}
	for _, row := range d.rows {
		if row.version > since {
			changes.Buckets = append(changes.Buckets, row.BucketRow)
		}
	}
	return changes, d.away
}

func (d *fakeDatabase) EachListed(_ context.Context, id string, each func(string) error) error {
	for _, buyer := range d.listed[id] {
		if err := each(buyer); err != nil {
			return err
		}
	}
	return nil
}

func (d *fakeDatabase) AcquireLease(_ context.Context, name, holder string, _ time.Duration) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if owner := d.leases[name]; owner != "" && owner != holder {
		return false, d.away
	}
	d.leases[name] = holder
	return true, d.away
}

func (d *fakeDatabase) ReleaseLease(_ context.Context, name, holder string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.leases[name] == holder {
		delete(d.leases, name)
	}
	return d.away
}

func (d *fakeDatabase) LeaseNode(_ context.Context, holder string, _ time.Duration) (sale.NodeLease, error) {
	return sale.NodeLease{Node: 7, Holder: holder}, nil
}

func (d *fakeDatabase) RenewNode(context.Context, sale.NodeLease, int64, time.Duration) error {
	return nil
}
