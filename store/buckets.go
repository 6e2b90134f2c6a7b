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

const bucketColumns = "sale_id, bucket, epoch, state, partition_id, sequence, outbox_number, currency, payment_ttl_s, " +
	"sale_limit, orders, frozen, thaw_no, thawed_ms, "

// selectBuckets is the start of every query that scanBucket reads. Its last column is the database's clock.
func (s *Store) selectBuckets() string {
	return "SELECT " + bucketColumns + s.dialect.nowMS + " FROM buckets"
}

func scanBucket(rows scanner, nowMS *int64) (*ledger.Row, error) {
	var r ledger.Row
	err := rows.Scan(&r.Sale, &r.Number, &r.Epoch, &r.State, &r.Partition, &r.Sequence, &r.Outbox, &r.Currency, &r.PaymentTTL,
		&r.SaleLimit, &r.Orders, &r.Frozen, &r.ThawNo, &r.ThawedMS, nowMS)
	return &r, err
}

// lockBuckets locks the rows of buckets until the commit, in the order of their keys. It returns those that exist, and the time
// of the database at the last of them, 0 if there is none. Nothing changes units, orders or limits of a bucket without this
// lock, so a plain read after it finds what is current.
func (s *Store) lockBuckets(
	ctx context.Context, tx *sql.Tx, buckets []sale.Bucket,
) (found map[sale.Bucket]*ledger.Row, nowMS int64, err error) {
	found = make(map[sale.Bucket]*ledger.Row, len(buckets))
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		query := s.selectBuckets() + s.dialect.forced + " WHERE " + inKeys(len(chunk)) + " ORDER BY sale_id, bucket" +
			s.dialect.lock
		err := each(ctx, tx, query, keyArgs(nil, chunk), func(rows scanner) error {
			row, err := scanBucket(rows, &nowMS)
			found[row.Bucket] = row
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("lock bucket rows: %w", err)
		}
	}
	return found, nowMS, nil
}

const ofSale = " WHERE sale_id = ? ORDER BY bucket"

// lockSaleBuckets locks the rows of all buckets of a sale, by number. There are none before the first preload.
func (s *Store) lockSaleBuckets(ctx context.Context, tx *sql.Tx, id string) ([]*ledger.Row, error) {
	rows, err := readBuckets(ctx, tx, s.selectBuckets()+ofSale+s.dialect.lock, id)
	if err != nil {
		return nil, fmt.Errorf("lock the bucket rows of %s: %w", id, err)
	}
	return rows, nil
}

func readBuckets(ctx context.Context, q querier, query string, args ...any) (found []*ledger.Row, err error) {
	var nowMS int64 // not needed here
	err = each(ctx, q, query, args, func(rows scanner) error {
		row, err := scanBucket(rows, &nowMS)
		found = append(found, row)
		return err
	})
	return found, err
}

// updateBuckets runs "UPDATE buckets SET set" for these buckets, in chunks.
func (s *Store) updateBuckets(ctx context.Context, tx *sql.Tx, set string, setArgs []any, buckets []sale.Bucket) error {
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		statement := "UPDATE buckets" + s.dialect.forced + " SET " + set + " WHERE " + inKeys(len(chunk))
		if _, err := tx.ExecContext(ctx, statement, keyArgs(setArgs, chunk)...); err != nil {
			return fmt.Errorf("update bucket rows: %w", err)
		}
	}
	return nil
}

// stampBuckets changes locked bucket rows and gives them the next catalogue version.
func (s *Store) stampBuckets(ctx context.Context, tx *sql.Tx, set string, args []any, buckets []sale.Bucket) error {
	if len(buckets) == 0 {
		return nil
	}
	version, err := nextVersion(ctx, tx)
	if err != nil {
		return err
	}
	return s.updateBuckets(ctx, tx, set+", version = ?", append(args, version), buckets)
}

func compareBuckets(a, b sale.Bucket) int {
	return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.Number, b.Number))
}

// sorted returns the distinct buckets in the order of the primary key.
func sorted(buckets []sale.Bucket) []sale.Bucket {
	return slices.Compact(slices.SortedFunc(slices.Values(buckets), compareBuckets))
}

// keyArgs returns the arguments first and then the keys of inKeys.
func keyArgs(first []any, buckets []sale.Bucket) []any {
	args := append(make([]any, 0, len(first)+2*len(buckets)), first...)
	for _, b := range buckets {
		args = append(args, b.Sale, b.Number)
	}
	return args
}

func bucketsOfRows(rows []*ledger.Row) []sale.Bucket {
	buckets := make([]sale.Bucket, len(rows))
	for i := range rows {
		buckets[i] = rows[i].Bucket
	}
	return buckets
}

func byBucket(rows []*ledger.Row) map[sale.Bucket]*ledger.Row {
	found := make(map[sale.Bucket]*ledger.Row, len(rows))
	for _, row := range rows {
		found[row.Bucket] = row
	}
	return found
}

// sortedRows returns rows in the order of their buckets.
func sortedRows(found map[sale.Bucket]*ledger.Row) []sale.BucketRow {
	rows := make([]sale.BucketRow, 0, len(found))
	for _, row := range found {
		rows = append(rows, row.BucketRow)
	}
	slices.SortFunc(rows, func(a, b sale.BucketRow) int { return compareBuckets(a.Bucket, b.Bucket) })
	return rows
}
