package memory

import (
	"context"
	"fmt"

	"flashsale/sale"
)

// SaleCounters returns the counters of every bucket of a sale with those of all its SKUs, sorted.
func (d *Database) SaleCounters(ctx context.Context, saleID string) ([]sale.StockCounters, error) {
	return call(ctx, d, "SaleCounters", func() ([]sale.StockCounters, error) { return d.t.saleCounters(saleID), nil })
}

func (t *Tables) saleCounters(saleID string) []sale.StockCounters {
	counters := []sale.StockCounters{}
	for _, row := range t.SortedBuckets() {
		if row.Sale == saleID {
			counters = append(counters, sale.StockCounters{
				BucketCounters: row.BucketCounters, Shelves: t.allShelves(row.Bucket),
			})
		}
	}
	return counters
}

func (t *Tables) allShelves(bucket sale.Bucket) (counters []sale.ShelfCounters) {
	for _, units := range t.Shelves(bucket) {
		counters = append(counters, units.ShelfCounters)
	}
	return counters
}

// BucketCounters returns the counters of these buckets, in the order asked. A bucket that does not exist makes the error
// wrap sale.ErrNotFound.
func (d *Database) BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	return call(ctx, d, "BucketCounters", func() ([]sale.BucketCounters, error) {
		counters := make([]sale.BucketCounters, len(buckets))
		for i, bucket := range buckets {
			row := d.t.Buckets[bucket]
			if row == nil {
				return nil, fmt.Errorf("read counters of %s: %w", bucket, sale.ErrNotFound)
			}
			counters[i] = row.BucketCounters
		}
		return counters, nil
	})
}

// StockCounters returns the counters of these buckets and of these SKUs in them, in the order asked, of one moment; of all SKUs,
// sorted, where none is named. A bucket or a SKU that does not exist makes the error wrap sale.ErrNotFound.
func (d *Database) StockCounters(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error) {
	return call(ctx, d, "StockCounters", func() ([]sale.StockCounters, error) {
		counters := make([]sale.StockCounters, len(buckets))
		for i, bucket := range buckets {
			row := d.t.Buckets[bucket]
			if row == nil {
				return nil, fmt.Errorf("read counters of %s: %w", bucket, sale.ErrNotFound)
			}
			counters[i].BucketCounters = row.BucketCounters
			if len(skus) == 0 {
				counters[i].Shelves = d.t.allShelves(bucket)
			}
			for _, sku := range skus {
				units := d.t.Stock[sale.Shelf{Bucket: bucket, SKU: sku}]
				if units == nil {
					return nil, fmt.Errorf("read counters of %s in %s: %w", sku, bucket, sale.ErrNotFound)
				}
				counters[i].Shelves = append(counters[i].Shelves, units.ShelfCounters)
			}
		}
		return counters, nil
	})
}
