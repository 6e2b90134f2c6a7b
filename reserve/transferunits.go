package reserve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flashsale/faults"
	"flashsale/sale"
)

var errNoLease = errors.New("there is no valid lease of a node id")

// transfer takes units out of a bucket for another one of its SKU and begins to publish them. No units is no error. A call
// whose outcome is unknown is not repeated: what it has taken stands in the journal, and the relay publishes it.
func (e *Engine) transfer(ctx context.Context, id sale.OrderID, giver sale.BucketRow, to int, asked, kept int64,
) (transferReply, error) {
	s := e.queue(sale.Purchase{Bucket: giver.Bucket, Partition: giver.Partition})
	now, err := s.redisTime(ctx)
	if err != nil {
		return transferReply{}, err
	}
	reply, err := e.Redis.transfer(ctx, &transferCall{
		keys: s.keys, head: s.head, epoch: giver.Epoch, highest: s.seen(giver.Epoch),
		deadlineMS: now.Add(callTimeout).UnixMilli(), maxJournal: e.JournalMaxOrders, ID: id, to: to, asked: asked, kept: kept,
	})
	if err != nil {
		return transferReply{}, fmt.Errorf("transfer from bucket %s to %d: %w", giver.Bucket, to, err)
	}
	switch {
	case reply.code == codeFenced && reply.epoch <= giver.Epoch:
		e.reporter.report(giver.Bucket, giver.Epoch, reply.detail)
	case reply.code == codeOK:
		faults.Point("reserve.transfer-taken")
		s.learn(reply.epoch, reply.sequence)
		s.forward(reply)
		faults.Point("reserve.transfer-sent")
	}
	return reply, nil
}

// forward begins to publish a transfer's entry, as the entry of a batch that nobody waits for.
func (q *bucketQueue) forward(reply transferReply) {
	p := &publication{
		shelf: q, WriteID: WriteID{reply.epoch, reply.sequence}, nowMS: reply.nowMS, entryID: reply.entryID,
		record: []byte(reply.record), backoff: republishFirst, acked: make(chan struct{}),
	}
	if p.reserveBytes() {
		p.send()
	}
}

// redisTime returns the time of the server that holds the bucket, which is asked when it is not known yet.
func (q *bucketQueue) redisTime(ctx context.Context) (time.Time, error) {
	now, known := q.clock.now()
	if known {
		return now, nil
	}
	if err := q.clock.poll(ctx, q.engine.Redis); err != nil {
		return time.Time{}, fmt.Errorf("%w: redis's clock is not known: %w", errNotSent, err)
	}
	now, _ = q.clock.now()
	return now, nil
}
