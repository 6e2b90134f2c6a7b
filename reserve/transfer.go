package reserve

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"flashsale/faults"
	"flashsale/sale"
	"flashsale/scripts"
)

var errNoLease = errors.New("there is no valid lease of a node id")

// transferCall is one call of the transfer script, as scripts/transfer.lua describes its arguments.
type transferCall struct {
	keys       bucketKeys
	head       string // SALE SKU NUMBER of the giving bucket
	epoch      int64
	highest    int64
	deadlineMS int64
	maxJournal int
	id         sale.OrderID
	to         int
	asked      int64 // units that the receiving bucket needs at least
	kept       int64 // units that stay
}

func (c *transferCall) arguments() []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{
		number(c.epoch), number(c.highest), number(c.deadlineMS), strconv.Itoa(c.maxJournal), c.head, c.id.String(),
		strconv.Itoa(c.to), number(c.asked), number(c.kept),
	}
}

// transferReply is the script's answer.
type transferReply struct {
	code     string
	detail   string
	epoch    int64
	sequence int64
	nowMS    int64
	units    int64
	moved    int64 // units that transfers have taken in this epoch, these included
	entryID  string
	record   string
}

// transfer calls the script. As with reserve, a server without it answers fenced.
func (r *Redis) transfer(ctx context.Context, call *transferCall) (transferReply, error) {
	result := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Evalsha().Sha1(scripts.Transfer().SHA).Numkeys(2).Key(call.keys.meta, call.keys.journal).
			Arg(call.arguments()...).Build()
	})
	return decodeTransfer(result)
}

func decodeTransfer(result rueidis.RedisResult) (transferReply, error) {
	if lacksIt(result) {
		return transferReply{code: codeFenced, detail: detailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return transferReply{}, err
	}
	if len(values) != 9 {
		return transferReply{}, fmt.Errorf("transfer script answered %d values, not 9", len(values))
	}
	fields := fieldReader{values: values}
	reply := transferReply{
		code: fields.text(0), detail: fields.text(1), epoch: fields.number(2), sequence: fields.number(3),
		nowMS: fields.number(4), units: fields.number(5), moved: fields.number(6), entryID: fields.text(7),
		record: fields.text(8),
	}
	return reply, fields.err
}

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
		deadlineMS: now.Add(callTimeout).UnixMilli(), maxJournal: e.JournalMaxOrders, id: id, to: to, asked: asked, kept: kept,
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
