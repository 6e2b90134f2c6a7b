package memory

import (
	"context"
	"fmt"
	"hash/fnv"

	"flashsale/ledger"
	"flashsale/sale"
)

// LoadStock creates the buckets of a sale and their stock at its first preload, and returns the buckets that are not open.
func (d *Database) LoadStock(ctx context.Context, id string, partitions int32) ([]sale.BucketRow, error) {
	return call(ctx, d, "LoadStock", func() ([]sale.BucketRow, error) {
		s, err := d.t.sale(id)
		switch {
		case partitions < 1:
			return nil, fmt.Errorf("load stock of %s: %d partitions", id, partitions)
		case err != nil:
			return nil, err
		case s.State == sale.StateClosed, s.State == sale.StateArchived:
			return nil, &sale.StateError{State: s.State, Detail: "a closed sale cannot be preloaded"}
		}
		return d.t.loadStock(&s.Sale, partitions), nil
	})
}

func (t *Tables) loadStock(of *sale.Sale, partitions int32) (unloaded []sale.BucketRow) {
	var made []*Row
	for _, bucket := range of.BucketNames() {
		row := t.Buckets[bucket]
		if row == nil {
			row = newRow(of, bucket)
			row.Partition = partitionOf(bucket, partitions)
			t.Buckets[bucket] = row
			made = append(made, row)
			for i := range of.Items {
				t.addShelf(of, &of.Items[i], bucket).Loaded = sale.BucketStock(of.Items[i].Stock, bucket.Number, of.Buckets)
			}
		}
		if row.State != sale.BucketOpen {
			unloaded = append(unloaded, row.BucketRow)
		}
	}
	t.stamp(made, func(*Row) {})
	return unloaded
}

// newRow is the row of a bucket that was never loaded.
func newRow(of *sale.Sale, bucket sale.Bucket) *Row {
	row := &Row{Row: ledger.Row{Currency: of.Currency, PaymentTTL: of.PaymentTTL, SaleLimit: of.SaleLimit}}
	row.BucketRow = sale.BucketRow{Bucket: bucket, State: sale.BucketClosed}
	return row
}

// addShelf adds a stock row without units.
func (t *Tables) addShelf(of *sale.Sale, item *sale.Item, bucket sale.Bucket) *ledger.Units {
	units := &ledger.Units{
		ShelfCounters: sale.ShelfCounters{SKU: item.SKU}, Number: item.Number, Limit: of.LimitOf(item),
	}
	t.Stock[sale.Shelf{Bucket: bucket, SKU: item.SKU}] = units
	return units
}

// partitionOf spreads buckets over the partitions of the orders topic by FNV-1a of the bucket's name.
func partitionOf(bucket sale.Bucket, partitions int32) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(bucket.String())) // hash.Hash documents that Write never fails
	return int32(h.Sum32() % uint32(partitions))
}
