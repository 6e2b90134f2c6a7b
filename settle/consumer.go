package settle

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"flashsale/faults"
	"flashsale/sale"
)

// consumer is this process's member of the consumer group, as sarama calls it: Setup and Cleanup around each session,
// ConsumeClaim for each partition of it.
type consumer struct {
	settling  *settling
	lag       *lag
	pressure  *pressure
	log       *slog.Logger
	positions *positions
	maxRows   int
	maxBytes  int
	progress  *progress
	present   func(*places) // hears of the places of each session
	halt      func(error)   // ends this process's settling for good, with the reason

	// Set by Setup, read by the claims of the session, which begin after it and end before Cleanup.
	places    *places
	committer *committer
	seekers   sync.WaitGroup
}

// Setup begins to find where every partition of the new session is continued, and returns when that is known of all, or
// after tellWithin: what is found later begins later. It waits for a database that is away: the session stays alive meanwhile.
func (c *consumer) Setup(session sarama.ConsumerGroupSession) error {
	c.committer = startCommitter(session)
	partitions := session.Claims()[c.positions.topic]
	c.lag.keep(partitions)
	if len(partitions) == 0 {
		c.places = newPlaces(session.Context(), "", nil)
		c.progress.begins()
		return nil
	}
	settled, err := c.settled(session.Context())
	if err != nil {
		return err
	}
	var topicID string
	var committed *sarama.OffsetFetchResponse
	err = await(session.Context(), func() (err error) {
		if topicID, err = c.positions.identify(); err == nil {
			committed, err = c.positions.committed(partitions)
		}
		return err
	})
	if err != nil {
		return err
	}
	c.places = newPlaces(session.Context(), topicID, partitions)
	c.present(c.places)
	for _, partition := range partitions {
		c.seekers.Go(func() { c.seek(session, partition, committed.GetBlock(c.positions.topic, partition), settled) })
	}
	starts := c.places.waitForAll()
	c.progress.begins()
	c.log.Info("partitions assigned", "topic", c.positions.topic, "partitions", len(partitions), "starts", starts)
	return nil
}

// settled reads what the database has settled. While it is away, Kafka is not what keeps the session from beginning.
func (c *consumer) settled(ctx context.Context) (settled []sale.Position, err error) {
	c.progress.pauses()
	defer c.progress.joins()
	err = c.settling.persist(ctx, "read positions", func(ctx context.Context) (err error) {
		settled, err = c.settling.books.Positions(ctx)
		return err
	})
	return settled, err
}

// Found waits until it is known where a partition of the session is continued; false when the session ends first. Whoever
// runs the sessions asks before the partition is read.
func (c *consumer) Found(partition int32) bool {
	_, found := c.places.wait(partition)
	return found
}

// seek finds where a partition is continued and has the session read it from there.
func (c *consumer) seek(session sarama.ConsumerGroupSession, partition int32, committed *sarama.OffsetFetchResponseBlock,
	settled []sale.Position) {
	start, found := c.locate(c.places, partition, committed, settled)
	if !found {
		return
	}
	begin(session, c.positions.topic, partition, c.places.topicID, start)
	c.places.find(partition, start)
}

// locate tries until it is known where a partition is continued; false when the session ends first, or when it cannot be
// continued, which ends settling.
func (c *consumer) locate(p *places, partition int32, committed *sarama.OffsetFetchResponseBlock,
	settled []sale.Position) (start int64, found bool) {
	for try := 0; ; try++ {
		err := await(p.ctx, func() (err error) {
			start, err = c.positions.start(partition, p.topicID, committed, settled)
			return err
		})
		switch {
		case err == nil:
			c.progress.readable(partition)
			return start, true
		case final(err):
			c.halt(err)
			return 0, false
		case !c.tryAgain(p.ctx, partition, try, err):
			return 0, false
		}
		committed = nil // it may be what was wrong
	}
}

// examine finds out whether a partition can still be continued; false when that is not so, or when the session ends first.
func (c *consumer) examine(p *places, partition int32) bool {
	settled, err := c.settled(p.ctx)
	if err != nil {
		return false
	}
	_, found := c.locate(p, partition, nil, settled)
	return found
}

// errGivenUp is what sarama makes of an offset that it is told to be out of range: it ends the partition, and with it the session.
var errGivenUp = errors.New("its records are not read any more, because its offset was told to be out of range")

// rest keeps the session for the others while a partition that sarama has given up cannot be continued.
func (c *consumer) rest(p *places, partition int32) {
	c.progress.unreadable(partition, errGivenUp)
	c.log.Warn("a partition is not settled and will be tried again", "topic", c.positions.topic, "partition", partition,
		"error", errGivenUp)
	if sleep(p.ctx, longestWait) {
		c.examine(p, partition)
	}
}

// tryAgain names a partition that cannot be read and waits before the next attempt; false when ctx ends first.
func (c *consumer) tryAgain(ctx context.Context, partition int32, try int, why error) bool {
	if ctx.Err() != nil {
		return false
	}
	c.progress.unreadable(partition, why)
	if noteworthy(try) {
		c.log.Warn("a partition is not settled and will be tried again", "topic", c.positions.topic, "partition", partition,
			"try", try+1, "error", why)
	}
	return pause(ctx, try)
}

// Cleanup runs after the last claim has returned and commits what they marked.
func (c *consumer) Cleanup(sarama.ConsumerGroupSession) error {
	c.seekers.Wait()
	c.committer.stop()
	c.progress.ends()
	return nil
}

// ConsumeClaim settles one partition until the session ends.
func (c *consumer) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	partition := claim.Partition()
	start, found := c.places.wait(partition)
	if !found {
		return nil
	}
	follow := c.lag.follow(partition, start, claim.HighWaterMarkOffset())
	defer c.lag.leave(partition)
	waiting := &gatherer{
		messages: claim.Messages(), topicID: c.places.topicID, maxRows: c.maxRows, maxBytes: c.maxBytes, pressure: c.pressure,
	}
	for {
		records, ok := waiting.next(session.Context().Done())
		if !ok {
			if session.Context().Err() == nil {
				c.rest(c.places, partition)
			}
			return nil
		}
		next := records[len(records)-1].Offset + 1
		if err := c.settling.settle(session.Context(), records); err != nil {
			if final(err) {
				c.halt(err)
			}
			return nil // the session is over; the records stay uncommitted for the next owner
		}
		faults.Point("settle.settled")
		session.MarkOffset(claim.Topic(), partition, next, c.places.topicID)
		c.committer.wake()
		follow.settledTo(next, claim.HighWaterMarkOffset())
		c.progress.settled()
	}
}

// commitEvery is the least time between two commits of a session: each is a record in a topic of the broker's own, and the
// position that counts is committed with the rows.
const commitEvery = 500 * time.Millisecond

// committer commits the marked offsets of one session beside the transactions, one commit each commitEvery: meanwhile the
// next marks gather. A commit that fails is made up for by the next; one that is lost makes records arrive twice.
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
			sleep(session.Context(), commitEvery)
		}
	}()
	return c
}

func (c *committer) wake() {
	select {
	case c.marked <- struct{}{}:
	default: // a commit that has not begun yet will take this mark along
	}
}

// stop ends the committer after a last commit; nobody may call wake any more.
func (c *committer) stop() {
	close(c.marked)
	<-c.ended
	c.session.Commit()
}
