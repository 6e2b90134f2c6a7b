package reserve

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// settleTransfer moves loaded units between two buckets and leaves a credit for the receiving one, once, in the epoch of
// the giving one. The caller holds the lock.
func (d *fakeDatabase) settleTransfer(t *sale.Transfer) {
	if d.burying {
		d.buried = append(d.buried, t)
		return
	}
	marker := fmt.Sprint(t.Bucket, t.Epoch, t.Sequence, t.TransferID)
	from, to := d.rows[t.Bucket], d.rows[t.Receiver()]
	if d.markers[marker] {
		return
	}
	d.markers[marker] = true
	if t.Epoch != from.Epoch || from.settled-from.released > from.loaded-t.Units {
		return
	}
	from.loaded, to.loaded = from.loaded-t.Units, to.loaded+t.Units
	from.movedEpoch += t.Units
	from.sequence = max(from.sequence, t.Sequence)
	d.give(to, sale.OutboxRow{Kind: sale.OutboxCredit, Units: t.Units})
}

// bury has transfers end in the dead letters from now on.
func (d *fakeDatabase) bury() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.burying = true
}

// dig ends the dead letters: each is settled after all, or refused, which gives its units back to the bucket that gave them.
func (d *fakeDatabase) dig(refuse bool) (letters int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.burying = false
	for _, t := range d.buried {
		if !refuse {
			d.settleTransfer(t)
			continue
		}
		from := d.rows[t.Bucket]
		from.movedEpoch += t.Units
		from.sequence = max(from.sequence, t.Sequence)
		d.give(from, sale.OutboxRow{Kind: sale.OutboxCredit, Units: t.Units})
	}
	return len(d.buried)
}

// give leaves an outbox row. The caller holds the lock.
func (d *fakeDatabase) give(row *fakeRow, out sale.OutboxRow) {
	row.outboxNumber++
	row.givenEpoch += out.Units
	out.Bucket, out.Epoch, out.Number = row.Bucket, row.Epoch, row.outboxNumber
	d.outbox = append(d.outbox, out)
}

// release gives the units of a settled order back.
func (d *fakeDatabase) release(b sale.Bucket, o sale.RecordOrder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	row := d.rows[b]
	row.released += int64(o.Quantity)
	row.owners = slices.DeleteFunc(row.owners, func(owner sale.RecordOrder) bool { return owner.OrderID == o.OrderID })
	row.former = append(row.former, o)
	d.give(row, sale.OutboxRow{Kind: sale.OutboxRelease, Units: int64(o.Quantity), Orders: []sale.ReleasedOrder{
		{OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.Buyer},
	}})
}

// refuse gives the units of orders back that could not settle and that the operator refused: they have no owner in the books.
func (d *fakeDatabase) refuse(b sale.Bucket, orders ...sale.RecordOrder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	row, out := d.rows[b], sale.OutboxRow{Kind: sale.OutboxRefusal}
	for _, o := range orders {
		row.settled -= int64(o.Quantity) // the fake has settled it
		row.owners = slices.DeleteFunc(row.owners, func(owner sale.RecordOrder) bool { return owner.OrderID == o.OrderID })
		out.Units += int64(o.Quantity)
		out.Orders = append(out.Orders, sale.ReleasedOrder{OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.Buyer})
	}
	d.give(row, out)
}

func (d *fakeDatabase) Outbox(_ context.Context, maxRows int) ([]sale.OutboxRow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows := slices.Clone(d.outbox)
	slices.SortStableFunc(rows, func(a, b sale.OutboxRow) int {
		if a.Bucket != b.Bucket {
			return a.Bucket.Number - b.Bucket.Number
		}
		return int(a.Number - b.Number)
	})
	return rows[:min(len(rows), maxRows)], d.away
}

func (d *fakeDatabase) OutboxDone(_ context.Context, applied []sale.Applied) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		return d.away
	}
	for _, a := range applied {
		row := d.rows[a.Bucket]
		if row.Epoch != a.Epoch {
			continue
		}
		row.sequence = max(row.sequence, a.Sequence)
		d.outbox = slices.DeleteFunc(d.outbox, func(out sale.OutboxRow) bool {
			return out.Bucket == a.Bucket && out.Number <= a.Number
		})
	}
	return nil
}

func (d *fakeDatabase) BucketCounters(_ context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.onBooks != nil {
		d.onBooks()
	}
	books := make([]sale.BucketCounters, len(buckets))
	for i, b := range buckets {
		row := d.rows[b]
		books[i] = sale.BucketCounters{
			BucketRow: row.BucketRow, Loaded: row.loaded, Settled: row.settled, Released: row.released,
			SettledEpoch: row.settledEpoch + row.movedEpoch, MovedEpoch: row.movedEpoch, GivenEpoch: row.givenEpoch,
			Sequence: row.sequence, Outbox: row.outboxNumber,
		}
	}
	return books, d.away
}

// release ends an order in the books and carries that to Redis.
func (w *world) release(b sale.Bucket, buyer, key string, a sale.Answer) {
	w.t.Helper()
	order := orderOf(a, buyer)
	order.Key = key
	w.db.release(b, order)
	require.NoError(w.t, w.courier().pass(context.Background()))
}

// value is what the buyers hash says of a buyer.
func (w *world) value(b sale.Bucket, buyer string) string {
	w.t.Helper()
	value, err := w.redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Hget().Key(w.redis.keys(b).buyers).Field(buyer).Build()
	}).ToString()
	require.NoError(w.t, err)
	return value
}
