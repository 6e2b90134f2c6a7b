package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flashsale/faults"
	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/tracing"
)

// Outbox has the decisions of the database about a bucket's stock that Redis must still apply.
type Outbox interface {
	// Outbox returns open rows sorted by bucket and number: the first ones of every bucket, at most maxRows in all.
	Outbox(ctx context.Context, maxRows int) ([]sale.OutboxRow, error)
	// OutboxDone closes the rows that Redis has applied, and stores the sequence of the write that applied them as a marker.
	OutboxDone(ctx context.Context, applied []sale.Applied) error
}

// LossReporter tells the database that a bucket's stock in Redis is in doubt. The database closes the bucket if epoch is still
// its present one, and the closed bucket is rebuilt.
type LossReporter interface {
	ReportLoss(ctx context.Context, bucket sale.Bucket, epoch int64, reason string) error
}

// lostBucket is a bucket whose data in Redis lacks what an outbox row refers to.
type lostBucket struct {
	bucket sale.Bucket
	epoch  int64
	reason string
}

// OutboxApplierOptions are the parts of an OutboxApplier.
type OutboxApplierOptions struct {
	Redis  *scripts.Redis
	Outbox Outbox
	Report LossReporter
	Leases lease.Leases
	Owner  string          // of leases, unique to this process
	Tracer *tracing.Tracer // nil: no spans
	Log    *slog.Logger
}

// Times and bounds of the outbox applier.
const (
	applyEvery   = 100 * time.Millisecond
	applyRows    = 20_000
	mostRows     = 64 * applyRows   // of one reading, after replies that named later rows
	applyTimeout = 10 * time.Second // of one unit of work
	reportAgain  = time.Second      // while a loss lasts
)

// OutboxApplier applies releases, credits and stock changes of the database to Redis: one page of every bucket at a time, the
// rows of a bucket in order and each once. It marks every page before it sends the bucket's next one. Rows that Redis cannot
// apply now stay in the outbox. When Redis lacks the orders or rows that a row refers to, it has lost writes: the applier
// reports the bucket, and the load of the rebuild includes the row.
type OutboxApplier struct {
	OutboxApplierOptions
	highest  map[sale.Bucket]scripts.WriteID // the highest sequence seen, of buckets with rows
	reported map[sale.Bucket]reportedLoss
	rows     int  // of the last reading
	short    bool // a reply has named a later row than its page since then
}

// reportedLoss is a loss that was reported. The report is repeated every second while the loss lasts, because a report has no
// effect while the bucket is being loaded. It is logged once.
type reportedLoss struct {
	epoch int64
	at    time.Time
}

// NewOutboxApplier returns an outbox applier; Run does its work.
func NewOutboxApplier(o OutboxApplierOptions) *OutboxApplier {
	return &OutboxApplier{
		OutboxApplierOptions: o, highest: map[sale.Bucket]scripts.WriteID{}, reported: map[sale.Bucket]reportedLoss{},
	}
}

// Run applies the outbox until ctx ends.
func (a *OutboxApplier) Run(ctx context.Context) {
	loop := role.Loop{
		Name: "outbox", Unit: a.applyAll, Every: applyEvery, Limit: applyTimeout, Quiet: []error{sale.ErrLeaseHeld},
		Failing: "the outbox could not be applied to redis", Log: a.Log,
	}
	loop.Run(ctx)
}

