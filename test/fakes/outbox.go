package fakes

import (
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
)

// settleTransfer moves loaded units between two buckets and leaves a credit for the receiving one, once, in the epoch of
// the giving one. The caller holds the lock.
func (d *Database) settleTransfer(t *sale.Transfer) {
	if d.burying {
		d.buried = append(d.buried, t)
		return
	}
	marker := fmt.Sprint(t.Bucket, t.Epoch, t.Sequence, t.TransferID)
	from, to := d.Rows[t.Bucket], d.Rows[t.Receiver()]
	if d.markers[marker] {
		return
	}
	d.markers[marker] = true
	if t.Epoch != from.Epoch || from.Settled-from.Released > from.loaded-t.Units {
		return
	}
	from.loaded, to.loaded = from.loaded-t.Units, to.loaded+t.Units
	from.movedEpoch += t.Units
	from.Sequence = max(from.Sequence, t.Sequence)
	d.Give(to, sale.OutboxRow{Kind: sale.OutboxCredit, Units: t.Units})
}

// bury has transfers end in the dead letters from now on.
func (d *Database) Bury() {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	d.burying = true
}

// dig ends the dead letters: each is settled after all, or refused, which gives its units back to the bucket that gave them.
func (d *Database) Dig(refuse bool) (letters int) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	d.burying = false
	for _, t := range d.buried {
		if !refuse {
			d.settleTransfer(t)
			continue
		}
		from := d.Rows[t.Bucket]
		from.movedEpoch += t.Units
		from.Sequence = max(from.Sequence, t.Sequence)
		d.Give(from, sale.OutboxRow{Kind: sale.OutboxCredit, Units: t.Units})
	}
	return len(d.buried)
}

// give leaves an outbox row. The caller holds the lock.
func (d *Database) Give(row *Row, out sale.OutboxRow) {
	row.OutboxNumber++
	row.givenEpoch += out.Units
	out.Bucket, out.Epoch, out.Number = row.Bucket, row.Epoch, row.OutboxNumber
	d.OpenRows = append(d.OpenRows, out)
}

// release gives the units of a settled order back.
func (d *Database) Release(b sale.Bucket, o sale.RecordOrder) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	row := d.Rows[b]
	row.Released += int64(o.Quantity)
	row.Owners = slices.DeleteFunc(row.Owners, func(owner sale.RecordOrder) bool { return owner.OrderID == o.OrderID })
	row.Former = append(row.Former, o)
	d.Give(row, sale.OutboxRow{Kind: sale.OutboxRelease, Units: int64(o.Quantity), Orders: []sale.ReleasedOrder{
		{OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.Buyer},
	}})
}

// refuse gives the units of orders back that could not settle and that the operator refused: they have no owner in the books.
func (d *Database) Refuse(b sale.Bucket, orders ...sale.RecordOrder) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	row, out := d.Rows[b], sale.OutboxRow{Kind: sale.OutboxRefusal}
	for _, o := range orders {
		row.Settled -= int64(o.Quantity) // the fake has settled it
		row.Owners = slices.DeleteFunc(row.Owners, func(owner sale.RecordOrder) bool { return owner.OrderID == o.OrderID })
		out.Units += int64(o.Quantity)
		out.Orders = append(out.Orders, sale.ReleasedOrder{OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.Buyer})
	}
	d.Give(row, out)
}

func (d *Database) Outbox(_ context.Context, maxRows int) ([]sale.OutboxRow, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	rows := slices.Clone(d.OpenRows)
	slices.SortStableFunc(rows, func(a, b sale.OutboxRow) int {
		if a.Bucket != b.Bucket {
			return a.Bucket.Number - b.Bucket.Number
		}
		return int(a.Number - b.Number)
	})
	return rows[:min(len(rows), maxRows)], d.Away
}

func (d *Database) OutboxDone(_ context.Context, applied []sale.Applied) error {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	if d.Away != nil {
		return d.Away
	}
	for _, a := range applied {
		row := d.Rows[a.Bucket]
		if row.Epoch != a.Epoch {
			continue
		}
		row.Sequence = max(row.Sequence, a.Sequence)
		d.OpenRows = slices.DeleteFunc(d.OpenRows, func(out sale.OutboxRow) bool {
			return out.Bucket == a.Bucket && out.Number <= a.Number
		})
	}
	return nil
}

func (d *Database) BucketBooks(_ context.Context, buckets []sale.Bucket) ([]sale.BucketBooks, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	if d.OnBooks != nil {
		d.OnBooks()
	}
	books := make([]sale.BucketBooks, len(buckets))
	for i, b := range buckets {
		row := d.Rows[b]
		books[i] = sale.BucketBooks{
			BucketRow: row.BucketRow, Loaded: row.loaded, Settled: row.Settled, Released: row.Released,
			SettledEpoch: row.settledEpoch + row.movedEpoch, MovedEpoch: row.movedEpoch, GivenEpoch: row.givenEpoch,
			Sequence: row.Sequence, Outbox: row.OutboxNumber,
		}
	}
	return books, d.Away
}

// waiting returns the numbers of the open outbox rows.
func (d *Database) WaitingRows() []int64 {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	var numbers []int64
	for _, row := range d.OpenRows {
		numbers = append(numbers, row.Number)
	}
	return numbers
}
