package recovery

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
)

// Bounds of a rebuild.
const (
	rebuildChunk     = 256 // buckets at once
	rebuildPasses    = 8   // attempts at them, because Redis may change during a rebuild
	rebuildRetry     = 200 * time.Millisecond
	fencePoll        = 10 * time.Millisecond
	journalParallels = 8    // journals published at once
	maxServers       = 1000 // on which one rebuild loads the scripts
)

// Rebuilder loads buckets from the database into Redis. Its steps (a) to (h) are named in the code. Only a rebuild loads the
// fenced scripts.
type Rebuilder struct {
	redis     *scripts.Redis
	publisher RecordPublisher
	buckets   Buckets
}

// NewRebuilder returns a rebuilder.
func NewRebuilder(redis *scripts.Redis, publisher RecordPublisher, buckets Buckets) *Rebuilder {
	return &Rebuilder{redis: redis, publisher: publisher, buckets: buckets}
}

// Rebuild brings the buckets of some rows to the next epoch and opens them. A bucket that another process has opened in a later
// epoch meanwhile is done too. Rebuild passes the number of buckets done to progress, which may be nil. The caller owns the
// sale's lease.
func (b *Rebuilder) Rebuild(ctx context.Context, rows []sale.BucketRow, progress func(done, total int)) error {
	if err := b.redis.Doubt(); err != nil {
		return fmt.Errorf("rebuild %d buckets: %w", len(rows), err)
	}
	done := 0
	for from := 0; from < len(rows); from += rebuildChunk {
		err := b.rebuildUntilDone(ctx, rows[from:min(from+rebuildChunk, len(rows))], func(n int) {
			if done += n; progress != nil {
				progress(done, len(rows))
			}
		})
		if err != nil {
			return fmt.Errorf("rebuild %d buckets: %w", len(rows), err)
		}
	}
	return nil
}

// rebuildUntilDone does pass after pass until every bucket is done, at most rebuildPasses.
func (b *Rebuilder) rebuildUntilDone(ctx context.Context, left []sale.BucketRow, done func(n int)) (err error) {
	attempts := 0
	role.Until(ctx, role.Always(rebuildRetry), func() bool {
		attempts++
		before := len(left)
		if left, err = b.pass(ctx, left); err != nil {
			return true
		}
		done(before - len(left))
		return len(left) == 0 || attempts == rebuildPasses
	})
	if err == nil && len(left) > 0 {
		err = sale.Away(sale.StoreRedis, fmt.Errorf("redis changed under %d buckets in %d attempts, the first is %s",
			len(left), attempts, left[0].Bucket))
	}
	return err
}

// pass does every step once and returns the rows that must begin again at (a), with their present epochs.
func (b *Rebuilder) pass(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	closed, newer, err := b.closeBuckets(ctx, rows)
	if err != nil || len(closed) == 0 {
		return newer, err
	}
	if err := b.drain(ctx, closed); err != nil { // rule: journal-published
		return nil, err
	}
	loads, err := b.buckets.BeginLoads(ctx, closed) // (e), rule: begin-if-closed
	if err != nil {
		return nil, fmt.Errorf("begin the new epochs: %w", err)
	}
	faults.Point("rebuild.begun")
	if err := b.redis.Load(ctx, loads); err != nil {
		return nil, err
	}
	faults.Point("rebuild.loaded")
	good, again, err := b.verify(ctx, loads)
	if err != nil {
		return nil, err
	}
	faults.Point("rebuild.verified")
	if len(good) > 0 {
		if _, err := b.buckets.OpenBuckets(ctx, good); err != nil { // (h), rule: open-if-loading
			return nil, fmt.Errorf("open the new epochs: %w", err)
		}
		faults.Point("rebuild.opened")
	}
	return append(newer, again...), nil
}

// closeBuckets is (a) and (b). It returns the rows to rebuild, and those that Redis and by now the database too have in a later
// epoch: another process was faster, and the next attempt finds out whether it has finished. The rows that are open in a later
// epoch, or archived, are done.
func (b *Rebuilder) closeBuckets(ctx context.Context, rows []sale.BucketRow) (closed, newer []sale.BucketRow, err error) {
	present, err := b.buckets.CloseBuckets(ctx, rows)
	if err != nil {
		return nil, nil, fmt.Errorf("close the buckets: %w", err)
	}
	faults.Point("rebuild.closed")
	var shut []sale.BucketRow
	for _, row := range present {
		if row.State.MayLoad() {
			shut = append(shut, row)
		}
	}
	closed, newer, err = b.redis.CloseBuckets(ctx, shut)
	faults.Point("rebuild.redis-closed") // the journal is published after this (rule: redis-closed-first)
	if err == nil && len(newer) > 0 {
		newer, err = b.overtaken(ctx, newer)
	}
	return closed, newer, err
}

// overtaken asks the database again about buckets that Redis has in a later epoch. An epoch begins in the database first: a
// database that still does not know it has lost it.
func (b *Rebuilder) overtaken(ctx context.Context, newer []sale.BucketRow) ([]sale.BucketRow, error) {
	present, err := b.buckets.CloseBuckets(ctx, newer)
	if err != nil {
		return nil, fmt.Errorf("read the buckets again: %w", err)
	}
	before := map[sale.Bucket]int64{}
	for _, row := range newer {
		before[row.Bucket] = row.Epoch
	}
	var left []sale.BucketRow
	for _, row := range present {
		switch {
		case row.Epoch == before[row.Bucket]:
			readings, err := b.redis.Readings(ctx, []sale.Bucket{row.Bucket})
			if err != nil {
				return nil, err
			}
			return nil, behind(row, readings[0].Epoch)
		case row.State.MayLoad():
			left = append(left, row)
		}
	}
	return left, nil
}

// drain is (c) and (d) for the buckets that were ever loaded: it publishes their journals and waits until settlement has
// committed all of it.
func (b *Rebuilder) drain(ctx context.Context, rows []sale.BucketRow) error {
	partitions := map[int32]sale.Bucket{}
	var sold []sale.BucketRow
	for _, row := range rows {
		if row.Epoch > 0 {
			sold = append(sold, row)
			partitions[row.Partition] = row.Bucket
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(journalParallels)
	for _, row := range sold {
		group.Go(func() error {
			_, err := publishJournal(groupCtx, b.redis, b.publisher, row, wholeJournal, nil) // under the rebuild's span
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("publish the journals: %w", err)
	}
	faults.Point("rebuild.journals-published")
	return b.passFences(ctx, partitions) // rule: fence-passed
}
