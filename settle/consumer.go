package settle

import (
	"log/slog"

	"github.com/IBM/sarama"
)

// consumer is this process's member of the consumer group, as sarama calls it: Setup and Cleanup around each session,
// ConsumeClaim for each partition of it.
type consumer struct {
	settling  *settling
	lag       *lag
	log       *slog.Logger
	positions *positions
	maxRows   int
	maxBytes  int

	// Set by Setup, read by the claims of the session, which begin after it and end before Cleanup.
	starts    map[int32]int64
	topicID   string
	committer *committer
}

// Setup checks that every partition of the new session can be continued where the group left off; the error is an
// *OffsetError when one cannot.
func (c *consumer) Setup(session sarama.ConsumerGroupSession) error {
	c.committer = startCommitter(session)
	partitions := session.Claims()[c.positions.topic]
	if len(partitions) == 0 {
		return nil
	}
	err := await(session.Context(), func() (err error) {
		c.topicID, c.starts, err = c.positions.check(partitions)
		return err
	})
	if err != nil {
		return err
	}
	c.log.Info("partitions assigned", "topic", c.positions.topic, "partitions", partitions)
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
	waiting := &gatherer{messages: claim.Messages(), maxRows: c.maxRows, maxBytes: c.maxBytes}
	for {
		records, ok := waiting.next(session.Context().Done())
		if !ok {
			return nil
		}
		if err := c.settling.settle(session.Context(), records); err != nil {
			return nil // the session is over; the records stay uncommitted for the next owner
		}
		next := records[len(records)-1].Offset + 1
		session.MarkOffset(claim.Topic(), partition, next, c.topicID)
		c.committer.wake()
		follow.settledTo(next, claim.HighWaterMarkOffset())
	}
}

// committer commits the marked offsets of one session beside the transactions: while one commit is under way, the next
// marks gather. A commit that fails is made up for by the next; one that is lost makes records arrive twice.
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
