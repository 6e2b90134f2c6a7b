package settle

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"flashsale/faults"
	"flashsale/kafka"
	"flashsale/role"
	"flashsale/sale"
)

// consumer is this process's member of the consumer group, as sarama calls it: Setup and Cleanup around each session,
// ConsumeClaim for each partition of it.
type consumer struct {
	settling *settling
	lag      *lag
	pressure *pressure
	log      *slog.Logger
	offsets  *offsetReader
	maxRows  int
	maxBytes int
	progress *progress
	onStarts func(*partitionStarts) // called with the starts of each session
	halt     func(error)            // ends this process's settling permanently, with the reason

	// Setup writes these fields; the claims of the session, which run between Setup and Cleanup, read them.
	starts    *partitionStarts
	committer *committer
	readers   sync.WaitGroup
}

// Setup starts the search for the offset at which each partition of the new session is continued. It returns when all
// offsets are found, or after startsWithin; a partition whose offset is found later begins later. Setup waits for a
// database that is away, and the session stays alive meanwhile.
func (c *consumer) Setup(session sarama.ConsumerGroupSession) error {
	c.committer = startCommitter(session)
	partitions := session.Claims()[c.offsets.topic]
	c.lag.keepOnly(partitions)
	if len(partitions) == 0 {
		c.starts = newPartitionStarts(session.Context(), "", nil)
		c.progress.sessionBegan()
		return nil
	}
	settled, err := c.settled(session.Context())
	if err != nil {
		return err
	}
	var topicID string
	var committed *sarama.OffsetFetchResponse
	err = kafka.Await(session.Context(), func() (err error) {
		if topicID, err = c.offsets.identify(); err == nil {
			committed, err = c.offsets.committed(partitions)
		}
		return err
	})
	if err != nil {
		return err
	}
	c.starts = newPartitionStarts(session.Context(), topicID, partitions)
	c.onStarts(c.starts)
	for _, partition := range partitions {
		c.readers.Go(func() { c.seek(session, partition, committed.GetBlock(c.offsets.topic, partition), settled) })
	}
	starts := c.starts.waitForAll()
	c.progress.sessionBegan()
	c.log.Info("partitions assigned", "topic", c.offsets.topic, "partitions", len(partitions), "starts", starts)
	return nil
}

// settled reads what the database has settled. While the database is away, the wait does not count as a wait for Kafka.
func (c *consumer) settled(ctx context.Context) (settled []sale.Position, err error) {
	c.progress.stopWaitingForKafka()
	defer c.progress.waitForKafka()
	err = c.settling.persist(ctx, "read positions", func(ctx context.Context) (err error) {
		settled, err = c.settling.store.Positions(ctx)
		return err
	})
	return settled, err
}

// Found waits until the start offset of a partition is found; it returns false when the session ends first. The caller
// of the sessions calls it before it reads the partition.
func (c *consumer) Found(partition int32) bool {
	_, found := c.starts.wait(partition)
	return found
}

// seek finds the offset at which a partition is continued and makes the session read it from there.
func (c *consumer) seek(session sarama.ConsumerGroupSession, partition int32, committed *sarama.OffsetFetchResponseBlock,
	settled []sale.Position) {
	start, found := c.locate(c.starts, partition, committed, settled)
	if !found {
		return
	}
	begin(session, c.offsets.topic, partition, c.starts.topicID, start)
	c.starts.set(partition, start, slices.ContainsFunc(settled, func(p sale.Position) bool { return p.Partition == partition }))
}

// locate repeats the search for a partition's start offset. It returns false when the session ends first, or when the
// partition cannot be continued, which ends settling.
func (c *consumer) locate(starts *partitionStarts, partition int32, committed *sarama.OffsetFetchResponseBlock,
	settled []sale.Position) (start int64, found bool) {
	for failures := 1; ; failures++ {
		err := kafka.Await(starts.ctx, func() (err error) {
			start, err = c.offsets.start(partition, starts.topicID, committed, settled)
			return err
		})
		switch {
		case err == nil:
			c.progress.readable(partition)
			return start, true
		case final(err):
			c.halt(err)
			return 0, false
		case !c.tryAgain(starts.ctx, partition, failures, err):
			return 0, false
		}
		committed = nil // read it again: it may be wrong
	}
}

// recheck reports whether a partition can still be continued; false also when the session ends first.
func (c *consumer) recheck(starts *partitionStarts, partition int32) bool {
	settled, err := c.settled(starts.ctx)
	if err != nil {
		return false
	}
	_, found := c.locate(starts, partition, nil, settled)
	return found
}

