package reserve

import (
	"context"
	"fmt"

	"flashsale/faults"
	"flashsale/sale"
	"flashsale/scripts"
)

// askTransfer is transfer, unless Redis's circuit is open.
func (e *Engine) askTransfer(ctx context.Context, id sale.OrderID, giver sale.BucketRow, to int, wants []scripts.TransferWant,
) (scripts.TransferReply, error) {
	exit, ok := e.Breaker.Enter(sale.ResourceRedis)
	if !ok {
		return scripts.TransferReply{}, errCircuitOpen
	}
	reply, err := e.transfer(ctx, id, giver, to, wants)
	exit(err)
	return reply, err
}

// transfer takes units of some SKUs out of a bucket for another bucket of the sale, and begins to publish the journal entry. A
// reply without units is not an error. A call whose outcome is unknown is not repeated: if it has taken units they are in the
// journal, and the relay publishes the entry.
func (e *Engine) transfer(ctx context.Context, id sale.OrderID, giver sale.BucketRow, to int, wants []scripts.TransferWant,
) (scripts.TransferReply, error) {
	q := e.queue(sale.Purchase{Bucket: giver.Bucket, Partition: giver.Partition})
	now, err := q.clock.Time(ctx, e.Redis)
	if err != nil {
		return scripts.TransferReply{}, err
	}
	reply, err := e.Redis.Transfer(ctx, &scripts.TransferCall{
		Keys: q.keys, Head: q.head, Epoch: giver.Epoch, Highest: q.seen(giver.Epoch),
		DeadlineMS: now.Add(callTimeout).UnixMilli(), MaxJournal: e.JournalMaxOrders, ID: id, To: to, Wants: wants,
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

// forward begins to publish a transfer's entry: a publication without requests.
func (q *bucketQueue) forward(reply scripts.TransferReply) {
	p := &publication{
		queue: q, WriteID: scripts.WriteID{Epoch: reply.Epoch, Sequence: reply.Sequence}, nowMS: reply.NowMS,
		entryID: reply.EntryID,
		record:  []byte(reply.Record), backoff: republishFirst, acked: make(chan struct{}),
	}
	if p.reserveBytes() {
		p.send()
	}
}
