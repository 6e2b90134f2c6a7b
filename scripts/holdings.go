package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

const ownersPage = 1000

// Holdings returns the orders of a buyer that Redis has and that are not released, oldest first. An order whose batch is in the
// journal is held; queued reports which of these batches Kafka has acknowledged all the same, and their orders are queued.
func (r *Redis) Holdings(ctx context.Context, b sale.Bucket, buyer string, queued func(WriteID) bool) ([]sale.Holding, error) {
	keys := r.Keys(b)
	var meta []rueidis.RedisMessage
	var value string
	err := r.pipeline(ctx, 2, func(c rueidis.Client, i int) rueidis.Completed {
		if i == 0 {
			return c.B().Hmget().Key(keys.Meta).Field("epoch", "base_ms", "held").Build()
		}
		return c.B().Hget().Key(keys.Buyers).Field(buyer).Build()
	}, func(i int, result rueidis.RedisResult) (err error) {
		if i == 0 {
			meta, err = result.ToArray()
		} else if value, err = result.ToString(); rueidis.IsRedisNil(err) {
			err = nil
		}
		return err
	})
	if err != nil || value == "" {
		return nil, err
	}
	entries, err := parseEntries(value)
	if err != nil {
		return nil, err
	}
	fields := fieldReader{values: meta}
	epoch, base := fields.number(0), fields.number(1)
	some := fields.number(2) > 0 // orders in the journal
	if fields.err != nil {
		return nil, fields.err
	}
	journaled, err := r.journaled(ctx, keys, epoch, some, entries)
	if err != nil {
		return nil, err
	}
	for sequence := range journaled {
		journaled[sequence] = journaled[sequence] && !queued(WriteID{epoch, sequence})
	}
	return holdingsOf(entries, base, journaled), nil
}

func holdingsOf(entries []buyerEntry, base int64, journaled map[int64]bool) []sale.Holding {
	holdings := make([]sale.Holding, 0, len(entries))
	for _, e := range entries {
		if e.released {
			continue
		}
		h := sale.Holding{OrderID: e.orderID, Lines: e.lines, Key: e.key, Status: sale.StatusQueued}
		if e.sequence > 0 {
			h.CreatedAt = CreatedAt(base + e.sinceMS)
		}
		if journaled[e.sequence] {
			h.Status = sale.StatusHeld
		}
		holdings = append(holdings, h)
	}
	return holdings
}

// journaled reports which sequences of the entries are in the journal. It does not ask when some is false: then the journal is
// empty.
func (r *Redis) journaled(ctx context.Context, keys BucketKeys, epoch int64, some bool, entries []buyerEntry,
) (map[int64]bool, error) {
	var sequences []int64
	for _, e := range entries {
		if some && e.sequence > 0 && !e.released {
			sequences = append(sequences, e.sequence)
		}
	}
	found := make(map[int64]bool, len(sequences))
	err := r.pipeline(ctx, len(sequences), func(c rueidis.Client, i int) rueidis.Completed {
		id := fmt.Sprintf("%d%010d", epoch, sequences[i])
		return c.B().Xrange().Key(keys.Journal).Start(id).End(id).Count(1).Build()
	}, func(i int, result rueidis.RedisResult) error {
		entries, err := result.AsXRange()
		found[sequences[i]] = len(entries) > 0
		return err
	})
	return found, err
}

// EachOwner calls each with every buyer of the bucket and the numbers of the items of the buyer's orders, also of released ones,
// because their keys still answer. A number may occur twice; numbers is valid during the call. While buyers are added it may
// pass a buyer more than once.
func (r *Redis) EachOwner(ctx context.Context, b sale.Bucket, each func(buyer string, numbers []int) error) error {
	key := r.Keys(b).Buyers
	var numbers []int
	for cursor := uint64(0); ; {
		page, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
			return c.B().Hscan().Key(key).Cursor(cursor).Count(ownersPage).Build()
		}).AsScanEntry()
		if err != nil {
			return fmt.Errorf("scan the owners of bucket %s: %w", b, err)
		}
		for i := 0; i < len(page.Elements); i += 2 {
			if numbers, err = appendNumbers(numbers[:0], page.Elements[i+1]); err != nil {
				return fmt.Errorf("buyer %q of bucket %s: %w", page.Elements[i], b, err)
			}
			if err := each(page.Elements[i], numbers); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}
