package fakes

import (
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
	"flashsale/test/memory"
)

// must ends a test in which an act of settlement or of an operator fails: no fault strikes these.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Settle writes one record, once. A record of an epoch that has not begun is left alone, as settlement leaves it.
func (d *Database) Settle(raw []byte, _ int32) {
	record, err := sale.DecodeRecord(raw)
	must(err)
	if record.Transfer != nil && d.failsTransfers() {
		letter := sale.DeadLetter{ID: fmt.Sprint(record.Transfer.TransferID), Raw: slices.Clone(raw)}
		must(d.AddDeadLetter(context.Background(), letter))
		return
	}
	_, err = d.Database.Settle(context.Background(), []sale.Delivery{{Raw: raw, Record: record}})
	must(err)
}

func (d *Database) failsTransfers() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failing
}

// FailTransfers has transfers end in the dead letters from now on.
func (d *Database) FailTransfers() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = true
}

// RepairTransfers has transfers settle again.
func (d *Database) RepairTransfers() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = false
}

// EndDeadLetters ends the dead letters and returns how many there are: each is settled after all, or refused, which gives
// its units back to the bucket that gave them.
func (d *Database) EndDeadLetters(refuse bool) (letters int) {
	d.RepairTransfers()
	for id, letter := range d.Snapshot().Letters {
		letters++
		if refuse {
			must(d.RefuseDeadLetter(context.Background(), id))
			continue
		}
		d.Settle(letter.Raw, 0)
		must(d.MarkReplayed(context.Background(), id))
	}
	return letters
}

// Release gives the units of a settled order back.
func (d *Database) Release(_ sale.Bucket, o sale.RecordOrder) {
	_, err := d.CancelOrder(context.Background(), o.OrderID, sale.ReasonShop, "")
	must(err)
}

// Refuse makes settled orders such as could not settle and were refused by the operator, and gives their units back.
func (d *Database) Refuse(b sale.Bucket, orders ...sale.RecordOrder) {
	out := sale.OutboxRow{Kind: sale.OutboxRefusal}
	d.Change(func(t *memory.Tables) {
		for _, o := range orders {
			row := t.Orders[o.OrderID]
			row.Status, row.Reason = sale.StatusRefused, sale.ReasonDeadLetter
			for _, line := range row.Lines {
				t.Stock[sale.Shelf{Bucket: b, SKU: line.SKU}].Settled -= int64(line.Quantity)
			}
			out.Orders = append(out.Orders, sale.ReleasedOrder{OrderID: o.OrderID, Buyer: o.Buyer, Lines: row.Lines})
		}
	})
	d.Give(b, out)
}

// Give leaves an outbox row with the bucket's next number, in its epoch, and counts the units that it gives.
func (d *Database) Give(b sale.Bucket, out sale.OutboxRow) {
	d.Change(func(t *memory.Tables) {
		given := func(sku string) *int64 { return &t.Stock[sale.Shelf{Bucket: b, SKU: sku}].GivenEpoch }
		for _, line := range out.Lines {
			if out.Kind != sale.OutboxTake {
				*given(line.SKU) += line.Units
			}
		}
		for _, o := range out.Orders {
			for _, line := range o.Lines {
				*given(line.SKU) += int64(line.Quantity)
			}
		}
		row := t.Buckets[b]
		row.Outbox++
		out.Bucket, out.Epoch, out.Number = b, row.Epoch, row.Outbox
		t.Outbox[b] = append(t.Outbox[b], out)
	})
}

// Waiting returns the outbox rows that wait, sorted by bucket and number.
func (d *Database) Waiting() (rows []sale.OutboxRow) {
	stored := d.Snapshot()
	for _, row := range stored.SortedBuckets() {
		rows = append(rows, stored.Outbox[row.Bucket]...)
	}
	return rows
}

// SetWaiting replaces the outbox rows that wait.
func (d *Database) SetWaiting(rows ...sale.OutboxRow) {
	d.Change(func(t *memory.Tables) { clear(t.Outbox) })
	d.SeedOutbox(rows...)
}

// WaitingRows returns the numbers of the outbox rows that wait.
func (d *Database) WaitingRows() []int64 {
	var numbers []int64
	for _, row := range d.Waiting() {
		numbers = append(numbers, row.Number)
	}
	return numbers
}
