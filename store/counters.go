package store

import (
	"context"
	"fmt"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// BucketCounters returns what the database has of buckets besides their stock, in their order. The error wraps sale.ErrNotFound
// if one of them does not exist.
func (s *Store) BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	found := make(map[sale.Bucket]*ledger.Row, len(buckets))
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		rows, err := readBuckets(ctx, s.db, s.selectBuckets()+" WHERE "+inKeys(len(chunk)), keyArgs(nil, chunk)...)
		if err != nil {
			return nil, fmt.Errorf("read counters of %d buckets: %w", len(buckets), err)
		}
		for _, row := range rows {
			found[row.Bucket] = row
		}
	}
	counters := make([]sale.BucketCounters, len(buckets))
	for i, bucket := range buckets {
		row := found[bucket]
		if row == nil {
			return nil, fmt.Errorf("read counters of %s: %w", bucket, sale.ErrNotFound)
		}
		counters[i] = row.BucketCounters
	}
	return counters, nil
}

// SaleCounters returns the counters of every bucket of a sale, by number, each with all SKUs of the sale. A sale has none
// before its first preload. One statement reads them, at one moment.
func (s *Store) SaleCounters(ctx context.Context, saleID string) ([]sale.StockCounters, error) {
	counters, err := saleCounters(ctx, s.db, saleID)
	if err != nil {
		return nil, fmt.Errorf("read counters of %s: %w", saleID, err)
	}
	return counters, nil
}

// StockCounters returns the counters of buckets, in their order, each with the named SKUs in their order, or with all SKUs of
// the bucket, sorted, when none is named. At most 100 buckets and 500 SKUs are of one moment, because one statement reads
// them. The error wraps sale.ErrNotFound if a bucket does not exist or does not have one of the SKUs.
func (s *Store) StockCounters(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error) {
	found := make(map[sale.Bucket]*sale.StockCounters, len(buckets))
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		for some := range chunksOf(skus) {
			if err := s.findCounters(ctx, found, chunk, some); err != nil {
				return nil, fmt.Errorf("read counters of %d buckets: %w", len(buckets), err)
			}
		}
	}
	counters := make([]sale.StockCounters, len(buckets))
	for i, bucket := range buckets {
		if found[bucket] == nil {
			return nil, fmt.Errorf("read counters of %s: %w", bucket, sale.ErrNotFound)
		}
		counters[i] = *found[bucket]
		shelves, err := inOrder(counters[i].Shelves, skus)
		if err != nil {
			return nil, fmt.Errorf("read counters of %s: %w", bucket, err)
		}
		counters[i].Shelves = shelves
	}
	return counters, nil
}

// chunksOf yields skus in parts of at most maxIDs, and nil alone when there are none.
func chunksOf(skus []string) func(yield func([]string) bool) {
	if len(skus) == 0 {
		return func(yield func([]string) bool) { yield(nil) }
	}
	return slices.Chunk(skus, maxIDs)
}

func (s *Store) findCounters(
	ctx context.Context, found map[sale.Bucket]*sale.StockCounters, buckets []sale.Bucket, skus []string,
) error {
	query := repeated(sqlBooks, "(b.sale_id = ? AND b.bucket = ?)", " OR ", len(buckets), "") +
		repeated(sqlShelves+"(", "(s.sale_id = ? AND s.bucket = ?)", " OR ", len(buckets), ")")
	args := keyArgs(keyArgs(nil, buckets), buckets)
	if len(skus) > 0 {
		query += " AND s.sku IN (" + placeholders(len(skus)) + ")"
		for _, sku := range skus {
			args = append(args, sku)
		}
	}
	counters, err := readCounters(ctx, s.db, query, args...)
	for i := range counters {
		c := &counters[i]
		if present := found[c.Bucket]; present != nil {
			present.Shelves = append(present.Shelves, c.Shelves...)
		} else {
			found[c.Bucket] = c
		}
	}
	return err
}

// inOrder returns the counters of SKUs in their order, all of them if no SKU is named.
func inOrder(shelves []sale.ShelfCounters, skus []string) ([]sale.ShelfCounters, error) {
	if len(skus) == 0 {
		return shelves, nil
	}
	at := make(map[string]int, len(shelves))
	for i := range shelves {
		at[shelves[i].SKU] = i
	}
	ordered := make([]sale.ShelfCounters, len(skus))
	for i, sku := range skus {
		place, there := at[sku]
		if !there {
			return nil, fmt.Errorf("SKU %s: %w", sku, sale.ErrNotFound)
		}
		ordered[i] = shelves[place]
	}
	return ordered, nil
}
