package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"flashsale/sale"
)

const sqlVersion = "SELECT version FROM catalogue WHERE id = 1"

const sqlNextVersion = "UPDATE catalogue SET version = version + 1 WHERE id = 1"

// nextVersion returns the version of a change. The counter stays locked until the commit, so call nextVersion after taking
// every other lock, and write the version in the same transaction.
func nextVersion(ctx context.Context, tx *sql.Tx) (int64, error) {
	if _, err := tx.ExecContext(ctx, sqlNextVersion); err != nil {
		return 0, fmt.Errorf("draw a version: %w", err)
	}
	var version int64
	if err := tx.QueryRowContext(ctx, sqlVersion).Scan(&version); err != nil {
		return 0, fmt.Errorf("draw a version: %w", err)
	}
	return version, nil
}

const sqlChangedBuckets = "SELECT sale_id, bucket, epoch, state, partition_id FROM buckets WHERE version > ?"

// fresh leaves out archived sales and their buckets: a reader that begins has nothing to forget.
const fresh = " AND state <> 'archived'"

// Changes returns the rows of the catalogue that changed since a version, all rows but those of archived sales for 0. If
// nothing changed, it is one read by primary key. If the counter is below since, the database is not the one of the last
// call, and Changes returns all rows. The answer may contain rows newer than its Version; the next answer contains them
// again.
func (s *Store) Changes(ctx context.Context, since int64) (sale.Changes, error) {
	var changes sale.Changes
	if err := s.db.QueryRowContext(ctx, sqlVersion).Scan(&changes.Version); err != nil {
		return sale.Changes{}, fmt.Errorf("read changes: %w", err)
	}
	if changes.Version == since {
		return changes, nil
	}
	if changes.Version < since {
		since = 0
	}
	err := errors.Join(
		s.changedSales(ctx, since, &changes), s.changedBuckets(ctx, since, &changes), s.changedRules(ctx, since, &changes),
		s.changedBrake(ctx, since, &changes))
	if err != nil {
		return sale.Changes{}, fmt.Errorf("read changes since %d: %w", since, err)
	}
	return changes, nil
}

func (s *Store) changedSales(ctx context.Context, since int64, changes *sale.Changes) (err error) {
	changes.Sales, err = readSales(ctx, s.db, changedSince("version > ?", since), since)
	return err
}

func (s *Store) changedBuckets(ctx context.Context, since int64, changes *sale.Changes) error {
	return each(ctx, s.db, changedSince(sqlChangedBuckets, since), []any{since}, func(rows scanner) error {
		var row sale.BucketRow
		err := rows.Scan(&row.Sale, &row.Number, &row.Epoch, &row.State, &row.Partition)
		changes.Buckets = append(changes.Buckets, row)
		return err
	})
}

func changedSince(condition string, since int64) string {
	if since == 0 {
		return condition + fresh
	}
	return condition
}

func (s *Store) changedRules(ctx context.Context, since int64, changes *sale.Changes) error {
	rules, version, err := readRules(ctx, s.db, "")
	if err == nil && (version > since || since == 0) { // the default rules have version 0
		changes.Rules = &rules
	}
	return err
}