// applyAll is one unit of work: under the lease it applies page after page as long as Redis applies any.
func (a *OutboxApplier) applyAll(ctx context.Context) error {
	if err := a.Redis.Doubt(); err != nil {
		return err
	}
	rows, err := a.read(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	one := lease.Lease{Leases: a.Leases, Name: lease.Outbox, Owner: a.Owner, Log: a.Log}
	return one.Do(ctx, func(ctx context.Context) error {
		ctx, span := a.Tracer.Unit(ctx, "outbox")
		err := a.applyPages(ctx, rows)
		span.FailWith(err)
		span.End()
		return err
	})
}

// applyPages applies the first page of every bucket again and again, until none is left or Redis applies none.
func (a *OutboxApplier) applyPages(ctx context.Context, rows []sale.OutboxRow) error {
	for len(rows) > 0 {
		applied, left, err := a.apply(ctx, rows)
		if err != nil || applied == 0 {
			return err
		}
		if rows = left; len(rows) > 0 {
			continue
		}
		if rows, err = a.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// read reads the outbox. The buckets share the rows of a reading, so a page may be shorter than the one that an outbox applier
// sent before it died, when fewer buckets had rows: Redis names a later row than the last of the page. So read doubles the rows
// while there are such replies.
func (a *OutboxApplier) read(ctx context.Context) ([]sale.OutboxRow, error) {
	if a.rows = min(2*a.rows, mostRows); !a.short {
		a.rows = applyRows
	}
	a.short = false
	rows, err := a.Outbox.Outbox(ctx, a.rows)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return rows, nil
}

// apply applies the first page of every bucket. It returns how many pages were marked, and the rows after them.
func (a *OutboxApplier) apply(ctx context.Context, rows []sale.OutboxRow) (int, []sale.OutboxRow, error) {
	pages, err := releasePages(rows)
	if err != nil {
		return 0, nil, err
	}
	var applied []sale.Applied
	var lost []lostBucket
	err = a.Redis.Release(ctx, pages, a.seen, func(page *scripts.ReleasePage, reply scripts.ReleaseReply) {
		switch reply.Code {
		case scripts.CodeDone:
			a.learn(page.Bucket, scripts.WriteID{Epoch: page.Epoch, Sequence: reply.Sequence})
			done, own := appliedOf(page, &reply)
			if a.short = a.short || !own; own {
				applied = append(applied, done)
			}
			if len(page.Take) > 0 {
				faults.Point("release.take-applied")
			}
		case scripts.CodeFenced:
			lost = append(lost, lostBucket{bucket: page.Bucket, epoch: page.Epoch, reason: reply.Detail})
		}
	})
	faults.Point("release.applied")
	// The applied pages are marked even when a later piece of the pipeline failed (rule: release-marked).
	if len(applied) > 0 {
		if failed := a.Outbox.OutboxDone(ctx, applied); failed != nil {
			return 0, nil, errors.Join(err, fmt.Errorf("mark %d pages of the outbox as applied: %w", len(applied), failed))
		}
		faults.Point("release.marked")
	}
	return len(applied), rowsAfter(rows, applied), errors.Join(err, a.reportLost(ctx, lost))
}

// appliedOf returns what to mark of a page that Redis has applied. own is false when Redis has applied rows after the page: this
// outbox applier has stalled, another one has marked the page and goes on, and number and found units of the reply belong to a
// later row. Nothing is marked then, and the next unit of work reads the outbox again. Rule: found-of-its-row.
func appliedOf(page *scripts.ReleasePage, reply *scripts.ReleaseReply) (done sale.Applied, own bool) {
	return sale.Applied{
		Bucket: page.Bucket, Epoch: page.Epoch, Number: reply.Number, Sequence: reply.Sequence, Took: reply.Took,
	}, reply.Number <= page.Last()
}

// rowsAfter returns the rows of the buckets that applied a page, without that page.
func rowsAfter(rows []sale.OutboxRow, applied []sale.Applied) []sale.OutboxRow {
	upTo := make(map[sale.Bucket]int64, len(applied))
	for _, a := range applied {
		upTo[a.Bucket] = a.Number
	}
	var left []sale.OutboxRow
	for _, row := range rows {
		if number, took := upTo[row.Bucket]; took && row.Number > number {
			left = append(left, row)
		}
	}
	return left
}

// seen returns the highest sequence seen in the page's epoch.
func (a *OutboxApplier) seen(page *scripts.ReleasePage) int64 {
	if at := a.highest[page.Bucket]; at.Epoch == page.Epoch {
		return at.Sequence
	}
	return 0
}

func (a *OutboxApplier) learn(b sale.Bucket, at scripts.WriteID) {
	if known := a.highest[b]; at.Epoch > known.Epoch || at.Sequence > known.Sequence {
		a.highest[b] = at
	}
}

// reportLost reports the lost buckets to the database.
func (a *OutboxApplier) reportLost(ctx context.Context, lost []lostBucket) error {
	for _, l := range lost {
		before := a.reported[l.bucket]
		if before.epoch == l.epoch && time.Since(before.at) < reportAgain {
			continue
		}
		if err := a.Report.ReportLoss(ctx, l.bucket, l.epoch, l.reason); err != nil {
			return fmt.Errorf("report bucket %s: %w", l.bucket, err)
		}
		faults.Point("release.loss-reported")
		a.reported[l.bucket] = reportedLoss{epoch: l.epoch, at: time.Now()}
		if before.epoch == l.epoch {
			continue
		}
		a.Log.Warn("a bucket is in doubt and was reported", "bucket", l.bucket.String(), "epoch", l.epoch, "reason", l.reason)
	}
	return nil
}
