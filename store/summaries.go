package store

import (
	"context"
	"fmt"

	"flashsale/sale"
)

const sqlPaidSums = "SELECT sale_id, SUM(units) FROM paid_units " +
	"WHERE sale_id IN (SELECT sale_id FROM sales WHERE state <> 'archived') GROUP BY sale_id"

const sqlBucketSums = "SELECT b.sale_id, b.bucket, b.epoch, b.state, b.partition_id, COUNT(s.sku), COALESCE(SUM(s.loaded), 0), " +
	"COALESCE(SUM(s.settled), 0), COALESCE(SUM(s.released), 0) FROM buckets b " +
	"LEFT JOIN stock s ON s.sale_id = b.sale_id AND s.bucket = b.bucket " +
	"WHERE b.sale_id IN (SELECT sale_id FROM sales WHERE state <> 'archived') " +
	"GROUP BY b.sale_id, b.bucket, b.epoch, b.state, b.partition_id ORDER BY b.sale_id, b.bucket"

// SaleSummaries returns every sale that is not archived, sorted by id, without items, with its paid units and the sums of its
// buckets. Three statements read them, so the sums of a sale may be later than the sale. The paid units are read first, so they
// are never more than the units settled less those released.
func (s *Store) SaleSummaries(ctx context.Context) ([]sale.Summary, error) {
	paid, err := s.paidSums(ctx)
	if err != nil {
		return nil, err
	}
	var found []sale.Summary
	place := map[string]int{}
	err = each(ctx, s.db, sqlSales+"state <> 'archived' ORDER BY sale_id", nil, func(rows scanner) error {
		one, err := scanSale(rows)
		place[one.ID] = len(found)
		found = append(found, sale.Summary{Sale: one, Paid: paid[one.ID]})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sales: %w", err)
	}
	err = each(ctx, s.db, sqlBucketSums, nil, func(rows scanner) error {
		var b sale.BucketSum
		err := rows.Scan(&b.Sale, &b.Number, &b.Epoch, &b.State, &b.Partition, &b.SKUs, &b.Loaded, &b.Settled, &b.Released)
		if i, read := place[b.Sale]; read { // skips a sale that was committed between the two statements
			found[i].Buckets = append(found[i].Buckets, b)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the sums of sales: %w", err)
	}
	return found, nil
}

// paidSums returns the paid units by sale.
func (s *Store) paidSums(ctx context.Context) (map[string]int64, error) {
	paid := map[string]int64{}
	err := each(ctx, s.db, sqlPaidSums, nil, func(rows scanner) error {
		var id string
		var units int64
		err := rows.Scan(&id, &units)
		paid[id] = units
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the paid units of sales: %w", err)
	}
	return paid, nil
}
