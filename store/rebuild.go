package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

// CloseBuckets is step (a) of a rebuild: it closes every bucket that has the given epoch and returns the present rows, sorted.
// It omits buckets that do not exist. It returns a bucket with another epoch unchanged: another rebuild was faster.
func (s *Store) CloseBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	var present []sale.BucketRow
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		present, err = s.closeBuckets(ctx, tx, rows, "rebuild")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("close %d buckets: %w", len(rows), err)
	}
	faults.Point("store.buckets-closed")
	return present, nil
}

// ReportLoss closes a bucket if its epoch is the one of the loss; otherwise it does nothing.
func (s *Store) ReportLoss(ctx context.Context, bucket sale.Bucket, epoch int64, reason string) error {
	row := sale.BucketRow{Bucket: bucket, Epoch: epoch}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := s.closeBuckets(ctx, tx, []sale.BucketRow{row}, reason)
		return err
	})
	if err != nil {
		return fmt.Errorf("report loss of %s in epoch %d: %w", bucket, epoch, err)
	}
	faults.Point("store.loss-reported")
	return nil
}

func (s *Store) closeBuckets(ctx context.Context, tx *sql.Tx, rows []sale.BucketRow, reason string) ([]sale.BucketRow, error) {
	found, _, err := s.lockStock(ctx, tx, bucketsOf(rows))
	if err != nil {
		return nil, err
	}
	var closing []sale.Bucket
	for _, row := range rows {
		if r := found[row.Bucket]; r != nil && r.Epoch == row.Epoch && r.State != sale.BucketClosed {
			r.State = sale.BucketClosed
			closing = append(closing, row.Bucket)
		}
	}
	return sortedRows(found), s.stampStock(ctx, tx, "state = 'closed', closed_reason = ?", []any{cut(reason, 255)}, closing)
}

// stampStock changes locked stock rows and gives them the next catalogue version.
func (s *Store) stampStock(ctx context.Context, tx *sql.Tx, set string, args []any, buckets []sale.Bucket) error {
	if len(buckets) == 0 {
		return nil
	}
	version, err := nextVersion(ctx, tx)
	if err != nil {
		return err
	}
	return s.updateStock(ctx, tx, set+", version = ?", append(args, version), buckets)
}

// BeginLoads is step (e): it begins the next epoch of every bucket that has the given epoch and is closed, or is loading
// because a process died during a rebuild. It sets these buckets to loading and returns their loads, sorted; it omits the
// others. It reads the buyers under the locks of the rows, so that the loads are consistent. It deletes the outbox rows of the
// buckets, because the units of the loads contain what these give back.
func (s *Store) BeginLoads(ctx context.Context, rows []sale.BucketRow) ([]sale.Load, error) {
	var loads []sale.Load
	err := s.transact(ctx, func(tx *sql.Tx) error {
		found, _, err := s.lockStock(ctx, tx, bucketsOf(rows))
		if err != nil {
			return err
		}
		for _, row := range rows { // drops the rows that must not begin
			if r := found[row.Bucket]; r != nil && !r.MayBegin(row.Epoch) {
				delete(found, row.Bucket)
			}
		}
		loads, err = readLoads(ctx, tx, found)
		if err != nil {
			return err
		}
		beginning := bucketsOf(sortedRows(found))
		if err := s.absorbOutbox(ctx, tx, beginning); err != nil {
			return err
		}
		err = s.stampStock(ctx, tx, sqlBegin, nil, beginning)
		faults.Point("store.load-written")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin the loading of %d buckets: %w", len(rows), err)
	}
	faults.Point("store.load-begun")
	return loads, nil
}

const sqlBegin = "epoch = epoch + 1, state = 'loading', settled_epoch = 0, moved_epoch = 0, given_epoch = 0, sequence = 0, " +
	"closed_reason = ''"

// OpenBuckets is step (h): it opens the buckets that have the given epoch and are loading, and returns those.
func (s *Store) OpenBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	var opened []sale.BucketRow
	err := s.transact(ctx, func(tx *sql.Tx) error {
		found, _, err := s.lockStock(ctx, tx, bucketsOf(rows))
		if err != nil {
			return err
		}
		opened = nil
		for _, row := range rows {
			if r := found[row.Bucket]; r != nil && r.Epoch == row.Epoch && r.State == sale.BucketLoading {
				r.State = sale.BucketOpen // so that a bucket that rows contains twice is returned once
				opened = append(opened, r.BucketRow)
			}
		}
		return s.stampStock(ctx, tx, "state = 'open'", nil, bucketsOf(opened))
	})
	if err != nil {
		return nil, fmt.Errorf("open %d buckets: %w", len(rows), err)
	}
	faults.Point("store.buckets-opened")
	return opened, nil
}

func sortedRows(found map[sale.Bucket]*ledger.Row) []sale.BucketRow {
	rows := make([]sale.BucketRow, 0, len(found))
	for _, row := range found {
		rows = append(rows, row.BucketRow)
	}
	slices.SortFunc(rows, func(a, b sale.BucketRow) int { return compareBuckets(a.Bucket, b.Bucket) })
	return rows
}

// cut makes text valid UTF-8 of at most n bytes, so that a column of that length accepts it.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "?")
	return strings.ToValidUTF8(text[:min(n, len(text))], "")
}
