package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"flashsale/faults"
	"flashsale/sale"
)

// CloseBuckets is step (a) of a rebuild: it closes every bucket that has the given epoch and returns the present rows, sorted.
// It omits buckets that do not exist. It returns a bucket with another epoch unchanged: another rebuild was faster. A bucket of
// an archived sale stays archived.
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
	found, _, err := s.lockBuckets(ctx, tx, sale.BucketsOf(rows))
	if err != nil {
		return nil, err
	}
	var closing []sale.Bucket
	for _, row := range rows {
		if r := found[row.Bucket]; r != nil && r.Epoch == row.Epoch && r.State != sale.BucketClosed &&
			r.State != sale.BucketArchived {
			r.State = sale.BucketClosed
			closing = append(closing, row.Bucket)
		}
	}
	if err := s.stampBuckets(ctx, tx, "state = 'closed', closed_reason = ?", []any{cut(reason, 255)}, closing); err != nil {
		return nil, err
	}
	return sortedRows(found), s.noteAll(ctx, tx, sale.OutcomeDone, sale.RebuildChanges(closing, sale.BucketClosed, reason)...)
}

// BeginLoads is step (e): it begins the next epoch of every bucket that has the given epoch and is closed, or is loading
// because a process died during a rebuild. It sets these buckets to loading and returns their loads, sorted; it omits the
// others. It reads stock and buyers under the locks of the bucket rows, so that the loads are consistent. It deletes the outbox
// rows of the buckets: the units of the loads contain what these give back, and without what the open takes remove, as far as
// no order has it.
func (s *Store) BeginLoads(ctx context.Context, rows []sale.BucketRow) ([]sale.Load, error) {
	var loads []sale.Load
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		loads, err = s.beginLoads(ctx, tx, rows)
		faults.Point("store.load-written")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin the loading of %d buckets: %w", len(rows), err)
	}
	faults.Point("store.load-begun")
	return loads, nil
}

const (
	sqlBegin = "epoch = epoch + 1, state = 'loading', sequence = 0, closed_reason = '', writes = writes + 1"

	sqlBeginStock  = "UPDATE stock%s SET settled_epoch = 0, moved_epoch = 0, given_epoch = 0 WHERE "
	hasEpochCounts = " AND (settled_epoch <> 0 OR moved_epoch <> 0 OR given_epoch <> 0)"
)

func (s *Store) beginLoads(ctx context.Context, tx *sql.Tx, rows []sale.BucketRow) ([]sale.Load, error) {
	asked := sorted(sale.BucketsOf(rows))
	of := make([]rowsWanted, len(asked))
	for i, bucket := range asked {
		of[i] = rowsWanted{[]any{bucket.Sale}, []any{bucket.Number}}
	}
	found, _, takes, err := s.lockTaking(ctx, tx, asked, takesOfBucket, of)
	if err != nil {
		return nil, err
	}
	for _, row := range rows { // drops the rows that must not begin
		if r := found[row.Bucket]; r != nil && !r.MayBegin(row.Epoch) {
			delete(found, row.Bucket)
		}
	}
	stock, err := s.stockOf(ctx, tx, sale.BucketsOf(sortedRows(found)))
	if err != nil {
		return nil, fmt.Errorf("read stock rows: %w", err)
	}
	began := begin(found, stock, takes)
	writes := []func() error{
		func() error { return began.readOwners(ctx, tx) },
		func() error { return s.resetEpochs(ctx, tx, began.buckets()) },
		func() error { return s.moveStock(ctx, tx, began.removed()) },
		func() error { return s.absorbOutbox(ctx, tx, began.buckets()) },
		func() error { return s.absorbTakes(ctx, tx, began) },
		func() error { return s.stampBuckets(ctx, tx, sqlBegin, nil, began.buckets()) },
		func() error { return began.readWindows(ctx, tx) }, // contains what the takes have changed
	}
	for _, write := range writes {
		if err := write(); err != nil {
			return nil, err
		}
	}
	return began.loads, nil
}

// absorbTakes counts what the open takes of each bucket have removed.
func (s *Store) absorbTakes(ctx context.Context, tx *sql.Tx, began *beginning) error {
	for _, taken := range began.taken {
		if err := s.takeBack(ctx, tx, taken); err != nil {
			return err
		}
	}
	return nil
}

// resetEpochs begins the counters of an epoch, in the stock rows that have any.
func (s *Store) resetEpochs(ctx context.Context, tx *sql.Tx, buckets []sale.Bucket) error {
	for chunk := range slices.Chunk(buckets, maxTerms) {
		statement := fmt.Sprintf(sqlBeginStock, s.dialect.forced) + inKeys(len(chunk)) + hasEpochCounts
		if _, err := tx.ExecContext(ctx, statement, keyArgs(nil, chunk)...); err != nil {
			return fmt.Errorf("begin the epoch's counters: %w", err)
		}
	}
	return nil
}

// OpenBuckets is step (h): it opens the buckets that have the given epoch and are loading, and returns those.
func (s *Store) OpenBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	var opened []sale.BucketRow
	err := s.transact(ctx, func(tx *sql.Tx) error {
		found, _, err := s.lockBuckets(ctx, tx, sale.BucketsOf(rows))
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
		buckets := sale.BucketsOf(opened)
		if err := s.stampBuckets(ctx, tx, "state = 'open'", nil, buckets); err != nil {
			return err
		}
		if sale.ActorOf(ctx).Role != sale.RoleEngine {
			return nil // a preload, which has its own entry
		}
		return s.noteAll(ctx, tx, sale.OutcomeDone, sale.RebuildChanges(buckets, sale.BucketOpen, "")...)
	})
	if err != nil {
		return nil, fmt.Errorf("open %d buckets: %w", len(rows), err)
	}
	faults.Point("store.buckets-opened")
	return opened, nil
}

// cut makes text valid UTF-8 of at most n bytes, so that a column of that length accepts it.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "?")
	return strings.ToValidUTF8(text[:min(n, len(text))], "")
}
