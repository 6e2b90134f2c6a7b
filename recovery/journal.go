package recovery

import (
	"context"
	"fmt"
	"math"
	"time"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/tracing"
)

// RecordPublisher sends records to the orders topic. It calls done once, from another goroutine: with nil when every replica
// has the record. After an error the topic may or may not have the record, and the caller publishes the same bytes again.
// Publish never blocks. A record of a sampled trace carries the span under which it is settled.
type RecordPublisher interface {
	Publish(partition int32, key, value []byte, under sale.SpanContext, done func(error))
}

const (
	republishAfter = 50 * time.Millisecond
	journalPage    = 64            // entries in one reading, and on their way to Kafka at once
	wholeJournal   = math.MaxInt64 // the creation time of the last entry to publish: all entries
)

// publishJournal publishes the entries of a bucket's journal that were created at or before a moment, and trims each one that
// Kafka has acknowledged. It returns how many. If there are any, they get a span of the tracer, under which they are settled.
func publishJournal(
	ctx context.Context, r *scripts.Redis, p RecordPublisher, b sale.BucketRow, createdBeforeMS int64, tracer *tracing.Tracer,
) (published int, err error) {
	keys := r.Keys(b.Bucket)
	var span *tracing.Span
	defer func() {
		span.Number("flashsale.batches", int64(published))
		span.FailWith(err)
		span.End()
	}()
	for from := scripts.JournalBeginning; ; {
		page, err := r.JournalFrom(ctx, keys, from, journalPage)
		if err != nil || len(page) == 0 {
			return published, err
		}
		due := page[:0:0]
		for _, entry := range page {
			if entry.CreatedMS <= createdBeforeMS {
				due = append(due, entry)
			}
		}
		if published == 0 && len(due) > 0 {
			ctx, span = tracer.Unit(ctx, "relay")
			span.Text("flashsale.bucket", b.Bucket.String())
		}
		if err := publishEntries(ctx, p, b, due); err != nil {
			return published, err
		}
		faults.Point("relay.published")
		if err := r.TrimEntries(ctx, keys, due); err != nil {
			return published, err
		}
		faults.Point("relay.trimmed")
		published += len(due)
		if from, err = scripts.AfterEntry(page[len(page)-1].ID); err != nil {
			return published, err
		}
	}
}

// publishEntries publishes the entries of a page, all at once, and waits until each is acknowledged.
func publishEntries(ctx context.Context, p RecordPublisher, b sale.BucketRow, entries []scripts.JournalEntry) error {
	key := []byte(b.Bucket.String())
	results := make(chan error, len(entries))
	for _, entry := range entries {
		go func() { results <- publishAndWait(ctx, p, b.Partition, key, entry.Record) }()
	}
	var failed error
	for range entries {
		if err := <-results; err != nil {
			failed = err
			continue
		}
		faults.Point("relay.entry-acknowledged")
	}
	return failed
}

// publishAndWait publishes a record until it is acknowledged or ctx ends.
func publishAndWait(ctx context.Context, p RecordPublisher, partition int32, key, value []byte) error {
	acknowledged := role.Until(ctx, role.Always(republishAfter), func() bool {
		result := make(chan error, 1)
		p.Publish(partition, key, value, tracing.Current(ctx), func(err error) { result <- err })
		select {
		case err := <-result:
			return err == nil
		case <-ctx.Done():
			return false
		}
	})
	if !acknowledged {
		return sale.Away(sale.StoreKafka, fmt.Errorf("publish to partition %d: %w", partition, ctx.Err()))
	}
	return nil
}
