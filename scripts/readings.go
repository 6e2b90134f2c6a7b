package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// Readings returns what Redis has of each bucket besides its stock, in the order asked. It reads a bucket's counters in one
// step, and in a second step the age of the oldest journal entry of the buckets that have a journal.
func (r *Redis) Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
	readings := make([]sale.Reading, len(buckets))
	err := r.pipeline(ctx, len(buckets), func(c rueidis.Client, i int) rueidis.Completed {
		return metaReading(c, r.Keys(buckets[i]).Meta)
	}, func(i int, result rueidis.RedisResult) (err error) {
		readings[i], err = readingOf(result)
		return foreignKind("key "+r.Keys(buckets[i]).Meta, err)
	})
	if err == nil {
		err = r.readOldest(ctx, buckets, func(i int) *sale.Reading { return &readings[i] })
	}
	if err != nil {
		return nil, fmt.Errorf("read %d buckets: %w", len(buckets), err)
	}
	return readings, nil
}

// metaReading is the command whose reply readingOf reads.
func metaReading(c rueidis.Client, key string) rueidis.Completed {
	return c.B().Hmget().Key(key).Field("epoch", "seq", "held", "version", "outbox", "loaded_state").Build()
}

func readingOf(result rueidis.RedisResult) (sale.Reading, error) {
	values, err := result.ToArray()
	if err != nil {
		return sale.Reading{}, err
	}
	fields := fieldReader{values: values}
	reading := sale.Reading{
		Epoch: fields.number(0), Sequence: fields.number(1), JournalOrders: fields.number(2), WindowsVersion: fields.number(3),
		Outbox: fields.number(4), Shut: values[5].IsNil() || fields.text(5) != "open",
	}
	return reading, fields.err
}

// readOldest reads the oldest journal entry of the buckets that have orders in the journal. reading returns the reading of a
// bucket by its index.
func (r *Redis) readOldest(ctx context.Context, buckets []sale.Bucket, reading func(i int) *sale.Reading) error {
	var at []int
	for i := range buckets {
		if reading(i).JournalOrders > 0 {
			at = append(at, i)
		}
	}
	return r.pipeline(ctx, len(at), func(c rueidis.Client, i int) rueidis.Completed {
		return c.B().Xrange().Key(r.Keys(buckets[at[i]]).Journal).Start("-").End("+").Count(1).Build()
	}, func(i int, result rueidis.RedisResult) error {
		entries, err := result.AsXRange()
		if err == nil && len(entries) > 0 {
			reading(at[i]).OldestJournal = newJournalEntry(entries[0]).CreatedMS
		}
		return err
	})
}
