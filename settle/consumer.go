package settle

import (
	"context"
	"log/slog"
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
	halt      func(error) // ends this process's settling for good, with the reason

	// Set by Setup, read by the claims of the session, which begin after it and end before Cleanup.
	starts    map[int32]int64
	topicID   string
	committer *committer
}

// Setup finds where every partition of the new session is continued; the error is an *OffsetError when one cannot be. It
// waits for a database that is away: the session stays alive meanwhile.
func (c *consumer) Setup(session sarama.ConsumerGroupSession) error {
	c.committer = startCommitter(session)
	partitions := session.Claims()[c.positions.topic]
	if len(partitions) == 0 {
		return nil
	}
	var settled []sale.Position
	err := c.settling.persist(session.Context(), "read positions", func(ctx context.Context) (err error) {
		settled, err = c.settling.books.Positions(ctx)
		return err
	})
	if err != nil {
		return err
	}
	err = await(session.Context(), func() (err error) {
		c.topicID, c.starts, err = c.positions.check(partitions, settled)
		return err
	})
	if err != nil {
		return err
	}
	begin(session, c.positions.topic, c.topicID, c.starts)
	c.log.Info("partitions assigned", "topic", c.positions.topic, "starts", c.starts)
	return nil
}

// Cleanup runs after the last claim has returned and commits what they marked.
func (c *consumer) Cleanup(sarama.ConsumerGroupSession) error {
	c.committer.stop()
	return nil
}

// ConsumeClaim settles one partition until the session ends.
func (c *consumer) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	partition := claim.Partition()
	follow := c.lag.follow(partition, c.starts[partition], claim.HighWaterMarkOffset())
	defer c.lag.leave(partition)
	waiting := &gatherer{
		messages: claim.Messages(), topicID: c.topicID, maxRows: c.maxRows, maxBytes: c.maxBytes, pressure: c.pressure,
	}
	for {
		records, ok := waiting.next(session.Context().Done())
		if !ok {
			return nil
		}
		next := records[len(records)-1].Offset + 1
		if faults.Bug("offset-before-commit") {
			session.MarkOffset(claim.Topic(), partition, next, c.topicID)
			session.Commit()
		}
		if err := c.settling.settle(session.Context(), records); err != nil {
			if final(err) {
				c.halt(err)
			}
			return nil // the session is over; the records stay uncommitted for the next owner
		}
		faults.Point("settle.settled")
		session.MarkOffset(claim.Topic(), partition, next, c.topicID)
		c.committer.wake()
		follow.settledTo(next, claim.HighWaterMarkOffset())
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
