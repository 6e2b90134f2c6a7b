package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// Readings returns what Redis has of each bucket, in the order asked. It reads a bucket's counters in one step, and in a second
// step the age of the oldest journal entry of the buckets that have a journal.
func (r *Redis) Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error) {
	readings := make([]sale.Reading, len(buckets))
	err := r.pipeline(ctx, len(buckets), func(c rueidis.Client, i int) rueidis.Completed {
		return c.B().Hmget().Key(r.Keys(buckets[i]).Meta).
			Field("epoch", "seq", "available", "taken", "moved", "returned", "held", "version", "outbox",
				"loaded_state").Build()
	}, func(i int, result rueidis.RedisResult) error {
		values, err := result.ToArray()
		if err != nil {
			return foreignKind("key "+r.Keys(buckets[i]).Meta, err)
		}
		fields := fieldReader{values: values}
		readings[i] = sale.Reading{
			Epoch: fields.number(0), Sequence: fields.number(1), Available: fields.number(2), Taken: fields.number(3),
			Moved: fields.number(4), Returned: fields.number(5), JournalOrders: fields.number(6),
			WindowsVersion: fields.number(7), Outbox: fields.number(8), Shut: values[9].IsNil() || fields.text(9) != "open",
		}
		return fields.err
	})
	if err == nil {
		err = r.readOldest(ctx, buckets, readings)
	}
	if err != nil {
		return nil, fmt.Errorf("read %d buckets: %w", len(buckets), err)
	}
	return readings, nil
}

func (r *Redis) readOldest(ctx context.Context, buckets []sale.Bucket, readings []sale.Reading) error {
	var at []int
	for i := range readings {
		if readings[i].JournalOrders > 0 {
			at = append(at, i)
		}
	}
	return r.pipeline(ctx, len(at), func(c rueidis.Client, i int) rueidis.Completed {
		return c.B().Xrange().Key(r.Keys(buckets[at[i]]).Journal).Start("-").End("+").Count(1).Build()
	}, func(i int, result rueidis.RedisResult) error {
		entries, err := result.AsXRange()
		if err == nil && len(entries) > 0 {
			readings[at[i]].OldestJournal = newJournalEntry(entries[0]).CreatedMS
		}
		return err
	})
}
