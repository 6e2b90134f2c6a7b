package memory

import (
	"cmp"
	"context"
	"slices"

	"flashsale/sale"
)

// maxClosedReason bounds the reason for which a bucket was closed or a sale was paused, in bytes.
const maxClosedReason = 255

// CloseBuckets is step (a) of a rebuild: it closes every bucket whose epoch is the one named and returns the rows as they
// are then, sorted. Buckets that do not exist are left out.
func (d *Database) CloseBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	return call(ctx, d, "CloseBuckets", func() ([]sale.BucketRow, error) {
		d.t.closeBuckets(rows, "rebuild")
		present := []sale.BucketRow{}
		for _, row := range d.t.named(rows) {
			present = append(present, row.BucketRow)
		}
		return present, nil
	})
}

// ReportLoss closes a bucket when its epoch is still the one in which the loss was seen.
func (d *Database) ReportLoss(ctx context.Context, bucket sale.Bucket, epoch int64, reason string) error {
	return d.run(ctx, "ReportLoss", func() error {
		d.t.closeBuckets([]sale.BucketRow{{Bucket: bucket, Epoch: epoch}}, reason)
		return nil
	})
}

func (t *Tables) closeBuckets(rows []sale.BucketRow, reason string) {
	var closing []*Row
	for _, asked := range rows {
		row := t.Buckets[asked.Bucket]
		mayClose := row != nil && row.State != sale.BucketClosed && row.State != sale.BucketArchived
		if mayClose && row.Epoch == asked.Epoch && !slices.Contains(closing, row) {
			closing = append(closing, row)
		}
	}
	t.stamp(closing, func(row *Row) { row.State, row.ClosedReason = sale.BucketClosed, cut(reason, maxClosedReason) })
}

// named returns the rows of buckets, sorted, each once.
func (t *Tables) named(rows []sale.BucketRow) (found []*Row) {
	for _, asked := range rows {
		if row := t.Buckets[asked.Bucket]; row != nil && !slices.Contains(found, row) {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b *Row) int { return compareBuckets(a.Bucket, b.Bucket) })
	return found
}

// BeginLoads is step (e): every bucket that is not open, in the epoch named, begins the next epoch and is loading. It
// returns what Redis has to be loaded with, sorted by bucket and order; the outbox rows of these buckets are absorbed.
func (d *Database) BeginLoads(ctx context.Context, rows []sale.BucketRow) ([]sale.Load, error) {
	return call(ctx, d, "BeginLoads", func() ([]sale.Load, error) {
		loads := []sale.Load{}
		epochs := map[sale.Bucket]int64{}
		for _, asked := range rows {
			epochs[asked.Bucket] = asked.Epoch
		}
		var beginning []*Row
		for _, row := range d.t.named(rows) {
			if row.MayBegin(epochs[row.Bucket]) {
				beginning = append(beginning, row)
			}
		}
		d.t.stamp(beginning, func(row *Row) {
			loads = append(loads, d.begin(row))
		})
		return loads, nil
	})
}

func (d *Database) begin(row *Row) sale.Load {
	load, taken := row.Begin(d.t.Shelves(row.Bucket), d.t.Outbox[row.Bucket])
	row.ClosedReason = ""
	delete(d.t.Outbox, row.Bucket)
	d.t.takeBack(taken)
	if of := d.t.Sales[row.Sale]; of != nil {
		load.Window = sale.WindowOf(&of.Sale)
	}
	for _, o := range d.t.ordersOf(row.Bucket) {
		known := sale.RecordOrder{OrderID: o.OrderID, Lines: d.t.numbered(o), Buyer: o.BuyerID, Key: o.Key}
		switch {
		case o.Counts():
			load.Owners = append(load.Owners, known)
		case o.Status != sale.StatusRefused:
			load.Released = append(load.Released, known)
		}
	}
	if d.hooks.Begun != nil {
		d.hooks.Begun(&load)
	}
	return load
}

// numbered returns the lines of an order as Redis knows them: with the numbers of their items and without prices.
func (t *Tables) numbered(o *Order) []sale.Line {
	lines := slices.Clone(o.Lines)
	for i := range lines {
		lines[i].UnitPriceCents = 0
		if units := t.Stock[sale.Shelf{Bucket: o.Bucket(), SKU: lines[i].SKU}]; units != nil {
			lines[i].Number = units.Number
		}
	}
	return lines
}

// ordersOf returns the orders of a bucket, sorted by id.
func (t *Tables) ordersOf(bucket sale.Bucket) (found []*Order) {
	for _, o := range t.Orders {
		if o.Bucket() == bucket {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b *Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return found
}

// OpenBuckets is step (h): it opens the buckets that are loading in the epoch named and returns them.
func (d *Database) OpenBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	return call(ctx, d, "OpenBuckets", func() ([]sale.BucketRow, error) {
		var opening []*Row
		for _, asked := range rows {
			row := d.t.Buckets[asked.Bucket]
			if row != nil && row.Epoch == asked.Epoch && row.State == sale.BucketLoading && !slices.Contains(opening, row) {
				opening = append(opening, row)
			}
		}
		var opened []sale.BucketRow
		d.t.stamp(opening, func(row *Row) {
			row.State = sale.BucketOpen
			opened = append(opened, row.BucketRow)
		})
		return opened, nil
	})
}

// FencesPassed reports whether settlement has committed past every one of these fence records.
func (d *Database) FencesPassed(ctx context.Context, tokens []string) (bool, error) {
	return call(ctx, d, "FencesPassed", func() (bool, error) {
		missing := func(token string) bool { return !d.t.Fences[token] }
		return !slices.ContainsFunc(tokens, missing), nil
	})
}
