package reserve

import (
	"context"
	"errors"
	"fmt"

	"flashsale/faults"
	"flashsale/sale"
	"flashsale/scripts"
)

var errNoLease = errors.New("there is no valid lease of a node id")

// transfer takes units out of a bucket for another one of its SKU and begins to publish them. No units is no error. A call
// whose outcome is unknown is not repeated: what it has taken stands in the journal, and the relay publishes it.
func (e *Engine) transfer(ctx context.Context, id sale.OrderID, giver sale.BucketRow, to int, asked, kept int64,
) (scripts.TransferReply, error) {
	q := e.queue(sale.Purchase{Bucket: giver.Bucket, Partition: giver.Partition})
	now, err := q.clock.Time(ctx, e.Redis)
	if err != nil {
		return scripts.TransferReply{}, err
	}
	reply, err := e.Redis.Transfer(ctx, &scripts.TransferCall{
		Keys: q.keys, Head: q.head, Epoch: giver.Epoch, Highest: q.seen(giver.Epoch),
		DeadlineMS: now.Add(callTimeout).UnixMilli(), MaxJournal: e.JournalMaxOrders, ID: id, To: to, Asked: asked, Kept: kept,
	})
	if err != nil {
		return scripts.TransferReply{}, fmt.Errorf("transfer from bucket %s to %d: %w", giver.Bucket, to, err)
	}
	switch {
	case reply.Code == scripts.CodeFenced && reply.Epoch <= giver.Epoch:
		e.reporter.report(giver.Bucket, giver.Epoch, reply.Detail)
	case reply.Code == scripts.CodeOK:
		faults.Point("reserve.transfer-taken")
		q.learn(reply.Epoch, reply.Sequence)
		q.forward(reply)
		faults.Point("reserve.transfer-sent")
	}
	return reply, nil
}

// forward begins to publish a transfer's entry, as the entry of a batch for which no request waits.
func (q *bucketQueue) forward(reply scripts.TransferReply) {
	p := &publication{
		queue: q, WriteID: scripts.WriteID{Epoch: reply.Epoch, Sequence: reply.Sequence}, nowMS: reply.NowMS, entryID: reply.EntryID,
		record: []byte(reply.Record), backoff: republishFirst, acked: make(chan struct{}),
	}
	if p.reserveBytes() {
		p.send()
	}
}
