package memory

import (
	"context"
	"fmt"
	"hash/fnv"

	"flashsale/ledger"
	"flashsale/sale"
)

// LoadStock brings the stock rows to what the sale's items say and returns the rows that a rebuild has to load.
func (d *Database) LoadStock(ctx context.Context, id string, partitions int32) ([]sale.BucketRow, error) {
	return call(ctx, d, "LoadStock", func() ([]sale.BucketRow, error) {
		s, err := d.t.sale(id)
		switch {
		case partitions < 1:
			return nil, fmt.Errorf("load stock of %s: %d partitions", id, partitions)
		case err != nil:
			return nil, err
		case s.State == sale.StateClosed:
			return nil, &sale.StateError{State: s.State, Detail: "a closed sale cannot be preloaded"}
		}
		return d.t.loadStock(&s.Sale, partitions), nil
	})
}

// loadStock raises each row towards its even share, and all rows of a SKU together by what its item grew: units that have
// moved between buckets stay where they are.
func (t *Tables) loadStock(of *sale.Sale, partitions int32) (unloaded []sale.BucketRow) {
	var changed []*Row
	for _, item := range of.Items {
		left := item.Stock - t.loaded(of.ID, item.SKU)
		for number := range item.Buckets {
			bucket := sale.Bucket{Sale: of.ID, SKU: item.SKU, Number: number}
			row := t.Stock[bucket]
			if row == nil {
				row = newRow(of, &item, bucket, partitionOf(bucket, partitions))
				t.Stock[bucket] = row
				changed = append(changed, row)
			}
			if units := min(sale.BucketStock(item.Stock, number, item.Buckets)-row.Loaded, left); units > 0 {
				row.Loaded += units
				left -= units
				if row.Version > 0 { // it was there before
					row.State, row.ClosedReason = sale.BucketClosed, "stock was raised"
					changed = append(changed, row)
				}
			}
			if row.State != sale.BucketOpen {
				unloaded = append(unloaded, row.BucketRow)
			}
		}
	}
	t.stamp(changed, func(*Row) {})
	return unloaded
}

func (t *Tables) loaded(id, sku string) (units int64) {
	for bucket, row := range t.Stock {
		if bucket.Sale == id && bucket.SKU == sku {
			units += row.Loaded
		}
	}
	return units
}

// newRow is the row of a bucket that was never loaded.
func newRow(of *sale.Sale, item *sale.Item, bucket sale.Bucket, partition int32) *Row {
	row := &Row{Row: ledger.Row{
		PriceCents: item.PriceCents, Currency: of.Currency, Limit: of.PerBuyerLimit, PaymentTTL: of.PaymentTTL,
	}}
	row.BucketRow = sale.BucketRow{Bucket: bucket, State: sale.BucketClosed, Partition: partition}
	return row
}

// partitionOf spreads buckets over the partitions of the orders topic by FNV-1a of the bucket's name.
func partitionOf(bucket sale.Bucket, partitions int32) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(bucket.String())) // hash.Hash documents that Write never fails
	return int32(h.Sum32() % uint32(partitions))
}
