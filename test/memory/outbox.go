package memory

import (
	"cmp"
	"context"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// Outbox returns the first rows of every bucket that Redis has still to apply, at most maxRows in all, sorted by bucket and
// number. When more buckets than maxRows have rows, the real store returns any of them and this one the first.
func (d *Database) Outbox(ctx context.Context, maxRows int) ([]sale.OutboxRow, error) {
	return call(ctx, d, "Outbox", func() ([]sale.OutboxRow, error) {
		var heads []sale.Bucket
		for bucket, rows := range d.t.Outbox {
			if len(rows) > 0 {
				heads = append(heads, bucket)
			}
		}
		slices.SortFunc(heads, compareBuckets)
		heads = heads[:min(max(maxRows, 0), len(heads))]
		var found []sale.OutboxRow
		for _, bucket := range heads {
			found = append(found, page(d.t.Outbox[bucket], max(maxRows/len(heads), 1))...)
		}
		return found, nil
	})
}

// page returns the first rows of a bucket, so many and so many lines.
func page(rows []sale.OutboxRow, most int) []sale.OutboxRow {
	lines, n := 0, 0
	for n < min(most, len(rows)) {
		if lines += rows[n].LineCount(); n > 0 && lines > ledger.MaxPage {
			break
		}
		n++
	}
	return rows[:n]
}

// OutboxDone forgets outbox rows that Redis has applied and marks the writes that brought them.
func (d *Database) OutboxDone(ctx context.Context, applied []sale.Applied) error {
	return d.run(ctx, "OutboxDone", func() error {
		sorted := slices.SortedFunc(slices.Values(applied), func(a, b sale.Applied) int {
			return cmp.Or(compareBuckets(a.Bucket, b.Bucket), cmp.Compare(a.Number, b.Number))
		})
		buckets := make([]sale.Bucket, len(sorted))
		for i := range sorted {
			buckets[i] = sorted[i].Bucket
		}
		state := d.locked(buckets, true)
		for i := range sorted {
			d.t.readMark(state, ledger.MarkOfApplied(&sorted[i]))
		}
		plan := ledger.NewPlan(state)
		for _, a := range sorted {
			plan.Applied(a, d.t.Outbox[a.Bucket])
		}
		d.write(plan)
		d.closePlanned(plan)
		return nil
	})
}

// forgetApplied deletes outbox rows that Redis has applied, those of the epoch that is named.
func (d *Database) forgetApplied(applied []sale.Applied) {
	for _, a := range applied {
		d.t.Outbox[a.Bucket] = slices.DeleteFunc(d.t.Outbox[a.Bucket], func(row sale.OutboxRow) bool {
			gone := row.Number <= a.Number && row.Epoch == a.Epoch
			if gone && d.hooks.Applied != nil {
				d.hooks.Applied(&row)
			}
			return gone
		})
	}
}

// CountWaiting counts the rows of the outbox and of the events that wait.
func (d *Database) CountWaiting(ctx context.Context) (outbox, events int64, err error) {
	err = d.run(ctx, "CountWaiting", func() error {
		outbox, events = int64(d.t.Waiting()), int64(len(d.t.Events))
		return nil
	})
	return outbox, events, err
}

// Positions returns the next offset to settle in every partition, sorted.
func (d *Database) Positions(ctx context.Context) ([]sale.Position, error) {
	return call(ctx, d, "Positions", func() ([]sale.Position, error) {
		var positions []sale.Position
		for _, at := range d.t.Positions {
			positions = append(positions, at)
		}
		slices.SortFunc(positions, func(a, b sale.Position) int { return cmp.Compare(a.Partition, b.Partition) })
		return positions, nil
	})
}
