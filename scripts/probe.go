package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// farDeadline is later than any clock: a probe takes nothing, so it may arrive late.
const farDeadline = 1 << 52

// Probe asks the reserve script, by a call without purchases, whether it would sell from each bucket in its row's epoch. It
// returns for each row the reason of the doubt, empty when there is none.
func (r *Redis) Probe(ctx context.Context, rows []sale.BucketRow) ([]string, error) {
	doubts := make([]string, len(rows))
	arguments := NewArgumentBuffer()
	err := r.pipeline(ctx, len(rows), func(c rueidis.Client, i int) rueidis.Completed {
		keys := r.Keys(rows[i].Bucket)
		call := ReserveCall{Epoch: rows[i].Epoch, DeadlineMS: farDeadline, MaxJournal: 1}
		return c.B().Evalsha().Sha1(arguments.sha).Numkeys(4).Key(keys.all()...).
			Arg(arguments.of(&call)...).Build()
	}, func(i int, result rueidis.RedisResult) error {
		reply, err := decodeReserve(result)
		if err == nil && reply.Code == CodeFenced {
			doubts[i] = reply.Detail
		}
		return foreignKind(r.Keys(rows[i].Bucket).any(), err)
	})
	if err != nil {
		return nil, fmt.Errorf("probe %d buckets: %w", len(rows), err)
	}
	return doubts, nil
}

// Doubted probes the buckets of rows, and returns the rows in doubt, each with its reason.
func (r *Redis) Doubted(ctx context.Context, rows []sale.BucketRow) (doubted []sale.BucketRow, reasons []string, err error) {
	doubts, err := r.Probe(ctx, rows)
	for i, doubt := range doubts {
		if doubt != "" {
			doubted, reasons = append(doubted, rows[i]), append(reasons, doubt)
		}
	}
	return doubted, reasons, err
}
