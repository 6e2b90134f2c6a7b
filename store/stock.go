package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

const stockColumns = "sale_id, sku, bucket, epoch, state, partition_id, loaded, settled, released, settled_epoch, " +
	"moved_epoch, given_epoch, sequence, outbox_number, unit_price_cents, currency, per_buyer_limit, payment_ttl_s, "

// selectStock is the start of every query that scanStock reads. Its last column is the database's clock.
func (s *Store) selectStock() string {
	return "SELECT " + stockColumns + s.dialect.nowMS + " FROM stock"
}

func scanStock(rows scanner, nowMS *int64) (*ledger.Row, error) {
	var r ledger.Row
	err := rows.Scan(&r.Sale, &r.SKU, &r.Number, &r.Epoch, &r.State, &r.Partition, &r.Loaded, &r.Settled, &r.Released,
		&r.SettledEpoch, &r.MovedEpoch, &r.GivenEpoch, &r.Sequence, &r.Outbox, &r.PriceCents, &r.Currency, &r.Limit,
		&r.PaymentTTL, nowMS)
	return &r, err
}

// lockStock locks the rows of buckets until the commit, in the order of their keys. It returns those that exist, and the time
// of the database at the last of them, 0 if there is none.
func (s *Store) lockStock(
	ctx context.Context, tx *sql.Tx, buckets []sale.Bucket,
) (found map[sale.Bucket]*ledger.Row, nowMS int64, err error) {
	found = make(map[sale.Bucket]*ledger.Row, len(buckets))
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		query := s.selectStock() + s.dialect.forced + " WHERE " + inKeys(len(chunk)) +
			" ORDER BY sale_id, sku, bucket" + s.dialect.lock
		err := each(ctx, tx, query, keyArgs(nil, chunk), func(rows scanner) error {
			row, err := scanStock(rows, &nowMS)
			found[row.Bucket] = row
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("lock stock rows: %w", err)
		}
	}
	return found, nowMS, nil
}

// updateStock runs "UPDATE stock SET set" for these buckets, in chunks.
func (s *Store) updateStock(ctx context.Context, tx *sql.Tx, set string, setArgs []any, buckets []sale.Bucket) error {
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		statement := "UPDATE stock" + s.dialect.forced + " SET " + set + " WHERE " + inKeys(len(chunk))
		if _, err := tx.ExecContext(ctx, statement, keyArgs(setArgs, chunk)...); err != nil {
			return fmt.Errorf("update stock rows: %w", err)
		}
	}
	return nil
}

func compareBuckets(a, b sale.Bucket) int {
	return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Number, b.Number))
}

// sorted returns the distinct buckets in the order of the primary key.
func sorted(buckets []sale.Bucket) []sale.Bucket {
	return slices.Compact(slices.SortedFunc(slices.Values(buckets), compareBuckets))
}

// keyArgs returns the arguments first and then the keys of inKeys.
func keyArgs(first []any, buckets []sale.Bucket) []any {
	args := append(make([]any, 0, len(first)+3*len(buckets)), first...)
	for _, b := range buckets {
		args = append(args, b.Sale, b.SKU, b.Number)
	}
	return args
}

func bucketsOf(rows []sale.BucketRow) []sale.Bucket {
	buckets := make([]sale.Bucket, len(rows))
	for i := range rows {
		buckets[i] = rows[i].Bucket
	}
	return buckets
}

const whereSale = " WHERE sale_id = ? ORDER BY sku, bucket"

// SaleCounters returns the counters of every bucket of a sale, sorted. A sale has none before its first preload.
func (s *Store) SaleCounters(ctx context.Context, saleID string) ([]sale.BucketCounters, error) {
	rows, err := readStock(ctx, s.db, s.selectStock()+whereSale, saleID)
	if err != nil {
		return nil, fmt.Errorf("read counters of %s: %w", saleID, err)
	}
	counters := make([]sale.BucketCounters, len(rows))
	for i, row := range rows {
		counters[i] = row.BucketCounters
	}
	return counters, nil
}

// BucketCounters returns the counters of these buckets, in their order. The error wraps sale.ErrNotFound if one of them does
// not exist.
func (s *Store) BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	found := make(map[sale.Bucket]*ledger.Row, len(buckets))
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		rows, err := readStock(ctx, s.db, s.selectStock()+" WHERE "+inKeys(len(chunk)), keyArgs(nil, chunk)...)
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

func readStock(ctx context.Context, q querier, query string, args ...any) (found []*ledger.Row, err error) {
	var nowMS int64 // not needed without locks
	err = each(ctx, q, query, args, func(rows scanner) error {
		row, err := scanStock(rows, &nowMS)
		found = append(found, row)
		return err
	})
	return found, err
}
