package recovery

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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
	rebuildPasses    = 8   // attempts at each, because Redis may change under a rebuild
	rebuildRetry     = 200 * time.Millisecond
	fencePoll        = 10 * time.Millisecond
	journalParallels = 8    // journals published at once
	maxServers       = 1000 // that one rebuild loads the script on
)

// Rebuilder brings buckets back from the database: the steps (a) to (h), each named where it is done. It is the only
// place that loads the fenced scripts.
type Rebuilder struct {
	redis     *scripts.Redis
	publisher RecordPublisher
	buckets   Buckets
}

// NewRebuilder returns a rebuilder.
func NewRebuilder(redis *scripts.Redis, publisher RecordPublisher, buckets Buckets) *Rebuilder {
	return &Rebuilder{redis: redis, publisher: publisher, buckets: buckets}
}

// Rebuild brings the buckets of some rows to the next epoch, open. Rows that somebody else has brought further meanwhile
// are done too. progress, which may be nil, hears how many buckets are done. The caller holds the sale's lease.
func (b *Rebuilder) Rebuild(ctx context.Context, rows []sale.BucketRow, progress func(done, total int)) error {
	if err := b.redis.Doubt(); err != nil {
		return fmt.Errorf("rebuild %d buckets: %w", len(rows), err)
	}
	done := 0
	for from := 0; from < len(rows); from += rebuildChunk {
		left := rows[from:min(from+rebuildChunk, len(rows))]
		for attempt := 1; len(left) > 0; attempt++ {
			if attempt > 1 {
				role.Pause(ctx, rebuildRetry)
			}
			before := len(left)
			var err error
			if left, err = b.pass(ctx, left); err != nil {
				return fmt.Errorf("rebuild %d buckets: %w", len(rows), err)
			}
			if len(left) > 0 && (attempt == rebuildPasses || ctx.Err() != nil) {
				return sale.Away(sale.StoreRedis, fmt.Errorf("rebuild: redis changed under %d buckets in %d attempts, the first is %s",
					len(left), attempt, left[0].Bucket))
			}
			done += before - len(left)
			if progress != nil {
				progress(done, len(rows))
			}
		}
	}
	return nil
}

// pass does every step once and returns the rows that have to begin again at (a), with their present epochs.
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

// closeBuckets is (a) and (b). It returns the rows that are ours to rebuild, and those that Redis has in a later epoch and
// the database by now too: somebody was faster, and whether he is through is seen at the next attempt. The rows that are
// open in a later epoch are done.
func (b *Rebuilder) closeBuckets(ctx context.Context, rows []sale.BucketRow) (closed, newer []sale.BucketRow, err error) {
	present, err := b.buckets.CloseBuckets(ctx, rows)
	if err != nil {
		return nil, nil, fmt.Errorf("close the buckets: %w", err)
	}
	faults.Point("rebuild.closed")
	var shut []sale.BucketRow
	for _, row := range present {
		if row.State != sale.BucketOpen {
			shut = append(shut, row)
		}
	}
	closed, newer, err = b.redis.CloseBuckets(ctx, shut)
	faults.Point("rebuild.redis-closed") // and only now the journal (rule: redis-closed-first)
	if err == nil && len(newer) > 0 {
		newer, err = b.overtaken(ctx, newer)
	}
	return closed, newer, err
}

// overtaken asks the database once more about buckets that Redis has in a later epoch. An epoch begins in the database
// first: where the database still does not know it, it has forgotten it.
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
		case row.State != sale.BucketOpen:
			left = append(left, row)
		}
	}
	return left, nil
}

// drain is (c) and (d) for the buckets that ever sold: their journals are published, and settlement is past it all.
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
			_, err := publishJournal(groupCtx, b.redis, b.publisher, row, wholeJournal)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("publish the journals: %w", err)
	}
	faults.Point("rebuild.journals-published")
	return b.passFences(ctx, partitions) // rule: fence-passed
}

