package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"flashsale/sale"
)

// stockRow is one row of the ledger.
type stockRow struct {
	sale.BucketBooks
	priceCents int64
	currency   string
	limit      int
	paymentTTL int64
	readAt     string // by the database's clock, in the form of DATETIME(3)
}

const stockColumns = "sale_id, sku, bucket, epoch, state, partition_id, loaded, settled, released, settled_epoch, " +
	"unit_price_cents, currency, per_buyer_limit, payment_ttl_s, "

// selectStock is the start of every query that scanStock reads.
func (s *Store) selectStock() string { return "SELECT " + stockColumns + s.dialect.now + " FROM stock" }

func scanStock(rows scanner) (*stockRow, error) {
	var r stockRow
	err := rows.Scan(&r.Sale, &r.SKU, &r.Number, &r.Epoch, &r.State, &r.Partition, &r.Loaded, &r.Settled, &r.Released,
		&r.SettledEpoch, &r.priceCents, &r.currency, &r.limit, &r.paymentTTL, &r.readAt)
	return &r, err
}

// lockStock locks the rows of buckets until the commit, in the order of their keys, and returns those that exist.
func (s *Store) lockStock(ctx context.Context, tx *sql.Tx, buckets []sale.Bucket) (map[sale.Bucket]*stockRow, error) {
	found := make(map[sale.Bucket]*stockRow, len(buckets))
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		query := s.selectStock() + s.dialect.forced + " WHERE " + inKeys(len(chunk)) +
			" ORDER BY sale_id, sku, bucket" + s.dialect.lock
		err := each(ctx, tx, query, keyArgs(nil, chunk), func(rows scanner) error {
			row, err := scanStock(rows)
			found[row.Bucket] = row
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("lock stock rows: %w", err)
		}
	}
	return found, nil
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

// Books returns the ledger of every bucket of a sale, sorted; none before its first preload.
func (s *Store) Books(ctx context.Context, saleID string) ([]sale.BucketBooks, error) {
	rows, err := readStock(ctx, s.db, s.selectStock()+whereSale, saleID)
	if err != nil {
		return nil, fmt.Errorf("read books of %s: %w", saleID, err)
	}
	books := make([]sale.BucketBooks, len(rows))
	for i, row := range rows {
		books[i] = row.BucketBooks
	}
	return books, nil
}

func readStock(ctx context.Context, q querier, query string, args ...any) (found []*stockRow, err error) {
	err = each(ctx, q, query, args, func(rows scanner) error {
		row, err := scanStock(rows)
		found = append(found, row)
		return err
	})
	return found, err
}