// errGivenUp describes what sarama does when a broker answers that an offset is out of range: it ends the partition,
// and with it the session.
var errGivenUp = errors.New("its records are not read any more, because a broker answered that its offset is out of range")

// recheckAfter is the pause before the consumer checks again a partition that sarama has given up.
const recheckAfter = time.Second

// waitGivenUp keeps the session alive for the other partitions while a partition that sarama has given up cannot be
// continued.
func (c *consumer) waitGivenUp(starts *partitionStarts, partition int32) {
	c.progress.unreadable(partition, errGivenUp)
	c.log.Warn("a partition is not settled and will be tried again", "topic", c.offsets.topic, "partition", partition,
		"error", errGivenUp)
	if role.Pause(starts.ctx, recheckAfter) {
		c.recheck(starts, partition)
	}
}

// tryAgain logs the partition that cannot be read and waits before the next attempt; it returns false when ctx ends
// first.
func (c *consumer) tryAgain(ctx context.Context, partition int32, failures int, why error) bool {
	if ctx.Err() != nil {
		return false
	}
	c.progress.unreadable(partition, why)
	if role.Noteworthy(failures) {
		c.log.Warn("a partition is not settled and will be tried again", "topic", c.offsets.topic, "partition", partition,
			"try", failures, "error", why)
	}
	return role.Pause(ctx, role.Backoff(failures))
}

// Cleanup runs after the last claim has returned and commits the offsets that the claims marked.
func (c *consumer) Cleanup(sarama.ConsumerGroupSession) error {
	c.readers.Wait()
	c.committer.stop()
	c.progress.sessionEnded()
	return nil
}

// ConsumeClaim settles one partition until the session ends.
func (c *consumer) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	partition := claim.Partition()
	start, found := c.starts.wait(partition)
	if !found {
		return nil
	}
	claimed, leave := context.WithCancelCause(session.Context())
	defer leave(nil)
	settled := c.starts.settled(partition)
	behind := c.lag.claim(partition, start, settled, claim.HighWaterMarkOffset(), leave)
	defer c.lag.endClaim(partition)
	waiting := &recordBatcher{
		messages: claim.Messages(), topicID: c.starts.topicID, maxRows: c.maxRows, maxBytes: c.maxBytes, pressure: c.pressure,
		traced: c.settling.tracer != nil,
	}
	for {
		records, ok := waiting.next(claimed.Done())
		if !ok {
			if claimed.Err() == nil {
				c.waitGivenUp(c.starts, partition)
			}
			c.explain(partition, context.Cause(claimed))
			return nil
		}
		follow(records, settled)
		if err := c.settling.settle(session.Context(), records); err != nil {
			c.explain(partition, err)
			return nil // which ends the session; the records stay uncommitted for the next owner
		}
		faults.Point("settle.settled")
		settled = records[len(records)-1].Offset + 1
		session.MarkOffset(claim.Topic(), partition, settled, c.starts.topicID)
		c.committer.wake()
		behind.settledTo(settled, claim.HighWaterMarkOffset())
		c.settling.metrics.records.Add(float64(len(records)))
		c.progress.settled()
	}
}

// explain acts on why a claim ends, if that is more than the end of its session.
func (c *consumer) explain(partition int32, why error) {
	switch {
	case final(why):
		c.halt(why)
	case errors.Is(why, sale.ErrLostTail):
		c.log.Error("the database has lost settled rows: they are settled again", "topic", c.offsets.topic,
			"partition", partition, "error", why)
	}
}

// commitEvery is the shortest time between two commits of a session: each commit is a record in one of the broker's own
// topics, and the authoritative position is committed with the rows.
const commitEvery = 500 * time.Millisecond

// committer commits the marked offsets of one session beside the transactions, one commit per commitEvery; a commit
// includes all marks since the last one. The next commit makes up for one that fails; when a commit is lost, records
// are delivered twice.
type committer struct {
	session sarama.ConsumerGroupSession
	marked  chan struct{}
	ended   chan struct{}
}

func startCommitter(session sarama.ConsumerGroupSession) *committer {
	c := &committer{session: session, marked: make(chan struct{}, 1), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		for range c.marked {
			session.Commit()
			faults.Point("settle.offset-committed")
			role.Pause(session.Context(), commitEvery)
		}
	}()
	return c
}

func (c *committer) wake() {
	select {
	case c.marked <- struct{}{}:
	default: // the pending commit will include this mark
	}
}

// stop ends the committer after a last commit. wake must not be called afterwards.
func (c *committer) stop() {
	close(c.marked)
	<-c.ended
	c.session.Commit()
}