// passFences writes one fence into each partition and waits until settlement has committed past them all. Nothing else
// hangs on a fence: it is a read barrier.
func (b *Rebuilder) passFences(ctx context.Context, partitions map[int32]sale.Bucket) error {
	if len(partitions) == 0 {
		return nil
	}
	tokens := make([]string, 0, len(partitions))
	for partition, bucket := range partitions {
		token := "f" + hex.EncodeToString(randomBytes())
		record := sale.AppendFence(nil, token)
		if err := publishAndWait(ctx, b.publisher, partition, []byte(bucket.String()), record); err != nil {
			return fmt.Errorf("write a fence: %w", err)
		}
		faults.Point("rebuild.fence-written")
		tokens = append(tokens, token)
	}
	for {
		passed, err := b.buckets.FencesPassed(ctx, tokens)
		if err != nil {
			return fmt.Errorf("ask for the fences: %w", err)
		}
		if passed {
			faults.Point("rebuild.fence-passed")
			return nil
		}
		if role.Pause(ctx, fencePoll); ctx.Err() != nil {
			return sale.Away(sale.StoreSettlement, fmt.Errorf("wait for settlement to pass %d fences: %w", len(tokens), ctx.Err()))
		}
	}
}

// verify is (g). The reserve script itself is asked, without purchases, whether it would sell in the new epoch: that
// proves in one atomic step that the script is there and that epoch, state and replication id are right. Where it is
// not there it is loaded, one server after the other, and asked again.
func (b *Rebuilder) verify(ctx context.Context, loads []sale.Load) (good, again []sale.BucketRow, err error) {
	rows := make([]sale.BucketRow, len(loads))
	for i, load := range loads {
		rows[i] = load.BucketRow
	}
	for server := 0; len(rows) > 0; server++ { // rule: verify
		if server == maxServers {
			return good, append(again, rows...), nil
		}
		probed, err := b.redis.Probe(ctx, rows)
		if err != nil {
			return nil, nil, err
		}
		var missing []sale.BucketRow
		for i, doubt := range probed {
			switch doubt {
			case "":
				good = append(good, rows[i])
			case scripts.DetailNoScript:
				missing = append(missing, rows[i])
			default:
				again = append(again, rows[i])
			}
		}
		if len(missing) > 0 {
			if err := b.install(ctx, missing[0].Bucket); err != nil {
				return nil, nil, err
			}
		}
		rows = missing
	}
	return good, again, nil
}

// install loads the fenced scripts on the server of a bucket. A server without them may have gone back with everything it
// holds, and with the scripts its other buckets would sell again as if nothing had happened; so those are closed first
// (rule: others-closed).
func (b *Rebuilder) install(ctx context.Context, at sale.Bucket) error {
	return b.redis.InstallFenced(ctx, at, func() error { return b.closeOthers(ctx) })
}

// closeOthers closes the buckets in doubt, in the database and in Redis, because a gateway learns later what the database
// says. A bucket that is loading is left to its rebuild, which verifies it: only earlier lives of it are closed.
func (b *Rebuilder) closeOthers(ctx context.Context) error {
	changes, err := b.buckets.Changes(ctx, 0)
	if err != nil {
		return fmt.Errorf("look for other buckets in doubt: %w", err)
	}
	var others, past []sale.BucketRow
	for _, row := range changes.Buckets {
		if row.State == sale.BucketLoading {
			row.Epoch--
			past = append(past, row)
		} else {
			others = append(others, row)
		}
	}
	doubted, _, err := b.redis.Doubted(ctx, others)
	if err != nil {
		return fmt.Errorf("look for other buckets in doubt: %w", err)
	}
	if len(doubted) > 0 {
		if _, err := b.buckets.CloseBuckets(ctx, doubted); err != nil {
			return fmt.Errorf("close %d other buckets in doubt: %w", len(doubted), err)
		}
	}
	faults.Point("rebuild.others-closed")
	if _, _, err := b.redis.CloseBuckets(ctx, append(doubted, past...)); err != nil { // a later epoch is another rebuild's
		return fmt.Errorf("close %d other buckets in doubt: %w", len(doubted), err)
	}
	return nil
}

func randomBytes() []byte {
	token := make([]byte, 12)
	_, _ = rand.Read(token) // crypto/rand never fails: it ends the process instead
	return token
}
